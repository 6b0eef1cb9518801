/*
 * What the commands that pop have in common. LMPOP and ZMPOP, and behind a timeout BLMPOP and
 * BZMPOP:
 *
 *      numkeys key [key ...] LEFT|RIGHT [COUNT count]
 *
 * and LPOP, RPOP, SPOP, ZPOPMIN and ZPOPMAX:
 *
 *      key [count]
 */
#ifndef TORC_NODE_COMMANDS_POP_OPTIONS_H
#define TORC_NODE_COMMANDS_POP_OPTIONS_H

#include "node/call.h"

struct pop_options {
    size_t keys;     /* index of the first argument that is a key */
    size_t keys_end; /* of those behind the last one */
    bool other_end;  /* the second word was there, not the first */
    int64_t limit;   /* at least 1 */
};

/* Parses all arguments from the count of keys on, which is the one before the command's first key;
 * the two words name the ends, in lower case. False after it has replied. */
bool pop_options_parse(struct call *call, const char *first_end, const char *other_end,
                       struct pop_options *out) TORC_MUST_USE;

/* Parses the count of the others, which may be 0. False after it has replied. */
bool pop_limit_parse(struct call *call, int64_t *limit) TORC_MUST_USE;

#endif
