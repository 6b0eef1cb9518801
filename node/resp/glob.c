#include "node/resp/glob.h"

#include <stddef.h>

static unsigned fold(unsigned char c, bool nocase)
{
    return nocase && c >= 'A' && c <= 'Z' ? (unsigned)(c - 'A' + 'a') : c;
}

/* `at` is just behind the '['. Moves it behind the class. */
static bool match_class(const char **at, const char *end, unsigned char c, bool nocase)
{
    const char *p = *at;
    bool negated = p < end && *p == '^';
    if (negated) {
        p++;
    }
    bool matched = false;
    for (; p < end && *p != ']'; p++) {
        if (*p == '\\' && end - p >= 2) {
            p++;
            matched |= (unsigned char)*p == c;
        } else if (end - p >= 3 && p[1] == '-') {
            /* The end of a range is taken as it is, even when it is a ']' or a backslash. */
            unsigned char first = (unsigned char)p[0];
            unsigned char last = (unsigned char)p[2];
            unsigned low = fold(first < last ? first : last, nocase);
            unsigned high = fold(first < last ? last : first, nocase);
            unsigned folded = fold(c, nocase);
            matched |= folded >= low && folded <= high;
            p += 2;
        } else {
            matched |= fold((unsigned char)*p, nocase) == fold(c, nocase);
        }
    }
    *at = p < end ? p + 1 : end;
    return matched != negated;
}

/* Matches one byte against the pattern's next element, which is not '*', and moves behind it. */
static bool match_one(const char **at, const char *end, unsigned char c, bool nocase)
{
    const char *p = (*at)++;
    switch (*p) {
    case '?': return true;
    case '[': return match_class(at, end, c, nocase);
    case '\\':
        if (end - p >= 2) {
            p = (*at)++;
        }
        return fold((unsigned char)*p, nocase) == fold(c, nocase);
    default: return fold((unsigned char)*p, nocase) == fold(c, nocase);
    }
}

bool glob_match(struct bytes pattern, struct bytes text, bool nocase)
{
    if (text.size == 0) {
        text.data = "";
    }
    if (pattern.size == 0) {
        return text.size == 0;
    }
    const char *p = pattern.data;
    const char *pattern_end = pattern.data + pattern.size;
    const char *t = text.data;
    const char *text_end = text.data + text.size;
    /* Only the last '*' is worth returning to: every element but a '*' takes exactly one byte, so
     * what an earlier '*' could take by being longer, the last one can take as well. */
    const char *after_star = NULL;
    const char *star_text = NULL;
    while (t < text_end) {
        if (p < pattern_end && *p == '*') {
            after_star = ++p;
            star_text = t;
            if (p == pattern_end) {
                return true;
            }
            continue;
        }
        if (p < pattern_end && match_one(&p, pattern_end, (unsigned char)*t, nocase)) {
            t++;
            continue;
        }
        if (after_star == NULL) {
            return false;
        }
        p = after_star;
        t = ++star_text;
    }
    while (p < pattern_end && *p == '*') {
        p++;
    }
    return p == pattern_end;
}
