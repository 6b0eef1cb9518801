#include "node/config_options.h"

#include "base/error.h"
#include "node/resp/number.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static bool parse_size(struct bytes text, uint64_t *out)
{
    static const struct {
        const char *unit;
        uint64_t bytes;
    } units[] = {
        {"", 1},        {"b", 1},        {"k", 1000},       {"kb", 1024},
        {"m", 1000000}, {"mb", 1 << 20}, {"g", 1000000000}, {"gb", 1 << 30},
    };
    size_t digits = 0;
    while (digits < text.size && text.data[digits] >= '0' && text.data[digits] <= '9') {
        digits++;
    }
    uint64_t number = 0;
    if (!parse_uint64((struct bytes){text.data, digits}, &number)) {
        return false;
    }
    struct bytes unit = {text.data + digits, text.size - digits};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (bytes_equal_nocase(unit, units[i].unit)) {
            return !__builtin_mul_overflow(number, units[i].bytes, out);
        }
    }
    return false;
}

/* Up to three digits behind the point, so that what is kept is exactly what was written. */
static bool parse_weight(struct bytes text, uint64_t *out)
{
    const char *point = text.size == 0 ? NULL : memchr(text.data, '.', text.size);
    size_t whole_size = point == NULL ? text.size : (size_t)(point - text.data);
    uint64_t value = 0;
    if (!parse_uint64((struct bytes){text.data, whole_size}, &value) || value > WEIGHT_MAX) {
        return false;
    }
    value *= WEIGHT_UNIT;
    if (point != NULL) {
        size_t fraction_size = text.size - whole_size - 1;
        uint64_t worth = WEIGHT_UNIT;
        if (fraction_size == 0 || fraction_size > 3) {
            return false;
        }
        for (size_t i = 1; i <= fraction_size; i++) {
            if (point[i] < '0' || point[i] > '9') {
                return false;
            }
            worth /= 10;
            value += (uint64_t)(point[i] - '0') * worth;
        }
    }
    *out = value;
    return true;
}

static bool parse_choice(const struct config_choice *choices, struct bytes text, uint64_t *out)
{
    for (; choices->name != NULL; choices++) {
        if (bytes_equal_nocase(text, choices->name)) {
            *out = (uint64_t)choices->value;
            return true;
        }
    }
    return false;
}

static void explain(const struct config_option *option, const struct config_choice *choices,
                    struct bytes text, struct buf *error)
{
    buf_append_format(error, "'%.*s' is not ", (int)(text.size < 200 ? text.size : 200),
                      text.size == 0 ? "" : text.data);
    switch (option->kind) {
    case CONFIG_INTEGER:
        buf_append_format(error, "a whole number from %llu to %llu",
                          (unsigned long long)option->min, (unsigned long long)option->max);
        return;
    case CONFIG_SIZE:
        buf_append_text(error, "a size in bytes such as 1048576, 100k, 512mb or 4gb");
        return;
    case CONFIG_WEIGHT:
        buf_append_format(error, "a number from 0 to %d with at most 3 digits behind the point",
                          WEIGHT_MAX / WEIGHT_UNIT);
        return;
    case CONFIG_CHOICE:
        buf_append_text(error, "one of ");
        for (size_t i = 0; choices[i].name != NULL; i++) {
            buf_append_format(error, "%s%s", i == 0 ? "" : ", ", choices[i].name);
        }
        return;
    case CONFIG_TEXT:
        if (text.size < option->min || text.size > option->max || option->expected == NULL) {
            buf_append_format(error, "a text of %llu to %llu bytes",
                              (unsigned long long)option->min, (unsigned long long)option->max);
        } else {
            buf_append_text(error, option->expected);
        }
        return;
    }
}

