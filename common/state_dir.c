/** @file The state directory: made and locked by pid file, with the addresses in use. */
#include "common/state_dir.h"
#include "common/core/json.h"
#include "common/core/json_out.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ADDRESSES_MAX_BYTES = 16384, ADDRESSES_MAX_TOKENS = 256 };
static const char addresses_file[] = "addresses.json";
static const char addresses_new[] = "addresses.json.new";

/** Make path and what is above it. @return 0; -errno */
static int make_path(const char *path)
{
	char part[PATH_MAX];
	for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(part, sizeof part, "%.*s", (int)(slash - path), path);
		if (mkdir(part, 0700) && errno != EEXIST)
			return -errno;
	}
	return mkdir(path, 0700) && errno != EEXIST ? -errno : 0;
}

static int open_dir(struct state_dir *s, struct text *ret_error)
{
	int rc = make_path(s->path);
	if (!rc) {
		s->dir_fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		rc = s->dir_fd < 0 || faccessat(s->dir_fd, ".", W_OK | X_OK, AT_EACCESS) ? -errno : 0;
	}
	if (rc)
		text_printf(ret_error, "state-dir: %s: %s; choose another with --state-dir", s->path, strerror(-rc));
	return rc;
}

/** Is the file that fd locks still the one that has this name? */
static bool is_current(const struct state_dir *s, int fd, const char *name)
{
	struct stat held, named;
	return fstat(fd, &held) == 0 && fstatat(s->dir_fd, name, &named, 0) == 0 && held.st_ino == named.st_ino;
}

static void pid_name(const struct state_dir *s, char *ret, size_t cap)
{
	snprintf(ret, cap, "%s.pid", s->process);
}

/** @return 0 locked; -EAGAIN the file was removed meanwhile; -EBUSY; -errno */
static int try_pid_file(struct state_dir *s, const char *name, struct text *ret_error)
{
	int fd = openat(s->dir_fd, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0) {
		int rc = -errno;
		text_printf(ret_error, "%s/%s: %s", s->path, name, strerror(-rc));
		return rc;
	}
	char line[24] = "";
	int rc = 0;
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		ssize_t n = read(fd, line, sizeof line - 1);
		line[strspn(n > 0 ? line : "", "0123456789")] = '\0';
		text_printf(ret_error, "%s: godwit-%s (pid %s) runs with this state directory already", s->path, s->process, line);
		rc = -EBUSY;
	} else if (!is_current(s, fd, name)) {
		rc = -EAGAIN;
	} else {
		int n = snprintf(line, sizeof line, "%ld\n", (long)getpid());
		if (ftruncate(fd, 0) || pwrite(fd, line, (size_t)n, 0) != n) {
			rc = errno ? -errno : -EIO;
			text_printf(ret_error, "%s/%s: %s", s->path, name, strerror(-rc));
		}
	}
	if (rc)
		close(fd);
	else
		s->pid_fd = fd;
	return rc;
}

int state_dir_open(struct state_dir *ret, const char *path, const char *process, struct text *ret_error)
{
	char name[32];
	*ret = (struct state_dir){ .dir_fd = -1, .pid_fd = -1 };
	if (!*path || str_copy(str_of(path), ret->path, sizeof ret->path) || str_copy(str_of(process), ret->process, sizeof ret->process)) {
		text_printf(ret_error, "state-dir: \"%s\" cannot be a directory", path);
		return -EINVAL;
	}
	int rc = open_dir(ret, ret_error);
	pid_name(ret, name, sizeof name);
	while (!rc) {
		rc = try_pid_file(ret, name, ret_error);
		if (rc != -EAGAIN)
			break;
		rc = 0;
	}
	if (!rc) {
		rc = state_dir_address(ret, NULL, NULL);
		if (rc)
			text_printf(ret_error, "%s/%s: %s", ret->path, addresses_file, strerror(-rc));
	}
	if (rc)
		state_dir_close(ret);
	return rc;
}

void state_dir_close(struct state_dir *s)
{
	char name[32];
	if (s->pid_fd >= 0) {
		(void)state_dir_address(s, NULL, NULL); /* stale entries are taken out at the next start */
		pid_name(s, name, sizeof name);
		unlinkat(s->dir_fd, name, 0);
		close(s->pid_fd);
	}
	if (s->dir_fd >= 0)
		close(s->dir_fd);
	s->pid_fd = s->dir_fd = -1;
}

/** What the file holds, less what belongs to this change. A damaged file counts as empty. */
static void put_kept(const struct state_dir *s, struct text *t, struct str old, const char *name)
{
	struct json_tok tok[ADDRESSES_MAX_TOKENS];
	struct json j;
	char prefix[24];
	snprintf(prefix, sizeof prefix, "%s.", s->process);
	if (json_parse(old, tok, COUNT(tok), &j, NULL))
		return;
	if (json_type(&j, json_root(&j)) != JSON_OBJECT)
		return;
	for (json_val v = json_first(&j, json_root(&j)); v >= 0; v = json_next(&j, v)) {
		struct str key = json_raw(&j, v), value;
		bool goes = name ? str_is(key, name) : str_starts(key, prefix);
		if (goes || json_plain(&j, json_member_value(&j, v), &value))
			continue;
		char plain[64];
		if (str_copy(key, plain, sizeof plain))
			continue;
		json_name(t, plain);
		json_str(t, value);
	}
}

static int write_file(const struct state_dir *s, struct str text)
{
	int fd = openat(s->dir_fd, addresses_new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	ssize_t n = write(fd, text.p, text.n);
	int rc = n < 0 ? -errno : (size_t)n < text.n ? -ENOSPC : 0;
	close(fd);
	if (!rc && renameat(s->dir_fd, addresses_new, s->dir_fd, addresses_file))
		rc = -errno;
	return rc;
}

static struct str read_old(const struct state_dir *s, char *buf, size_t cap)
{
	int fd = openat(s->dir_fd, addresses_file, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, buf, cap);
	if (fd >= 0)
		close(fd);
	return (struct str){ buf, n > 0 ? (size_t)n : 0 };
}

int state_dir_address(struct state_dir *s, const char *name, const char *address)
{
	char old[ADDRESSES_MAX_BYTES], fresh[ADDRESSES_MAX_BYTES];
	struct text t = text_fixed(fresh, sizeof fresh);
	/* Three processes change one file; the directory is what they lock. */
	if (flock(s->dir_fd, LOCK_EX))
		return -errno;
	json_open(&t, '{');
	put_kept(s, &t, read_old(s, old, sizeof old), name);
	if (name) {
		json_name(&t, name);
		json_puts(&t, address);
	}
	json_close(&t, '}');
	text_putc(&t, '\n');
	int rc = t.failed ? -ENOSPC : write_file(s, text_str(&t));
	flock(s->dir_fd, LOCK_UN);
	return rc;
}
