#include "node/store/ghosts.h"

#include "node/store/allocate.h"

#include <assert.h>

static_assert(sizeof(struct ghost_bucket) == 32, "two buckets a cache line");

static size_t chunk_size(unsigned chunk)
{
    return (size_t)GHOST_CHUNK_BUCKETS << chunk;
}

/* Buckets in the chunks before that one. */
static size_t chunk_first(unsigned chunk)
{
    return ((size_t)GHOST_CHUNK_BUCKETS << chunk) - GHOST_CHUNK_BUCKETS;
}

void ghosts_init(struct ghosts *ghosts)
{
    atomic_init(&ghosts->bucket_count, 0);
    atomic_init(&ghosts->memory, 0);
    for (unsigned i = 0; i < GHOST_CHUNKS; i++) {
        atomic_init(&ghosts->chunks[i], NULL);
    }
}

void ghosts_deinit(struct ghosts *ghosts)
{
    for (unsigned i = 0; i < GHOST_CHUNKS; i++) {
        store_release(atomic_load_explicit(&ghosts->chunks[i], memory_order_relaxed));
    }
    ghosts_init(ghosts);
}

/* Makes the chunk; somebody else may do so at the same time. False without memory. */
static bool make_chunk(struct ghosts *ghosts, unsigned chunk)
{
    if (atomic_load_explicit(&ghosts->chunks[chunk], memory_order_acquire) != NULL) {
        return true;
    }
    size_t count = chunk_size(chunk);
    struct ghost_bucket *buckets = store_allocate(count * sizeof(buckets[0]));
    if (buckets == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        atomic_init(&buckets[i].next, 0);
        for (unsigned at = 0; at < GHOST_PRINTS; at++) {
            atomic_init(&buckets[i].prints[at], 0);
        }
    }
    struct ghost_bucket *none = NULL;
    if (!atomic_compare_exchange_strong_explicit(&ghosts->chunks[chunk], &none, buckets,
                                                 memory_order_acq_rel, memory_order_acquire)) {
        store_release(buckets);
        return true;
    }
    atomic_fetch_add_explicit(&ghosts->memory, store_allocated_size(buckets), memory_order_relaxed);
    return true;
}

void ghosts_resize(struct ghosts *ghosts, size_t key_count)
{
    size_t wanted = (key_count + GHOST_PRINTS - 1) / GHOST_PRINTS;
    size_t present = atomic_load_explicit(&ghosts->bucket_count, memory_order_relaxed);
    if (wanted <= present + present / 4 && wanted >= present - present / 4) {
        return; /* every key would be looked for in another bucket */
    }
    unsigned chunks = 0;
    while (chunks < GHOST_CHUNKS && chunk_first(chunks) < wanted && make_chunk(ghosts, chunks)) {
        chunks++;
    }
    size_t room = chunk_first(chunks);
    atomic_store_explicit(&ghosts->bucket_count, (uint32_t)(wanted < room ? wanted : room),
                          memory_order_release);
}

/* NULL while nothing is remembered. */
static struct ghost_bucket *bucket_of(struct ghosts *ghosts, uint64_t hash)
{
    uint64_t count = atomic_load_explicit(&ghosts->bucket_count, memory_order_acquire);
    if (count == 0) {
        return NULL;
    }
    size_t index = (size_t)(((hash >> 32) * count) >> 32);
    unsigned chunk = 63u - (unsigned)__builtin_clzll(index / GHOST_CHUNK_BUCKETS + 1);
    return atomic_load_explicit(&ghosts->chunks[chunk], memory_order_acquire) + index -
           chunk_first(chunk);
}

static uint16_t print_of(uint64_t hash)
{
    uint16_t print = (uint16_t)hash;
    return print == 0 ? 1 : print;
}

void ghosts_add(struct ghosts *ghosts, uint64_t hash)
{
    struct ghost_bucket *bucket = bucket_of(ghosts, hash);
    if (bucket != NULL) {
        unsigned next = atomic_load_explicit(&bucket->next, memory_order_relaxed);
        atomic_store_explicit(&bucket->prints[next], print_of(hash), memory_order_relaxed);
        atomic_store_explicit(&bucket->next, (uint16_t)((next + 1) % GHOST_PRINTS),
                              memory_order_relaxed);
    }
}

bool ghosts_take(struct ghosts *ghosts, uint64_t hash)
{
    struct ghost_bucket *bucket = bucket_of(ghosts, hash);
    for (unsigned i = 0; bucket != NULL && i < GHOST_PRINTS; i++) {
        if (atomic_load_explicit(&bucket->prints[i], memory_order_relaxed) == print_of(hash)) {
            atomic_store_explicit(&bucket->prints[i], 0, memory_order_relaxed);
            return true;
        }
    }
    return false;
}
