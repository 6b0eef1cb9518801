#include "node/resp/request.h"

#include "base/error.h"
#include "base/limits.h"
#include "node/resp/number.h"
#include "node/resp/split.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define ARGUMENT_SIZE_MIN 6   /* "$0\r\n\r\n" */
#define ARRAY_LINE_SIZE_MIN 4 /* "*1\r\n" */
#define LENGTH_DIGITS_FAST 9  /* lengths of more digits are over every limit, or not canonical */
#define SPANS_KEPT_MAX 64     /* a parser at rest keeps no more than this */
#define LIST_CAPACITY_MIN 64
#define SPAN_CAPACITY_MIN 8

static_assert(REQUEST_BULK_SIZE_MAX <= 999999999, "the fast path sees every allowed length");
static_assert(REQUEST_ARGUMENTS_MAX <= SIZE_MAX / ARGUMENT_SIZE_MIN, "sizes cannot overflow");

/* One argument of an incomplete request, relative to the first unread byte. */
struct request_span {
    size_t offset;
    size_t size;
};

void argument_list_init(struct argument_list *list)
{
    *list = (struct argument_list){0};
}

void argument_list_deinit(struct argument_list *list)
{
    free(list->items);
    *list = (struct argument_list){0};
}

/* Makes room for `count` more items. */
static bool argument_list_reserve(struct argument_list *list, size_t count)
{
    if (TORC_LIKELY(list->capacity - list->count >= count)) {
        return true;
    }
    size_t capacity = list->capacity < LIST_CAPACITY_MIN ? LIST_CAPACITY_MIN : list->capacity;
    while (capacity - list->count < count) {
        capacity *= 2;
    }
    struct bytes *items = realloc(list->items, capacity * sizeof(*items));
    if (items == NULL) {
        return false;
    }
    list->items = items;
    list->capacity = capacity;
    return true;
}

void request_parser_init(struct request_parser *parser)
{
    *parser = (struct request_parser){0};
}

void request_parser_deinit(struct request_parser *parser)
{
    free(parser->spans);
    *parser = (struct request_parser){0};
}

/* Back to the start of a request, with the spans of the last one at hand unless they are many. */
static void request_parser_restart(struct request_parser *parser)
{
    if (parser->span_capacity > SPANS_KEPT_MAX) {
        free(parser->spans);
        parser->spans = NULL;
        parser->span_capacity = 0;
    }
    parser->span_count = 0;
    parser->offset = 0;
    parser->scanned = 0;
    parser->arguments_left = 0;
    parser->bulk_size = -1;
}

static bool push_span(struct request_parser *parser, size_t offset, size_t size)
{
    if (parser->span_count == parser->span_capacity) {
        size_t capacity =
            parser->span_capacity == 0 ? SPAN_CAPACITY_MIN : 2 * parser->span_capacity;
        struct request_span *spans = realloc(parser->spans, capacity * sizeof(*spans));
        if (spans == NULL) {
            return false;
        }
        parser->spans = spans;
        parser->span_capacity = capacity;
    }
    parser->spans[parser->span_count++] = (struct request_span){offset, size};
    return true;
}

static enum request_status fail(struct request *out, const char *error)
{
    out->error = error;
    return REQUEST_ERROR;
}

static enum request_status more(struct request *out, size_t wanted)
{
    out->wanted = wanted;
    return REQUEST_MORE;
}

static enum request_status empty(struct request_parser *parser, struct request *out,
                                 size_t consumed)
{
    request_parser_restart(parser);
    out->consumed = consumed;
    return REQUEST_EMPTY;
}

/*
 * Finds the byte that ends the line at parser->offset: REQUEST_COMPLETE and *line_size (without
 * that byte), or REQUEST_MORE, or REQUEST_ERROR when the line is longer than any may be. What was
 * scanned once is not scanned again.
 */
static enum request_status find_line_end(struct request_parser *parser, const char *input,
                                         size_t size, char terminator, size_t *line_size)
{
    const char *line = input + parser->offset;
    size_t visible = size - parser->offset;
    if (visible > (size_t)REQUEST_INLINE_SIZE_MAX + 1) {
        visible = (size_t)REQUEST_INLINE_SIZE_MAX + 1;
    }
    const char *end = NULL;
    if (visible > parser->scanned) {
        end = memchr(line + parser->scanned, terminator, visible - parser->scanned);
    }
    if (end == NULL) {
        parser->scanned = visible;
        return visible > REQUEST_INLINE_SIZE_MAX ? REQUEST_ERROR : REQUEST_MORE;
    }
    *line_size = (size_t)(end - line);
    parser->scanned = *line_size;
    return REQUEST_COMPLETE;
}

