#include "node/piece_effect.h"

#include "node/resp/number.h"
#include "node/store/list.h"

/* Commands that do to each member or field what does not depend on the others: those that were sent
 * come out right, and those that were not will be sent as they are then. */
static const char *const by_member[] = {
    "hset", "hmset", "hsetnx",  "hdel", "hincrby",          "hincrbyfloat",   "sadd",
    "srem", "zadd",  "zincrby", "zrem", "zremrangebyscore", "zremrangebylex", NULL};
/* Those that do nothing to the value. */
static const char *const by_key[] = {"expire", "pexpire", "expireat", "pexpireat", "persist", NULL};

static bool is_among(struct bytes name, const char *const *names)
{
    for (size_t i = 0; names[i] != NULL; i++) {
        if (bytes_equal_nocase(name, names[i])) {
            return true;
        }
    }
    return false;
}

/* How many values a pop takes: argv[2], or one. */
static uint64_t pop_count(const struct bytes *argv, size_t argc)
{
    uint64_t count = 1;
    if (argc > 2 && !parse_uint64(argv[2], &count)) {
        return UINT64_MAX;
    }
    return count;
}

/* The cursor is the number of values that were sent, from the head on. */
static enum piece_verdict list_effect(const struct object *list, const struct bytes *argv,
                                      size_t argc, uint64_t *cursor)
{
    if (bytes_equal_nocase(argv[0], "rpush") || bytes_equal_nocase(argv[0], "rpushx")) {
        return PIECE_SKIP; /* behind what was sent */
    }
    if (bytes_equal_nocase(argv[0], "lpush") || bytes_equal_nocase(argv[0], "lpushx")) {
        *cursor += argc - 2;
        return PIECE_TELL;
    }
    if (bytes_equal_nocase(argv[0], "lpop") && pop_count(argv, argc) < *cursor) {
        *cursor -= pop_count(argv, argc);
        return PIECE_TELL;
    }
    if (bytes_equal_nocase(argv[0], "rpop") && list_count(list) > *cursor) {
        return PIECE_SKIP;
    }
    uint64_t index = 0;
    if (bytes_equal_nocase(argv[0], "lset") && argc == 4 && parse_uint64(argv[2], &index)) {
        return index < *cursor ? PIECE_TELL : PIECE_SKIP;
    }
    return PIECE_BEGIN;
}

/* The cursor is the number of bytes that were sent. */
static enum piece_verdict string_effect(const struct bytes *argv, size_t argc,
                                        const uint64_t *cursor)
{
    uint64_t offset = 0;
    if (bytes_equal_nocase(argv[0], "append")) {
        return PIECE_SKIP; /* behind what was sent */
    }
    if (bytes_equal_nocase(argv[0], "setrange") && argc == 4 && parse_uint64(argv[2], &offset)) {
        return offset >= *cursor                  ? PIECE_SKIP
               : offset + argv[3].size <= *cursor ? PIECE_TELL
                                                  : PIECE_BEGIN;
    }
    return PIECE_BEGIN;
}

enum piece_verdict piece_effect(const struct object *object, const struct bytes *argv, size_t argc,
                                uint64_t *cursor)
{
    if (object == NULL) {
        return PIECE_BEGIN; /* and there will be nothing to be sent */
    }
    if (is_among(argv[0], by_key)) {
        return PIECE_TELL;
    }
    switch (object_type(object)) {
    case OBJECT_STRING: return string_effect(argv, argc, cursor);
    case OBJECT_LIST: return list_effect(object, argv, argc, cursor);
    default: return is_among(argv[0], by_member) ? PIECE_TELL : PIECE_BEGIN;
    }
}
