#include "node/resp/reply.h"

#include "node/resp/number.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#define LINE_SIZE_MAX (1 + NUMBER_INT64_SIZE + 2) /* type byte, number, CR and LF */

/* Room for `size` bytes at the end, or NULL when there is no memory (the buffer says so itself). */
static inline char *make_room(struct buf *out, size_t size)
{
    if (TORC_UNLIKELY(out->failed || buf_room(out) < size) && buf_reserve(out, size) != 0) {
        return NULL;
    }
    return buf_tail(out);
}

static inline char *put_line_end(char *at)
{
    memcpy(at, "\r\n", 2);
    return at + 2;
}

static inline char *put_bytes(char *at, const char *data, size_t size)
{
    if (size > 0) {
        memcpy(at, data, size);
    }
    return at + size;
}

/* "<type><number>\r\n"; lengths below ten are what most replies have. */
static inline char *put_number_line(char *at, char type, uint64_t number)
{
    *at++ = type;
    if (TORC_LIKELY(number < 10)) {
        *at++ = (char)('0' + number);
    } else {
        at += format_uint64(at, number);
    }
    return put_line_end(at);
}

/* A line known when the program is written, its end included. */
static inline void append_literal(struct buf *out, const char *text, size_t size)
{
    char *at = make_room(out, size);
    if (at != NULL) {
        memcpy(at, text, size);
        buf_commit(out, size);
    }
}
#define APPEND_LITERAL(out, text) append_literal((out), (text), sizeof(text) - 1)

static void append_number_line(struct buf *out, char type, uint64_t number)
{
    char *start = make_room(out, LINE_SIZE_MAX);
    if (start != NULL) {
        buf_commit(out, (size_t)(put_number_line(start, type, number) - start));
    }
}

void reply_simple(struct reply_writer *writer, const char *text)
{
    size_t size = strlen(text);
    assert(memchr(text, '\r', size) == NULL);
    assert(memchr(text, '\n', size) == NULL);
    char *at = make_room(writer->out, size + 3);
    if (at != NULL) {
        *at = '+';
        put_line_end(put_bytes(at + 1, text, size));
        buf_commit(writer->out, size + 3);
    }
}

void reply_ok(struct reply_writer *writer)
{
    APPEND_LITERAL(writer->out, "+OK\r\n");
}

/* Prints at `at`, which has room for `size` bytes and a terminating zero. */
static void print_at(char *at, size_t size, const char *format, va_list arguments)
{
    int written = vsnprintf(at, size + 1, format, arguments);
    assert(written == (int)size);
}

static size_t measure(const char *format, va_list arguments)
{
    int size = vsnprintf(NULL, 0, format, arguments);
    assert(size >= 0);
    return (size_t)size;
}

void reply_error(struct reply_writer *writer, const char *format, ...)
{
    writer->errors++;
    va_list arguments;
    va_list measured;
    va_start(arguments, format);
    va_copy(measured, arguments);
    size_t size = measure(format, measured);
    va_end(measured);
    char *at = make_room(writer->out, size + 3);
    if (at != NULL) {
        *at++ = '-';
        print_at(at, size, format, arguments);
        for (size_t i = 0; i < size; i++) {
            if (at[i] == '\r' || at[i] == '\n') {
                at[i] = ' ';
            }
        }
        put_line_end(at + size);
        buf_commit(writer->out, size + 3);
    }
    va_end(arguments);
}

void reply_integer(struct reply_writer *writer, int64_t value)
{
    char *start = make_room(writer->out, LINE_SIZE_MAX);
    if (start == NULL) {
        return;
    }
    char *at = start;
    *at++ = ':';
    at += format_int64(at, value);
    buf_commit(writer->out, (size_t)(put_line_end(at) - start));
}

