/*
 * The command line of torc-ring. Pure, but for getopt's globals: one thread, one call.
 */
#ifndef TORC_CLIENT_RING_OPTIONS_H
#define TORC_CLIENT_RING_OPTIONS_H

#include "base/attributes.h"

#include <stdbool.h>
#include <stdint.h>

#define RING_ERROR_SIZE 320

enum ring_verb {
    RING_STATUS,
    RING_SLOTS,
    RING_PLAN,
    RING_CHANGE,
    RING_CANCEL,
    RING_WATCH,
    RING_CHECK
};

enum change_kind { CHANGE_ADD, CHANGE_DRAIN, CHANGE_WEIGHT, CHANGE_REMOVE, CHANGE_REBALANCE };

enum balance { BALANCE_SLOTS, BALANCE_BYTES, BALANCE_OPS };

/* A change of the ring in the operator's words. */
struct change_request {
    enum change_kind kind;
    const char *node; /* of all but CHANGE_REBALANCE; borrowed from argv */
    bool has_weight;
    uint32_t weight; /* thousandths; of CHANGE_WEIGHT, and of CHANGE_ADD if has_weight */
    enum balance by; /* of CHANGE_REBALANCE */
};

struct ring_options {
    enum ring_verb verb;
    const char *seeds; /* as given: "host:port,..."; checked by torc_connect. Borrowed from argv */
    bool json;
    bool yes;   /* changing verbs: do not ask */
    bool watch; /* changing verbs: go on as RING_WATCH does */
    bool help;
    bool version;
    char **keys; /* of RING_SLOTS; borrowed from argv */
    int key_count;
    struct change_request change; /* of RING_PLAN and RING_CHANGE */
};

/* Options may stand before and behind the verb; "--" ends them. Sorts argv. With help or version
 * nothing else is looked at. 0, or TORC_EINVAL with one line that names what is wrong and what is
 * accepted. */
int ring_options_parse(struct ring_options *out, int argc, char **argv,
                       char error[RING_ERROR_SIZE]) TORC_MUST_USE;

/* The text of --help; static. */
const char *ring_options_help(void);

/* "add", "bytes", ...; static. */
const char *ring_change_name(enum change_kind kind);
const char *ring_balance_name(enum balance by);

#endif
