/** @file godwit backup and restore: this host's state directory, copied while its processes run, and put back.
 *
 * A copy has the layout of a state directory, less what only a running process needs. It is complete once it has its name. What
 * is put back is prepared beside the state it replaces, by the programs that own it (`--restored`), and takes its place by renaming.
 */
#include "as/cli/cli.h"
#include "common/core/json_out.h"
#include "common/store_copy.h"
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PARTS = 2, SECRET_MAX = 4096, TOLD_MAX = 256 << 20 };

static const struct part {
	const char *name, *program, *told; /**< told: what its program says after a restore */
} parts[PARTS] = {
	{ "ns", "godwit-ns", "sessions" },
	{ "as", "godwit-as", "devices_with_joins" },
};
static const char *const secrets[] = { "ns/kek", "as/kek", "admin.key" };
static const char staged[] = ".restore";

/** "DIR/LEAF". Paths that are too long end up refused by whoever opens them. */
static const char *path_of(char (*buf)[PATH_MAX], const char *dir, const char *leaf)
{
	if ((size_t)snprintf(*buf, sizeof *buf, "%s/%s", dir, leaf) >= sizeof *buf)
		(*buf)[0] = '\0';
	return *buf;
}
#define PATH(dir, leaf) path_of(&(char[1][PATH_MAX]){ "" }[0], dir, leaf)

static int fail(struct cli *c, const char *path, const char *what)
{
	text_printf(&c->err, "%s: %s: %s", path, what, strerror(errno));
	return CLI_FAILED;
}

/** Which parts are in the directory; a bit each. */
static unsigned parts_in(const char *dir)
{
	unsigned there = 0;
	for (size_t i = 0; i < PARTS; i++)
		there |= store_is_there(PATH(dir, parts[i].name)) ? 1U << i : 0;
	return there;
}

/** Copy the stores of the parts. @param counts  filled: one record count for each part */
static int copy_stores(struct cli *c, const char *from, const char *to, unsigned which, bool is_live, uint64_t counts[PARTS])
{
	char paths[PARTS][2][PATH_MAX];
	struct store_copy copies[PARTS] = { 0 };
	size_t n = 0;
	for (size_t i = 0; i < PARTS; i++) {
		if (!(which & 1U << i))
			continue;
		copies[n] = (struct store_copy){ .is_live = is_live, .from = path_of(&paths[n][0], from, parts[i].name),
			.to = path_of(&paths[n][1], to, parts[i].name) };
		n++;
	}
	if (store_copy(copies, n, &c->err))
		return CLI_FAILED;
	for (size_t i = 0, k = 0; i < PARTS; i++)
		counts[i] = which & 1U << i ? copies[k++].ret_records : 0;
	return CLI_OK;
}

/** @return 0; -ENOENT there is none; -errno */
static int copy_file(const char *from, const char *to)
{
	char buf[SECRET_MAX];
	int in = open(from, O_RDONLY | O_CLOEXEC);
	if (in < 0)
		return -errno;
	ssize_t n = read(in, buf, sizeof buf);
	close(in);
	if (n < 0 || n == sizeof buf)
		return -EIO;
	int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (out < 0)
		return -errno;
	bool is_good = write(out, buf, (size_t)n) == n && fsync(out) == 0;
	int rc = is_good ? 0 : errno ? -errno : -EIO;
	close(out);
	explicit_bzero(buf, sizeof buf);
	return rc;
}

/** The keys of the parts that are copied; the operator's key goes with the as. */
static int copy_secrets(struct cli *c, const char *from, const char *to, unsigned which)
{
	for (size_t i = 0; i < COUNT(secrets); i++) {
		if (!(which & (i == 0 ? 1U : 2U)))
			continue;
		int rc = copy_file(PATH(from, secrets[i]), PATH(to, secrets[i]));
		errno = -rc;
		if (rc && rc != -ENOENT)
			return fail(c, PATH(from, secrets[i]), "cannot be copied");
	}
	return CLI_OK;
}

static int sync_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 || fsync(fd) ? -errno : 0;
	if (fd >= 0)
		close(fd);
	return rc;
}

/** Remove what a copy consists of, as far as it is there. */
static void forget(const char *dir)
{
	for (size_t i = 0; i < COUNT(secrets); i++)
		unlink(PATH(dir, secrets[i]));
	for (size_t i = 0; i < PARTS; i++) {
		unlink(PATH(PATH(dir, parts[i].name), "data.mdb"));
		unlink(PATH(PATH(dir, parts[i].name), "lock.mdb"));
		rmdir(PATH(dir, parts[i].name));
	}
	unlink(PATH(dir, "addresses.json"));
	rmdir(dir);
}

