/*
 * Miss ratios of the store's eviction on a trace, by the number of keys it may hold: what
 * docs/benchmarks.md shows beside the simulated figures, and a test of web12 in bench/traces.
 *
 *      store_trace FILE [--check] [SHARE ...]      shares of the distinct keys, in percent
 *
 * --check: fails unless s3fifo misses at most what LRU does at each size, and little more than the
 * simulated S3-FIFO of bench/traces/README.md.
 */
#include "base/error.h"
#include "bench/trace.h"
#include "tests/unit/store/evict_step.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHARES_MAX 16
/* Of the wall clock that LRU and LFU go by; LRU's 64 ms are then too coarse for 1 % of web12. */
#define REQUESTS_PER_SECOND 10000

struct replay {
    const struct trace *trace;
    struct store *store;
    struct evictor evictor;
    enum eviction_policy policy;
    size_t keys_max;
    uint64_t now_ms;
};

struct policy {
    const char *name;
    enum eviction_policy policy;
};

static const struct policy policies[] = {
    {"s3fifo", EVICTION_S3FIFO},
    {"lru", EVICTION_LRU},
    {"lfu", EVICTION_LFU},
    {"random", EVICTION_RANDOM},
};
#define POLICIES (sizeof(policies) / sizeof(policies[0]))

/* True if it evicted a key. */
static bool evict(struct replay *replay)
{
    struct keyspace *keys;
    const struct object *victim =
        evict_step(&replay->evictor, replay->store, replay->now_ms, &keys);
    if (victim == NULL) {
        return false;
    }
    struct bytes key = object_key(victim);
    (void)keyspace_delete(keys, key, key_hash(key));
    return true;
}

/* Requests a key, and sets it when it is not there. True on a hit. */
static bool request(struct replay *replay, struct bytes key, size_t *count)
{
    uint64_t hash = key_hash(key);
    struct keyspace *keys =
        store_keyspace(replay->store, (uint16_t)(hash >> 20 & (SLOT_COUNT - 1)));
    struct object *object = keyspace_find(keys, key, hash);
    bool hit = object != NULL;
    if (!hit) {
        evictor_begin(&replay->evictor, replay->policy);
        while (*count >= replay->keys_max) {
            *count -= evict(replay);
        }
        char value[64] = {0};
        if (keyspace_set_string(keys, key, hash, (struct bytes){value, sizeof(value)}, 0,
                                &object) != 0) {
            abort();
        }
        ++*count;
    }
    keyspace_touch(keys, object, replay->now_ms);
    return hit;
}

static double miss_ratio(const struct trace *trace, enum eviction_policy policy, size_t keys_max)
{
    struct replay replay = {.trace = trace, .policy = policy, .keys_max = keys_max};
    replay.store = store_create();
    if (replay.store == NULL) {
        abort();
    }
    store_set_eviction(replay.store, policy, true);
    evictor_init(&replay.evictor, 1);
    size_t count = 0;
    size_t misses = 0;
    for (size_t i = 0; i < trace->count; i++) {
        replay.now_ms = UINT64_C(1700000000000) + i * 1000 / REQUESTS_PER_SECOND;
        misses += !request(&replay, trace_key(trace, i), &count);
    }
    store_destroy(replay.store);
    return (double)misses / (double)trace->count;
}

/* Of a store without a limit: its misses are the distinct keys. */
static size_t distinct_keys(const struct trace *trace)
{
    return (size_t)(miss_ratio(trace, EVICTION_NONE, SIZE_MAX) * (double)trace->count + 0.5);
}

/* Sizes and simulated miss ratios of web12: S3-FIFO, and LRU. */
static const struct expected {
    double share;
    double s3fifo;
    double lru;
} expected_web12[] = {
    {1, 0.5902, 0.6030}, {5, 0.3519, 0.4000}, {10, 0.2775, 0.3152}, {30, 0.1950, 0.2075}};

static bool check(const struct trace *trace, size_t distinct)
{
    bool good = true;
    for (size_t i = 0; i < sizeof(expected_web12) / sizeof(expected_web12[0]); i++) {
        const struct expected *expected = &expected_web12[i];
        size_t keys_max = (size_t)((double)distinct * expected->share / 100);
        double s3fifo = miss_ratio(trace, EVICTION_S3FIFO, keys_max);
        double lru = miss_ratio(trace, EVICTION_LRU, keys_max);
        bool pass = s3fifo <= 1.01 * expected->s3fifo && s3fifo <= expected->lru && s3fifo <= lru &&
                    (expected->share < 5 || lru <= 1.03 * expected->lru);
        printf("%4.0f %%  s3fifo %.4f (simulated %.4f)  lru %.4f (simulated %.4f)  %s\n",
               expected->share, s3fifo, expected->s3fifo, lru, expected->lru,
               pass ? "pass" : "fall short");
        good = good && pass;
    }
    return good;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: store_trace FILE [--check] [SHARE ...]\n");
        return 2;
    }
    struct trace trace;
    char error[TRACE_ERROR_SIZE];
    if (trace_load(&trace, argv[1], error) != TORC_OK) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    size_t distinct = distinct_keys(&trace);
    printf("%s: %zu requests, %zu keys\n", argv[1], trace.count, distinct);
    bool good = true;
    if (argc > 2 && strcmp(argv[2], "--check") == 0) {
        good = check(&trace, distinct);
    } else {
        for (int i = 2; i < argc; i++) {
            double share = strtod(argv[i], NULL);
            printf("%6g %%", share);
            for (size_t p = 0; p < POLICIES; p++) {
                double ratio = miss_ratio(&trace, policies[p].policy,
                                          (size_t)((double)distinct * share / 100));
                printf("  %s %.4f", policies[p].name, ratio);
                (void)fflush(stdout);
            }
            printf("\n");
        }
    }
    trace_deinit(&trace);
    return good ? 0 : 1;
}
