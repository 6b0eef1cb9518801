/*
 * Glob matching against a second opinion: a table of which pattern tails match which text tails,
 * filled from the ends, which cannot blow up and shares nothing with the matcher. The input is one
 * byte of flags (bit 0: ignore case), one byte with the size of the pattern, pattern, text.
 *
 * The canary proves that this can fail: built with -DFUZZ_CANARY the second opinion is turned
 * round, and the first seed must abort.
 */
#include "node/resp/glob.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_SIZE_MAX 256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int lower(int c)
{
    return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

/* One element of a pattern, as the set of bytes it takes. */
struct element {
    bool star;
    bool takes[256];
};

static void take(struct element *element, int c, bool nocase)
{
    for (int other = 0; other < 256; other++) {
        element->takes[other] |= nocase ? lower(other) == lower(c) : other == c;
    }
}

static void take_range(struct element *element, int first, int last, bool nocase)
{
    int low = first < last ? first : last;
    int high = first < last ? last : first;
    if (nocase) {
        low = lower(low);
        high = lower(high);
    }
    for (int c = 0; c < 256; c++) {
        int seen = nocase ? lower(c) : c;
        element->takes[c] |= seen >= low && seen <= high;
    }
}

/* The class whose first byte behind '[' is at `i`; returns where it ends. */
static size_t compile_class(const uint8_t *pattern, size_t size, size_t i, bool nocase,
                            struct element *element)
{
    bool negated = i < size && pattern[i] == '^';
    i += negated;
    while (i < size && pattern[i] != ']') {
        if (pattern[i] == '\\' && i + 1 < size) {
            take(element, pattern[i + 1], false);
            i += 2;
        } else if (i + 2 < size && pattern[i + 1] == '-') {
            take_range(element, pattern[i], pattern[i + 2], nocase);
            i += 3;
        } else {
            take(element, pattern[i++], nocase);
        }
    }
    for (int c = 0; negated && c < 256; c++) {
        element->takes[c] = !element->takes[c];
    }
    return i < size ? i + 1 : size;
}

static size_t compile(const uint8_t *pattern, size_t size, bool nocase, struct element *elements)
{
    size_t count = 0;
    for (size_t i = 0; i < size;) {
        struct element *element = &elements[count++];
        memset(element, 0, sizeof(*element));
        uint8_t c = pattern[i++];
        if (c == '*') {
            element->star = true;
        } else if (c == '?') {
            memset(element->takes, true, sizeof(element->takes));
        } else if (c == '[') {
            i = compile_class(pattern, size, i, nocase, element);
        } else if (c == '\\' && i < size) {
            take(element, pattern[i++], nocase);
        } else {
            take(element, c, nocase);
        }
    }
    return count;
}

static bool second_opinion(const uint8_t *pattern, size_t pattern_size, const uint8_t *text,
                           size_t text_size, bool nocase)
{
    static struct element elements[256];
    static bool matches[257][TEXT_SIZE_MAX + 1];
    size_t count = compile(pattern, pattern_size, nocase, elements);
    for (size_t e = count + 1; e-- > 0;) {
        for (size_t t = text_size + 1; t-- > 0;) {
            if (e == count) {
                matches[e][t] = t == text_size;
            } else if (elements[e].star) {
                matches[e][t] = matches[e + 1][t] || (t < text_size && matches[e][t + 1]);
            } else {
                matches[e][t] =
                    t < text_size && elements[e].takes[text[t]] && matches[e + 1][t + 1];
            }
        }
    }
    return matches[0][0];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    bool nocase = (data[0] & 1) != 0;
    size_t pattern_size = data[1];
    data += 2;
    size -= 2;
    pattern_size = pattern_size < size ? pattern_size : size;
    size_t text_size = size - pattern_size;
    text_size = text_size < TEXT_SIZE_MAX ? text_size : TEXT_SIZE_MAX;
    bool expected = second_opinion(data, pattern_size, data + pattern_size, text_size, nocase);
#ifdef FUZZ_CANARY
    expected = !expected;
#endif
    struct bytes pattern = {(const char *)data, pattern_size};
    struct bytes text = {(const char *)data + pattern_size, text_size};
    if (glob_match(pattern, text, nocase) != expected) {
        fprintf(stderr, "%.*s on %.*s: not %d\n", (int)pattern_size, pattern.data, (int)text_size,
                text.data, (int)expected);
        abort();
    }
    return 0;
}
