/** @file Payload formatters of the registry: which count, what is refused, and that a text is kept once. */
#include "as/core/registry/formatters_json.h"
#include "test/unit/registry_world.h"

static struct world w;
static struct problem p;
static struct app *app1;

static void setup(void)
{
	world_open(&w);
	p = (struct problem){ 0 };
	app1 = world_app(&w, "app1");
}

static void teardown(void)
{
	world_close(&w);
}

#define JS(text) "{\"formatters\":{\"up_formatter\":\"FORMATTER_JAVASCRIPT\",\"up_formatter_parameter\":\"" text "\"}}"

static struct device *add(const char *id, const char *json)
{
	struct device *d = device_new();
	ck_assert_int_eq(str_copy(str_of(id), d->id, sizeof d->id), 0);
	int e = world_read(d, json, NULL, &p);
	ck_assert_msg(e == 0, "%s: %s", p.field, p.message);
	e = registry_device_create(&w.r, app1, d, &w.now, &p);
	ck_assert_msg(e == 0, "%s: %s", p.field, p.message);
	return d;
}

static void change_defaults(const char *json)
{
	static const struct field_mask all = { 0 };
	struct json_tok tok[64];
	struct json j;
	struct app *wish = app_clone(app1);
	ck_assert_int_eq(json_parse(str_of(json), tok, COUNT(tok), &j, NULL), 0);
	ck_assert_int_eq(app_json_read(wish, &all, &(struct record_source){ .j = &j, .root = json_root(&j), .problem = &p }), 0);
	ck_assert_int_eq(registry_app_update(&w.r, app1, wish, &w.now, &p), 0);
}

static const char *shown(const struct formatters *f)
{
	static char room[4096];
	struct text t = text_fixed(room, sizeof room);
	json_open(&t, '{');
	formatters_write(&t, "f", f, true);
	json_close(&t, '}');
	return room;
}

START_TEST(the_own_ones_of_a_device_count_altogether)
{
	struct formatters f;
	struct device *own = add("own", JS("a()")), *none = add("none", "{}");
	change_defaults("{\"default_formatters\":{\"up_formatter\":\"FORMATTER_CAYENNELPP\",\"down_formatter\":\"FORMATTER_CAYENNELPP\"}}");
	formatters_of(app1, own, &f);
	ck_assert_int_eq(f.up.kind, FORMATTER_JAVASCRIPT);
	ck_assert_str_eq(f.up.script->text, "a()");
	ck_assert_int_eq(f.down.kind, FORMATTER_NONE);
	formatters_of(app1, none, &f);
	ck_assert_int_eq(f.up.kind, FORMATTER_CAYENNELPP);
	ck_assert_int_eq(f.down.kind, FORMATTER_CAYENNELPP);
	ck_assert_int_eq(world_update(&w, own, "{\"formatters\":null}", NULL, &p), 0);
	formatters_of(app1, own, &f);
	ck_assert_int_eq(f.up.kind, FORMATTER_CAYENNELPP);
	ck_assert_int_eq(world_update(&w, own, "{\"formatters\":{}}", NULL, &p), 0);
	formatters_of(app1, own, &f);
	ck_assert_int_eq(f.up.kind, FORMATTER_NONE);
}
END_TEST

