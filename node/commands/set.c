/*
 * Commands that change sets member by member. The replicas are told the command as it was sent, or
 * as much of it as was done; of what was drawn at random they are told that it is removed.
 */
#include "node/store/set.h"

#include "base/error.h"
#include "base/limits.h"
#include "node/commands/common.h"
#include "node/commands/handlers.h"
#include "node/commands/members.h"
#include "node/commands/pop_options.h"
#include "node/commands/set.h"

#include <assert.h>

/* Members in one effect: a request with more arguments than a client may send is none. */
#define EFFECT_MEMBERS_MAX 200

static_assert(EFFECT_MEMBERS_MAX + 2 <= REQUEST_ARGUMENTS_MAX, "an effect is a lawful command");

const struct member_source set_source = {set_count, set_scan, set_random};

/* The set of a key, to be changed; *wrong after it has replied WRONGTYPE. */
static struct object *find_set(struct call *call, struct bytes key, uint64_t hash, bool *wrong)
{
    return call_find_typed(call, key, hash, OBJECT_SET, wrong);
}

/* Adds one member and notes the access; false after it has replied with an error. */
static bool add_member(struct call *call, struct bytes key, uint64_t hash, struct bytes member,
                       bool *added)
{
    struct object *object;
    if (!member_change_ok(call, "set",
                          keyspace_set_add(call->keys, key, hash, member, added, &object))) {
        return false;
    }
    keyspace_touch(call->keys, object, call->now_ms);
    return true;
}

void sadd_command(struct call *call)
{
    bool wrong, added;
    find_set(call, call->argv[1], call->hash, &wrong);
    if (wrong) {
        return;
    }
    size_t count = 0;
    size_t done = 2;
    while (done < call->argc &&
           add_member(call, call->argv[1], call->hash, call->argv[done], &added)) {
        count += added ? 1 : 0;
        done++;
    }
    /* What was added before an error stays added, and is told. */
    if (count > 0) {
        call_effect(call, done, call->argv);
    }
    if (done == call->argc) {
        reply_integer(call->reply, (int64_t)count);
    }
}

void srem_command(struct call *call)
{
    bool wrong;
    struct object *object = find_set(call, call->argv[1], call->hash, &wrong);
    if (wrong) {
        return;
    }
    size_t removed = 0;
    size_t left = object == NULL ? 0 : set_count(object);
    if (object != NULL) {
        keyspace_touch(call->keys, object, call->now_ms);
    }
    for (size_t i = 2; i < call->argc && removed < left; i++) {
        removed +=
            keyspace_set_remove(call->keys, call->argv[1], call->hash, call->argv[i]) ? 1 : 0;
    }
    if (removed > 0) {
        call_effect_verbatim(call);
    }
    reply_integer(call->reply, (int64_t)removed);
}

void smove_command(struct call *call)
{
    bool wrong, added;
    struct bytes source = call->argv[1];
    struct bytes target = call->argv[2];
    struct bytes member = call->argv[3];
    struct object *from = find_set(call, source, call->hash, &wrong);
    if (from == NULL) {
        if (!wrong) {
            reply_integer(call->reply, 0);
        }
        return;
    }
    uint64_t target_hash = key_hash(target);
    find_set(call, target, target_hash, &wrong);
    if (wrong) {
        return;
    }
    bool there = set_has(from, member);
    if (!there || bytes_equal(source, target)) {
        reply_integer(call->reply, there ? 1 : 0);
        return;
    }
    /* Added before it is removed: adding may fail, removing may not. */
    if (!add_member(call, target, target_hash, member, &added)) {
        return;
    }
    keyspace_touch(call->keys, from, call->now_ms);
    bool removed = keyspace_set_remove(call->keys, source, call->hash, member);
    assert(removed);
    call_effect_verbatim(call);
    reply_integer(call->reply, 1);
}

/* ---- SPOP ---- */

/* What is drawn, one behind the other: the set is changed only when all are. */
struct popped {
    struct buf bytes;
    struct buf sizes; /* of size_t */
    size_t count;
};

static void pop_member(void *context, struct bytes member, struct bytes value)
{
    (void)value;
    struct popped *popped = context;
    buf_append(&popped->bytes, member.data, member.size);
    buf_append(&popped->sizes, &member.size, sizeof(member.size));
    popped->count++;
}

/* Replies and removes what was drawn, and tells it. It is not all of the set. */
static void remove_popped(struct call *call, const struct popped *popped)
{
    struct bytes effect[2 + EFFECT_MEMBERS_MAX] = {BYTES_LITERAL("SREM"), call->argv[1]};
    size_t told = 0;
    const char *at = buf_head(&popped->bytes);
    for (size_t i = 0; i < popped->count; i++) {
        struct bytes member = {at, 0};
        memcpy(&member.size, buf_head(&popped->sizes) + i * sizeof(member.size),
               sizeof(member.size));
        at += member.size;
        reply_bulk(call->reply, member);
        bool removed = keyspace_set_remove(call->keys, call->argv[1], call->hash, member);
        assert(removed);
        effect[2 + told++] = member;
        if (told == EFFECT_MEMBERS_MAX || i + 1 == popped->count) {
            call_effect(call, 2 + told, effect);
            told = 0;
        }
    }
}

static void reply_member(void *context, struct bytes member, struct bytes value)
{
    (void)value;
    reply_bulk(context, member);
}

static void pop_all(struct call *call, const struct object *object)
{
    set_scan(object, 0, SIZE_MAX, reply_member, call->reply);
    bool deleted = keyspace_delete(call->keys, call->argv[1], call->hash);
    assert(deleted);
    call_effect_delete(call, call->argv[1]);
}

/* Replies `count` members, of which there are as many, as a set or, a single one, as it is. */
static void pop(struct call *call, struct object *object, size_t count, bool several)
{
    struct popped popped = {0};
    bool all = count == set_count(object);
    if (!all && (draw_distinct(object, &set_source, count, call->prng, pop_member, &popped) != 0 ||
                 popped.bytes.failed || popped.sizes.failed)) {
        call_reply_no_memory(call);
    } else {
        if (several) {
            reply_set(call->reply, count);
        }
        keyspace_touch(call->keys, object, call->now_ms);
        all ? pop_all(call, object) : remove_popped(call, &popped);
    }
    buf_deinit(&popped.bytes);
    buf_deinit(&popped.sizes);
}

void spop_command(struct call *call)
{
    bool wrong;
    bool several = call->argc > 2;
    int64_t limit = 1;
    if (call->argc > 3) {
        call_reply_syntax_error(call);
        return;
    }
    if (several && !pop_limit_parse(call, &limit)) {
        return;
    }
    struct object *object = find_set(call, call->argv[1], call->hash, &wrong);
    if (wrong) {
        return;
    }
    size_t count = object == NULL ? 0 : set_count(object);
    count = (uint64_t)limit < count ? (size_t)limit : count;
    if (count > 0) {
        pop(call, object, count, several);
    } else if (several) {
        reply_set(call->reply, 0);
    } else {
        reply_null(call->reply);
    }
}
