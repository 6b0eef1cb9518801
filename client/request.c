#include "client/request.h"

#include "base/error.h"
#include "client/blocking.h"
#include "ring/slot.h"

#include <stdlib.h>

#define ARGUMENTS_CAPACITY_MIN 16

void arguments_deinit(struct arguments *arguments)
{
    free(arguments->items);
    *arguments = (struct arguments){0};
}

int arguments_resize(struct arguments *arguments, size_t count)
{
    if (count > arguments->capacity) {
        size_t capacity = 2 * arguments->capacity;
        capacity = capacity < ARGUMENTS_CAPACITY_MIN ? ARGUMENTS_CAPACITY_MIN : capacity;
        capacity = capacity < count ? count : capacity;
        struct bytes *items = realloc(arguments->items, capacity * sizeof(*items));
        if (items == NULL) {
            return TORC_ENOMEM;
        }
        arguments->items = items;
        arguments->capacity = capacity;
    }
    arguments->count = count;
    return TORC_OK;
}

int request_check(const struct bytes *argv, size_t argc)
{
    if (argc == 0 || argv[0].size == 0) {
        return TORC_EINVAL;
    }
    if (argc > REQUEST_ARGUMENTS_MAX) {
        return TORC_ETOOBIG;
    }
    for (size_t i = 0; i < argc; i++) {
        if (argv[i].size > REQUEST_BULK_SIZE_MAX) {
            return TORC_ETOOBIG;
        }
    }
    return TORC_OK;
}

bool request_is_connection_bound(const struct bytes *argv, size_t argc)
{
    static const char *const names[] = {
        "asking",    "auth",        "discard",    "exec",         "hello",     "monitor",
        "multi",     "psync",       "psubscribe", "punsubscribe", "quit",      "readonly",
        "readwrite", "reset",       "select",     "ssubscribe",   "subscribe", "sunsubscribe",
        "sync",      "unsubscribe", "unwatch",    "watch",
    };
    /* The first letter spares almost all commands the rest. */
    const char first = (char)(argv[0].data[0] | ('a' - 'A'));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i][0] == first && bytes_equal_nocase(argv[0], names[i])) {
            return true;
        }
    }
    return argc > 1 && bytes_equal_nocase(argv[0], "client") &&
           (bytes_equal_nocase(argv[1], "reply") || bytes_equal_nocase(argv[1], "tracking"));
}

static size_t digits(size_t number)
{
    size_t count = 1;
    while (number >= 10) {
        number /= 10;
        count++;
    }
    return count;
}

size_t request_size(const struct bytes *argv, size_t argc)
{
    size_t size = 1 + digits(argc) + 2;
    for (size_t i = 0; i < argc; i++) {
        size += 1 + digits(argv[i].size) + 2 + argv[i].size + 2;
    }
    return size;
}

/* "<kind><number>\r\n", without the cost of a format. Returns what follows it. */
static char *write_number(char *out, char kind, size_t number)
{
    const size_t count = digits(number);
    *out++ = kind;
    for (size_t i = count; i-- > 0; number /= 10) {
        out[i] = (char)('0' + number % 10);
    }
    out[count] = '\r';
    out[count + 1] = '\n';
    return out + count + 2;
}

void request_write(char *out, const struct bytes *argv, size_t argc)
{
    out = write_number(out, '*', argc);
    for (size_t i = 0; i < argc; i++) {
        out = write_number(out, '$', argv[i].size);
        if (argv[i].size > 0) {
            memcpy(out, argv[i].data, argv[i].size);
            out += argv[i].size;
        }
        *out++ = '\r';
        *out++ = '\n';
    }
}

/* "<kind><number>\r\n" at the front of *rest, which is then past it. False if there is none. */
static bool take_number(struct bytes *rest, char kind, size_t *out)
{
    size_t number = 0;
    size_t at = 1;
    if (rest->size == 0 || rest->data[0] != kind) {
        return false;
    }
    while (at < rest->size && rest->data[at] >= '0' && rest->data[at] <= '9') {
        if (number > REQUEST_BULK_SIZE_MAX) {
            return false;
        }
        number = number * 10 + (size_t)(rest->data[at] - '0');
        at++;
    }
    if (at == 1 || rest->size - at < 2 || memcmp(rest->data + at, "\r\n", 2) != 0) {
        return false;
    }
    *out = number;
    *rest = (struct bytes){rest->data + at + 2, rest->size - at - 2};
    return true;
}

int request_split(struct arguments *out, struct bytes encoded)
{
    size_t count;
    if (!take_number(&encoded, '*', &count)) {
        return TORC_ECORRUPT;
    }
    if (count > REQUEST_ARGUMENTS_MAX) {
        return TORC_ETOOBIG;
    }
    int result = arguments_resize(out, count);
    if (result != TORC_OK) {
        return result;
    }
    for (size_t i = 0; i < count; i++) {
        size_t size;
        if (!take_number(&encoded, '$', &size) || encoded.size < 2 || size > encoded.size - 2 ||
            memcmp(encoded.data + size, "\r\n", 2) != 0) {
            return TORC_ECORRUPT;
        }
        out->items[i] = (struct bytes){encoded.data, size};
        encoded = (struct bytes){encoded.data + size + 2, encoded.size - size - 2};
    }
    return encoded.size == 0 ? TORC_OK : TORC_ECORRUPT;
}

struct request_route request_route(const struct command_table *table, const struct bytes *argv,
                                   size_t argc)
{
    struct request_route route = {.slot = REQUEST_NO_SLOT};
    const struct command_keys *keys = command_table_find(table, argv, argc);
    if (keys == NULL) {
        return route;
    }
    route.readonly = keys->readonly;
    route.blocking = keys->blocking && blocking_waits(argv, argc);
    if (keys->movable || keys->first_key == 0 || (size_t)keys->first_key >= argc) {
        return route;
    }
    size_t first = (size_t)keys->first_key;
    size_t last = argc - 1;
    if (keys->last_key >= 0) {
        last = (size_t)keys->last_key < last ? (size_t)keys->last_key : last;
    } else {
        size_t from_end = (size_t)(-(int64_t)keys->last_key);
        last = from_end <= argc ? argc - from_end : 0;
    }
    uint16_t slot = slot_of_key(argv[first]);
    for (size_t i = first + (size_t)keys->key_step; i <= last; i += (size_t)keys->key_step) {
        if (slot_of_key(argv[i]) != slot) {
            return route;
        }
    }
    route.slot = slot;
    return route;
}
