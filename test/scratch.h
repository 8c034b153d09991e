/** @file A folder of its own for a test that needs files, removed with all that is in it. */
#pragma once
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct scratch {
	char path[64];
};

static inline struct scratch scratch_new(void)
{
	struct scratch s = { "/tmp/godwit-test-XXXXXX" };
	if (!mkdtemp(s.path))
		abort();
	return s;
}

/** Path of a file in it; valid until the eighth call after this one. */
static inline const char *scratch_file(const struct scratch *s, const char *leaf)
{
	static char paths[8][160];
	static unsigned at;
	char *p = paths[at++ % 8];
	snprintf(p, sizeof paths[0], "%s/%s", s->path, leaf);
	return p;
}

static inline void scratch_clear(int parent, const char *name, int depth)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d)
		return;
	for (struct dirent *e; (e = readdir(d));)
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..") && unlinkat(fd, e->d_name, 0) && depth > 0)
			scratch_clear(fd, e->d_name, depth - 1);
	closedir(d);
	unlinkat(parent, name, AT_REMOVEDIR);
}

static inline void scratch_free(struct scratch *s)
{
	scratch_clear(AT_FDCWD, s->path, 4);
}

static inline void scratch_write(const struct scratch *s, const char *leaf, const char *text)
{
	FILE *f = fopen(scratch_file(s, leaf), "w");
	if (!f || fputs(text, f) < 0 || fclose(f))
		abort();
}

/** The first 4 KiB of a file as text, "" if it is not there; valid until the next call. */
static inline const char *scratch_read(const struct scratch *s, const char *leaf)
{
	static char buf[4096];
	buf[0] = '\0';
	int fd = open(scratch_file(s, leaf), O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return buf;
	ssize_t n = read(fd, buf, sizeof buf - 1);
	close(fd);
	buf[n > 0 ? n : 0] = '\0';
	return buf;
}
