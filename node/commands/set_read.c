/*
 * Commands that read one set.
 */
#include "node/commands/common.h"
#include "node/commands/handlers.h"
#include "node/commands/members.h"
#include "node/commands/set.h"
#include "node/store/set.h"

/* The set of the first key, to be read; *wrong after it has replied WRONGTYPE. */
static struct object *find_set_read(struct call *call, bool *wrong)
{
    return find_typed_read(call, call->argv[1], call->hash, OBJECT_SET, wrong);
}

void scard_command(struct call *call)
{
    bool wrong;
    const struct object *object = find_set_read(call, &wrong);
    if (!wrong) {
        reply_integer(call->reply, object == NULL ? 0 : (int64_t)set_count(object));
    }
}

static void reply_has(struct call *call, const struct object *object, struct bytes member)
{
    reply_integer(call->reply, object != NULL && set_has(object, member) ? 1 : 0);
}

void sismember_command(struct call *call)
{
    bool wrong;
    const struct object *object = find_set_read(call, &wrong);
    if (!wrong) {
        reply_has(call, object, call->argv[2]);
    }
}

void smismember_command(struct call *call)
{
    bool wrong;
    const struct object *object = find_set_read(call, &wrong);
    if (wrong) {
        return;
    }
    reply_array(call->reply, call->argc - 2);
    for (size_t i = 2; i < call->argc; i++) {
        reply_has(call, object, call->argv[i]);
    }
}

static void reply_member(void *context, struct bytes member, struct bytes value)
{
    (void)value;
    reply_bulk(context, member);
}

void smembers_command(struct call *call)
{
    bool wrong;
    const struct object *object = find_set_read(call, &wrong);
    if (wrong) {
        return;
    }
    reply_set(call->reply, object == NULL ? 0 : set_count(object));
    if (object != NULL) {
        set_scan(object, 0, SIZE_MAX, reply_member, call->reply);
    }
}

void srandmember_command(struct call *call)
{
    bool wrong;
    struct draw draw;
    if (!draw_parse(call, NULL, &draw)) {
        return;
    }
    const struct object *object = find_set_read(call, &wrong);
    if (!wrong) {
        draw_reply(call, object, &set_source, &draw);
    }
}

void sscan_command(struct call *call)
{
    members_scan_command(call, OBJECT_SET, &set_source, false);
}
