/** @file What every process says of itself: its version, and the names that all of Prometheus' own libraries give to the rest. */
#include "common/metrics.h"
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/** Of /proc/self/stat, behind the name: fields by their numbers in proc_pid_stat(5), the first of them being 3. */
enum { FIELD_FIRST = 3, FIELD_UTIME = 14, FIELD_STIME = 15, FIELD_START = 22, FIELD_VSIZE = 23, FIELD_RSS = 24, FIELDS_END };

struct own {
	uint64_t start, cpu; /**< [us]: unix time; time used */
	uint64_t resident, virtual_size, open_files, max_files;
};

static const struct metric rows[] = {
	METRIC_ROW(struct own, start, SECONDS, "process_start_time_seconds", "Start of the process, as unix time")
	METRIC_ROW(struct own, resident, GAUGE, "process_resident_memory_bytes", "Memory that is resident")
	METRIC_ROW(struct own, virtual_size, GAUGE, "process_virtual_memory_bytes", "Addresses in use; a store's file counts in full")
	METRIC_ROW(struct own, open_files, GAUGE, "process_open_fds", "Open file descriptors")
	METRIC_ROW(struct own, max_files, GAUGE, "process_max_fds", "Most file descriptors that it may open")
};

/** @param ret  by number of the field. @return false: the kernel does not say */
static bool stat_read(uint64_t ret[FIELDS_END])
{
	char line[1024];
	FILE *f = fopen("/proc/self/stat", "re");
	size_t n = f ? fread(line, 1, sizeof line - 1, f) : 0;
	if (f)
		fclose(f);
	line[n] = '\0';
	const char *name_end = strrchr(line, ')'); /* the name may hold anything */
	struct str rest = str_trim(str_of(name_end ? name_end + 1 : "")), field;
	for (int i = FIELD_FIRST; i < FIELDS_END; i++) {
		rest = str_cut(rest, ' ', &field);
		if (num_u64(field, &ret[i]))
			ret[i] = 0; /* a letter, or below zero: none that is asked for */
	}
	return ret[FIELD_RSS] != 0;
}

static uint64_t unix_us_of(clockid_t clock)
{
	struct timespec t;
	return clock_gettime(clock, &t) ? 0 : (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/** Found once: where the wall clock is set later, the start must not seem to move. */
static uint64_t start_us(uint64_t since_boot_us)
{
	static uint64_t found;
	if (!found)
		found = unix_us_of(CLOCK_REALTIME) - unix_us_of(CLOCK_BOOTTIME) + since_boot_us;
	return found;
}

static uint64_t open_files(void)
{
	struct stat s;
	uint64_t n = 0;
	if (stat("/proc/self/fd", &s) == 0 && s.st_size > 0)
		return (uint64_t)s.st_size; /* since Linux 6.2 */
	DIR *d = opendir("/proc/self/fd");
	for (const struct dirent *e; d && (e = readdir(d));)
		n += e->d_name[0] != '.';
	if (d)
		closedir(d);
	return n ? n - 1 : 0; /* without the one that was just open */
}

void metrics_process(struct text *t, const char *process)
{
	uint64_t v[FIELDS_END] = { 0 };
	struct rlimit files;
	metrics_head(t, "godwit_build_info", "Always 1; the version is a label", METRIC_GAUGE);
	text_printf(t, "godwit_build_info{process=\"%s\",version=\"%s\"} 1\n", process, VERSION);
	long ticks = sysconf(_SC_CLK_TCK), page = sysconf(_SC_PAGESIZE);
	if (!stat_read(v) || ticks <= 0 || page <= 0)
		return;
	uint64_t tick_us = 1000000 / (uint64_t)ticks;
	struct own own = { .start = start_us(v[FIELD_START] * tick_us), .cpu = (v[FIELD_UTIME] + v[FIELD_STIME]) * tick_us,
		.resident = v[FIELD_RSS] * (uint64_t)page, .virtual_size = v[FIELD_VSIZE], .open_files = open_files(),
		.max_files = getrlimit(RLIMIT_NOFILE, &files) ? 0 : (uint64_t)files.rlim_cur };
	metrics_render(t, rows, COUNT(rows), &own, NULL);
	metrics_head(t, "process_cpu_seconds_total", "Time that it spent on processors", METRIC_COUNTER);
	text_puts(t, "process_cpu_seconds_total ");
	text_decimal(t, (int64_t)own.cpu, 6);
	text_putc(t, '\n');
}
