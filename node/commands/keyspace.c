/*
 * The node's own part of the commands that concern all keys. Slots are locked one at a time, so
 * that nobody waits for the whole; each says itself whether it is served here.
 */
#include "node/commands/common.h"
#include "node/commands/handlers.h"
#include "node/node.h"
#include "node/resp/glob.h"
#include "node/resp/number.h"
#include "node/slots_replicate.h"

#include <sys/random.h>

#define KEYS_BATCH 1000 /* keys visited while a slot is locked: some tens of microseconds */
#define RANDOM_LIVE_TRIES_MAX 64 /* draws from a slot, all of expired keys, before it is left */

static struct slot *call_slots(const struct call *call)
{
    return worker_node(call->worker)->slots;
}

/* Keys of the slot, with those that have expired and are not yet deleted; 0 if it is not served
 * here. */
static size_t slot_count(struct slot *slot)
{
    slot_lock(slot);
    size_t count = slot_serves(slot) ? keyspace_count(slot_keys(slot)) : 0;
    slot_unlock(slot);
    return count;
}

void dbsize_command(struct call *call)
{
    struct slot *slots = call_slots(call);
    size_t count = 0;
    for (uint32_t i = 0; i < SLOT_COUNT; i++) {
        count += slot_count(&slots[i]);
    }
    reply_integer(call->reply, (int64_t)count);
}

struct keys_search {
    struct keyspace *keys; /* of the slot at hand */
    struct bytes pattern;
    uint64_t now_ms;
    size_t found;
    bool all;
    struct reply_writer writer;
};

static void keys_visit(void *context, const struct object *object)
{
    struct keys_search *search = context;
    struct bytes key = object_key(object);
    if (!object_expired_at(keyspace_expire_at_ms(search->keys, object), search->now_ms) &&
        (search->all || glob_match(search->pattern, key, false))) {
        reply_bulk(&search->writer, key);
        search->found++;
    }
}

static void keys_of_slot(struct keys_search *search, struct slot *slot)
{
    uint64_t place = 0;
    do {
        slot_lock(slot);
        search->keys = slot_keys(slot);
        place = !slot_serves(slot) || keyspace_count(search->keys) == 0
                    ? 0
                    : keyspace_scan(search->keys, place, KEYS_BATCH, keys_visit, search);
        slot_unlock(slot);
    } while (place != 0);
}

void keys_command(struct call *call)
{
    struct slot *slots = call_slots(call);
    struct buf found = {0};
    struct keys_search search = {.pattern = call->argv[1],
                                 .now_ms = call->now_ms,
                                 .all = bytes_equal(call->argv[1], BYTES_LITERAL("*")),
                                 .writer = {.out = &found, .protocol = call->reply->protocol}};
    for (uint32_t i = 0; i < SLOT_COUNT; i++) {
        keys_of_slot(&search, &slots[i]);
    }
    if (found.failed) {
        call_reply_no_memory(call);
    } else {
        reply_array(call->reply, search.found);
        buf_append(call->reply->out, buf_head(&found), buf_size(&found));
    }
    buf_deinit(&found);
}

/* A slot drawn by its number of keys, so that every key is as likely; NULL without any. */
static struct slot *random_slot(struct slot *slots, struct prng *prng)
{
    struct slot *chosen = NULL;
    size_t total = 0;
    for (uint32_t i = 0; i < SLOT_COUNT; i++) {
        size_t count = slot_count(&slots[i]);
        total += count;
        if (count > 0 && prng_below(prng, total) < count) {
            chosen = &slots[i];
        }
    }
    return chosen;
}

/* Replies a live key drawn from the slot; false if the draws found none. */
static bool random_of_slot(struct call *call, struct slot *slot, struct prng *prng)
{
    const struct object *found = NULL;
    slot_lock(slot);
    for (int i = 0; found == NULL && i < RANDOM_LIVE_TRIES_MAX && slot_serves(slot); i++) {
        struct keyspace *keys = slot_keys(slot);
        const struct object *object = keyspace_random(keys, prng);
        if (object == NULL) {
            break;
        }
        if (!object_expired_at(keyspace_expire_at_ms(keys, object), call->now_ms)) {
            found = object;
        }
    }
    if (found != NULL) {
        reply_bulk(call->reply, object_key(found));
    }
    slot_unlock(slot);
    return found != NULL;
}

void randomkey_command(struct call *call)
{
    struct slot *slots = call_slots(call);
    uint64_t seed = call->now_ms;
    if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed)) {
        seed ^= (uintptr_t)call; /* cannot happen for so few bytes; any key is an answer */
    }
    struct prng prng;
    prng_init(&prng, seed);
    struct slot *slot = random_slot(slots, &prng);
    if (slot == NULL) {
        reply_null(call->reply);
        return;
    }
    /* Where it finds only expired keys it goes on to the next slots. */
    uint32_t first = (uint32_t)(slot - slots);
    for (uint32_t i = 0; i < SLOT_COUNT; i++) {
        if (random_of_slot(call, &slots[(first + i) % SLOT_COUNT], &prng)) {
            return;
        }
    }
    reply_null(call->reply);
}

static void flush_slot(struct call *call, struct slot *slot, uint32_t index)
{
    char text[NUMBER_INT64_SIZE];
    const struct bytes effect[] = {BYTES_LITERAL("torc.flushslot"),
                                   {text, format_uint64(text, index)}};
    slot_lock(slot);
    if (slot_serves(slot) && keyspace_count(slot_keys(slot)) > 0) {
        keyspace_discard(slot_keys(slot));
        slot_replicate(call, slot, 2, effect);
    }
    if (slot_serves(slot) && tracking_is_due(worker_node(call->worker), slot)) {
        tracking_slot_flushed(worker_node(call->worker), slot, call->worker);
    }
    slot_unlock(slot);
}

/* ASYNC and SYNC are the same: memory is given back slot by slot. */
void flushall_command(struct call *call)
{
    if (call->argc > 2 || (call->argc == 2 && !call_argument_is(call, 1, "async") &&
                           !call_argument_is(call, 1, "sync"))) {
        call_reply_syntax_error(call);
        return;
    }
    struct slot *slots = call_slots(call);
    for (uint32_t i = 0; i < SLOT_COUNT; i++) {
        flush_slot(call, &slots[i], i);
    }
    tracking_tell_all(worker_node(call->worker),
                      call->worker); /* as Redis, also who keeps nothing */
    reply_ok(call->reply);
}

void flushdb_command(struct call *call)
{
    flushall_command(call);
}

void torc_flushslot_command(struct call *call)
{
    if (!call->applying || call->keys == NULL) {
        reply_error(call->reply, "ERR torc.flushslot is an effect, for replicas to apply");
        return;
    }
    keyspace_discard(call->keys);
    reply_ok(call->reply);
}
