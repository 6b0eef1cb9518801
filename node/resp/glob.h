/*
 * Glob patterns as KEYS, SCAN MATCH, PSUBSCRIBE and CONFIG GET of Redis understand them: bytes, not
 * characters; the whole text must match.
 *
 *      *        any run of bytes, also none
 *      ?        one byte
 *      [ab0-9]  one of these; [^ab] one that is none of these; a class left open ends with the
 * pattern \x       x itself, whatever it means otherwise; at the very end the backslash itself
 *
 * Time is at most proportional to pattern size times text size; no recursion, no allocation. Any
 * thread. Bytes from 0x80 order after ASCII in a range, on every machine.
 */
#ifndef TORC_NODE_RESP_GLOB_H
#define TORC_NODE_RESP_GLOB_H

#include "base/attributes.h"
#include "base/bytes.h"

#include <stdbool.h>

/* `nocase` ignores the case of ASCII letters, except of those written \x within a class. */
bool glob_match(struct bytes pattern, struct bytes text, bool nocase) TORC_MUST_USE;

#endif
