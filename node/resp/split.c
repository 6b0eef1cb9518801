#include "node/resp/split.h"

#include "base/error.h"

#include <stdbool.h>

/* White space as isspace(3) has it in the C locale. */
static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* What ends an argument outside quotes: form feed and vertical tab do not, as in Redis. */
static bool ends_argument(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

static char unescape(char c)
{
    switch (c) {
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'b': return '\b';
    case 'a': return '\a';
    default: return c;
    }
}

/* Where unquoting reads and writes; writing never overtakes reading. */
struct unquoting {
    const char *from;
    const char *end;
    char *to;
};

/* `from` is behind the opening quote. False when the closing one is missing or is followed by
 * anything but space. */
static bool unquote_double(struct unquoting *u)
{
    while (u->from < u->end) {
        char c = *u->from++;
        size_t left = (size_t)(u->end - u->from);
        if (c == '"') {
            return left == 0 || is_space(*u->from);
        }
        if (c == '\\' && left >= 3 && *u->from == 'x' && hex_value(u->from[1]) >= 0 &&
            hex_value(u->from[2]) >= 0) {
            c = (char)(hex_value(u->from[1]) * 16 + hex_value(u->from[2]));
            u->from += 3;
        } else if (c == '\\' && left >= 1) {
            c = unescape(*u->from++);
        }
        *u->to++ = c;
    }
    return false;
}

static bool unquote_single(struct unquoting *u)
{
    while (u->from < u->end) {
        char c = *u->from++;
        size_t left = (size_t)(u->end - u->from);
        if (c == '\'') {
            return left == 0 || is_space(*u->from);
        }
        if (c == '\\' && left >= 1 && *u->from == '\'') {
            c = *u->from++;
        }
        *u->to++ = c;
    }
    return false;
}

/* Takes one argument, unquoted over its own place; `from` is at its first byte. */
static bool unquote_argument(struct unquoting *u)
{
    while (u->from < u->end && !ends_argument(*u->from)) {
        char c = *u->from++;
        if (c == '"') {
            return unquote_double(u);
        }
        if (c == '\'') {
            return unquote_single(u);
        }
        *u->to++ = c;
    }
    return true;
}

int split_arguments(char *line, size_t size, struct bytes *items, size_t *count)
{
    struct unquoting u = {.from = line, .end = line + size, .to = line};
    *count = 0;
    for (;;) {
        while (u.from < u.end && is_space(*u.from)) {
            u.from++;
        }
        if (u.from == u.end) {
            return TORC_OK;
        }
        /* What comes before is handed out already; this argument starts at its own place. */
        char *start = line + (u.from - line);
        u.to = start;
        if (!unquote_argument(&u)) {
            return TORC_EINVAL;
        }
        items[(*count)++] = (struct bytes){start, (size_t)(u.to - start)};
    }
}
