/** @file Topic names and topic filters, without allocation and without recursion. */
#include "proto/mqtt/mqtt_topic.h"
#include <string.h>

/* Decode one character of more than one octet at p; its length, or 0 for one that may not be. */
static size_t wide_take(const unsigned char *p, size_t left, uint32_t *ret)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = (p[0] & 0xe0) == 0xc0 ? 2 : (p[0] & 0xf0) == 0xe0 ? 3 : (p[0] & 0xf8) == 0xf0 ? 4 : 0;
	if (n == 0 || n > left)
		return 0;
	uint32_t c = p[0] & (0x7fU >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3fU);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*ret = c;
	return n;
}

static bool wide_wanted(uint32_t c)
{
	return c >= 0xa0 && !(c >= 0xfdd0 && c <= 0xfdef) && (c & 0xfffe) != 0xfffe;
}

bool mqtt_string_valid(struct str s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	for (size_t i = 0; i < s.n;) {
		if (p[i] < 0x80) {
			if (p[i] < 0x20 || p[i] == 0x7f)
				return false;
			i++;
			continue;
		}
		uint32_t c = 0;
		size_t n = wide_take(p + i, s.n - i, &c);
		if (n == 0 || !wide_wanted(c))
			return false;
		i += n;
	}
	return true;
}

size_t mqtt_topic_levels(struct str s)
{
	size_t n = 1;
	for (size_t i = 0; i < s.n; i++)
		n += s.p[i] == '/';
	return n;
}

bool mqtt_topic_valid(struct str topic)
{
	if (topic.n == 0 || memchr(topic.p, '+', topic.n) || memchr(topic.p, '#', topic.n))
		return false;
	return mqtt_topic_levels(topic) <= MQTT_LEVELS_MAX;
}

bool mqtt_filter_valid(struct str filter)
{
	for (size_t i = 0; i < filter.n; i++) {
		if (filter.p[i] != '+' && filter.p[i] != '#')
			continue;
		bool is_first = i == 0 || filter.p[i - 1] == '/';
		bool is_last = i + 1 == filter.n;
		if (!is_first || (!is_last && (filter.p[i] == '#' || filter.p[i + 1] != '/')))
			return false;
	}
	return filter.n > 0;
}

struct str mqtt_level_take(struct str *s, bool *ret_more)
{
	const char *slash = s->n ? memchr(s->p, '/', s->n) : NULL;
	struct str level = { s->p, slash ? (size_t)(slash - s->p) : s->n };
	*ret_more = slash != NULL;
	*s = slash ? (struct str){ slash + 1, s->n - level.n - 1 } : (struct str){ NULL, 0 };
	return level;
}

bool mqtt_topic_match(struct str filter, struct str topic)
{
	if (topic.n && topic.p[0] == '$' && filter.n && (filter.p[0] == '+' || filter.p[0] == '#'))
		return false;
	bool f_more = true, t_more = true;
	while (f_more && t_more) {
		struct str f = mqtt_level_take(&filter, &f_more);
		struct str t = mqtt_level_take(&topic, &t_more);
		if (str_is(f, "#"))
			return true;
		if (!str_is(f, "+") && !str_eq(f, t))
			return false;
	}
	return f_more == t_more || (f_more && str_is(filter, "#")); /* `a/#` matches its parent `a` */
}

int mqtt_topic_share(struct str s, struct str *ret_group, struct str *ret_filter)
{
	*ret_filter = s;
	if (!str_starts(s, "$share/") && !str_is(s, "$share"))
		return 1;
	if (s.n <= 7)
		return -EINVAL;
	struct str rest = { s.p + 7, s.n - 7 }, group;
	struct str filter = str_cut(rest, '/', &group);
	if (group.n == 0 || filter.n == 0 || memchr(group.p, '+', group.n) || memchr(group.p, '#', group.n))
		return -EINVAL;
	*ret_group = group;
	*ret_filter = filter;
	return 0;
}