START_TEST(members_are_changed_one_by_one)
{
	struct device *d = add("dev1", JS("a()"));
	ck_assert_int_eq(world_update(&w, d, "{\"formatters\":{\"down_formatter\":\"FORMATTER_CAYENNELPP\"}}", "formatters.down_formatter", &p), 0);
	ck_assert_str_eq(shown(&d->formatters), "{\"f\":{\"up_formatter\":\"FORMATTER_JAVASCRIPT\",\"up_formatter_parameter\":\"a()\","
		"\"down_formatter\":\"FORMATTER_CAYENNELPP\"}}");
	ck_assert_int_eq(world_update(&w, d, JS("b()"), "formatters.up_formatter_parameter", &p), 0);
	ck_assert_str_eq(d->formatters.up.script->text, "b()");
	ck_assert_int_eq(d->formatters.down.kind, FORMATTER_CAYENNELPP);
	ck_assert_int_eq(world_update(&w, d, "{\"name\":\"x\"}", "name", &p), 0);
	ck_assert_str_eq(d->formatters.up.script->text, "b()");
	ck_assert_int_eq(world_update(&w, d, JS("c()"), "formatters", &p), 0);
	ck_assert_str_eq(shown(&d->formatters), "{\"f\":{\"up_formatter\":\"FORMATTER_JAVASCRIPT\",\"up_formatter_parameter\":\"c()\"}}");
	ck_assert_int_eq(world_update(&w, d, "{}", "formatters", &p), 0);
	ck_assert_str_eq(shown(&d->formatters), "{}");
}
END_TEST

START_TEST(what_cannot_be_is_refused_by_name)
{
	static const struct {
		const char *json, *field;
	} rows[] = {
		{ "{\"formatters\":{\"up_formatter\":\"FORMATTER_COBOL\"}}", "formatters.up_formatter" },
		{ "{\"formatters\":{\"up_formatter\":\"JAVASCRIPT\"}}", "formatters.up_formatter" },
		{ "{\"formatters\":{\"down_formatter\":\"\"}}", "formatters.down_formatter" },
		{ "{\"formatters\":{\"down_formatter\":3}}", "formatters.down_formatter" },
		{ "{\"formatters\":{\"down_formatter\":\"FORMATTER_JAVASCRIPT\"}}", "formatters.down_formatter_parameter" },
		{ JS(""), "formatters.up_formatter_parameter" },
		{ JS("a\\u0000b"), "formatters.up_formatter_parameter" },
		{ JS("\\ud800"), "formatters.up_formatter_parameter" },
		{ "{\"formatters\":{\"up_formatter_parameter\":{}}}", "formatters.up_formatter_parameter" },
		{ "{\"formatters\":[]}", "formatters" },
		{ "{\"formatters\":\"FORMATTER_NONE\"}", "formatters" },
	};
	struct device *d = add("dev1", JS("a()"));
	struct device *fresh = device_new();
	for (size_t i = 0; i < COUNT(rows); i++) {
		ck_assert_int_eq(world_read(fresh, rows[i].json, NULL, &p), REGISTRY_E_INVALID);
		ck_assert_str_eq(p.field, rows[i].field);
	}
	device_free(fresh);
	ck_assert_int_eq(world_update(&w, d, "{\"formatters\":{}}", "formatters.up_formatter_parameter", &p), REGISTRY_E_INVALID);
	ck_assert_str_eq(p.field, "formatters.up_formatter_parameter");
	ck_assert_str_eq(d->formatters.up.script->text, "a()");
}
END_TEST

/** A device whose script is n octets long, each of them `c` in JSON. */
static int read_long(struct device *d, size_t n, const char *c)
{
	struct text t = text_growing(RECORD_TEXT_MAX);
	text_puts(&t, "{\"formatters\":{\"down_formatter\":\"FORMATTER_JAVASCRIPT\",\"down_formatter_parameter\":\"");
	for (size_t i = 0; i < n; i++)
		text_puts(&t, c);
	text_puts(&t, "\"}}");
	int e = world_read(d, t.p, NULL, &p);
	text_done(&t);
	return e;
}

