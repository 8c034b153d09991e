/** @file Pages that are written from tables: a test compares them with what the tables say, and with GODWIT_UPDATE=1 writes them anew. */
#pragma once
#include "common/core/text.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

enum { PAGE_MAX = 1 << 20 };

/** Open a file of the source tree, "proto/EVENTS.md". */
static inline FILE *page_open(const char *leaf, const char *mode)
{
	const char *source = getenv("GODWIT_SOURCE");
	char path[4096];
	snprintf(path, sizeof path, "%s/%s", source ? source : ".", leaf);
	FILE *f = fopen(path, mode);
	ck_assert_msg(f, "%s cannot be opened", path);
	return f;
}

/** Append what the page says now. */
static inline void page_read(const char *leaf, struct text *ret)
{
	char buf[4096];
	FILE *f = page_open(leaf, "r");
	for (size_t n; (n = fread(buf, 1, sizeof buf, f)) > 0;)
		text_put(ret, (struct str){ buf, n });
	fclose(f);
	ck_assert(!ret->failed);
}

/** The page must say `want`. @param test  the program that writes it */
static inline void page_is(const char *leaf, const struct text *want, const char *test)
{
	AUTO(text_done) struct text have = text_growing(PAGE_MAX);
	ck_assert(!want->failed);
	if (getenv("GODWIT_UPDATE")) {
		FILE *f = page_open(leaf, "w");
		ck_assert_uint_eq(fwrite(want->p, 1, want->len, f), want->len);
		ck_assert_int_eq(fclose(f), 0);
	}
	page_read(leaf, &have);
	ck_assert_msg(str_eq(text_str(&have), text_str(want)), "%s is stale: GODWIT_UPDATE=1 build/test/unit/%s", leaf, test);
}