static int make_copy(struct cli *c, const char *state, const char *to, unsigned which, uint64_t counts[PARTS])
{
	int status = copy_stores(c, state, to, which, true, counts);
	if (!status)
		status = copy_secrets(c, state, to, which);
	errno = status ? 0 : -sync_dir(to);
	return errno ? fail(c, to, "cannot be written") : status;
}

int backup_main(struct cli *c)
{
	const char *state = client_state_dir(args_get(&c->args, "state-dir")), *dir = c->operand[0];
	char unnamed[PATH_MAX], line[PATH_MAX + 256];
	struct text t = text_fixed(line, sizeof line);
	uint64_t counts[PARTS];
	unsigned which = parts_in(state);
	if (!which) {
		text_printf(&c->err, "%s: there is no store here that can be read; give --state-dir, or run as its owner (sudo)", state);
		return CLI_FAILED;
	}
	size_t n = strlen(dir);
	while (n > 1 && dir[n - 1] == '/')
		n--;
	errno = ENAMETOOLONG;
	if ((size_t)snprintf(unnamed, sizeof unnamed, "%.*s.part", (int)n, dir) >= sizeof unnamed)
		return fail(c, dir, "cannot be made");
	if (access(dir, F_OK) == 0 && rmdir(dir))
		return fail(c, dir, "is there already");
	if (mkdir(unnamed, 0700))
		return fail(c, unnamed, errno == EEXIST ? "is being made, or was left by a backup that was cut off; then remove it" : "cannot be made");
	int status = make_copy(c, state, unnamed, which, counts);
	if (!status && rename(unnamed, dir))
		status = fail(c, dir, "cannot be made");
	if (status) {
		forget(unnamed);
		return status;
	}
	json_open(&t, '{');
	json_name(&t, "backup");
	json_puts(&t, dir);
	json_name(&t, "records");
	json_open(&t, '{');
	for (size_t i = 0; i < PARTS; i++)
		if (which & 1U << i) {
			json_name(&t, parts[i].name);
			json_unum(&t, counts[i]);
		}
	json_close(&t, '}');
	json_close(&t, '}');
	cli_print(c, text_str(&t), NULL);
	return CLI_OK;
}

/* ---- restore ---- */

/** A restore on its way. */
struct restore {
	const char *dir, *state;
	char stage[PATH_MAX], before[PATH_MAX];
	unsigned which;
	int lock[PARTS];             /**< of the stores that are replaced: nobody opens them meanwhile */
	struct text told[PARTS];
};

/** Nobody may run on what is replaced. */
static int lock_part(struct cli *c, struct restore *r, size_t i)
{
	const char *path = PATH(r->state, parts[i].name);
	r->lock[i] = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r->lock[i] < 0 && errno == ENOENT)
		return CLI_OK;
	if (r->lock[i] < 0)
		return fail(c, path, "cannot be opened");
	if (flock(r->lock[i], LOCK_EX | LOCK_NB) == 0)
		return CLI_OK;
	text_printf(&c->err, "%s runs with %s: stop it first (systemctl stop godwit.target)", parts[i].program, r->state);
	return CLI_FAILED;
}

/** In a child: the program that owns the part, on what is staged. */
static void run_part(const struct cli *c, const struct restore *r, size_t i, int out)
{
	char programs[PATH_MAX], program[PATH_MAX + 32];
	const char *config = args_get(&c->args, "config");
	int rc = cli_programs(programs);
	snprintf(program, sizeof program, "%s/%s", programs, parts[i].program);
	if (!rc && dup2(out, STDOUT_FILENO) >= 0) {
		if (config)
			execl(program, program, "--restored", "--state-dir", r->stage, "--config", config, NULL);
		else
			execl(program, program, "--restored", "--state-dir", r->stage, NULL);
	}
	fprintf(stderr, "error: cannot run %s: %s\n", program, strerror(rc ? -rc : errno));
	_exit(CLI_FAILED);
}