START_TEST(a_script_has_65536_octets_at_most_and_is_kept_over_a_restart)
{
	struct device *d = device_new();
	ck_assert_int_eq(read_long(d, SCRIPT_TEXT_MAX + 1, "x"), REGISTRY_E_INVALID);
	ck_assert_str_eq(p.field, "formatters.down_formatter_parameter");
	ck_assert_int_eq(read_long(d, SCRIPT_TEXT_MAX, "\\u0001"), 0);
	ck_assert_uint_eq(d->formatters.down.script->n, SCRIPT_TEXT_MAX);
	d->formatters.up = (struct formatter){ FORMATTER_JAVASCRIPT, true, script_hold(d->formatters.down.script) };
	ck_assert_int_eq(str_copy(STR("dev1"), d->id, sizeof d->id), 0);
	ck_assert_int_eq(registry_device_create(&w.r, app1, d, &w.now, &p), 0);
	ck_assert_int_eq(world_restart(&w, &p), 0);
	d = registry_device(&w.r, registry_app(&w.r, STR("app1")), STR("dev1"));
	ck_assert_ptr_nonnull(d);
	ck_assert_uint_eq(d->formatters.up.script->n, SCRIPT_TEXT_MAX);
	ck_assert_ptr_eq(d->formatters.up.script, d->formatters.down.script);
}
END_TEST

START_TEST(a_text_is_kept_once)
{
	enum { N = 20 };
	struct device *d[N];
	char id[16];
	for (size_t i = 0; i < N; i++) {
		snprintf(id, sizeof id, "dev-%zu", i);
		d[i] = add(id, JS("function decodeUplink(i) {}"));
		ck_assert_ptr_eq(d[i]->formatters.up.script, d[0]->formatters.up.script);
	}
	struct script *s = script_hold(d[0]->formatters.up.script);
	uint64_t number = s->number;
	ck_assert_uint_eq(s->refs, N + 1);
	ck_assert_uint_ne(number, 0);
	for (size_t i = 0; i < N; i++)
		ck_assert_int_eq(world_update(&w, d[i], JS("b()"), NULL, &p), 0);
	ck_assert_uint_eq(s->refs, 1);
	script_release(s);
	ck_assert_uint_eq(HASH_COUNT(w.r.scripts.by_text), 1);
	ck_assert_int_eq(world_update(&w, d[0], JS("function decodeUplink(i) {}"), NULL, &p), 0);
	ck_assert_uint_gt(d[0]->formatters.up.script->number, number);
}
END_TEST

START_TEST(a_text_may_outlive_its_table)
{
	struct scripts t = { 0 };
	struct script *s = script_new(STR("x")), *same = script_new(STR("x"));
	ck_assert_int_eq(scripts_intern(&t, &s), 0);
	ck_assert_int_eq(scripts_intern(&t, &same), 0);
	ck_assert_ptr_eq(s, same);
	script_release(same);
	scripts_done(&t);
	ck_assert_str_eq(s->text, "x");
	script_release(s);
}
END_TEST

START_TEST(a_record_of_an_older_store_without_its_script_is_none)
{
	struct formatters f;
	struct device *d = device_new();
	struct json_tok tok[64];
	struct json j;
	struct str json = STR("{\"formatters\":{\"up_formatter\":\"FORMATTER_JAVASCRIPT\",\"x\":1}}");
	ck_assert_int_eq(json_parse(json, tok, COUNT(tok), &j, NULL), 0);
	ck_assert_int_eq(formatters_read(&d->formatters, "formatters", &(struct field_mask){ 0 },
		&(struct record_source){ .j = &j, .root = json_root(&j), .envelope = w.r.envelope, .problem = &p }), 0);
	formatters_of(app1, d, &f);
	ck_assert_int_eq(f.up.kind, FORMATTER_NONE);
	ck_assert(!formatter_runs(&d->formatters.up));
	device_free(d);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("formatters");
	TCase *t = tcase_create("registry");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, the_own_ones_of_a_device_count_altogether);
	tcase_add_test(t, members_are_changed_one_by_one);
	tcase_add_test(t, what_cannot_be_is_refused_by_name);
	tcase_add_test(t, a_script_has_65536_octets_at_most_and_is_kept_over_a_restart);
	tcase_add_test(t, a_text_is_kept_once);
	tcase_add_test(t, a_text_may_outlive_its_table);
	tcase_add_test(t, a_record_of_an_older_store_without_its_script_is_none);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
