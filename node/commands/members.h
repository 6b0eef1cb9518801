/*
 * What the commands on containers of members share: on hashes, sets and sorted sets. Going through
 * them with a cursor, and drawing from them.
 */
#ifndef TORC_NODE_COMMANDS_MEMBERS_H
#define TORC_NODE_COMMANDS_MEMBERS_H

#include "node/call.h"
#include "node/store/draw.h"

/* HSCAN, SSCAN, ZSCAN key cursor [MATCH pattern] [COUNT count]; `values` are returned too. */
void members_scan_command(struct call *call, enum object_type type,
                          const struct member_source *source, bool values);

/* How many are to be drawn, and how. */
struct draw {
    bool one;      /* without a count: one, as a bulk */
    bool repeated; /* by a negative count: each draw is for itself */
    bool values;
    size_t count;
    void (*reply_value)(struct reply_writer *, struct bytes); /* reply_bulk, unless set */
};

/* The arguments of HRANDFIELD and ZRANDMEMBER from the second on: [count [<values_word>]]; of
 * SRANDMEMBER, which has no such word, with NULL. False after it has replied with an error. */
bool draw_parse(struct call *call, const char *values_word, struct draw *out) TORC_MUST_USE;
/* Replies with what is drawn from a container; NULL = there is none. */
void draw_reply(struct call *call, const struct object *object, const struct member_source *source,
                const struct draw *draw);

/* True if a change went well; else replies why not. `name` is what is too large: "hash". */
bool member_change_ok(struct call *call, const char *name, int error) TORC_MUST_USE;

#endif