static enum request_status parse_inline(struct request_parser *parser, char *input, size_t size,
                                        struct argument_list *list, struct request *out)
{
    size_t line_size = 0;
    switch (find_line_end(parser, input, size, '\n', &line_size)) {
    case REQUEST_MORE: return more(out, size + 1);
    case REQUEST_ERROR: return fail(out, "Protocol error: too big inline request");
    default: break;
    }
    /* Before the first byte is changed, so that a failure here leaves the line as it was. */
    if (!argument_list_reserve(list, split_count_max(line_size))) {
        return REQUEST_NO_MEMORY;
    }
    /* A CR before the LF is white space like any other. */
    size_t count = 0;
    if (split_arguments(input, line_size, list->items + list->count, &count) != TORC_OK) {
        return fail(out, "Protocol error: unbalanced quotes in request");
    }
    if (count == 0) {
        return empty(parser, out, line_size + 1);
    }
    /* Reached with tiny limits only: else the line is too long before that. */
    if (count > REQUEST_ARGUMENTS_MAX) {
        return fail(out, "Protocol error: too big inline request");
    }
    out->first = list->count;
    out->count = count;
    out->consumed = line_size + 1;
    list->count += count;
    request_parser_restart(parser);
    return REQUEST_COMPLETE;
}

/* Reads the number behind the type byte of the line at parser->offset and moves behind the line.
 * REQUEST_COMPLETE, REQUEST_MORE; REQUEST_ERROR with *too_long telling the two reasons apart. */
static enum request_status parse_length_line(struct request_parser *parser, const char *input,
                                             size_t size, char type, int64_t *length,
                                             bool *too_long)
{
    size_t line_size = 0;
    enum request_status status = find_line_end(parser, input, size, '\r', &line_size);
    if (status != REQUEST_COMPLETE) {
        *too_long = status == REQUEST_ERROR;
        return status;
    }
    if (size - parser->offset - line_size < 2) {
        return REQUEST_MORE;
    }
    *too_long = false;
    const char *line = input + parser->offset;
    if (line[0] != type || !parse_int64((struct bytes){line + 1, line_size - 1}, length)) {
        return REQUEST_ERROR;
    }
    parser->offset += line_size + 2;
    parser->scanned = 0;
    return REQUEST_COMPLETE;
}

static enum request_status parse_array_line(struct request_parser *parser, const char *input,
                                            size_t size, struct request *out)
{
    int64_t length = 0;
    bool too_long = false;
    switch (parse_length_line(parser, input, size, '*', &length, &too_long)) {
    case REQUEST_MORE: return more(out, size + 1);
    case REQUEST_ERROR:
        return fail(out, too_long ? "Protocol error: too big mbulk count string"
                                  : "Protocol error: invalid multibulk length");
    default: break;
    }
    if (length > REQUEST_ARGUMENTS_MAX) {
        parser->offset = 0;
        return fail(out, "Protocol error: invalid multibulk length");
    }
    if (length <= 0) {
        return empty(parser, out, parser->offset);
    }
    parser->arguments_left = length;
    parser->bulk_size = -1;
    return REQUEST_COMPLETE;
}

static enum request_status parse_bulk_line(struct request_parser *parser, const char *input,
                                           size_t size, struct request *out)
{
    size_t start = parser->offset;
    int64_t length = 0;
    bool too_long = false;
    switch (parse_length_line(parser, input, size, '$', &length, &too_long)) {
    case REQUEST_MORE: return more(out, size + 1);
    case REQUEST_ERROR:
        if (too_long) {
            return fail(out, "Protocol error: too big bulk count string");
        }
        if (input[start] != '$') {
            /* It becomes part of an error line, where CR and LF cannot stand. */
            bool line_break = input[start] == '\r' || input[start] == '\n';
            snprintf(parser->error, sizeof(parser->error), "Protocol error: expected '$', got '%c'",
                     line_break ? ' ' : input[start]);
            return fail(out, parser->error);
        }
        return fail(out, "Protocol error: invalid bulk length");
    default: break;
    }
    if (length < 0 || length > REQUEST_BULK_SIZE_MAX) {
        parser->offset = start;
        return fail(out, "Protocol error: invalid bulk length");
    }
    parser->bulk_size = length;
    return REQUEST_COMPLETE;
}

/* Hands out the spans of the request that has just been completed. */
static enum request_status finish_array(struct request_parser *parser, const char *input,
                                        struct argument_list *list, struct request *out)
{
    if (!argument_list_reserve(list, parser->span_count)) {
        return REQUEST_NO_MEMORY;
    }
    for (size_t i = 0; i < parser->span_count; i++) {
        list->items[list->count + i] =
            (struct bytes){input + parser->spans[i].offset, parser->spans[i].size};
    }
    out->first = list->count;
    out->count = parser->span_count;
    out->consumed = parser->offset;
    list->count += parser->span_count;
    request_parser_restart(parser);
    return REQUEST_COMPLETE;
}