/** Have the part made safe; what its program says is kept. */
static int settle_part(struct cli *c, struct restore *r, size_t i)
{
	int fds[2], status;
	char buf[4096];
	if (pipe2(fds, O_CLOEXEC))
		return fail(c, parts[i].program, "cannot be run");
	pid_t pid = fork();
	if (pid == 0)
		run_part(c, r, i, fds[1]);
	close(fds[1]);
	for (ssize_t n; pid > 0 && (n = read(fds[0], buf, sizeof buf)) > 0;)
		text_put(&r->told[i], (struct str){ buf, (size_t)n });
	close(fds[0]);
	if (pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return CLI_OK;
	text_printf(&c->err, "%s could not take over the copy; %s is as it was", parts[i].program, r->state);
	return CLI_FAILED;
}

/** What is staged belongs to the owner of the state directory, whoever runs this. */
static int give(const struct restore *r)
{
	struct stat st;
	if (stat(r->state, &st))
		return -errno;
	if (geteuid() == st.st_uid)
		return 0;
	for (size_t i = 0; i < PARTS; i++) {
		const char *part = PATH(r->stage, parts[i].name);
		if (!(r->which & 1U << i))
			continue;
		if (chown(part, st.st_uid, st.st_gid) || chown(PATH(part, "data.mdb"), st.st_uid, st.st_gid) ||
			(chown(PATH(part, "lock.mdb"), st.st_uid, st.st_gid) && errno != ENOENT))
			return -errno;
	}
	for (size_t i = 0; i < COUNT(secrets); i++)
		if (chown(PATH(r->stage, secrets[i]), st.st_uid, st.st_gid) && errno != ENOENT)
			return -errno;
	return 0;
}

/** Everything that can go wrong goes wrong here, where nothing is lost. */
static int stage(struct cli *c, struct restore *r)
{
	uint64_t counts[PARTS];
	forget(r->stage);
	if (mkdir(r->stage, 0700))
		return fail(c, r->stage, "cannot be made");
	int status = copy_stores(c, r->dir, r->stage, r->which, false, counts);
	if (!status)
		status = copy_secrets(c, r->dir, r->stage, r->which);
	for (size_t i = 0; !status && i < PARTS; i++)
		if (r->which & 1U << i)
			status = settle_part(c, r, i);
	errno = status ? 0 : -give(r);
	return errno ? fail(c, r->stage, "cannot be given to the owner of the state directory") : status;
}

/** Set aside what is there under a name, and put what is staged in its place. */
static int swap(struct cli *c, const struct restore *r, const char *leaf, bool *ret_is_replaced)
{
	const char *now = PATH(r->state, leaf), *new = PATH(r->stage, leaf);
	if (access(new, F_OK))
		return CLI_OK;
	if (access(now, F_OK) == 0) {
		if ((mkdir(r->before, 0700) && errno != EEXIST) || rename(now, PATH(r->before, leaf)))
			return fail(c, now, "cannot be set aside");
		*ret_is_replaced = true;
	}
	return rename(new, now) ? fail(c, now, "cannot be put there") : CLI_OK;
}

static int restored(const struct cli *c, const struct restore *r, bool is_replaced)
{
	__attribute__((cleanup(text_done_auto))) struct text t = text_growing(TOLD_MAX);
	json_open(&t, '{');
	json_name(&t, "restored");
	json_puts(&t, r->dir);
	if (is_replaced) {
		json_name(&t, "replaced_state");
		json_puts(&t, r->before);
	}
	for (size_t i = 0; i < PARTS; i++)
		if (r->which & 1U << i) {
			json_name(&t, parts[i].told);
			json_raw_out(&t, str_trim(text_str(&r->told[i])));
		}
	json_close(&t, '}');
	cli_print(c, text_str(&t), NULL);
	return t.failed ? CLI_FAILED : CLI_OK;
}

static int prepare(struct cli *c, struct restore *r)
{
	time_t now = time(NULL);
	struct tm tm;
	char name[64];
	strftime(name, sizeof name, "before-restore-%Y%m%dT%H%M%SZ", gmtime_r(&now, &tm));
	path_of(&r->stage, r->state, staged);
	path_of(&r->before, r->state, name);
	r->which = parts_in(r->dir);
	if (!r->which) {
		text_printf(&c->err, "%s: there is no backup here that can be read", r->dir);
		return CLI_FAILED;
	}
	if (mkdir(r->state, 0700) && errno != EEXIST)
		return fail(c, r->state, "cannot be made");
	for (size_t i = 0; i < PARTS; i++)
		if ((r->which & 1U << i) && lock_part(c, r, i))
			return CLI_FAILED;
	return CLI_OK;
}

int restore_main(struct cli *c)
{
	struct restore r = { .dir = c->operand[0], .state = client_state_dir(args_get(&c->args, "state-dir")), .lock = { -1, -1 },
		.told = { text_growing(TOLD_MAX), text_growing(TOLD_MAX) } };
	bool is_replaced = false;
	int status = prepare(c, &r);
	if (!status) {
		status = stage(c, &r);
		for (size_t i = 0; !status && i < PARTS; i++)
			status = swap(c, &r, parts[i].name, &is_replaced);
		if (!status)
			status = swap(c, &r, "admin.key", &is_replaced);
		forget(r.stage);
		sync_dir(r.state);
	}
	if (!status)
		status = restored(c, &r, is_replaced);
	for (size_t i = 0; i < PARTS; i++) {
		text_done(&r.told[i]);
		if (r.lock[i] >= 0)
			close(r.lock[i]);
	}
	return status;
}
