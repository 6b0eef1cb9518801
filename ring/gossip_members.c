#include "ring/gossip_members.h"

#include "base/error.h"

#include <assert.h>
#include <stdlib.h>
#include <xxhash.h>

#define MEMBERS_CAPACITY_MIN 16
/* Peers looked at when a full table must make room, so that a flood costs the same as ever. */
#define EVICT_TRIES 64

void gossip_members_init(struct gossip_members *members, uint64_t hash_seed)
{
    *members = (struct gossip_members){.hash_seed = hash_seed};
    TAILQ_INIT(&members->suspects);
    TAILQ_INIT(&members->gone);
    for (size_t i = 0; i < GOSSIP_TRANSMITS_MAX; i++) {
        TAILQ_INIT(&members->buckets[i]);
    }
}

static void destroy_peer(struct gossip_peer *peer)
{
    free(peer->suspicion);
    free(peer->meta);
    free(peer);
}

void gossip_members_deinit(struct gossip_members *members)
{
    for (size_t i = 0; i < members->count; i++) {
        destroy_peer(members->peers[i]);
    }
    free(members->peers);
    free(members->slots);
    free(members->forgotten);
    *members = (struct gossip_members){0};
}

static size_t home_of(const struct gossip_members *members, const struct node_id *id)
{
    uint64_t hash = XXH3_64bits_withSeed(id->bytes, NODE_ID_SIZE, members->hash_seed);
    return (size_t)hash & (members->slot_count - 1);
}

/* The slot that holds the id, or the empty one where it would go. */
static size_t slot_of(const struct gossip_members *members, const struct node_id *id)
{
    size_t slot = home_of(members, id);
    while (members->slots[slot] != NULL && !node_id_equal(&members->slots[slot]->member.id, id)) {
        slot = (slot + 1) & (members->slot_count - 1);
    }
    return slot;
}

struct gossip_peer *gossip_members_find(const struct gossip_members *members,
                                        const struct node_id *id)
{
    return members->slot_count == 0 ? NULL : members->slots[slot_of(members, id)];
}

static int grow(struct gossip_members *members)
{
    size_t capacity = members->capacity == 0 ? MEMBERS_CAPACITY_MIN : 2 * members->capacity;
    struct gossip_peer **slots = calloc(2 * capacity, sizeof(struct gossip_peer *));
    if (slots == NULL) {
        return TORC_ENOMEM;
    }
    struct gossip_peer **peers = realloc(members->peers, capacity * sizeof(struct gossip_peer *));
    if (peers == NULL) {
        free(slots);
        return TORC_ENOMEM;
    }
    free(members->slots);
    members->peers = peers;
    members->capacity = capacity;
    members->slots = slots;
    members->slot_count = 2 * capacity;
    for (size_t i = 0; i < members->count; i++) {
        slots[slot_of(members, &peers[i]->member.id)] = peers[i];
    }
    return TORC_OK;
}

static void swap_peers(struct gossip_members *members, size_t a, size_t b)
{
    struct gossip_peer *peer = members->peers[a];
    members->peers[a] = members->peers[b];
    members->peers[b] = peer;
    members->peers[a]->index = (uint32_t)a;
    members->peers[b]->index = (uint32_t)b;
}

static bool make_room(struct gossip_members *members, struct prng *prng)
{
    if (members->count < NODES_MAX) {
        return true;
    }
    size_t start = (size_t)prng_below(prng, members->count);
    for (size_t i = 0; i < EVICT_TRIES; i++) {
        struct gossip_peer *peer = members->peers[(start + i) % members->count];
        if (peer->member.status == GOSSIP_DEAD || peer->member.status == GOSSIP_LEFT) {
            gossip_members_remove(members, peer);
            return true;
        }
    }
    return false;
}

int gossip_members_add(struct gossip_members *members, const struct node_id *id, struct prng *prng,
                       struct gossip_peer **out)
{
    if (!make_room(members, prng)) {
        return TORC_ETOOBIG;
    }
    if (members->count == members->capacity && grow(members) != TORC_OK) {
        return TORC_ENOMEM;
    }
    struct gossip_peer *peer = calloc(1, sizeof(*peer));
    if (peer == NULL) {
        return TORC_ENOMEM;
    }
    peer->member.id = *id;
    peer->member.status = GOSSIP_ALIVE;
    size_t slot = slot_of(members, id);
    assert(members->slots[slot] == NULL);
    members->slots[slot] = peer;
    members->peers[members->count] = peer;
    peer->index = (uint32_t)members->count;
    members->count++;
    members->live_count++;
    size_t place = members->cursor + (size_t)prng_below(prng, members->count - members->cursor);
    swap_peers(members, place, members->count - 1);
    *out = peer;
    return TORC_OK;
}

