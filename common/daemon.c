/** @file Starting a daemon: arguments, settings, state directory, signals, readiness, end. */
#include "common/daemon.h"
#include "common/log.h"
#include "common/notify.h"
#include "common/state_dir.h"
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

enum { EXIT_USAGE = 2, HELP_MAX_BYTES = 1 << 20, ERROR_MAX_BYTES = 1024 };
/* Less than the 5 s that are promised, because the end itself takes a moment. */
enum { STOP_LIMIT_US = 4800000 };

static const struct setting common_rows[] = {
#define SETTING(member, name, kind, dflt, min, max, doc) \
	{ name, dflt, doc, offsetof(struct common_settings, member), min, max, SETTING_##kind },
#include "common/settings.def"
#undef SETTING
};

struct arguments {
	const char *config;
	const char **flags; /**< NULL-terminated "name=value" */
	size_t n;
	char **joined;      /**< those made from two arguments, owned */
	size_t joined_n;
	bool check, help, version, restored;
};

struct daemon {
	const struct daemon_program *program;
	struct loop *loop;
	struct settings_table table; /**< the common rows, then the program's own */
	struct setting *rows;
	const char **sections;
	struct settings_source source;
	struct settings_origin *origins;
	char *settings;              /**< struct common_settings, then the program's */
	const void *own;
	struct state_dir dir;
	void *state;
	int status;
	bool is_stopping;
};

static size_t own_offset(void)
{
	size_t align = _Alignof(max_align_t);
	return (sizeof(struct common_settings) + align - 1) / align * align;
}

static int make_table(struct daemon *d)
{
	const struct settings_table *own = &d->program->settings;
	size_t n = COUNT(common_rows) + own->n, sections = 4;
	for (const char *const *s = own->sections; s && *s; s++)
		sections++;
	d->rows = calloc(n, sizeof *d->rows);
	d->origins = calloc(n, sizeof *d->origins);
	d->sections = calloc(sections + 1, sizeof *d->sections);
	d->settings = calloc(1, own_offset() + d->program->settings_size);
	if (!d->rows || !d->origins || !d->sections || !d->settings)
		return -ENOMEM;
	memcpy(d->rows, common_rows, sizeof common_rows);
	for (size_t i = 0; i < own->n; i++) {
		d->rows[COUNT(common_rows) + i] = own->rows[i];
		d->rows[COUNT(common_rows) + i].off += own_offset();
	}
	size_t at = 0;
	d->sections[at++] = "";
	d->sections[at++] = "log";
	d->sections[at++] = "bus";
	d->sections[at++] = "trace";
	for (const char *const *s = own->sections; s && *s; s++)
		d->sections[at++] = *s;
	d->table = (struct settings_table){ d->rows, n, d->sections };
	d->own = d->settings + own_offset();
	return 0;
}

static int usage(const struct daemon *d, const char *what, struct str arg)
{
	fprintf(stderr, "%s: %s %.*s; see %s --help\n", d->program->program, what, STR_ARG(arg), d->program->program);
	return EXIT_USAGE;
}

static bool is_setting(const struct daemon *d, struct str name)
{
	struct str section;
	str_cut(name, '.', &section);
	if (section.n < name.n)
		return section.n > 0 && settings_known_section(section);
	for (size_t i = 0; i < d->table.n; i++)
		if (str_is(name, d->table.rows[i].name))
			return true;
	return false;
}

/** Take "--name=value" or "--name value". @return 0; EXIT_USAGE; -ENOMEM */
static int take_setting(struct daemon *d, struct arguments *a, char **argv, int *i)
{
	const char *arg = argv[*i] + 2;
	struct str name;
	str_cut(str_of(arg), '=', &name);
	bool has_value = arg[name.n] == '=';
	bool is_config = str_is(name, "config");
	if (!is_config && !is_setting(d, name))
		return usage(d, "unknown option", str_of(argv[*i]));
	const char *value = has_value ? arg + name.n + 1 : argv[*i + 1];
	if (!has_value && (!value || !strncmp(value, "--", 2)))
		return usage(d, "a value is needed after", str_of(argv[*i]));
	if (!has_value)
		++*i;
	if (is_config) {
		a->config = value;
		return 0;
	}
	if (has_value) {
		a->flags[a->n++] = arg;
		return 0;
	}
	char *joined = NULL;
	if (asprintf(&joined, "%s=%s", arg, value) < 0)
		return -ENOMEM;
	a->joined[a->joined_n++] = joined;
	a->flags[a->n++] = joined;
	return 0;
}

/** @return 0; EXIT_USAGE; -ENOMEM */
static int parse_arguments(struct daemon *d, int argc, char **argv, struct arguments *a)
{
	a->flags = calloc((size_t)argc + 1, sizeof *a->flags);
	a->joined = calloc((size_t)argc + 1, sizeof *a->joined);
	if (!a->flags || !a->joined)
		return -ENOMEM;
	for (int i = 1; i < argc; i++) {
		int rc = 0;
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
			a->help = true;
		else if (!strcmp(argv[i], "--version"))
			a->version = true;
		else if (!strcmp(argv[i], "--check-config"))
			a->check = true;
		else if (!strcmp(argv[i], "--restored") && d->program->restored)
			a->restored = true;
		else if (!strncmp(argv[i], "--", 2) && argv[i][2])
			rc = take_setting(d, a, argv, &i);
		else
			rc = usage(d, "unknown argument", str_of(argv[i]));
		if (rc)
			return rc;
	}
	return 0;
}

static void arguments_done(struct arguments *a)
{
	for (size_t i = 0; i < a->joined_n; i++)
		free(a->joined[i]);
	free(a->joined);
	free(a->flags);
}

static int print_help(const struct daemon *d)
{
	AUTO(text_done) struct text t = text_growing(HELP_MAX_BYTES);
	text_printf(&t, "%s: %s\n\n", d->program->program, d->program->about);
	text_puts(&t, "  --config FILE      an INI file with the settings below as key = value under [section]\n"
		      "  --check-config     read the settings, say whether they are good, and end\n");
	if (d->program->restored)
		text_puts(&t, "  --restored         used by godwit restore: make a state directory that was put back safe to go on from, and end\n");
	text_puts(&t,
		      "  --version, --help\n\n"
		      "Settings, with their defaults; GODWIT_SECTION_KEY in the environment overrides the file,\n"
		      "a flag overrides both:\n\n");
	settings_help(&d->table, &t);
	fputs(t.p ? t.p : "", stdout);
	return t.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int complain(const struct daemon *d, const struct text *err, int rc)
{
	fprintf(stderr, "%s: %s\n", d->program->program, err->len ? err->p : strerror(rc < 0 ? -rc : EIO));
	return EXIT_FAILURE;
}

static int find_word(const char *const *words, const char *word)
{
	for (int i = 0; words[i]; i++)
		if (!strcmp(words[i], word))
			return i;
	return -1;
}

static const char *const formats[] = { [LOG_LOGFMT] = "logfmt", [LOG_JSON] = "json", NULL };
static const char *const levels[] = { [LOG_ERROR] = "error", [LOG_WARN] = "warn", [LOG_INFO] = "info", [LOG_DEBUG] = "debug", NULL };
static const char *const event_levels[] = { "all", "failures", "off", NULL }; /* proto/events.h reads them */

/** One of a few words. @return 0; -EINVAL, and *err says what it may be */
static int take_word(const struct daemon *d, const char *name, const char *value, const char *const *words, int *ret, struct text *err)
{
	*ret = find_word(words, value);
	if (*ret >= 0)
		return 0;
	daemon_where(d, err, name);
	text_printf(err, ": \"%s\" is not ", value);
	for (int i = 0; words[i]; i++)
		text_printf(err, "%s%s", !i ? "" : words[i + 1] ? ", " : " or ", words[i]);
	return -EINVAL;
}

static int setup_log(struct daemon *d, struct text *err)
{
	const struct common_settings *c = daemon_common(d);
	int format, level, events;
	TRY(take_word(d, "log.format", c->log_format, formats, &format, err));
	TRY(take_word(d, "log.level", c->log_level, levels, &level, err));
	TRY(take_word(d, "trace.events", c->trace_events, event_levels, &events, err));
	log_setup((enum log_format)format, (enum log_level)level, d->program->name);
	return 0;
}

static int load_settings(struct daemon *d, const struct arguments *a, struct text *err)
{
	d->source = (struct settings_source){
		.file = a->config, .env = (const char *const *)environ, .flags = a->flags, .ret_origins = d->origins,
	};
	int rc = settings_load(&d->table, &d->source, d->settings, err);
	if (!rc)
		rc = setup_log(d, err);
	if (!rc && d->program->check)
		rc = d->program->check(d, d->own, err);
	return rc;
}

static void on_watchdog(int signo)
{
	static const char line[] = "level=error msg=stop_timeout why=\"the end took longer than 5 s; what was not committed is lost\"\n";
	(void)signo;
	ssize_t wrote = write(STDERR_FILENO, line, sizeof line - 1);
	(void)wrote;
	_exit(EXIT_FAILURE);
}

/** From here the process has STOP_LIMIT_US to live, even if its loop is blocked. */
static void start_watchdog(void)
{
	struct sigaction sa = { .sa_handler = on_watchdog };
	struct itimerval limit = { .it_value = { .tv_sec = STOP_LIMIT_US / 1000000, .tv_usec = STOP_LIMIT_US % 1000000 } };
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &limit, NULL);
}

static void on_stopped(void *ctx)
{
	struct daemon *d = ctx;
	loop_stop(d->loop);
}

static void begin_stop(struct daemon *d)
{
	if (d->is_stopping)
		return;
	d->is_stopping = true;
	notify_send("STOPPING=1");
	start_watchdog();
	if (d->program->stop && d->state)
		d->program->stop(d->state, on_stopped, d);
	else
		loop_stop(d->loop);
}

static void on_stop_signal(int signo, void *ctx)
{
	LOG(LOG_INFO, "stopping", KV_Z("signal", strsignal(signo)));
	begin_stop(ctx);
}

static void on_reload_signal(int signo, void *ctx)
{
	(void)signo;
	struct daemon *d = ctx;
	if (d->is_stopping)
		return;
	LOG(LOG_INFO, "reload");
	if (d->program->reload)
		d->program->reload(d->state);
}

static int setup_process(struct daemon *d)
{
	const char *die = getenv("GODWIT_DIE_WITH_PARENT");
	umask(077);
	signal(SIGPIPE, SIG_IGN);
	/* A file that may not grow is an error of write, and no reason to die. */
	signal(SIGXFSZ, SIG_IGN);
	mallopt(M_ARENA_MAX, 1);
	if (die && !strcmp(die, "1"))
		prctl(PR_SET_PDEATHSIG, SIGTERM);
	d->loop = loop_new();
	if (!d->loop)
		return -ENOMEM;
	TRY(loop_on_signal(d->loop, SIGTERM, on_stop_signal, d));
	TRY(loop_on_signal(d->loop, SIGINT, on_stop_signal, d));
	return loop_on_signal(d->loop, SIGHUP, on_reload_signal, d);
}

static int serve(struct daemon *d, const struct arguments *a, struct text *err)
{
	TRY(setup_process(d));
	TRY(state_dir_open(&d->dir, daemon_common(d)->state_dir, d->program->name, err));
	if (a->restored)
		return d->program->restored(d, d->own, err);
	TRY(d->program->start(d, d->own, &d->state, err));
	loop_refresh(d->loop);
	return loop_run(d->loop);
}

static void daemon_done(struct daemon *d)
{
	if (d->state && d->program->free)
		d->program->free(d->state);
	state_dir_close(&d->dir);
	loop_free(d->loop);
	if (d->settings)
		settings_done(&d->table, d->settings);
	free(d->settings);
	free(d->sections);
	free(d->origins);
	free(d->rows);
}

static int run(struct daemon *d, const struct arguments *a)
{
	char buf[ERROR_MAX_BYTES];
	struct text err = text_fixed(buf, sizeof buf);
	if (a->help)
		return print_help(d);
	if (a->version) {
		printf("%s %s\n", d->program->program, VERSION);
		return EXIT_SUCCESS;
	}
	int rc = load_settings(d, a, &err);
	if (rc)
		return complain(d, &err, rc);
	if (a->check) {
		puts("configuration is good");
		return EXIT_SUCCESS;
	}
	rc = serve(d, a, &err);
	return rc ? complain(d, &err, rc) : d->status;
}

int daemon_main(const struct daemon_program *p, int argc, char **argv)
{
	struct daemon d = { .program = p, .dir = { .dir_fd = -1, .pid_fd = -1 } };
	struct arguments a = { 0 };
	int rc = make_table(&d);
	if (!rc)
		rc = parse_arguments(&d, argc, argv, &a);
	int status = rc == 0 ? run(&d, &a) : rc;
	if (status < 0) {
		fprintf(stderr, "%s: %s\n", p->program, strerror(-status));
		status = EXIT_FAILURE;
	}
	daemon_done(&d);
	arguments_done(&a);
	return status;
}

struct loop *daemon_loop(struct daemon *d)
{
	return d->loop;
}

const struct common_settings *daemon_common(const struct daemon *d)
{
	return (const void *)d->settings;
}

void daemon_where(const struct daemon *d, struct text *out, const char *name)
{
	settings_where(out, &d->table, &d->source, name);
}

int daemon_path(const struct daemon *d, struct text *ret, const char *leaf)
{
	text_printf(ret, "%s/%s", daemon_common(d)->state_dir, leaf);
	return ret->failed ? -ENAMETOOLONG : 0;
}

int daemon_address(struct daemon *d, const char *name, const char *address)
{
	return state_dir_address(&d->dir, name, address);
}

void daemon_ready(struct daemon *d)
{
	LOG(LOG_INFO, "ready", KV_Z("version", VERSION), KV_Z("state-dir", d->dir.path));
	notify_send("READY=1");
}

void daemon_fatal(struct daemon *d, const char *word, const char *why)
{
	LOG(LOG_ERROR, word, KV_Z("why", why));
	d->status = EXIT_FAILURE;
	begin_stop(d);
}
