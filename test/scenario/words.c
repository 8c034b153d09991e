/** @file The words of a line. */
#include "test/scenario/story.h"

void split(struct story *s, char *line)
{
	s->n = s->at = 0;
	for (char *p = line; *p && s->n < WORDS_MAX;) {
		while (*p == ' ' || *p == '\t')
			p++;
		if (!*p || *p == '#' || *p == '\n')
			return;
		char *end = *p == '"' ? strchr(p + 1, '"') : p + strcspn(p, " \t\n");
		if (!end)
			end = p + strlen(p);
		s->word[s->n++] = *p == '"' ? (struct str){ p + 1, (size_t)(end - p - 1) } : (struct str){ p, (size_t)(end - p) };
		p = *end == '"' ? end + 1 : end;
	}
}

bool take(struct story *s, const char *word)
{
	if (s->at < s->n && str_is(s->word[s->at], word)) {
		s->at++;
		return true;
	}
	return false;
}

struct str next(struct story *s)
{
	return s->at < s->n ? s->word[s->at++] : STR("");
}

uint64_t number(struct story *s)
{
	uint64_t v = 0;
	struct str word = next(s);
	if (num_u64(word, &v) != 0)
		snprintf(s->why, sizeof(s->why), "a number was expected, not \"%.*s\"", STR_ARG(word));
	return v;
}

uint64_t duration(struct story *s)
{
	uint64_t v = 0;
	struct str word = next(s);
	if (num_duration_us(word, &v) != 0)
		snprintf(s->why, sizeof(s->why), "a duration was expected, not \"%.*s\"", STR_ARG(word));
	return v;
}

uint32_t megahertz(struct story *s)
{
	char text[LINE_MAX_CHARS];
	struct str word = next(s);
	double mhz = strtod(copied(word, text), NULL);
	if (mhz < 1 || mhz > 4000)
		snprintf(s->why, sizeof(s->why), "a frequency in MHz was expected, not \"%.*s\"", STR_ARG(word));
	return (uint32_t)(mhz * 1e6 + 0.5);
}

struct w_device *device_named(struct world *w, struct str name)
{
	for (uint32_t i = 0; i < w->n_dev; i++)
		if (str_is(name, w->dev[i].name))
			return &w->dev[i];
	return NULL;
}

struct w_gateway *gateway_named(struct world *w, struct str name)
{
	for (uint32_t i = 0; i < w->n_gw; i++)
		if (str_is(name, w->gw[i].id))
			return &w->gw[i];
	return NULL;
}

const char *copied(struct str s, char buf[LINE_MAX_CHARS])
{
	snprintf(buf, LINE_MAX_CHARS, "%.*s", STR_ARG(s));
	return buf;
}
