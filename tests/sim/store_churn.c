/*
 * Resident memory of the store after churn: rounds of random overwrites, deletions and insertions
 * of values whose sizes drift from 32 to 2000 bytes. Prints, every few rounds, what lives and what
 * is resident above the empty process; with which allocator is said by what it is linked with, and
 * by LD_PRELOAD. The figures are in docs/architecture.md.
 *
 *      store_churn [ROUNDS] [MEBIBYTES] [compact]       compact: after each round, as a node does
 */
#include "base/limits.h"
#include "base/prng.h"
#include "node/store/store.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIZE_FIRST 32
#define SIZE_LAST 2000
#define KEY_SIZE 10

struct churn {
    struct store *store;
    struct prng prng;
    uint64_t *keys; /* of what lives */
    uint32_t *sizes;
    size_t count;
    size_t capacity;
    uint64_t next_key;
    uint64_t payload; /* bytes of keys and values that live */
    char value[2 * SIZE_LAST];
};

static size_t resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long pages = 0;
    if (file == NULL || fscanf(file, "%*u %lu", &pages) != 1) {
        abort();
    }
    (void)fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static struct keyspace *slot_of(struct churn *churn, uint64_t hash)
{
    return store_keyspace(churn->store, (uint16_t)(hash >> 20 & (SLOT_COUNT - 1)));
}

static struct bytes key_text(uint64_t number, char text[KEY_SIZE + 1])
{
    (void)snprintf(text, KEY_SIZE + 1, "%0*llu", KEY_SIZE, (unsigned long long)number);
    return (struct bytes){text, KEY_SIZE};
}

static void set(struct churn *churn, size_t at, size_t size)
{
    char text[KEY_SIZE + 1];
    struct bytes key = key_text(churn->keys[at], text);
    uint64_t hash = key_hash(key);
    if (keyspace_set_string(slot_of(churn, hash), key, hash, (struct bytes){churn->value, size}, 0,
                            NULL) != 0) {
        abort();
    }
    churn->payload += size - churn->sizes[at];
    churn->sizes[at] = (uint32_t)size;
}

static void insert(struct churn *churn, size_t size)
{
    size_t at = churn->count++;
    if (at == churn->capacity) {
        abort();
    }
    churn->keys[at] = churn->next_key++;
    churn->sizes[at] = 0;
    churn->payload += KEY_SIZE;
    set(churn, at, size);
}

static void delete_at(struct churn *churn, size_t at)
{
    char text[KEY_SIZE + 1];
    struct bytes key = key_text(churn->keys[at], text);
    uint64_t hash = key_hash(key);
    if (!keyspace_delete(slot_of(churn, hash), key, hash)) {
        abort();
    }
    churn->payload -= KEY_SIZE + churn->sizes[at];
    churn->count--;
    churn->keys[at] = churn->keys[churn->count];
    churn->sizes[at] = churn->sizes[churn->count];
}

static size_t random_size(struct churn *churn, double mean)
{
    double size = mean * (0.5 + prng_unit(&churn->prng));
    return size < SIZE_FIRST ? SIZE_FIRST : (size_t)size;
}

/* A third is overwritten, a third deleted at random, and inserted up to the payload again. */
static void churn_round(struct churn *churn, double mean, uint64_t target)
{
    size_t third = churn->count / 3;
    for (size_t i = 0; i < third; i++) {
        set(churn, (size_t)prng_below(&churn->prng, churn->count), random_size(churn, mean));
    }
    for (size_t i = 0; i < third || churn->payload > target; i++) {
        delete_at(churn, (size_t)prng_below(&churn->prng, churn->count));
    }
    while (churn->payload < target) {
        insert(churn, random_size(churn, mean));
    }
}

/* Goes round all keys until little is moved any more. */
static void compact_all(struct churn *churn)
{
    size_t moved;
    do {
        moved = 0;
        for (unsigned slot = store_next_filled(churn->store, 0); slot < SLOT_COUNT;
             slot = store_next_filled(churn->store, slot + 1)) {
            struct keyspace *keys = store_keyspace(churn->store, (uint16_t)slot);
            uint64_t cursor = 0;
            do {
                cursor = keyspace_compact(keys, cursor, &moved);
            } while (cursor != 0);
        }
    } while (moved > churn->count / 50);
}

int main(int argc, char **argv)
{
    unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 50;
    uint64_t target = (argc > 2 ? strtoul(argv[2], NULL, 10) : 200) << 20;
    bool compact = argc > 3 && strcmp(argv[3], "compact") == 0;
    struct churn churn = {.capacity = target / (SIZE_FIRST + KEY_SIZE) + 1000};
    prng_init(&churn.prng, 1);
    churn.keys = calloc(churn.capacity, sizeof(churn.keys[0]));
    churn.sizes = calloc(churn.capacity, sizeof(churn.sizes[0]));
    churn.store = store_create();
    if (churn.keys == NULL || churn.sizes == NULL || churn.store == NULL || rounds < 2) {
        return 1;
    }
    memset(churn.keys, 1, churn.capacity * sizeof(churn.keys[0]));
    memset(churn.sizes, 1, churn.capacity * sizeof(churn.sizes[0]));
    size_t empty = resident_bytes();
    puts("| round | keys | payload, MB | accounted | resident | resident over payload | accounted "
         "|");
    puts("|---|---|---|---|---|---|---|");
    for (unsigned round = 0; round < rounds; round++) {
        double mean = SIZE_FIRST + (double)(SIZE_LAST - SIZE_FIRST) * round / (rounds - 1);
        churn_round(&churn, mean, target);
        if (compact) {
            compact_all(&churn);
        }
        if (round % 7 == 0 || round == rounds - 1) {
            (void)usleep(1500000); /* what the allocator gives back by itself after a while */
            double resident = (double)(resident_bytes() - empty);
            double accounted = (double)store_memory(churn.store);
            printf("| %u | %zu | %.1f | %.1f | %.1f | %.3f | %.3f |\n", round + 1, churn.count,
                   (double)churn.payload / 1e6, accounted / 1e6, resident / 1e6,
                   resident / (double)churn.payload, resident / accounted);
            (void)fflush(stdout);
        }
    }
    store_destroy(churn.store);
    free(churn.keys);
    free(churn.sizes);
    return 0;
}