/* The way for everything the fast path leaves: it keeps its place in the parser after each line and
 * each bulk. */
static enum request_status parse_array(struct request_parser *parser, const char *input,
                                       size_t size, struct argument_list *list, struct request *out)
{
    if (parser->arguments_left == 0) {
        enum request_status status = parse_array_line(parser, input, size, out);
        if (status != REQUEST_COMPLETE) {
            return status;
        }
    }
    while (parser->arguments_left > 0) {
        if (parser->bulk_size < 0) {
            enum request_status status = parse_bulk_line(parser, input, size, out);
            if (status != REQUEST_COMPLETE) {
                return status;
            }
        }
        size_t bulk_size = (size_t)parser->bulk_size;
        if (size - parser->offset < bulk_size + 2) {
            return more(out, parser->offset + bulk_size + 2);
        }
        if (!push_span(parser, parser->offset, bulk_size)) {
            return REQUEST_NO_MEMORY;
        }
        parser->offset += bulk_size + 2;
        parser->bulk_size = -1;
        parser->arguments_left--;
    }
    return finish_array(parser, input, list, out);
}

/*
 * Reads "<digits>\r" and skips one byte more. At least ARGUMENT_SIZE_MIN - 1 bytes must be readable
 * at `at`. Returns what follows, or NULL for whatever wants a closer look. One and two digits are
 * what nearly all lengths have, and these branches are cheaper when predicted than any arithmetic
 * on the whole word: the position of the next argument hangs on them.
 */
static inline const char *read_length_fast(const char *at, const char *end, size_t *length)
{
    unsigned first = (unsigned char)at[0] - (unsigned)'0';
    if (TORC_UNLIKELY(first > 9)) {
        return NULL;
    }
    if (at[1] == '\r') {
        *length = first;
        return at + 3;
    }
    unsigned second = (unsigned char)at[1] - (unsigned)'0';
    if (TORC_UNLIKELY(second > 9 || first == 0)) {
        return NULL;
    }
    size_t value = first * 10 + second;
    at += 2;
    for (int digits = 2; digits <= LENGTH_DIGITS_FAST && end - at >= 2; digits++) {
        if (*at == '\r') {
            *length = value;
            return at + 2;
        }
        unsigned digit = (unsigned char)*at++ - (unsigned)'0';
        if (digit > 9) {
            return NULL;
        }
        value = value * 10 + digit;
    }
    return NULL;
}

/* A complete array request at the start of the input, at full speed. False, with nothing changed,
 * when it is anything else: incomplete, malformed, empty, over a limit, or no memory. */
static bool parse_array_fast(const char *input, size_t size, struct argument_list *list,
                             struct request *out)
{
    if (size < ARRAY_LINE_SIZE_MIN + ARGUMENT_SIZE_MIN) {
        return false;
    }
    const char *end = input + size;
    size_t count = 0;
    const char *at = read_length_fast(input + 1, end, &count);
    if (at == NULL || count == 0 || count > REQUEST_ARGUMENTS_MAX ||
        (size_t)(end - at) < count * ARGUMENT_SIZE_MIN || !argument_list_reserve(list, count)) {
        return false;
    }
    struct bytes *item = list->items + list->count;
    for (size_t i = 0; i < count; i++, item++) {
        if (end - at < ARGUMENT_SIZE_MIN || *at != '$') {
            return false;
        }
        at = read_length_fast(at + 1, end, &item->size);
        if (at == NULL || item->size > REQUEST_BULK_SIZE_MAX ||
            (size_t)(end - at) < item->size + 2) {
            return false;
        }
        item->data = at;
        at += item->size + 2;
    }
    out->first = list->count;
    out->count = count;
    out->consumed = (size_t)(at - input);
    list->count += count;
    return true;
}

enum request_status request_parse(struct request_parser *parser, char *input, size_t size,
                                  struct argument_list *list, struct request *out)
{
    *out = (struct request){0};
    if (TORC_UNLIKELY(size == 0)) {
        return more(out, 1);
    }
    bool fresh = parser->offset == 0 && parser->scanned == 0;
    if (TORC_LIKELY(input[0] == '*')) {
        if (TORC_LIKELY(fresh) && TORC_LIKELY(parse_array_fast(input, size, list, out))) {
            return REQUEST_COMPLETE;
        }
        assert(size >= parser->offset + parser->scanned);
        return parse_array(parser, input, size, list, out);
    }
    assert(size >= parser->scanned);
    return parse_inline(parser, input, size, list, out);
}
