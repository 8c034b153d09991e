/** @file Payload formatters: which are set, and which are in force. */
#include "as/core/formatters/formatter.h"
#include "as/core/registry/device.h"

static const char *const names[FORMATTER_N] = {
	[FORMATTER_NONE] = "FORMATTER_NONE",
	[FORMATTER_REPOSITORY] = "FORMATTER_REPOSITORY",
	[FORMATTER_GRPC_SERVICE] = "FORMATTER_GRPC_SERVICE",
	[FORMATTER_JAVASCRIPT] = "FORMATTER_JAVASCRIPT",
	[FORMATTER_CAYENNELPP] = "FORMATTER_CAYENNELPP",
};

const char *formatter_name(enum formatter_kind k)
{
	return (size_t)k < COUNT(names) ? names[k] : "";
}

int formatter_parse(struct str name, enum formatter_kind *ret)
{
	for (size_t i = 0; i < COUNT(names); i++)
		if (str_is(name, names[i])) {
			*ret = (enum formatter_kind)i;
			return 0;
		}
	return -EINVAL;
}

bool formatter_runs(const struct formatter *f)
{
	return f->kind == FORMATTER_CAYENNELPP || (f->kind == FORMATTER_JAVASCRIPT && f->script);
}

/** Records of older stores may lack the script. */
static void in_force(struct formatter *f)
{
	if (f->kind == FORMATTER_JAVASCRIPT && !f->script)
		f->kind = FORMATTER_NONE;
}

void formatters_of(const struct app *a, const struct device *d, struct formatters *ret)
{
	*ret = d && d->formatters.are_set ? d->formatters : a->formatters;
	in_force(&ret->up);
	in_force(&ret->down);
}

void formatters_copy(struct formatters *dst, const struct formatters *src)
{
	*dst = *src;
	script_hold(dst->up.script);
	script_hold(dst->down.script);
}

void formatters_done(struct formatters *f)
{
	script_release(f->up.script);
	script_release(f->down.script);
	*f = (struct formatters){ 0 };
}

int formatters_intern(struct scripts *t, struct formatters *f)
{
	TRY(scripts_intern(t, &f->up.script));
	return scripts_intern(t, &f->down.script);
}

static void write_one(struct text *t, const char *name, const char *parameter, const struct formatter *f, bool has_script)
{
	if (f->is_named) {
		json_name(t, name);
		json_puts(t, formatter_name(f->kind));
	}
	if (f->script && has_script) {
		json_name(t, parameter);
		json_str(t, script_str(f->script));
	}
}

void formatters_write(struct text *t, const char *name, const struct formatters *f, bool has_scripts)
{
	if (!f->are_set)
		return;
	json_name(t, name);
	json_open(t, '{');
	write_one(t, "up_formatter", "up_formatter_parameter", &f->up, has_scripts);
	write_one(t, "down_formatter", "down_formatter_parameter", &f->down, has_scripts);
	json_close(t, '}');
}