void reply_bulk(struct reply_writer *writer, struct bytes bytes)
{
    assert(bytes.size <= SIZE_MAX / 2);
    char *start = make_room(writer->out, LINE_SIZE_MAX + bytes.size + 2);
    if (start == NULL) {
        return;
    }
    char *at = put_number_line(start, '$', bytes.size);
    at = put_line_end(put_bytes(at, bytes.data, bytes.size));
    buf_commit(writer->out, (size_t)(at - start));
}

void reply_bulk_text(struct reply_writer *writer, const char *text)
{
    reply_bulk(writer, bytes_of(text));
}

void reply_bulk_integer(struct reply_writer *writer, int64_t value)
{
    char text[NUMBER_INT64_SIZE];
    reply_bulk(writer, (struct bytes){text, format_int64(text, value)});
}

void reply_bulk_format(struct reply_writer *writer, const char *format, ...)
{
    va_list arguments;
    va_list measured;
    va_start(arguments, format);
    va_copy(measured, arguments);
    size_t size = measure(format, measured);
    va_end(measured);
    char *start = make_room(writer->out, LINE_SIZE_MAX + size + 2);
    if (start != NULL) {
        char *at = put_number_line(start, '$', size);
        print_at(at, size, format, arguments);
        at = put_line_end(at + size);
        buf_commit(writer->out, (size_t)(at - start));
    }
    va_end(arguments);
}

void reply_null(struct reply_writer *writer)
{
    if (writer->protocol >= 3) {
        APPEND_LITERAL(writer->out, "_\r\n");
    } else {
        APPEND_LITERAL(writer->out, "$-1\r\n");
    }
}

void reply_null_array(struct reply_writer *writer)
{
    if (writer->protocol >= 3) {
        APPEND_LITERAL(writer->out, "_\r\n");
    } else {
        APPEND_LITERAL(writer->out, "*-1\r\n");
    }
}

void reply_array(struct reply_writer *writer, size_t count)
{
    append_number_line(writer->out, '*', count);
}

void reply_map(struct reply_writer *writer, size_t pairs)
{
    assert(pairs <= SIZE_MAX / 2);
    if (writer->protocol >= 3) {
        append_number_line(writer->out, '%', pairs);
    } else {
        append_number_line(writer->out, '*', 2 * pairs);
    }
}

void reply_set(struct reply_writer *writer, size_t count)
{
    append_number_line(writer->out, writer->protocol >= 3 ? '~' : '*', count);
}

void reply_push(struct reply_writer *writer, size_t count)
{
    append_number_line(writer->out, writer->protocol >= 3 ? '>' : '*', count);
}

void reply_boolean(struct reply_writer *writer, bool value)
{
    if (writer->protocol < 3) {
        append_number_line(writer->out, ':', value ? 1 : 0);
    } else if (value) {
        APPEND_LITERAL(writer->out, "#t\r\n");
    } else {
        APPEND_LITERAL(writer->out, "#f\r\n");
    }
}

void reply_double(struct reply_writer *writer, double value)
{
    char text[NUMBER_DOUBLE_SIZE];
    size_t size = format_double(text, value);
    if (writer->protocol < 3) {
        reply_bulk(writer, (struct bytes){text, size});
        return;
    }
    char *at = make_room(writer->out, size + 3);
    if (at != NULL) {
        *at = ',';
        put_line_end(put_bytes(at + 1, text, size));
        buf_commit(writer->out, size + 3);
    }
}

void reply_verbatim(struct reply_writer *writer, const char *format3, struct bytes text)
{
    assert(strlen(format3) == 3);
    assert(text.size <= SIZE_MAX / 2);
    if (writer->protocol < 3) {
        reply_bulk(writer, text);
        return;
    }
    char *start = make_room(writer->out, LINE_SIZE_MAX + text.size + 6);
    if (start == NULL) {
        return;
    }
    char *at = put_number_line(start, '=', text.size + 4);
    at = put_bytes(at, format3, 3);
    *at++ = ':';
    at = put_line_end(put_bytes(at, text.data, text.size));
    buf_commit(writer->out, (size_t)(at - start));
}
