/*
 * The options that SET and GETEX share: conditions and expiry times, in all combinations that Redis
 * lets pass and none that it refuses.
 */
#ifndef TORC_NODE_COMMANDS_STRING_OPTIONS_H
#define TORC_NODE_COMMANDS_STRING_OPTIONS_H

#include "node/call.h"

enum string_option {
    STRING_IF_ABSENT = 1 << 0,     /* NX */
    STRING_IF_PRESENT = 1 << 1,    /* XX */
    STRING_RETURN_OLD = 1 << 2,    /* GET */
    STRING_KEEP_EXPIRY = 1 << 3,   /* KEEPTTL */
    STRING_REMOVE_EXPIRY = 1 << 4, /* PERSIST */
    STRING_EX = 1 << 5,
    STRING_PX = 1 << 6,
    STRING_EXAT = 1 << 7,
    STRING_PXAT = 1 << 8,
};
#define STRING_EXPIRY_RELATIVE (STRING_EX | STRING_PX)
#define STRING_EXPIRY_ABSOLUTE (STRING_EXAT | STRING_PXAT)
#define STRING_EXPIRY (STRING_EXPIRY_RELATIVE | STRING_EXPIRY_ABSOLUTE)

struct string_options {
    unsigned flags;      /* enum string_option */
    size_t expiry_index; /* of the argument that holds the time; 0 = none */
};

/* Parses the arguments from `index` on; `allowed` are the options of this command. False after it
 * has replied with a syntax error. */
bool string_options_parse(struct call *call, size_t index, unsigned allowed,
                          struct string_options *out) TORC_MUST_USE;

/* The time at argument `index`, in the unit and sense of `flag` (STRING_EX ...), as Unix
 * milliseconds > 0. False after it has replied: no integer, not positive, or too far away. */
bool string_expiry_parse(struct call *call, size_t index, unsigned flag,
                         uint64_t *out) TORC_MUST_USE;

#endif
