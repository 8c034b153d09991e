/** @file The devices of a file: JSON or CSV, one after the other. */
#include "as/cli/fleet.h"
#include <string.h>
#include <sys/stat.h>

enum { DEVICE_MAX = 1000 * 1000 }; /* of the API's body, less what is put around it */

int fleet_file_open(struct fleet_file *f, const char *path, struct text *err)
{
	struct stat st;
	memset(f, 0, sizeof *f);
	f->line = 1;
	f->json = text_growing(DEVICE_MAX);
	csv_init(&f->csv);
	f->f = !strcmp(path, "-") ? stdin : fopen(path, "re");
	if (!f->f) {
		text_printf(err, "%s: %s", path, strerror(errno));
		return -errno;
	}
	if (!fstat(fileno(f->f), &st) && S_ISREG(st.st_mode))
		f->size = (uint64_t)st.st_size;
	return 0;
}

void fleet_file_close(struct fleet_file *f)
{
	if (f->f && f->f != stdin)
		fclose(f->f);
	text_done(&f->json);
	csv_done(&f->csv);
}

static int next_char(struct fleet_file *f)
{
	int ch = getc_unlocked(f->f);
	f->octets += ch != EOF;
	f->line += ch == '\n';
	return ch;
}

static void put_back(struct fleet_file *f, int ch)
{
	if (ch == EOF)
		return;
	ungetc(ch, f->f);
	f->octets--;
	f->line -= ch == '\n';
}

static bool is_blank(int ch)
{
	return ch == ' ' || ch == '\t' || ch == '\r' || ch == '\n';
}

static int skip_blanks(struct fleet_file *f)
{
	int ch;
	while (is_blank(ch = next_char(f)))
		;
	return ch;
}

/* JSON begins with a bracket. A mark of the byte order says nothing. */
static void begin(struct fleet_file *f)
{
	int ch = skip_blanks(f);
	if (ch == 0xEF) {
		(void)next_char(f);
		(void)next_char(f);
		ch = skip_blanks(f);
	}
	f->is_csv = ch != '{' && ch != '[' && ch != EOF;
	put_back(f, ch);
	f->is_begun = true;
}

/* ---- JSON ---- */

/* Is this the beginning of {"end_devices":[...]}, as lists are answered? */
static bool is_list(const struct text *t)
{
	static const char want[] = "{\"end_devices\":[";
	size_t k = 0;
	for (size_t i = 0; i < t->len; i++) {
		if (is_blank((unsigned char)t->p[i]))
			continue;
		if (k + 1 >= sizeof want || t->p[i] != want[k++])
			return false;
	}
	return k + 1 == sizeof want;
}

/* Where a character stands: how deep, and inside a text or not. */
struct place {
	unsigned depth;
	bool in_text, is_escaped;
};

static void place_move(struct place *p, int ch)
{
	if (p->is_escaped) {
		p->is_escaped = false;
	} else if (p->in_text) {
		p->is_escaped = ch == '\\';
		p->in_text = ch != '"';
	} else {
		p->in_text = ch == '"';
		p->depth += ch == '{' || ch == '[';
		p->depth -= ch == '}' || ch == ']';
	}
}

/* From the character behind the opening brace to the closing one. @return FLEET_*; -EINVAL the file ends inside */
static int take_object(struct fleet_file *f, struct text *err)
{
	struct place p = { .depth = 1 };
	text_reset(&f->json);
	text_putc(&f->json, '{');
	while (p.depth) {
		int ch = next_char(f);
		if (ch == EOF) {
			text_puts(err, "the file ends inside of it");
			return -EINVAL;
		}
		text_putc(&f->json, (char)ch);
		place_move(&p, ch);
		if (ch == '[' && p.depth == 2 && !f->is_listed && is_list(&f->json)) {
			f->is_listed = true;
			return FLEET_BAD;
		}
	}
	if (f->json.failed)
		text_printf(err, "it is longer than %d octets", DEVICE_MAX);
	return f->json.failed ? FLEET_BAD : FLEET_DEVICE;
}

static int next_json(struct fleet_file *f, struct text *err)
{
	for (;;) {
		int ch = skip_blanks(f);
		if (ch == EOF)
			return ferror(f->f) ? -EINVAL : FLEET_END;
		if (ch == '{') {
			bool was_listed = f->is_listed;
			f->item_line = f->line;
			int r = take_object(f, err);
			if (r == FLEET_BAD && f->is_listed && !was_listed)
				continue;
			return r;
		}
		/* Around devices: an array, or what encloses it. */
		if (ch != '[' && ch != ']' && ch != ',' && !(f->is_listed && ch == '}')) {
			f->item_line = f->line;
			text_puts(err, "here is neither a JSON object nor the end of the file");
			return -EINVAL;
		}
	}
}

/* ---- CSV ---- */

static bool next_row(struct fleet_file *f)
{
	int ch;
	f->item_line = f->line;
	do {
		if (!f->csv.n && !f->csv.is_cell)
			f->item_line = f->line;
		ch = next_char(f);
		if (csv_take(&f->csv, ch))
			return true;
	} while (ch != EOF);
	return false;
}

static int next_csv(struct fleet_file *f, struct text *err)
{
	if (!f->csv.has_header && (!next_row(f) || csv_header(&f->csv, err)))
		return -EINVAL;
	if (!next_row(f))
		return FLEET_END;
	text_reset(&f->json);
	return csv_device(&f->csv, &f->json, err) ? FLEET_BAD : FLEET_DEVICE;
}

int fleet_file_next(struct fleet_file *f, struct text *err)
{
	if (!f->is_begun)
		begin(f);
	return f->is_csv ? next_csv(f, err) : next_json(f, err);
}
