/** @file Topics of a Pub/Sub integration. */
#include "as/core/integration/pubsub_topic.h"
#include "proto/mqtt/mqtt_topic.h"
#include <string.h>

enum piece { PIECE_END, PIECE_TEXT, PIECE_APPLICATION, PIECE_DEVICE, PIECE_EUI, PIECE_WRONG };
enum { TEMPLATE_MAX = PUBSUB_TOPIC_MAX };
static const struct str placeholders[] = { [PIECE_APPLICATION] = STR("{application_id}"), [PIECE_DEVICE] = STR("{device_id}"), [PIECE_EUI] = STR("{dev_eui}") };

static struct str skip(struct str s, size_t n)
{
	return (struct str){ s.p + n, s.n - n };
}

/** Base and sub-topic, one slash between them; of an empty base nothing. */
static void join(struct text *t, const char *base, const char *sub)
{
	struct str b = str_of(base), s = str_of(sub);
	if (b.n) {
		while (b.n && b.p[b.n - 1] == '/')
			b.n--;
		while (s.n && *s.p == '/')
			s = skip(s, 1);
		text_put(t, b);
		text_putc(t, '/');
	}
	text_put(t, s);
}

/** Take the next piece off a template. */
static enum piece piece_take(struct str *s, struct str *ret)
{
	if (!s->n)
		return PIECE_END;
	size_t n = 0;
	while (n < s->n && s->p[n] != '{' && s->p[n] != '}')
		n++;
	*ret = (struct str){ s->p, n };
	if (n) {
		*s = skip(*s, n);
		return PIECE_TEXT;
	}
	for (enum piece p = PIECE_APPLICATION; p <= PIECE_EUI; p++)
		if (s->n >= placeholders[p].n && !memcmp(s->p, placeholders[p].p, placeholders[p].n)) {
			*ret = placeholders[p];
			*s = skip(*s, placeholders[p].n);
			return p;
		}
	return PIECE_WRONG;
}

/** A device id in a topic: nothing of it may be a level or a wildcard of its own. */
static void put_id(struct text *t, struct str id)
{
	for (size_t i = 0; i < id.n; i++) {
		char c = id.p[i];
		bool is_good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
		text_putc(t, is_good ? c : '_');
	}
}

void pubsub_topic(struct text *t, const char *base, const char *sub, const struct pubsub_names *names)
{
	char joined[TEMPLATE_MAX + 1];
	struct text j = text_fixed(joined, sizeof joined);
	struct str rest, piece;
	join(&j, base, sub);
	t->failed |= j.failed;
	rest = text_str(&j);
	for (enum piece p; (p = piece_take(&rest, &piece)) != PIECE_END && p != PIECE_WRONG;) {
		if (p == PIECE_TEXT)
			text_put(t, piece);
		else if (p == PIECE_APPLICATION)
			text_puts(t, names->application_id);
		else if (p == PIECE_EUI && names->has_dev_eui)
			text_printf(t, "%016llX", (unsigned long long)names->dev_eui);
		else
			put_id(t, names->device_id);
	}
}

void pubsub_filter(struct text *t, const char *base, const char *sub, const char *application_id)
{
	char joined[TEMPLATE_MAX + 1];
	struct text j = text_fixed(joined, sizeof joined);
	struct str rest, piece;
	join(&j, base, sub);
	t->failed |= j.failed;
	rest = text_str(&j);
	for (enum piece p; (p = piece_take(&rest, &piece)) != PIECE_END && p != PIECE_WRONG;)
		text_put(t, p == PIECE_TEXT ? piece : p == PIECE_APPLICATION ? str_of(application_id) : STR("+"));
}

/** Does a place of a device fill its whole level? Then, and only then, it can be subscribed. */
static bool fill_levels(struct str joined)
{
	bool more;
	do {
		struct str level = mqtt_level_take(&joined, &more), piece, rest = level;
		for (enum piece p; (p = piece_take(&rest, &piece)) != PIECE_END && p != PIECE_WRONG;)
			if ((p == PIECE_DEVICE || p == PIECE_EUI) && piece.n != level.n)
				return false;
	} while (more);
	return true;
}

int pubsub_topic_check(const char *base, const char *sub, bool is_filter, struct text *why)
{
	char joined[TEMPLATE_MAX + 1];
	struct text j = text_fixed(joined, sizeof joined);
	struct str rest, piece;
	enum piece p;
	join(&j, base, sub);
	rest = text_str(&j);
	while ((p = piece_take(&rest, &piece)) != PIECE_END && p != PIECE_WRONG)
		;
	if (p == PIECE_WRONG)
		text_puts(why, "the only words that may stand in braces are {application_id}, {device_id} and {dev_eui}");
	else if (j.failed || !mqtt_string_valid(text_str(&j)) || !mqtt_topic_valid(text_str(&j)))
		text_puts(why, "is no MQTT topic: it must be text without +, # and control characters, of at most 128 levels, not empty and not too long");
	else if (is_filter && !fill_levels(text_str(&j)))
		text_puts(why, "{device_id} and {dev_eui} must stand alone between two slashes here, as they are subscribed as +");
	else
		return 0;
	return -EINVAL;
}

bool pubsub_topic_place(const char *base, const char *sub, const char *application_id, struct str topic, struct pubsub_place *ret)
{
	char joined[TEMPLATE_MAX + 1], filter[PUBSUB_TOPIC_MAX + 1];
	struct text j = text_fixed(joined, sizeof joined), f = text_fixed(filter, sizeof filter);
	struct str rest, levels = topic, piece;
	bool more = true, is_more;
	*ret = (struct pubsub_place){ { "", 0 }, { "", 0 } };
	pubsub_filter(&f, base, sub, application_id);
	if (f.failed || !mqtt_filter_valid(text_str(&f)) || !mqtt_topic_match(text_str(&f), topic))
		return false;
	join(&j, base, sub);
	/* Level by level: an application id has no slash in it, so both have as many. */
	for (rest = text_str(&j); more;) {
		struct str level = mqtt_level_take(&rest, &more), is = mqtt_level_take(&levels, &is_more);
		enum piece p = piece_take(&level, &piece);
		if (p == PIECE_DEVICE)
			ret->device_id = is;
		else if (p == PIECE_EUI)
			ret->dev_eui = is;
	}
	return true;
}
