/* What the store notes of accesses, and what it can tell of them. */
#include "node/store/keyspace.h"

static struct eviction *eviction_of(struct keyspace *keys)
{
    return keyspace_store(keys)->eviction;
}

static bool tells_time(enum mark_kind kind)
{
    return kind == MARK_SECONDS || kind == MARK_FINE;
}

void store_set_eviction(struct store *store, enum eviction_policy policy, bool limited)
{
    enum mark_kind kind = MARK_SECONDS;
    switch (policy) {
    case EVICTION_S3FIFO: kind = MARK_QUEUES; break;
    case EVICTION_LRU:
    case EVICTION_VOLATILE_LRU: kind = MARK_FINE; break;
    case EVICTION_LFU:
    case EVICTION_VOLATILE_LFU: kind = MARK_FREQUENCY; break;
    case EVICTION_NONE:
    case EVICTION_TTL:
    case EVICTION_RANDOM:
    case EVICTION_VOLATILE_RANDOM: break;
    }
    eviction_set_kind(store->eviction, limited ? kind : MARK_SECONDS);
}

void store_fit_eviction(struct store *store, size_t key_count)
{
    eviction_resize(store->eviction, key_count);
}

size_t store_eviction_memory(const struct store *store)
{
    const struct eviction *eviction = store->eviction;
    return atomic_load_explicit(&eviction->small.memory, memory_order_relaxed) +
           atomic_load_explicit(&eviction->main.memory, memory_order_relaxed);
}

void keyspace_touch(struct keyspace *keys, struct object *object, uint64_t now_ms)
{
    uint32_t mark = object_mark(object);
    uint32_t touched = eviction_touch(eviction_of(keys), mark, object, now_ms);
    if (touched != mark) {
        object_set_mark(object, touched); /* else its cache line stays clean */
    }
}

bool keyspace_idle_ms(struct keyspace *keys, const struct object *object, uint64_t now_ms,
                      uint64_t *idle_ms)
{
    *idle_ms = mark_age_ms(eviction_of(keys), object_mark(object), now_ms);
    return tells_time(eviction_kind(eviction_of(keys)));
}

void keyspace_set_idle(struct keyspace *keys, struct object *object, uint64_t then_ms)
{
    if (tells_time(eviction_kind(eviction_of(keys)))) {
        object_set_mark(object, mark_of_time(eviction_of(keys), then_ms));
    }
}

bool keyspace_frequency(struct keyspace *keys, const struct object *object, uint64_t now_ms,
                        unsigned *frequency)
{
    *frequency = mark_frequency(object_mark(object), now_ms);
    return eviction_kind(eviction_of(keys)) == MARK_FREQUENCY;
}

void keyspace_set_frequency(struct keyspace *keys, struct object *object, unsigned frequency,
                            uint64_t now_ms)
{
    if (eviction_kind(eviction_of(keys)) == MARK_FREQUENCY) {
        object_set_mark(object, mark_of_frequency(frequency, now_ms));
    }
}
