/** @file Rows of values in few octets. */
#include "as/core/series/rows.h"
#include "common/core/seal.h"
#include <string.h>

/** Kinds of slots; ROWS_DECIMAL + d: a number with d digits behind the point. */
enum kind { ROWS_BOOLEAN, ROWS_STRING, ROWS_JSON, ROWS_DOUBLE, ROWS_LONG, ROWS_DECIMAL };
enum { DIGITS_MAX = 9 };
#define WHOLE_MAX (INT64_C(1) << 60) /* of a decimal as it is written: its difference, folded, leaves a bit */
#define EXACT_MAX (INT64_C(1) << 53) /* of what becomes a double */

static const int64_t powers[DIGITS_MAX + 1] = { 1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000 };

/* ---- numbers as decimals ---- */

/** A double as a whole number over ten to the `digits`. @return whether that is exactly it */
static bool double_as_decimal(double d, unsigned digits, int64_t *ret)
{
	double scaled = d * (double)powers[digits];
	if (!(scaled > -(double)EXACT_MAX && scaled < (double)EXACT_MAX))
		return false;
	int64_t whole = (int64_t)(scaled + (scaled < 0 ? -0.5 : 0.5));
	double again = (double)whole / (double)powers[digits];
	if (memcmp(&again, &d, sizeof d) != 0)
		return false;
	*ret = whole;
	return true;
}

/** @return whether v can be written with so many digits; *ret is then what is written */
static bool as_decimal(const struct value *v, unsigned digits, int64_t *ret)
{
	int64_t whole;
	if (v->kind == VALUE_DOUBLE)
		return double_as_decimal(v->real, digits, ret);
	if (v->kind != VALUE_LONG || __builtin_mul_overflow(v->whole, powers[digits], &whole) || whole > WHOLE_MAX || whole < -WHOLE_MAX)
		return false;
	*ret = whole;
	return true;
}

/** The kind that a value has in a new shape. */
static uint8_t kind_of(const struct value *v)
{
	int64_t unwanted;
	switch (v->kind) {
	case VALUE_BOOLEAN: return ROWS_BOOLEAN;
	case VALUE_STRING: return ROWS_STRING;
	case VALUE_JSON: return ROWS_JSON;
	default: break;
	}
	for (unsigned digits = 0; digits <= DIGITS_MAX; digits++)
		if (as_decimal(v, digits, &unwanted))
			return (uint8_t)(ROWS_DECIMAL + digits);
	return v->kind == VALUE_LONG ? ROWS_LONG : ROWS_DOUBLE;
}

/** Can a slot of this kind hold it? @param loosely  also in eight octets what would need fewer */
static bool fits(const struct value *v, uint8_t kind, bool loosely)
{
	int64_t unwanted;
	if (kind >= ROWS_DECIMAL)
		return as_decimal(v, kind - ROWS_DECIMAL, &unwanted);
	if (loosely && (kind == ROWS_DOUBLE || kind == ROWS_LONG))
		return v->kind == (kind == ROWS_DOUBLE ? VALUE_DOUBLE : VALUE_LONG);
	return kind_of(v) == kind;
}

/* ---- reading ---- */

static void forget(struct rows *rows)
{
	rows->n_keys = rows->n_shapes = rows->n_slots = 0;
	rows->ts_ms = rows->step_ms = 0;
	rows->last_shape = 0;
}

int rows_open(struct rows *rows, struct slice chunk)
{
	struct slice records;
	forget(rows);
	rows->r = reader_of(NULL, 0);
	if (seal_open(chunk, &records))
		return -EBADMSG;
	rows->r = reader_of(records.p, records.n);
	return 0;
}

/** @return its number; ROWS_KEYS_MAX: damaged */
static size_t read_key(struct rows *rows)
{
	uint64_t number = unpack_varint(&rows->r);
	if (number)
		return number <= rows->n_keys ? (size_t)number - 1 : ROWS_KEYS_MAX;
	struct str key = unpack_text(&rows->r);
	if (!key.n || key.n > READINGS_KEY_MAX || rows->n_keys == ROWS_KEYS_MAX)
		return ROWS_KEYS_MAX;
	rows->keys[rows->n_keys] = key;
	return rows->n_keys++;
}

