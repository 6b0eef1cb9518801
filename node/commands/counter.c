/*
 * Counters: integers of 64 bits, and floating point numbers as text.
 */
#include "base/error.h"
#include "node/commands/common.h"
#include "node/commands/handlers.h"
#include "node/resp/number.h"

#include <math.h>

static void add_integer(struct call *call, int64_t amount)
{
    struct bytes key = call->argv[1];
    bool wrong;
    struct object *object = call_find_string(call, key, call->hash, &wrong);
    if (wrong) {
        return;
    }
    int64_t value = 0;
    uint64_t expire_at_ms = 0;
    if (object != NULL) {
        if (!object_integer(object, &value)) {
            call_reply_not_integer(call);
            return;
        }
        expire_at_ms = keyspace_expire_at_ms(call->keys, object);
    }
    if (__builtin_add_overflow(value, amount, &value)) {
        reply_error(call->reply, "ERR increment or decrement would overflow");
        return;
    }
    if (keyspace_set_integer(call->keys, key, call->hash, value, expire_at_ms, &object) !=
        TORC_OK) {
        call_reply_no_memory(call);
        return;
    }
    keyspace_touch(call->keys, object, call->now_ms);
    call_effect_verbatim(call);
    reply_integer(call->reply, value);
}

void incr_command(struct call *call)
{
    add_integer(call, 1);
}

void decr_command(struct call *call)
{
    add_integer(call, -1);
}

void incrby_command(struct call *call)
{
    int64_t amount;
    if (call_argument_int64(call, 2, &amount)) {
        add_integer(call, amount);
    }
}

void decrby_command(struct call *call)
{
    int64_t amount;
    if (!call_argument_int64(call, 2, &amount)) {
        return;
    }
    if (amount == INT64_MIN) {
        reply_error(call->reply, "ERR decrement would overflow");
        return;
    }
    add_integer(call, -amount);
}

static bool float_of_object(const struct object *object, long double *out)
{
    char scratch[OBJECT_SCRATCH_SIZE];
    return parse_long_double(object_string(object, scratch), out);
}

/* The sum is what the replicas are told: adding again elsewhere could round otherwise. */
void incrbyfloat_command(struct call *call)
{
    struct bytes key = call->argv[1];
    bool wrong;
    struct object *object = call_find_string(call, key, call->hash, &wrong);
    if (wrong) {
        return;
    }
    long double value = 0;
    long double amount;
    if ((object != NULL && !float_of_object(object, &value)) ||
        !parse_long_double(call->argv[2], &amount)) {
        reply_error(call->reply, "ERR value is not a valid float");
        return;
    }
    value += amount;
    if (isnan(value) || isinf(value)) {
        reply_error(call->reply, "ERR increment would produce NaN or Infinity");
        return;
    }
    char text[NUMBER_LONG_DOUBLE_SIZE];
    struct bytes sum = {text, format_long_double_human(text, value)};
    uint64_t expire_at_ms = object == NULL ? 0 : keyspace_expire_at_ms(call->keys, object);
    if (keyspace_set_string(call->keys, key, call->hash, sum, expire_at_ms, &object) != TORC_OK) {
        call_reply_no_memory(call);
        return;
    }
    keyspace_touch(call->keys, object, call->now_ms);
    effect_set(call, key, sum, expire_at_ms);
    reply_bulk(call->reply, sum);
}
