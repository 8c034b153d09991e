/** @file Correlation ids: the lists that messages carry, and their text.
 *
 * Every message has a list of a type of its own, so the lists are worked on through macros:
 *
 *     CIDS_ADD(&up->cids, CID_NS_UPLINK, id);
 *     CIDS_ADD_ALL(&pull.cids, &up->cids);
 */
#pragma once
#include "proto/schema.h"

enum cid_kind {
#define CID(symbol, number, prefix) CID_##symbol = number,
#include "proto/cid.def"
#undef CID
};

enum { CID_TEXT_MAX = 96 }; /**< room for any one as text, with terminator */

/** Add an id. The list is kept in the order of travel (cid.def), and of one kind in the order of arrival;
 * what is in it already is not added again.
 * @return 0; -ENOBUFS the list is full (it stays as it was) */
#define CIDS_ADD(list, kind, ulid) cids_add(&(list)->len, (list)->v, COUNT((list)->v), (kind), (ulid))
/** Add all of another list, as far as there is room. @return 0; -ENOBUFS */
#define CIDS_ADD_ALL(list, from) cids_add_all(&(list)->len, (list)->v, COUNT((list)->v), (from)->v, (from)->len)
/** The first id of a kind in a list, borrowed; NULL: none. */
#define CIDS_FIND(list, kind) cids_find((list)->v, (list)->len, (kind))

int cids_add(uint16_t *len, struct cid *v, size_t max, enum cid_kind kind, struct ulid id);
int cids_add_all(uint16_t *len, struct cid *v, size_t max, const struct cid *from, size_t n_from);
const struct cid *cids_find(const struct cid *v, size_t n, enum cid_kind kind);

const char *cid_prefix(uint32_t kind); /**< "gs:uplink:"; NULL: no such kind (a newer peer's) */
/** "gs:uplink:01HC8Y..."; a kind that this version does not know gives "cid:<number>:01HC8Y...". */
void cid_text(struct text *t, const struct cid *c);
/** The opposite, as people paste it. @return 0; -EINVAL not one of ours */
int cid_parse(struct str s, struct cid *ret);