static int read_new_shape(struct rows *rows)
{
	uint64_t n = unpack_varint(&rows->r);
	if (n > ROWS_VALUES_MAX || n > ROWS_SLOTS_MAX - rows->n_slots || rows->n_shapes == ROWS_SHAPES_MAX)
		return -EBADMSG;
	rows->shapes[rows->n_shapes].first = (uint16_t)rows->n_slots;
	rows->shapes[rows->n_shapes].n = (uint16_t)n;
	for (uint64_t i = 0; i < n; i++) {
		size_t key = read_key(rows);
		uint8_t kind = reader_u8(&rows->r);
		if (rows->r.failed || key == ROWS_KEYS_MAX || kind > ROWS_DECIMAL + DIGITS_MAX)
			return -EBADMSG;
		rows->slots[rows->n_slots++] = (struct rows_slot){ .key = (uint16_t)key, .kind = kind };
	}
	rows->last_shape = rows->n_shapes++;
	return 0;
}

static struct str read_text(struct rows *rows, struct rows_slot *s)
{
	uint64_t n = unpack_varint(&rows->r);
	if (n > reader_left(&rows->r) + 1)
		rows->r.failed = true;
	else if (n > 1)
		s->text = (struct str){ (const char *)reader_take(&rows->r, (size_t)n - 1).p, (size_t)n - 1 };
	else if (n == 1)
		s->text = STR("");
	return s->text.n ? s->text : STR("");
}

/** Bring a decimal's slot up to date. @return whether it is a long */
static bool read_number(struct rows *rows, struct rows_slot *s)
{
	uint64_t written = unpack_varint(&rows->r), folded = written >> 1;
	s->number = (int64_t)((uint64_t)s->number + (folded >> 1 ^ (folded & 1 ? UINT64_MAX : 0)));
	return written & 1;
}

static struct value read_decimal(struct rows *rows, struct rows_slot *s)
{
	int64_t power = powers[s->kind - ROWS_DECIMAL];
	return read_number(rows, s) ? value_of_long(s->number / power) : value_of_double((double)s->number / (double)power);
}

static struct value read_value(struct rows *rows, struct rows_slot *s)
{
	switch (s->kind) {
	case ROWS_BOOLEAN: return value_of_bool(reader_u8(&rows->r) != 0);
	case ROWS_STRING: return value_of_text(read_text(rows, s));
	case ROWS_JSON: return (struct value){ .kind = VALUE_JSON, .text = read_text(rows, s) };
	case ROWS_DOUBLE: return value_of_double(unpack_double(&rows->r));
	case ROWS_LONG: return value_of_long((int64_t)reader_be64(&rows->r));
	default: return read_decimal(rows, s);
	}
}

static int64_t step_to(struct rows *rows, uint64_t change_ms)
{
	rows->step_ms += change_ms;
	rows->ts_ms += rows->step_ms;
	return (int64_t)rows->ts_ms;
}

/** Read a row up to its values. @return 0; -ENOENT there are no more; -EBADMSG */
static int begin_row(struct rows *rows, int64_t *ret_ts_ms)
{
	struct reader *r = &rows->r;
	if (!r->failed && reader_left(r) == 0)
		return -ENOENT;
	uint64_t shape = unpack_varint(r);
	if (r->failed || shape > rows->n_shapes)
		return -EBADMSG;
	if (shape)
		rows->last_shape = (size_t)shape - 1;
	else
		TRY(read_new_shape(rows));
	*ret_ts_ms = step_to(rows, (uint64_t)unpack_signed(r));
	return *ret_ts_ms < 0 ? -EBADMSG : 0;
}

int rows_next(struct rows *rows, struct row *ret)
{
	TRY(begin_row(rows, &ret->ts_ms));
	struct rows_slot *s = &rows->slots[rows->shapes[rows->last_shape].first];
	ret->n = rows->shapes[rows->last_shape].n;
	ret->slots = s;
	for (size_t i = 0; i < ret->n; i++)
		ret->v[i] = (struct reading){ rows->keys[s[i].key], read_value(rows, &s[i]) };
	return rows->r.failed ? -EBADMSG : 0;
}

int rows_skip(struct rows *rows, int64_t *ret_ts_ms)
{
	TRY(begin_row(rows, ret_ts_ms));
	struct rows_slot *s = &rows->slots[rows->shapes[rows->last_shape].first];
	for (size_t n = rows->shapes[rows->last_shape].n; n; n--, s++)
		if (s->kind >= ROWS_DECIMAL)
			read_number(rows, s);
		else
			read_value(rows, s);
	return rows->r.failed ? -EBADMSG : 0;
}

/* ---- writing ---- */

void rows_begin(struct rows *rows, struct writer *w)
{
	forget(rows);
	writer_be32(w, 0);
}

/** Is the row of this shape: the same keys in the same order, and no value that its kind cannot hold? */
static bool is_shape(const struct rows *rows, size_t shape, const struct reading *v, size_t n, bool loosely)
{
	const struct rows_slot *s = &rows->slots[rows->shapes[shape].first];
	if (rows->shapes[shape].n != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!fits(&v[i].value, s[i].kind, loosely) || !str_eq(rows->keys[s[i].key], v[i].key))
			return false;
	return true;
}

