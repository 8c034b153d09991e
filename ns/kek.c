/** @file The key-encryption key: a file of 32 hex digits that only its owner may read. */
#include "ns/kek.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEXT_CAP = 128, HEX_KEY = 2 * AES_KEY };

static int fail(struct text *err, const char *path, const char *what, int rc)
{
	text_printf(err, "%s: %s: %s", path, what, strerror(-rc));
	return rc;
}

static int make(const char *path, const struct rng *rng, struct text *err)
{
	struct key k;
	char buf[TEXT_CAP];
	struct text t = text_fixed(buf, sizeof(buf));
	/* Complete under another name first: a crash must not leave half a key under this one. */
	char tmp[4096];
	if ((size_t)snprintf(tmp, sizeof(tmp), "%s.new", path) >= sizeof(tmp))
		return fail(err, path, "cannot be made", -ENAMETOOLONG);
	int fd = open(tmp, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail(err, tmp, "cannot be made", -errno);
	rng_fill(rng, k.b, sizeof(k.b));
	text_hex(&t, k.b, sizeof(k.b), true);
	text_putc(&t, '\n');
	bool is_written = write(fd, t.p, t.len) == (ssize_t)t.len && fsync(fd) == 0;
	int rc = is_written ? 0 : errno ? -errno : -EIO;
	close(fd);
	crypto_forget(&k, sizeof(k));
	crypto_forget(buf, sizeof(buf));
	if (rc == 0 && rename(tmp, path) != 0)
		rc = -errno;
	return rc ? fail(err, path, "cannot be written", rc) : 0;
}

int kek_open(const char *path, const struct rng *rng, struct key *ret, struct text *err)
{
	char buf[TEXT_CAP];
	if (access(path, F_OK) != 0 && errno == ENOENT)
		TRY(make(path, rng, err));
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail(err, path, "cannot be read", -errno);
	ssize_t n = read(fd, buf, sizeof(buf));
	close(fd);
	int rc = n < 0 ? -EIO : hex_exact(str_trim((struct str){ buf, (size_t)n }), ret->b, sizeof(ret->b));
	crypto_forget(buf, sizeof(buf));
	if (rc)
		text_printf(err, "%s: does not hold a key of %d hex digits", path, HEX_KEY);
	return rc;
}
