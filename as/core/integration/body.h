/** @file What is to be known of a message that was composed before: its correlation ids. */
#pragma once
#include "proto/cids.h"

enum { BODY_CIDS = 16, BODY_OWN_MAX = 2048 };

struct body_cids {
	uint16_t len;
	struct cid v[BODY_CIDS];
	char own[BODY_OWN_MAX]; /**< the application's, one after another, each terminated */
	size_t own_n;
};

/** Read them from a message as proto/tts writes it. Those with an escape in them, and what is too much, are left out. */
void body_cids(struct str body, struct body_cids *ret);
