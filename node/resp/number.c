#include "node/resp/number.h"

#include <assert.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UINT64_DIGITS_MAX 20
/* Any 19 digits fit uint64; only the twentieth needs the check. */
#define UINT64_DIGITS_SAFE 19

static const char digit_pairs[] = "00010203040506070809101112131415161718192021222324"
                                  "25262728293031323334353637383940414243444546474849"
                                  "50515253545556575859606162636465666768697071727374"
                                  "75767778798081828384858687888990919293949596979899";

static_assert(sizeof(digit_pairs) == 201, "two characters for each number below a hundred");
static_assert(LDBL_MAX_10_EXP + 32 < (int)NUMBER_LONG_DOUBLE_SIZE,
              "the largest long double, written out, fits");

bool parse_uint64(struct bytes text, uint64_t *out)
{
    if (text.size == 0 || text.size > UINT64_DIGITS_MAX) {
        return false;
    }
    if (text.data[0] == '0' && text.size > 1) {
        return false;
    }
    uint64_t value = 0;
    size_t safe = text.size < UINT64_DIGITS_SAFE ? text.size : UINT64_DIGITS_SAFE;
    for (size_t i = 0; i < safe; i++) {
        unsigned digit = (unsigned char)text.data[i] - (unsigned)'0';
        if (digit > 9) {
            return false;
        }
        value = value * 10 + digit;
    }
    if (text.size > UINT64_DIGITS_SAFE) {
        unsigned digit = (unsigned char)text.data[UINT64_DIGITS_SAFE] - (unsigned)'0';
        if (digit > 9 || value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

bool parse_int64(struct bytes text, int64_t *out)
{
    bool negative = text.size > 1 && text.data[0] == '-';
    if (negative) {
        text.data++;
        text.size--;
    }
    uint64_t value = 0;
    if (!parse_uint64(text, &value)) {
        return false;
    }
    if (!negative) {
        if (value > INT64_MAX) {
            return false;
        }
        *out = (int64_t)value;
        return true;
    }
    if (value == 0 || value > (uint64_t)INT64_MAX + 1) {
        return false;
    }
    /* Through value - 1, because -INT64_MIN does not exist. */
    *out = -(int64_t)(value - 1) - 1;
    return true;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* strtod wants a terminating zero that borrowed bytes do not have. */
static bool copy_text(struct bytes text, char out[NUMBER_LONG_DOUBLE_SIZE])
{
    if (text.size == 0 || text.size >= NUMBER_LONG_DOUBLE_SIZE || is_space(text.data[0])) {
        return false;
    }
    memcpy(out, text.data, text.size);
    out[text.size] = '\0';
    return true;
}

bool parse_double(struct bytes text, double *out)
{
    char copy[NUMBER_LONG_DOUBLE_SIZE];
    if (!copy_text(text, copy)) {
        return false;
    }
    char *end = NULL;
    errno = 0;
    double value = strtod(copy, &end);
    /* A denormal also sets ERANGE, but is a number nevertheless. */
    bool out_of_range = errno == ERANGE && (isinf(value) || value == 0);
    if ((size_t)(end - copy) != text.size || out_of_range || isnan(value)) {
        return false;
    }
    *out = value;
    return true;
}

bool parse_long_double(struct bytes text, long double *out)
{
    char copy[NUMBER_LONG_DOUBLE_SIZE];
    if (!copy_text(text, copy)) {
        return false;
    }
    char *end = NULL;
    errno = 0;
    long double value = strtold(copy, &end);
    bool out_of_range = errno == ERANGE && (isinf(value) || value == 0);
    if ((size_t)(end - copy) != text.size || out_of_range || isnan(value)) {
        return false;
    }
    *out = value;
    return true;
}

static size_t count_digits(uint64_t value)
{
    size_t count = 1;
    while (value >= 10000) {
        value /= 10000;
        count += 4;
    }
    return count + (value >= 10) + (value >= 100) + (value >= 1000);
}

static size_t put_digits(char *out, uint64_t value)
{
    if (value < 10) {
        out[0] = (char)('0' + value);
        return 1;
    }
    size_t size = count_digits(value);
    char *at = out + size;
    while (value >= 100) {
        at -= 2;
        memcpy(at, &digit_pairs[2 * (value % 100)], 2);
        value /= 100;
    }
    if (value >= 10) {
        memcpy(out, &digit_pairs[2 * value], 2);
    } else {
        out[0] = (char)('0' + value);
    }
    return size;
}

size_t format_uint64(char out[NUMBER_INT64_SIZE], uint64_t value)
{
    return put_digits(out, value);
}

size_t format_int64(char out[NUMBER_INT64_SIZE], int64_t value)
{
    if (value >= 0) {
        return put_digits(out, (uint64_t)value);
    }
    out[0] = '-';
    return 1 + put_digits(out + 1, 0 - (uint64_t)value);
}

static size_t format_not_finite(char *out, bool nan, bool negative)
{
    const char *text = nan ? "nan" : (negative ? "-inf" : "inf");
    size_t size = strlen(text);
    memcpy(out, text, size);
    return size;
}

size_t format_double(char out[NUMBER_DOUBLE_SIZE], double value)
{
    if (!isfinite(value)) {
        return format_not_finite(out, isnan(value), value < 0);
    }
    if (fabs(value) < 1e17 && value == (double)(int64_t)value && (value != 0 || !signbit(value))) {
        return format_int64(out, (int64_t)value);
    }
    /* Any decimal of 15 digits survives the way through a double, so when 15 digits read back, they
     * are the shortest once %g has dropped the zeros; 17 digits always read back. Numbers below the
     * normal range have less precision than that: there fewer digits may do. */
    int least = fabs(value) < DBL_MIN ? 1 : DBL_DIG;
    for (int digits = least; digits < DBL_DECIMAL_DIG; digits++) {
        int size = snprintf(out, NUMBER_DOUBLE_SIZE, "%.*g", digits, value);
        if (strtod(out, NULL) == value) {
            return (size_t)size;
        }
    }
    return (size_t)snprintf(out, NUMBER_DOUBLE_SIZE, "%.*g", DBL_DECIMAL_DIG, value);
}

size_t format_long_double_human(char out[NUMBER_LONG_DOUBLE_SIZE], long double value)
{
    if (!isfinite(value)) {
        return format_not_finite(out, isnan(value), value < 0);
    }
    int written = snprintf(out, NUMBER_LONG_DOUBLE_SIZE, "%.17Lf", value);
    assert(written > 0);
    assert((size_t)written < NUMBER_LONG_DOUBLE_SIZE);
    size_t size = (size_t)written;
    while (out[size - 1] == '0') {
        size--;
    }
    if (out[size - 1] == '.') {
        size--;
    }
    if (size == 2 && out[0] == '-' && out[1] == '0') {
        out[0] = '0';
        size = 1;
    }
    return size;
}
