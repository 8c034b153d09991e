/** @file Runs a fuzz target over the files named on the command line and those in the folders named there. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int run_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	if (!f)
		return -1;
	enum { MAX = 1 << 20 };
	uint8_t *all = malloc(MAX);
	size_t n = all ? fread(all, 1, MAX, f) : 0;
	fclose(f);
	/* An exact copy, so that a read past the end is seen by the sanitizer. */
	uint8_t *exact = all ? malloc(n ? n : 1) : NULL;
	for (size_t i = 0; exact && i < n; i++)
		exact[i] = all[i];
	free(all);
	if (!exact)
		return -1;
	LLVMFuzzerTestOneInput(exact, n);
	free(exact);
	return 0;
}

static int run_folder(const char *path)
{
	DIR *d = opendir(path);
	if (!d)
		return -1;
	int ran = 0;
	for (struct dirent *e; (e = readdir(d));) {
		char file[4096];
		if (e->d_name[0] == '.')
			continue;
		snprintf(file, sizeof file, "%s/%s", path, e->d_name);
		ran += run_file(file) == 0;
	}
	closedir(d);
	return ran;
}

int main(int argc, char **argv)
{
	int ran = 0;
	for (int i = 1; i < argc; i++) {
		struct stat st;
		if (stat(argv[i], &st))
			continue;
		int n = S_ISDIR(st.st_mode) ? run_folder(argv[i]) : run_file(argv[i]) == 0;
		ran += n > 0 ? n : 0;
	}
	printf("%d inputs\n", ran);
	return ran > 0 ? EXIT_SUCCESS : EXIT_FAILURE; /* a target without a corpus tests nothing */
}
