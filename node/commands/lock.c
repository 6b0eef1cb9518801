/*
 * Locks with fencing tokens. A lock is a string "<token> <owner>" that expires, so that it is
 * copied, moved and counted like any other; the replicas are told SET and DEL.
 *
 * The token is the place of the write in the life of its slot: the epoch of the view under which
 * the slot is led, then the number of the effect. It grows with every write, whoever leads, and
 * also when the lock was deleted, evicted, or lost with its slot, for epochs never come back.
 */
#include "base/error.h"
#include "node/commands/common.h"
#include "node/commands/handlers.h"
#include "node/node.h"
#include "node/resp/number.h"
#include "node/slots.h"
#include "ring/slot.h"

#include <inttypes.h>
#include <stdio.h>

#define OWNER_SIZE_MAX 128
#define TTL_MS_MAX (INT64_C(366) * 24 * 60 * 60 * 1000)
#define TOKEN_SEQUENCE_BITS 40 /* 10^12 writes to one slot under one view; 2^23 views */
#define TOKEN_SIZE_MAX 20      /* of its digits and the blank */

/* The token of the effect that is about to be told. Slot lock held. */
static uint64_t next_token(const struct call *call)
{
    const struct slot *slot = &worker_node(call->worker)->slots[slot_of_key(call->argv[1])];
    const uint64_t sequences = UINT64_C(1) << TOKEN_SEQUENCE_BITS;
    return slot->copy.epoch << TOKEN_SEQUENCE_BITS | ((slot->copy.sequence + 1) & (sequences - 1));
}

/* The parts of a lock; the owner is borrowed from its text. False: it is none. */
static bool read_lock(struct bytes text, uint64_t *token, struct bytes *owner)
{
    const char *blank = text.size == 0 ? NULL : memchr(text.data, ' ', text.size);
    if (blank == NULL) {
        return false;
    }
    const size_t digits = (size_t)(blank - text.data);
    *owner = (struct bytes){blank + 1, text.size - digits - 1};
    return parse_uint64((struct bytes){text.data, digits}, token);
}

/* False if the key holds something that is no lock, or the owner is none: it has replied so. *held:
 * there is a lock, of that token; *ours: it is this owner's. */
static bool find_lock(struct call *call, uint64_t *token, bool *held, bool *ours)
{
    char scratch[OBJECT_SCRATCH_SIZE];
    bool wrong;
    const struct bytes owner = call->argv[2];
    struct bytes holder;
    *held = false;
    *ours = false;
    if (owner.size == 0 || owner.size > OWNER_SIZE_MAX) {
        reply_error(call->reply, "ERR an owner has 1 to %d bytes", OWNER_SIZE_MAX);
        return false;
    }
    const struct object *object = call_find_string(call, call->argv[1], call->hash, &wrong);
    if (wrong) {
        return false;
    }
    if (object == NULL) {
        return true;
    }
    *held = read_lock(object_string(object, scratch), token, &holder);
    if (!*held) {
        reply_error(call->reply, "WRONGTYPE the key holds a string that is no lock");
        return false;
    }
    *ours = bytes_equal(holder, owner);
    return true;
}

static bool read_ttl(struct call *call, uint64_t *expire_at_ms)
{
    int64_t ttl_ms;
    if (!call_argument_int64(call, 3, &ttl_ms)) {
        return false;
    }
    if (ttl_ms <= 0 || ttl_ms > TTL_MS_MAX) {
        reply_error(call->reply, "ERR invalid expire time in 'torc.lock' command");
        return false;
    }
    *expire_at_ms = call->now_ms + (uint64_t)ttl_ms;
    return true;
}

/* TORC.LOCK key owner ttl-ms [XX]: the token, or null when another one holds it; with XX also when
 * nobody does. */
void torc_lock_command(struct call *call)
{
    char text[TOKEN_SIZE_MAX + 1 + OWNER_SIZE_MAX];
    uint64_t token = 0;
    uint64_t expire_at_ms;
    bool held;
    bool ours;
    const bool only_ours = call->argc == 5 && call_argument_is(call, 4, "xx");
    if (call->argc > 4 && !only_ours) {
        call_reply_syntax_error(call);
        return;
    }
    if (!read_ttl(call, &expire_at_ms) || !find_lock(call, &token, &held, &ours)) {
        return;
    }
    if (held ? !ours : only_ours) {
        reply_null(call->reply);
        return;
    }
    const struct bytes owner = call->argv[2];
    token = held ? token : next_token(call);
    const int digits = snprintf(text, sizeof(text), "%" PRIu64 " ", token);
    memcpy(text + digits, owner.data, owner.size);
    const struct bytes value = {text, (size_t)digits + owner.size};
    struct object *object;
    if (keyspace_set_string(call->keys, call->argv[1], call->hash, value, expire_at_ms, &object) !=
        TORC_OK) {
        call_reply_no_memory(call);
        return;
    }
    keyspace_touch(call->keys, object, call->now_ms);
    effect_set(call, call->argv[1], value, expire_at_ms);
    reply_integer(call->reply, (int64_t)token);
}

/* TORC.UNLOCK key owner: 1, or 0 when the owner does not hold it. */
void torc_unlock_command(struct call *call)
{
    uint64_t token;
    bool held;
    bool ours;
    if (!find_lock(call, &token, &held, &ours)) {
        return;
    }
    if (ours) {
        (void)keyspace_delete(call->keys, call->argv[1], call->hash);
        call_effect_delete(call, call->argv[1]);
    }
    reply_integer(call->reply, ours ? 1 : 0);
}
