#include "bench/request.h"

#include "base/error.h"
#include "base/prng.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

static unsigned digits_of(uint64_t value)
{
    unsigned digits = 1;
    while (value >= 10) {
        value /= 10;
        digits++;
    }
    return digits;
}

/* Zero-padded decimal, exactly `digits` characters. */
static void put_digits(char *out, unsigned digits, uint64_t value)
{
    char *at = out + digits;
    while (at > out) {
        *--at = (char)('0' + value % 10);
        value /= 10;
    }
}

static void append_value(struct buf *buf, size_t size, uint64_t seed)
{
    static const char letters[] =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";
    static_assert(sizeof(letters) == 64 + 1, "six random bits choose a letter");
    struct prng prng;
    prng_init(&prng, seed);
    buf_append_format(buf, "$%zu\r\n", size);
    if (buf_reserve(buf, size) != TORC_OK) {
        return;
    }
    char *out = buf_tail(buf);
    for (size_t i = 0; i < size; i++) {
        out[i] = letters[prng_next(&prng) >> 58];
    }
    buf_commit(buf, size);
    buf_append(buf, "\r\n", 2);
}

static void append_key_head(const struct request_format *format, struct buf *buf, bool set,
                            size_t key_size)
{
    buf_append_format(buf, "%s\r\n$%zu\r\n", set ? "*3\r\n$3\r\nSET" : "*2\r\n$3\r\nGET",
                      format->prefix_size + key_size);
    buf_append(buf, format->prefix, format->prefix_size);
}

static void build_template(const struct request_format *format, struct request_template *template,
                           bool set)
{
    char digits[20];
    append_key_head(format, &template->bytes, set, format->digits);
    template->digits_at = buf_size(&template->bytes);
    put_digits(digits, format->digits, 0);
    buf_append(&template->bytes, digits, format->digits);
    buf_append(&template->bytes, "\r\n", 2);
    if (set) {
        buf_append(&template->bytes, buf_head(&format->value_tail), buf_size(&format->value_tail));
    }
}

int request_format_init(struct request_format *format, const struct request_options *options)
{
    size_t prefix_size = strlen(options->prefix);
    if (prefix_size > REQUEST_PREFIX_SIZE_MAX) {
        return TORC_ETOOBIG;
    }
    memset(format, 0, sizeof(*format));
    memcpy(format->prefix, options->prefix, prefix_size);
    format->prefix_size = prefix_size;
    format->digits = digits_of(options->key_count > 0 ? options->key_count - 1 : 0);
    append_value(&format->value_tail, options->value_size, options->value_seed);
    build_template(format, &format->get, false);
    build_template(format, &format->set, true);
    if (format->value_tail.failed || format->get.bytes.failed || format->set.bytes.failed) {
        request_format_deinit(format);
        return TORC_ENOMEM;
    }
    return TORC_OK;
}

void request_format_deinit(struct request_format *format)
{
    buf_deinit(&format->value_tail);
    buf_deinit(&format->get.bytes);
    buf_deinit(&format->set.bytes);
}

size_t request_key(const struct request_format *format, uint64_t index,
                   char out[REQUEST_KEY_SIZE_MAX])
{
    memcpy(out, format->prefix, format->prefix_size);
    put_digits(out + format->prefix_size, format->digits, index);
    return format->prefix_size + format->digits;
}

static void append_template(const struct request_template *template, unsigned digits,
                            struct buf *buf, uint64_t index)
{
    size_t size = buf_size(&template->bytes);
    if (buf_reserve(buf, size) != TORC_OK) {
        return;
    }
    char *out = buf_tail(buf);
    memcpy(out, buf_head(&template->bytes), size);
    put_digits(out + template->digits_at, digits, index);
    buf_commit(buf, size);
}

void request_append_get(const struct request_format *format, struct buf *buf, uint64_t index)
{
    append_template(&format->get, format->digits, buf, index);
}

void request_append_set(const struct request_format *format, struct buf *buf, uint64_t index)
{
    append_template(&format->set, format->digits, buf, index);
}

void request_append_get_key(const struct request_format *format, struct buf *buf, struct bytes key)
{
    append_key_head(format, buf, false, key.size);
    buf_append(buf, key.data, key.size);
    buf_append(buf, "\r\n", 2);
}

void request_append_set_key(const struct request_format *format, struct buf *buf, struct bytes key)
{
    append_key_head(format, buf, true, key.size);
    buf_append(buf, key.data, key.size);
    buf_append(buf, "\r\n", 2);
    buf_append(buf, buf_head(&format->value_tail), buf_size(&format->value_tail));
}
