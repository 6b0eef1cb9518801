/*
 * Splits a line into arguments as an inline request is split, in place: what unquoting removes
 * makes an argument shorter, never longer, so each is written over its own place in the line.
 *
 *      plain        ends at a space, tab, CR or LF
 *      "double"     \n \r \t \b \a \xHH, and \ before anything else means that itself
 *      'single'     only \' means something else than itself
 *
 * A quote may open within an argument; behind the closing one there must be white space or the end.
 * Pure; any thread. Source: the behaviour of Redis's inline requests.
 */
#ifndef TORC_NODE_RESP_SPLIT_H
#define TORC_NODE_RESP_SPLIT_H

#include "base/attributes.h"
#include "base/bytes.h"

#include <stddef.h>

/* The most arguments a line of that size can hold: between any two there is a space. */
static inline size_t split_count_max(size_t size)
{
    return size / 2 + 1;
}

/*
 * Fills items[split_count_max(size)], which borrow from the line, and *count. 0, or TORC_EINVAL
 * when a quote is not closed or not followed by white space; the line is spoilt then.
 */
int split_arguments(char *line, size_t size, struct bytes *items, size_t *count) TORC_MUST_USE;

#endif
