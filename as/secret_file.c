/** @file Small files with one secret each. */
#include "as/secret_file.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECRET_MAX = 256 };

static int complain(struct text *err, const char *path, const char *what, int e)
{
	text_printf(err, "%s: %s: %s", path, what, strerror(e));
	return -e;
}

static int read_all(int fd, const char *path, struct text *ret, struct text *err)
{
	char buf[SECRET_MAX];
	struct stat st;
	ssize_t n = 0;
	if (fstat(fd, &st) < 0 || (n = read(fd, buf, sizeof buf)) < 0)
		return complain(err, path, "cannot be read", errno);
	if (st.st_mode & (S_IRWXG | S_IRWXO)) {
		text_printf(err, "%s: others may read this secret: chmod 600 it", path);
		return -EACCES;
	}
	text_reset(ret);
	text_put(ret, (struct str){ buf, (size_t)n });
	return ret->failed ? -ENOSPC : 0;
}

static int write_all(const char *path, const struct text *what, struct text *err)
{
	char tmp[4096];
	struct text t = text_fixed(tmp, sizeof tmp);
	text_printf(&t, "%s.new", path);
	if (t.failed)
		return complain(err, path, "is too long a path", ENAMETOOLONG);
	int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return complain(err, tmp, "cannot be written", errno);
	bool good = write(fd, what->p, what->len) == (ssize_t)what->len && fsync(fd) == 0;
	int e = errno;
	close(fd);
	if (good && rename(tmp, path) == 0)
		return 0;
	e = good ? errno : e;
	unlink(tmp);
	return complain(err, path, "cannot be written", e ? e : ENOSPC);
}

int secret_file(const char *path, struct text *ret, struct text *ret_err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? write_all(path, ret, ret_err)
				       : complain(ret_err, path, "cannot be opened", errno);
	int r = read_all(fd, path, ret, ret_err);
	close(fd);
	return r;
}
