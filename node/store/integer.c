#include "node/store/integer.h"

bool integer_parse(struct bytes text, int64_t *out)
{
    if (text.size == 0 || text.size > INTEGER_TEXT_SIZE_MAX) {
        return false;
    }
    const char *at = text.data;
    const char *end = at + text.size;
    bool negative = *at == '-';
    if (negative) {
        at++;
    }
    if (at == end || *at < '0' || *at > '9') {
        return false;
    }
    if (*at == '0') {
        /* Zero is written "0" and no other number starts with one. */
        if (text.size != 1) {
            return false;
        }
        *out = 0;
        return true;
    }
    uint64_t limit = negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX;
    uint64_t value = 0;
    for (; at < end; at++) {
        if (*at < '0' || *at > '9') {
            return false;
        }
        uint64_t digit = (uint64_t)(*at - '0');
        if (value > (limit - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *out = negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

size_t integer_format(int64_t value, char out[INTEGER_TEXT_SIZE_MAX])
{
    char reversed[INTEGER_TEXT_SIZE_MAX];
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    size_t digits = 0;
    do {
        reversed[digits++] = (char)('0' + left % 10);
        left /= 10;
    } while (left != 0);
    size_t size = 0;
    if (value < 0) {
        out[size++] = '-';
    }
    while (digits > 0) {
        out[size++] = reversed[--digits];
    }
    return size;
}
