/*
 * Decimal text of 64-bit integers, both ways, without locale or allocation. Only canonical text is
 * an integer: what is printed for the number and nothing else, so that a value stored as a number
 * reads back as the very bytes that were written. Any thread.
 */
#ifndef TORC_NODE_STORE_INTEGER_H
#define TORC_NODE_STORE_INTEGER_H

#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INTEGER_TEXT_SIZE_MAX 20 /* "-9223372036854775808" */

/* False for "", "+1", "01", "-0", blanks, and whatever does not fit; *out is then untouched. */
bool integer_parse(struct bytes text, int64_t *out);
/* Returns how many bytes it wrote; no terminating zero. */
size_t integer_format(int64_t value, char out[INTEGER_TEXT_SIZE_MAX]);

#endif
