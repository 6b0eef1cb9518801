#include "node/store/keyspace.h"
#include "node/store/remains.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* The most that one keyspace may hold back from the store's total. */
#define PENDING_MAX 4096
/* What all may hold back together, as a share of the total: 16384 slots x 2^-22 = 1/256. */
#define PENDING_SHIFT 22

struct store *store_create(void)
{
    struct store *store = aligned_alloc(CACHE_LINE, sizeof(*store));
    if (store == NULL) {
        return NULL;
    }
    atomic_init(&store->memory, 0);
    atomic_init(&store->expiring, 0);
    for (size_t i = 0; i < FILLED_WORDS; i++) {
        atomic_init(&store->filled[i], 0);
    }
    eviction_init(&store->own_eviction);
    store->eviction = &store->own_eviction;
    atomic_init(&store->freeing, 0);
    atomic_init(&store->remains, NULL);
    for (size_t slot = 0; slot < SLOT_COUNT; slot++) {
        struct keyspace *keys = &store->keyspaces[slot];
        table_init(&keys->table);
        keys->pending = 0;
        keys->slot = (uint16_t)slot;
    }
    return store;
}

void store_destroy(struct store *store)
{
    if (store == NULL) {
        return;
    }
    for (size_t slot = 0; slot < SLOT_COUNT; slot++) {
        keyspace_clear(&store->keyspaces[slot]);
    }
    while (store_free_some(store, SIZE_MAX) > 0) {
    }
    eviction_deinit(&store->own_eviction);
    free(store);
}

struct store *store_create_beside(struct store *first)
{
    struct store *store = store_create();
    if (store != NULL) {
        store->eviction = first->eviction;
    }
    return store;
}

void keyspace_note_filled(struct keyspace *keys)
{
    _Atomic uint64_t *word = &keyspace_store(keys)->filled[keys->slot / 64];
    uint64_t bit = (uint64_t)1 << (keys->slot % 64);
    bool filled = keyspace_count(keys) > 0;
    bool noted = (atomic_load_explicit(word, memory_order_relaxed) & bit) != 0;
    if (filled && !noted) {
        atomic_fetch_or_explicit(word, bit, memory_order_relaxed);
    } else if (!filled && noted) {
        atomic_fetch_and_explicit(word, ~bit, memory_order_relaxed);
    }
}

struct keyspace *store_keyspace(struct store *store, uint16_t slot)
{
    assert(slot < SLOT_COUNT);
    return &store->keyspaces[slot];
}

size_t store_memory(const struct store *store)
{
    return atomic_load_explicit(&store->memory, memory_order_relaxed);
}

unsigned store_next_filled(const struct store *store, unsigned from)
{
    for (unsigned word = from / 64; word < FILLED_WORDS; word++) {
        uint64_t bits = atomic_load_explicit(&store->filled[word], memory_order_relaxed);
        bits &= word == from / 64 ? UINT64_MAX << (from % 64) : UINT64_MAX;
        if (bits != 0) {
            return word * 64 + (unsigned)__builtin_ctzll(bits);
        }
    }
    return SLOT_COUNT;
}

size_t store_key_count(const struct store *store)
{
    size_t count = 0;
    for (unsigned slot = store_next_filled(store, 0); slot < SLOT_COUNT;
         slot = store_next_filled(store, slot + 1)) {
        count += keyspace_count(&store->keyspaces[slot]);
    }
    return count;
}

size_t store_expiry_count(const struct store *store)
{
    size_t count = 0;
    for (size_t slot = 0; slot < SLOT_COUNT; slot++) {
        count +=
            atomic_load_explicit(&store->keyspaces[slot].table.expiry_count, memory_order_relaxed);
    }
    return count;
}

bool store_has_expiries(const struct store *store)
{
    return atomic_load_explicit(&store->expiring, memory_order_relaxed) != 0;
}

uint64_t key_hash(struct bytes key)
{
    return XXH3_64bits(key.data, key.size);
}

void keyspace_discard(struct keyspace *keys)
{
    uint64_t before = keys->table.memory;
    keyspace_count_expiries(keys, -(int64_t)keyspace_expiry_count(keys));
    store_leave_table(keyspace_store(keys), &keys->table);
    keyspace_settle(keys, before);
    keyspace_note_filled(keys);
}

void keyspace_settle(struct keyspace *keys, uint64_t before)
{
    struct store *store = keyspace_store(keys);
    uint64_t memory = keys->table.memory;
    int64_t pending = keys->pending + (int64_t)(memory - before);
    size_t share = store_memory(store) >> PENDING_SHIFT;
    int64_t limit = share < PENDING_MAX ? (int64_t)share : PENDING_MAX;
    if (pending > limit || pending < -limit || memory == 0) {
        atomic_fetch_add_explicit(&store->memory, (size_t)pending, memory_order_relaxed);
        pending = 0;
    }
    keys->pending = (int32_t)pending;
}

void keyspace_account(struct keyspace *keys, int64_t delta)
{
    uint64_t before = keys->table.memory;
    assert(delta >= 0 || (uint64_t)-delta <= before);
    keys->table.memory = before + (uint64_t)delta;
    keyspace_settle(keys, before);
}

void keyspace_count_expiries(struct keyspace *keys, int64_t delta)
{
    uint32_t before = atomic_load_explicit(&keys->table.expiry_count, memory_order_relaxed);
    uint32_t after = (uint32_t)(before + delta);
    atomic_store_explicit(&keys->table.expiry_count, after, memory_order_relaxed);
    if ((before == 0) != (after == 0)) {
        atomic_fetch_add_explicit(&keyspace_store(keys)->expiring, after == 0 ? (uint32_t)-1 : 1u,
                                  memory_order_relaxed);
    }
}