int config_option_parse(const struct config_option *option, const struct config_choice *choices,
                        struct bytes text, struct config_value *out, struct buf *error)
{
    struct config_value value = {.text = text};
    bool good = false;
    choices = choices == NULL ? option->choices : choices;
    switch (option->kind) {
    case CONFIG_INTEGER: good = parse_uint64(text, &value.number); break;
    case CONFIG_SIZE: good = parse_size(text, &value.number); break;
    case CONFIG_WEIGHT: good = parse_weight(text, &value.number); break;
    case CONFIG_CHOICE: good = parse_choice(choices, text, &value.number); break;
    case CONFIG_TEXT:
        value.number = text.size;
        good = (text.size == 0 || memchr(text.data, '\0', text.size) == NULL) &&
               text.size <= option->max && (option->check == NULL || option->check(text));
        break;
    }
    if (option->kind != CONFIG_CHOICE) {
        good = good && value.number >= option->min && value.number <= option->max;
    }
    if (!good) {
        explain(option, choices, text, error);
        return TORC_EINVAL;
    }
    *out = value;
    return TORC_OK;
}

void config_option_store(const struct config_option *option, struct config *config,
                         const struct config_value *value)
{
    void *at = (char *)config + option->offset;
    uint64_t number = value->number;
    switch (option->storage) {
    case STORE_BOOL: *(bool *)at = number != 0; return;
    case STORE_U16: *(uint16_t *)at = (uint16_t)number; return;
    case STORE_U32: *(uint32_t *)at = (uint32_t)number; return;
    case STORE_UNSIGNED: *(unsigned *)at = (unsigned)number; return;
    case STORE_ACKS: *(enum config_acks *)at = (enum config_acks)number; return;
    case STORE_CHARS:
        memcpy(at, value->text.data, value->text.size);
        ((char *)at)[value->text.size] = '\0';
        return;
    case STORE_ATOMIC_U64:
        atomic_store_explicit((_Atomic uint64_t *)at, number, memory_order_relaxed);
        return;
    case STORE_ATOMIC_U32:
        atomic_store_explicit((_Atomic uint32_t *)at, (uint32_t)number, memory_order_relaxed);
        return;
    case STORE_ATOMIC_INT:
        atomic_store_explicit((_Atomic int *)at, (int)number, memory_order_relaxed);
        return;
    }
}

static uint64_t load_number(const struct config_option *option, const struct config *config)
{
    const void *at = (const char *)config + option->offset;
    assert(option->storage != STORE_CHARS);
    switch (option->storage) {
    case STORE_BOOL: return *(const bool *)at;
    case STORE_U16: return *(const uint16_t *)at;
    case STORE_U32: return *(const uint32_t *)at;
    case STORE_UNSIGNED: return *(const unsigned *)at;
    case STORE_ACKS: return *(const enum config_acks *)at;
    case STORE_ATOMIC_U64:
        return atomic_load_explicit((const _Atomic uint64_t *)at, memory_order_relaxed);
    case STORE_ATOMIC_U32:
        return atomic_load_explicit((const _Atomic uint32_t *)at, memory_order_relaxed);
    case STORE_ATOMIC_INT:
        return (uint64_t)atomic_load_explicit((const _Atomic int *)at, memory_order_relaxed);
    case STORE_CHARS: break;
    }
    return 0;
}

static void format_weight(uint64_t weight, struct buf *out)
{
    buf_append_format(out, "%llu", (unsigned long long)(weight / WEIGHT_UNIT));
    unsigned rest = (unsigned)(weight % WEIGHT_UNIT);
    if (rest != 0) {
        char digits[16];
        int size = snprintf(digits, sizeof(digits), ".%03u", rest);
        while (digits[size - 1] == '0') {
            size--;
        }
        buf_append(out, digits, (size_t)size);
    }
}

void config_option_format(const struct config_option *option, const struct config_choice *choices,
                          const struct config *config, struct buf *out)
{
    if (option->kind == CONFIG_TEXT) {
        buf_append_text(out, (const char *)config + option->offset);
        return;
    }
    uint64_t number = load_number(option, config);
    if (option->kind == CONFIG_WEIGHT) {
        format_weight(number, out);
        return;
    }
    if (option->kind != CONFIG_CHOICE) {
        buf_append_format(out, "%llu", (unsigned long long)number);
        return;
    }
    choices = choices == NULL ? option->choices : choices;
    while (choices->name != NULL && (uint64_t)choices->value != number) {
        choices++;
    }
    assert(choices->name != NULL);
    buf_append_text(out, choices->name);
}
