/** @file Reading test/vectors: lines of name=value, octets in hex. For tests only: it aborts on a malformed
 * line. */
#pragma once
#include "common/core/crypto.h"
#include "common/core/text.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct vectors {
	FILE *in;
	char line[4096];
	int number;
};

/** Open SOURCE/test/vectors/<name>; the test program stops if it is not there. */
static inline struct vectors vectors_open(const char *name)
{
	const char *source = getenv("GODWIT_SOURCE");
	char path[1024];
	snprintf(path, sizeof path, "%s/test/vectors/%s", source ? source : ".", name);
	struct vectors v = { .in = fopen(path, "r") };
	if (!v.in) {
		perror(path);
		abort();
	}
	return v;
}

/** Step to the next line that is no comment; closes the file at its end. */
static inline bool vectors_next(struct vectors *v)
{
	while (fgets(v->line, sizeof v->line, v->in)) {
		v->number++;
		v->line[strcspn(v->line, "\n")] = '\0';
		if (v->line[0] && v->line[0] != '#')
			return true;
	}
	fclose(v->in);
	v->in = NULL;
	return false;
}

/** The value of a name on this line; absent: {NULL, 0}. */
static inline struct str vec_get(const struct vectors *v, const char *name)
{
	size_t n = strlen(name);
	for (const char *p = v->line; p && *p; p = strchr(p, ' ')) {
		p += *p == ' ';
		if (strncmp(p, name, n) == 0 && p[n] == '=')
			return (struct str){ p + n + 1, strcspn(p + n + 1, " ") };
	}
	return (struct str){ NULL, 0 };
}

static inline bool vec_has(const struct vectors *v, const char *name)
{
	return vec_get(v, name).p != NULL;
}

static inline bool vec_is(const struct vectors *v, const char *name, const char *value)
{
	return str_is(vec_get(v, name), value);
}

/** A decimal number; 0 if absent. */
static inline uint64_t vec_num(const struct vectors *v, const char *name)
{
	struct str s = vec_get(v, name);
	return s.p ? strtoull(s.p, NULL, 10) : 0;
}

/** A hex number, most significant digit first; 0 if absent. */
static inline uint64_t vec_hexnum(const struct vectors *v, const char *name)
{
	struct str s = vec_get(v, name);
	return s.p ? strtoull(s.p, NULL, 16) : 0;
}

/** Octets; 0 of them if absent. */
static inline size_t vec_bytes(const struct vectors *v, const char *name, void *buf, size_t cap)
{
	struct str s = vec_get(v, name);
	size_t n = 0;
	if (s.p && hex_decode(s, buf, cap, &n)) {
		fprintf(stderr, "line %d: %s is no hex\n", v->number, name);
		abort();
	}
	return n;
}

static inline struct key vec_key(const struct vectors *v, const char *name)
{
	struct key k = { { 0 } };
	vec_bytes(v, name, k.b, sizeof k.b);
	return k;
}
