/*
 * Commands that change one hash. The replicas are told the command as it was sent, or as much of it
 * as was done; of a sum of floating point numbers the result, since adding again elsewhere could
 * round otherwise.
 */
#include "node/store/hash.h"

#include "base/error.h"
#include "node/command_errors.h"
#include "node/commands/common.h"
#include "node/commands/handlers.h"
#include "node/commands/members.h"
#include "node/resp/number.h"

#include <math.h>

/* The hash of the first key, to be changed; *wrong after it has replied WRONGTYPE. */
static struct object *find_hash(struct call *call, bool *wrong)
{
    return call_find_typed(call, call->argv[1], call->hash, OBJECT_HASH, wrong);
}

/* Sets one field and notes the access; false after it has replied with an error. */
static bool set_field(struct call *call, struct bytes field, struct bytes value, bool *added)
{
    struct object *object;
    if (!member_change_ok(call, "hash",
                          keyspace_hash_set(call->keys, call->argv[1], call->hash, field, value,
                                            added, &object))) {
        return false;
    }
    keyspace_touch(call->keys, object, call->now_ms);
    return true;
}

/* Sets the pairs of the arguments. False after it has replied with an error; what was set before it
 * stays set, and is told. */
static bool set_pairs(struct call *call, size_t *added_count)
{
    bool wrong;
    *added_count = 0;
    if (call->argc % 2 != 0) {
        reply_wrong_arity(call->reply, call->command);
        return false;
    }
    find_hash(call, &wrong);
    if (wrong) {
        return false;
    }
    size_t done = 2;
    for (bool added; done < call->argc; done += 2) {
        if (!set_field(call, call->argv[done], call->argv[done + 1], &added)) {
            break;
        }
        *added_count += added ? 1 : 0;
    }
    if (done > 2) {
        call_effect(call, done, call->argv);
    }
    return done == call->argc;
}

void hset_command(struct call *call)
{
    size_t added;
    if (set_pairs(call, &added)) {
        reply_integer(call->reply, (int64_t)added);
    }
}

void hmset_command(struct call *call)
{
    size_t added;
    if (set_pairs(call, &added)) {
        reply_ok(call->reply);
    }
}

void hsetnx_command(struct call *call)
{
    bool wrong, added;
    struct bytes value;
    const struct object *object = find_hash(call, &wrong);
    if (wrong) {
        return;
    }
    if (object != NULL && hash_get(object, call->argv[2], &value)) {
        reply_integer(call->reply, 0);
    } else if (set_field(call, call->argv[2], call->argv[3], &added)) {
        call_effect_verbatim(call);
        reply_integer(call->reply, 1);
    }
}

void hdel_command(struct call *call)
{
    bool wrong;
    struct object *object = find_hash(call, &wrong);
    if (wrong) {
        return;
    }
    size_t removed = 0;
    size_t left = object == NULL ? 0 : hash_count(object);
    if (object != NULL) {
        keyspace_touch(call->keys, object, call->now_ms);
    }
    for (size_t i = 2; i < call->argc && removed < left; i++) {
        removed +=
            keyspace_hash_remove(call->keys, call->argv[1], call->hash, call->argv[i]) ? 1 : 0;
    }
    if (removed > 0) {
        call_effect_verbatim(call);
    }
    reply_integer(call->reply, (int64_t)removed);
}

/* ---- counting ---- */

void hincrby_command(struct call *call)
{
    int64_t amount, value = 0;
    bool wrong, added;
    struct bytes before;
    if (!call_argument_int64(call, 3, &amount)) {
        return;
    }
    const struct object *object = find_hash(call, &wrong);
    if (wrong) {
        return;
    }
    if (object != NULL && hash_get(object, call->argv[2], &before) &&
        !parse_int64(before, &value)) {
        reply_error(call->reply, "ERR hash value is not an integer");
        return;
    }
    if (__builtin_add_overflow(value, amount, &value)) {
        reply_error(call->reply, "ERR increment or decrement would overflow");
        return;
    }
    char text[NUMBER_INT64_SIZE];
    struct bytes sum = {text, format_int64(text, value)};
    if (set_field(call, call->argv[2], sum, &added)) {
        call_effect_verbatim(call);
        reply_integer(call->reply, value);
    }
}

static bool parse_amount(struct call *call, size_t index, long double *out)
{
    if (!parse_long_double(call->argv[index], out)) {
        reply_error(call->reply, "ERR value is not a valid float");
        return false;
    }
    if (isinf(*out)) {
        reply_error(call->reply, "ERR value is NaN or Infinity");
        return false;
    }
    return true;
}

void hincrbyfloat_command(struct call *call)
{
    long double amount, value = 0;
    bool wrong, added;
    struct bytes before;
    if (!parse_amount(call, 3, &amount)) {
        return;
    }
    const struct object *object = find_hash(call, &wrong);
    if (wrong) {
        return;
    }
    if (object != NULL && hash_get(object, call->argv[2], &before) &&
        !parse_long_double(before, &value)) {
        reply_error(call->reply, "ERR hash value is not a float");
        return;
    }
    value += amount;
    if (isnan(value) || isinf(value)) {
        reply_error(call->reply, "ERR increment would produce NaN or Infinity");
        return;
    }
    char text[NUMBER_LONG_DOUBLE_SIZE];
    struct bytes sum = {text, format_long_double_human(text, value)};
    if (set_field(call, call->argv[2], sum, &added)) {
        const struct bytes effect[] = {BYTES_LITERAL("HSET"), call->argv[1], call->argv[2], sum};
        call_effect(call, 4, effect);
        reply_bulk(call->reply, sum);
    }
}
