/*
 * Commands that read one hash.
 */
#include "node/commands/common.h"
#include "node/commands/handlers.h"
#include "node/commands/members.h"
#include "node/store/hash.h"

static const struct member_source hash_source = {hash_count, hash_scan, hash_random};

/* The hash of the first key, to be read; *wrong after it has replied WRONGTYPE. */
static struct object *find_hash_read(struct call *call, bool *wrong)
{
    return find_typed_read(call, call->argv[1], call->hash, OBJECT_HASH, wrong);
}

static void reply_value_of(struct call *call, const struct object *object, struct bytes field)
{
    struct bytes value;
    if (object != NULL && hash_get(object, field, &value)) {
        reply_bulk(call->reply, value);
    } else {
        reply_null(call->reply);
    }
}

void hget_command(struct call *call)
{
    bool wrong;
    const struct object *object = find_hash_read(call, &wrong);
    if (!wrong) {
        reply_value_of(call, object, call->argv[2]);
    }
}

void hmget_command(struct call *call)
{
    bool wrong;
    const struct object *object = find_hash_read(call, &wrong);
    if (wrong) {
        return;
    }
    reply_array(call->reply, call->argc - 2);
    for (size_t i = 2; i < call->argc; i++) {
        reply_value_of(call, object, call->argv[i]);
    }
}

void hexists_command(struct call *call)
{
    bool wrong;
    struct bytes value;
    const struct object *object = find_hash_read(call, &wrong);
    if (!wrong) {
        bool found = object != NULL && hash_get(object, call->argv[2], &value);
        reply_integer(call->reply, found ? 1 : 0);
    }
}

void hstrlen_command(struct call *call)
{
    bool wrong;
    struct bytes value = {0};
    const struct object *object = find_hash_read(call, &wrong);
    if (!wrong) {
        bool found = object != NULL && hash_get(object, call->argv[2], &value);
        reply_integer(call->reply, found ? (int64_t)value.size : 0);
    }
}

void hlen_command(struct call *call)
{
    bool wrong;
    const struct object *object = find_hash_read(call, &wrong);
    if (!wrong) {
        reply_integer(call->reply, object == NULL ? 0 : (int64_t)hash_count(object));
    }
}

static void reply_field(void *context, struct bytes field, struct bytes value)
{
    (void)value;
    reply_bulk(context, field);
}

static void reply_value(void *context, struct bytes field, struct bytes value)
{
    (void)field;
    reply_bulk(context, value);
}

static void reply_both(void *context, struct bytes field, struct bytes value)
{
    reply_bulk(context, field);
    reply_bulk(context, value);
}

static void reply_all(struct call *call, bool map, member_visitor *visit)
{
    bool wrong;
    const struct object *object = find_hash_read(call, &wrong);
    if (wrong) {
        return;
    }
    size_t count = object == NULL ? 0 : hash_count(object);
    map ? reply_map(call->reply, count) : reply_array(call->reply, count);
    if (object != NULL) {
        hash_scan(object, 0, SIZE_MAX, visit, call->reply);
    }
}

void hkeys_command(struct call *call)
{
    reply_all(call, false, reply_field);
}

void hvals_command(struct call *call)
{
    reply_all(call, false, reply_value);
}

void hgetall_command(struct call *call)
{
    reply_all(call, true, reply_both);
}

void hrandfield_command(struct call *call)
{
    bool wrong;
    struct draw draw;
    if (!draw_parse(call, "withvalues", &draw)) {
        return;
    }
    const struct object *object = find_hash_read(call, &wrong);
    if (!wrong) {
        draw_reply(call, object, &hash_source, &draw);
    }
}

void hscan_command(struct call *call)
{
    members_scan_command(call, OBJECT_HASH, &hash_source, true);
}
