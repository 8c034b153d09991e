/** @file One setting's value: from text into its member, and what would be right. */
#include "common/settings_value.h"
#include "common/core/clock.h"
#include <stdlib.h>
#include <string.h>

static const struct unit {
	const char *name;
	uint64_t factor;
} size_units[] = {
	/* The first that divides a number is how it is written, so the large ones stand first. */
	{ "TiB", UINT64_C(1) << 40 },
	{ "GiB", 1 << 30 },
	{ "MiB", 1 << 20 },
	{ "KiB", 1 << 10 },
	{ "B", 1 },
	{ "TB", UINT64_C(1000000000000) },
	{ "GB", 1000000000 },
	{ "MB", 1000000 },
	{ "kB", 1000 },
	{ "KB", 1000 },
	{ "", 1 },
}, duration_units[] = {
	{ "d", 86400 * SEC_US },
	{ "h", 3600 * SEC_US },
	{ "m", 60 * SEC_US },
	{ "s", SEC_US },
	{ "ms", MS_US },
	{ "us", 1 },
};

void *settings_member(const struct setting *row, void *settings)
{
	return (char *)settings + row->off;
}

static uint64_t max_of(const struct setting *row)
{
	if (row->max)
		return row->max;
	return row->kind == SETTING_U32 ? UINT32_MAX : UINT64_MAX;
}

static int parse_bool(struct str s, bool *ret)
{
	static const char *const words[][2] = { { "false", "true" }, { "no", "yes" }, { "off", "on" }, { "0", "1" } };
	for (size_t i = 0; i < COUNT(words); i++)
		for (int v = 0; v < 2; v++)
			if (str_is(s, words[i][v])) {
				*ret = v;
				return 0;
			}
	return -EINVAL;
}

static int parse_size(struct str s, uint64_t *ret)
{
	size_t n = 0;
	uint64_t v;
	while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9')
		n++;
	if (num_u64((struct str){ s.p, n }, &v))
		return -EINVAL;
	struct str unit = str_trim((struct str){ s.p + n, s.n - n });
	for (size_t i = 0; i < COUNT(size_units); i++)
		if (str_is(unit, size_units[i].name))
			return __builtin_mul_overflow(v, size_units[i].factor, ret) ? -EINVAL : 0;
	return -EINVAL;
}

static int parse_number(const struct setting *row, struct str value, uint64_t *ret)
{
	uint64_t v;
	int rc = row->kind == SETTING_SIZE ? parse_size(value, &v)
		: row->kind == SETTING_DURATION ? num_duration_us(value, &v)
						: num_u64(value, &v);
	if (rc || v < row->min || v > max_of(row))
		return -EINVAL;
	*ret = v;
	return 0;
}

static int set_text(const struct setting *row, struct str value, void *settings)
{
	char **member = settings_member(row, settings);
	char *copy = malloc(value.n + 1);
	if (!copy)
		return -ENOMEM;
	if (str_copy(value, copy, value.n + 1)) {
		free(copy);
		return -EINVAL; /* a NUL inside */
	}
	free(*member);
	*member = copy;
	return 0;
}

int settings_value_set(const struct setting *row, struct str value, void *settings)
{
	void *member = settings_member(row, settings);
	uint64_t number = 0;
	switch (row->kind) {
	case SETTING_TEXT:
		return set_text(row, value, settings);
	case SETTING_BOOL:
		return parse_bool(value, member);
	case SETTING_HEX24:
		return hex_u32(value, 6, member) ? -EINVAL : 0;
	case SETTING_U32:
		TRY(parse_number(row, value, &number));
		*(uint32_t *)member = (uint32_t)number;
		return 0;
	case SETTING_DURATION:
	case SETTING_SIZE:
		return parse_number(row, value, member);
	}
	return -EINVAL;
}

static void put_units(struct text *out, uint64_t v, const struct unit *units)
{
	while (units->factor > 1 && (v == 0 || v % units->factor))
		units++;
	text_u64(out, v / units->factor);
	text_puts(out, units->name);
}

static void put_amount(struct text *out, const struct setting *row, uint64_t v)
{
	if (row->kind == SETTING_DURATION && v == 0)
		text_puts(out, "0s");
	else if (row->kind == SETTING_DURATION)
		put_units(out, v, duration_units);
	else if (row->kind == SETTING_SIZE)
		put_units(out, v, size_units);
	else
		text_u64(out, v);
}

static void put_bounds(struct text *out, const struct setting *row, const char *what)
{
	text_puts(out, what);
	if (max_of(row) < UINT64_MAX && row->max) {
		text_puts(out, " from ");
		put_amount(out, row, row->min);
		text_puts(out, " to ");
		put_amount(out, row, row->max);
	} else if (row->min) {
		text_puts(out, " of at least ");
		put_amount(out, row, row->min);
	}
}

void settings_value_hint(struct text *out, const struct setting *row)
{
	switch (row->kind) {
	case SETTING_TEXT:
		text_puts(out, "a text");
		return;
	case SETTING_BOOL:
		text_puts(out, "true or false");
		return;
	case SETTING_HEX24:
		text_puts(out, "six hex digits");
		return;
	case SETTING_U32:
		put_bounds(out, row, "a whole number");
		return;
	case SETTING_DURATION:
		put_bounds(out, row, "a duration");
		break;
	case SETTING_SIZE:
		put_bounds(out, row, "a size");
		break;
	}
	text_puts(out, ", such as ");
	text_puts(out, row->dflt[0] ? row->dflt : row->kind == SETTING_SIZE ? "64KiB" : "200ms");
}
