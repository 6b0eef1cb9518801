/*
 * Numbers as text, the way Redis clients write and expect them: which texts count as a number at
 * all, and how a number is printed. Pure functions without allocation; any thread.
 */
#ifndef TORC_NODE_RESP_NUMBER_H
#define TORC_NODE_RESP_NUMBER_H

#include "base/attributes.h"
#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NUMBER_INT64_SIZE 24  /* room for the text of any int64 */
#define NUMBER_DOUBLE_SIZE 32 /* room for the text of any double by format_double */
#define NUMBER_LONG_DOUBLE_SIZE                                                                    \
    5120u /* room for any long double written out in full; also the                                \
             longest text that is read as a floating point number */

/*
 * True and *out when the whole text is the canonical decimal form of the type: digits, for int64 a
 * '-' before them; no '+', no space, no leading zero, no "-0", no overflow. *out is written on
 * success only. So a value that parses is printed back as the very same bytes.
 */
bool parse_int64(struct bytes text, int64_t *out) TORC_MUST_USE;
bool parse_uint64(struct bytes text, uint64_t *out) TORC_MUST_USE;

/*
 * True and *out when the whole text is a floating point number as strtod(3) reads it in the C
 * locale, hexadecimal, "inf" and "infinity" included. Refused, as Redis refuses them: the empty
 * text, leading white space, NaN, overflow, and what is so small that it becomes zero.
 */
bool parse_double(struct bytes text, double *out) TORC_MUST_USE;
bool parse_long_double(struct bytes text, long double *out) TORC_MUST_USE;

/* Decimal text, not zero-terminated; returns its size, at most 20. */
size_t format_int64(char out[NUMBER_INT64_SIZE], int64_t value);
size_t format_uint64(char out[NUMBER_INT64_SIZE], uint64_t value);

/*
 * The shortest text that parse_double reads back as the same value, in the notation of printf's
 * %.17g: fixed from 1e-4 up to 1e17, else with an exponent. "inf", "-inf", "nan". Not
 * zero-terminated; returns its size.
 */
size_t format_double(char out[NUMBER_DOUBLE_SIZE], double value);

/*
 * As INCRBYFLOAT prints: fixed notation, 17 digits after the point, trailing zeros and a bare point
 * removed, never "-0". Not zero-terminated; returns its size.
 */
size_t format_long_double_human(char out[NUMBER_LONG_DOUBLE_SIZE], long double value);

#endif