/** @return the shape that fits, the last one first; n_shapes: none. Where there are many, one that fits loosely will do. */
static size_t find_shape(const struct rows *rows, const struct reading *v, size_t n)
{
	enum { MANY = 8 };
	if (rows->n_shapes && is_shape(rows, rows->last_shape, v, n, false))
		return rows->last_shape;
	for (size_t i = 0; i < rows->n_shapes; i++)
		if (is_shape(rows, i, v, n, false))
			return i;
	for (size_t i = 0; rows->n_shapes > MANY && i < rows->n_shapes; i++)
		if (is_shape(rows, i, v, n, true))
			return i;
	return rows->n_shapes;
}

static size_t find_key(const struct rows *rows, struct str key)
{
	size_t i = 0;
	while (i < rows->n_keys && !str_eq(rows->keys[i], key))
		i++;
	return i;
}

static int write_new_shape(struct rows *rows, struct writer *w, const struct reading *v, size_t n)
{
	if (rows->n_shapes == ROWS_SHAPES_MAX || n > ROWS_SLOTS_MAX - rows->n_slots)
		return ROWS_E_FULL;
	rows->shapes[rows->n_shapes].first = (uint16_t)rows->n_slots;
	rows->shapes[rows->n_shapes].n = (uint16_t)n;
	writer_u8(w, 0);
	pack_varint(w, n);
	for (size_t i = 0; i < n; i++) {
		size_t key = find_key(rows, v[i].key);
		uint8_t kind = kind_of(&v[i].value);
		if (key == ROWS_KEYS_MAX)
			return ROWS_E_FULL;
		pack_varint(w, key < rows->n_keys ? key + 1 : 0);
		if (key == rows->n_keys) {
			pack_text(w, v[i].key);
			rows->keys[rows->n_keys++] = (struct str){ (const char *)w->p + w->len - v[i].key.n, v[i].key.n };
		}
		writer_u8(w, kind);
		if (w->failed)
			return ROWS_E_FULL;
		rows->slots[rows->n_slots++] = (struct rows_slot){ .key = (uint16_t)key, .kind = kind };
	}
	rows->last_shape = rows->n_shapes++;
	return 0;
}

static void write_text(struct writer *w, struct rows_slot *s, struct str text)
{
	if (str_eq(s->text, text) && text.n) {
		pack_varint(w, 0);
		return;
	}
	pack_varint(w, text.n + 1);
	writer_put(w, text.p, text.n);
	if (!w->failed)
		s->text = text.n ? (struct str){ (const char *)w->p + w->len - text.n, text.n } : STR("");
}

static void write_value(struct writer *w, struct rows_slot *s, const struct value *v)
{
	int64_t number = 0;
	switch (s->kind) {
	case ROWS_BOOLEAN: writer_u8(w, v->truth); break;
	case ROWS_STRING:
	case ROWS_JSON: write_text(w, s, v->text); break;
	case ROWS_DOUBLE: pack_double(w, v->real); break;
	case ROWS_LONG: writer_be64(w, (uint64_t)v->whole); break;
	default: {
		as_decimal(v, s->kind - ROWS_DECIMAL, &number);
		int64_t d = number - s->number;
		uint64_t folded = (uint64_t)d << 1 ^ (d < 0 ? UINT64_MAX : 0);
		pack_varint(w, folded << 1 | (v->kind == VALUE_LONG));
		s->number = number;
	}
	}
}

int rows_add(struct rows *rows, struct writer *w, int64_t ts_ms, const struct reading *first, size_t n)
{
	size_t len = w->len, shape = find_shape(rows, first, n);
	int r = 0;
	if (shape < rows->n_shapes)
		pack_varint(w, shape + 1);
	else
		r = write_new_shape(rows, w, first, n);
	if (!r) {
		uint64_t step_ms = (uint64_t)ts_ms - rows->ts_ms;
		rows->last_shape = shape;
		pack_signed(w, (int64_t)(step_ms - rows->step_ms));
		step_to(rows, step_ms - rows->step_ms);
		struct rows_slot *s = &rows->slots[rows->shapes[shape].first];
		for (size_t i = 0; i < n; i++)
			write_value(w, &s[i], &first[i].value);
	}
	if (!r && !w->failed)
		return 0;
	w->len = len;
	w->failed = false;
	return ROWS_E_FULL;
}

struct slice rows_seal(struct writer *w)
{
	seal_close(w->p, w->len);
	return (struct slice){ w->p, w->len };
}
