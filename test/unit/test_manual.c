/** @file The manual's tables: deploy/godwit.conf and what godwit.conf(5) and godwit(1) list, which GODWIT_UPDATE=1 writes anew. */
#include "as/cli/help.h"
#include "common/core/clock.h"
#include "common/settings.h"
#include "test/unit/page.h"
#include <string.h>

/* Where the members would lie concerns nobody here. */
static const struct setting rows[] = {
#define SETTING(member, name, kind, dflt, min, max, doc) { name, dflt, doc, 0, min, max, SETTING_##kind },
#include "common/settings.def"
#include "gs/settings.def"
#include "ns/settings.def"
#include "as/settings.def"
#undef SETTING
};
static const char *const sections[] = { "", "log", "trace", "bus", "gs", "ns", "as", NULL };
static const struct settings_table table = { rows, COUNT(rows), sections };

static const char intro[] =
	"# Godwit's configuration: all keys with their defaults. The same file serves godwit-gs, godwit-ns and godwit-as.\n"
	"#\n"
	"# Take the # from a line to change its key, then: godwit-gs --check-config (godwit-ns, godwit-as) says whether it is good.\n"
	"# GODWIT_SECTION_KEY in the environment overrides a line here, --section.key=value on the command line both.\n"
	"# godwit.conf(5) says more.\n\n";

/** Text for troff: no character of it may be taken for a request. */
static void put_roff(struct text *out, const char *s)
{
	if (*s == '.' || *s == '\'')
		text_puts(out, "\\&");
	for (; *s; s++)
		if (*s == '-')
			text_puts(out, "\\-");
		else if (*s == '\\')
			text_puts(out, "\\e");
		else
			text_putc(out, *s);
}

static void put_entry(struct text *out, const char *before, const char *bold, const char *plain, const char *about)
{
	text_puts(out, ".TP\n\\fB");
	put_roff(out, before);
	put_roff(out, bold);
	text_puts(out, "\\fP");
	put_roff(out, plain);
	text_putc(out, '\n');
	put_roff(out, about);
	text_putc(out, '\n');
}

static void put_settings(struct text *out)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		char value[256];
		snprintf(value, sizeof value, " = %s", rows[i].dflt);
		put_entry(out, "", rows[i].name, rows[i].dflt[0] ? value : " (none)", rows[i].doc);
	}
}

static void put_commands(struct text *out)
{
	for (const struct command *cmd = cli_commands; cmd->words; cmd++) {
		char operands[256];
		snprintf(operands, sizeof operands, "%s%s", cmd->operands[0] ? " " : "", cmd->operands);
		put_entry(out, "godwit ", cmd->words, operands, cmd->about);
		const char *example = help_example(cmd);
		ck_assert_msg(example, "%s has no example in as/cli/examples.def", cmd->words);
		text_puts(out, ".br\nExample:\n.B \"");
		char line[512];
		snprintf(line, sizeof line, "godwit %s%s%s", cmd->words, *example ? " " : "", example);
		for (struct str rest = str_of(line), piece; rest.n;) {
			bool more = memchr(rest.p, '"', rest.n);
			char part[512];
			rest = str_cut(rest, '"', &piece);
			str_copy(piece, part, sizeof part);
			put_roff(out, part);
			text_puts(out, more ? "\\(dq" : "");
		}
		text_puts(out, "\"\n");
	}
}

static void put_flags(struct text *out)
{
	const struct flag *f;
	for (size_t i = 0; (f = args_flag(i)); i++)
		put_entry(out, "--", f->name, f->kind == FLAG_TRUTH ? "" : " VALUE", f->doc);
}

/** Copy the page with what stands between two lines of it replaced. */
static void replace(struct text *page, const char *word, void (*put)(struct text *out))
{
	char begin[64], end[64];
	snprintf(begin, sizeof begin, ".\\\" begin %s\n", word);
	snprintf(end, sizeof end, ".\\\" end %s\n", word);
	const char *from = strstr(page->p, begin), *to = strstr(page->p, end);
	ck_assert_msg(from && to && from < to, "the page has no place for its %s", word);
	struct text fresh = text_growing(PAGE_MAX);
	text_put(&fresh, (struct str){ page->p, (size_t)(from - page->p) + strlen(begin) });
	put(&fresh);
	text_puts(&fresh, to);
	text_done(page);
	*page = fresh;
}

START_TEST(the_example_configuration_lists_every_setting)
{
	AUTO(text_done) struct text want = text_growing(PAGE_MAX);
	text_puts(&want, intro);
	settings_example(&table, &want);
	page_is("deploy/godwit.conf", &want, "test_manual");
}
END_TEST

START_TEST(the_page_of_the_configuration_lists_every_setting)
{
	AUTO(text_done) struct text want = text_growing(PAGE_MAX);
	page_read("deploy/man/godwit.conf.5", &want);
	replace(&want, "settings", put_settings);
	page_is("deploy/man/godwit.conf.5", &want, "test_manual");
}
END_TEST

START_TEST(the_page_of_the_command_line_lists_every_command_and_flag)
{
	AUTO(text_done) struct text want = text_growing(PAGE_MAX);
	page_read("deploy/man/godwit.1", &want);
	replace(&want, "commands", put_commands);
	replace(&want, "flags", put_flags);
	page_is("deploy/man/godwit.1", &want, "test_manual");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("manual");
	TCase *c = tcase_create("manual");
	tcase_add_test(c, the_example_configuration_lists_every_setting);
	tcase_add_test(c, the_page_of_the_configuration_lists_every_setting);
	tcase_add_test(c, the_page_of_the_command_line_lists_every_command_and_flag);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