/* Linear probing without markers: whoever was pushed past the emptied slot moves back into it. */
static void empty_slot(struct gossip_members *members, size_t slot)
{
    size_t mask = members->slot_count - 1;
    members->slots[slot] = NULL;
    for (size_t next = (slot + 1) & mask; members->slots[next] != NULL; next = (next + 1) & mask) {
        size_t home = home_of(members, &members->slots[next]->member.id);
        if (((next - home) & mask) >= ((next - slot) & mask)) {
            members->slots[slot] = members->slots[next];
            members->slots[next] = NULL;
            slot = next;
        }
    }
}

static bool is_live(enum gossip_status status)
{
    return status == GOSSIP_ALIVE || status == GOSSIP_SUSPECT;
}

/* Takes the peer out of the list that its status put it into. */
static void unlink_status(struct gossip_members *members, struct gossip_peer *peer)
{
    if (peer->member.status == GOSSIP_SUSPECT) {
        TAILQ_REMOVE(&members->suspects, peer, status_link);
        free(peer->suspicion);
        peer->suspicion = NULL;
    } else if (!is_live(peer->member.status)) {
        TAILQ_REMOVE(&members->gone, peer, status_link);
    }
    members->live_count -= is_live(peer->member.status);
}

void gossip_members_remove(struct gossip_members *members, struct gossip_peer *peer)
{
    gossip_queue_remove(members, peer);
    unlink_status(members, peer);
    empty_slot(members, slot_of(members, &peer->member.id));
    /* The hole is closed from the part of the round that is left, so that nobody is probed twice;
     * one member may change places, at worst it waits for the next round. */
    size_t hole = peer->index;
    if (hole < members->cursor) {
        members->cursor--;
        swap_peers(members, hole, members->cursor);
        hole = members->cursor;
    }
    swap_peers(members, hole, members->count - 1);
    members->count--;
    destroy_peer(peer);
}

int gossip_peer_set_meta(struct gossip_peer *peer, struct bytes meta)
{
    assert(meta.size <= GOSSIP_META_SIZE_MAX);
    if (bytes_equal(peer->member.meta, meta)) {
        return TORC_OK;
    }
    char *copy = NULL;
    if (meta.size > 0) {
        copy = malloc(meta.size);
        if (copy == NULL) {
            return TORC_ENOMEM;
        }
        memcpy(copy, meta.data, meta.size);
    }
    free(peer->meta);
    peer->meta = copy;
    peer->member.meta = (struct bytes){copy, meta.size};
    return TORC_OK;
}

void gossip_members_set_status(struct gossip_members *members, struct gossip_peer *peer,
                               enum gossip_status status, uint64_t now_ms)
{
    assert(status != GOSSIP_SUSPECT);
    unlink_status(members, peer);
    peer->member.status = status;
    members->live_count += is_live(status);
    if (!is_live(status)) {
        peer->gone_ms = now_ms;
        TAILQ_INSERT_TAIL(&members->gone, peer, status_link);
    }
}

int gossip_members_suspect(struct gossip_members *members, struct gossip_peer *peer,
                           const struct node_id *accuser, uint32_t period_ms, uint64_t now_ms)
{
    struct gossip_suspicion *suspicion = malloc(sizeof(*suspicion));
    if (suspicion == NULL) {
        return TORC_ENOMEM;
    }
    gossip_members_set_status(members, peer, GOSSIP_ALIVE, now_ms);
    gossip_suspicion_start(suspicion, accuser, members->live_count, period_ms, now_ms);
    peer->member.status = GOSSIP_SUSPECT;
    peer->suspicion = suspicion;
    TAILQ_INSERT_TAIL(&members->suspects, peer, status_link);
    return TORC_OK;
}

static void shuffle(struct gossip_members *members, struct prng *prng)
{
    for (size_t left = members->count; left > 1; left--) {
        swap_peers(members, left - 1, (size_t)prng_below(prng, left));
    }
}

struct gossip_peer *gossip_members_next(struct gossip_members *members,
                                        const struct gossip_peer *self, struct prng *prng)
{
    /* Every member is met within the rest of this round and the whole of the next. */
    for (size_t steps = 2 * members->count; steps > 0; steps--) {
        if (members->cursor >= members->count) {
            members->cursor = 0;
            shuffle(members, prng);
        }
        struct gossip_peer *peer = members->peers[members->cursor++];
        if (peer != self && is_live(peer->member.status)) {
            return peer;
        }
    }
    return NULL;
}
