/*
 * A borrowed run of bytes. It owns nothing; whoever hands one out says how long it lasts.
 */
#ifndef TORC_BASE_BYTES_H
#define TORC_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct bytes {
    const char *data; /* not zero-terminated; may be NULL when size is 0 */
    size_t size;
};

#define BYTES_LITERAL(text) ((struct bytes){(text), sizeof(text) - 1})

static inline struct bytes bytes_of(const char *text)
{
    return (struct bytes){text, strlen(text)};
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* ASCII case-insensitive, whatever the locale. `lower` must be in lower case already. */
static inline bool bytes_equal_nocase(struct bytes a, const char *lower)
{
    /* The compiler knows the length of a literal, so most words are refused at once. */
    if (a.size != strlen(lower)) {
        return false;
    }
    for (size_t i = 0; i < a.size; i++) {
        char c = a.data[i];
        if (c >= 'A' && c <= 'Z') {
            c = (char)(c - 'A' + 'a');
        }
        if (c != lower[i]) {
            return false;
        }
    }
    return true;
}

#endif
