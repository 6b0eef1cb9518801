#include "client/near_table.h"

#include "base/error.h"

#include <pthread.h>
#include <stdlib.h>
#include <xxhash.h>

#define PART_COUNT 16         /* threads that hit rarely meet at one lock */
#define STAMP_COUNT 256       /* of a part; keys that share one void each other's tickets */
#define ENTRY_SHARE_MAX 8     /* no entry takes more than that part of a part */
#define ENTRY_BYTES_LEAST 128 /* there are as many buckets as entries of that size */
#define BLOCK_OVERHEAD 16     /* the allocator's, about */

struct entry {
    struct entry *next;          /* of the bucket */
    struct entry *older, *newer; /* of the part */
    uint64_t hash;
    uint64_t read_ms;
    struct near_source *source;
    uint32_t generation;
    uint32_t key_size;
    size_t value_size;
    bool absent;
    bool used;
    char bytes[]; /* key, value */
};

struct part {
    pthread_mutex_t lock;
    struct entry **buckets;
    struct entry *oldest, *newest;
    size_t count;
    size_t bytes;
    uint64_t hits, misses;
    uint64_t stamps[STAMP_COUNT];
};

struct near_table {
    size_t part_bytes_max;
    size_t bucket_count; /* of a part; a power of two */
    struct part parts[PART_COUNT];
};

struct near_key near_key_of(struct bytes key)
{
    return (struct near_key){key, XXH3_64bits(key.data, key.size)};
}

struct near_table *near_table_create(size_t bytes_max)
{
    struct near_table *table = calloc(1, sizeof(*table));
    if (table == NULL) {
        return NULL;
    }
    table->bucket_count = 1;
    while (table->bucket_count * ENTRY_BYTES_LEAST * PART_COUNT < bytes_max) {
        table->bucket_count *= 2;
    }
    const size_t own = sizeof(*table) / PART_COUNT + table->bucket_count * sizeof(struct entry *);
    table->part_bytes_max = bytes_max / PART_COUNT > own ? bytes_max / PART_COUNT - own : 0;
    for (size_t i = 0; i < PART_COUNT; i++) {
        struct part *part = &table->parts[i];
        (void)pthread_mutex_init(&part->lock, NULL);
        part->buckets = calloc(table->bucket_count, sizeof(struct entry *));
        if (part->buckets == NULL) {
            near_table_destroy(table);
            return NULL;
        }
    }
    return table;
}

void near_table_destroy(struct near_table *table)
{
    for (size_t i = 0; table != NULL && i < PART_COUNT; i++) {
        struct part *part = &table->parts[i];
        for (struct entry *entry = part->oldest, *newer; entry != NULL; entry = newer) {
            newer = entry->newer;
            free(entry);
        }
        free(part->buckets);
        (void)pthread_mutex_destroy(&part->lock);
    }
    free(table);
}

static struct part *part_of(struct near_table *table, const struct near_key *key)
{
    return &table->parts[key->hash >> 60];
}

static uint64_t *stamp_of(struct part *part, const struct near_key *key)
{
    return &part->stamps[(key->hash >> 40) % STAMP_COUNT];
}

static size_t cost_of(const struct entry *entry)
{
    return BLOCK_OVERHEAD + sizeof(*entry) + entry->key_size + entry->value_size;
}

static struct entry **bucket_of(const struct near_table *table, struct part *part, uint64_t hash)
{
    return &part->buckets[hash & (table->bucket_count - 1)];
}

/* Where the key's entry hangs, or where one would. */
static struct entry **find(const struct near_table *table, struct part *part,
                           const struct near_key *key)
{
    struct entry **link = bucket_of(table, part, key->hash);
    while (*link != NULL &&
           ((*link)->hash != key->hash || (*link)->key_size != key->key.size ||
            (key->key.size > 0 && memcmp((*link)->bytes, key->key.data, key->key.size) != 0))) {
        link = &(*link)->next;
    }
    return link;
}

static void append(struct part *part, struct entry *entry)
{
    entry->newer = NULL;
    entry->older = part->newest;
    if (part->newest != NULL) {
        part->newest->newer = entry;
    } else {
        part->oldest = entry;
    }
    part->newest = entry;
}

static void take_out(struct part *part, struct entry *entry)
{
    if (entry->older != NULL) {
        entry->older->newer = entry->newer;
    } else {
        part->oldest = entry->newer;
    }
    if (entry->newer != NULL) {
        entry->newer->older = entry->older;
    } else {
        part->newest = entry->older;
    }
}

static void drop(struct part *part, struct entry **link)
{
    struct entry *entry = *link;
    *link = entry->next;
    take_out(part, entry);
    part->bytes -= cost_of(entry);
    part->count--;
    free(entry);
}

static bool is_void(const struct entry *entry)
{
    return entry->generation !=
           atomic_load_explicit(&entry->source->generation, memory_order_acquire);
}

/* FIFO with a second chance for what was used. */
static void make_room(const struct near_table *table, struct part *part, size_t size)
{
    while (part->bytes + size > table->part_bytes_max && part->oldest != NULL) {
        struct entry *entry = part->oldest;
        if (entry->used && !is_void(entry)) {
            entry->used = false;
            take_out(part, entry);
            append(part, entry);
            continue;
        }
        struct entry **link = bucket_of(table, part, entry->hash);
        while (*link != entry) {
            link = &(*link)->next;
        }
        drop(part, link);
    }
}

/* True if it was so at since_ms or later. */
static bool is_good(const struct entry *entry, uint64_t since_ms)
{
    return entry->read_ms >= since_ms ||
           atomic_load_explicit(&entry->source->verified_ms, memory_order_acquire) >= since_ms;
}

int near_table_get(struct near_table *table, const struct near_key *key, uint64_t since_ms,
                   struct torc_value *value)
{
    struct part *part = part_of(table, key);
    int result = TORC_EAGAIN;
    (void)pthread_mutex_lock(&part->lock);
    struct entry **link = find(table, part, key);
    struct entry *entry = *link;
    if (entry != NULL && is_void(entry)) {
        drop(part, link);
    } else if (entry != NULL && is_good(entry, since_ms)) {
        entry->used = true;
        atomic_store_explicit(&entry->source->used, true, memory_order_relaxed);
        result = entry->absent
                     ? TORC_ENOTFOUND
                     : torc_value_set(value, (struct torc_bytes){entry->bytes + entry->key_size,
                                                                 entry->value_size});
    }
    part->hits += result != TORC_EAGAIN;
    part->misses += result == TORC_EAGAIN;
    (void)pthread_mutex_unlock(&part->lock);
    return result;
}

uint64_t near_table_ticket(struct near_table *table, const struct near_key *key)
{
    struct part *part = part_of(table, key);
    (void)pthread_mutex_lock(&part->lock);
    const uint64_t ticket = *stamp_of(part, key);
    (void)pthread_mutex_unlock(&part->lock);
    return ticket;
}

static struct entry *create(const struct near_key *key, const struct near_reading *reading)
{
    struct entry *entry = malloc(sizeof(*entry) + key->key.size + reading->value.size);
    if (entry == NULL) {
        return NULL;
    }
    *entry = (struct entry){.hash = key->hash,
                            .read_ms = reading->read_ms,
                            .source = reading->source,
                            .generation = reading->generation,
                            .key_size = (uint32_t)key->key.size,
                            .value_size = reading->value.size,
                            .absent = reading->value.data == NULL};
    if (key->key.size > 0) {
        memcpy(entry->bytes, key->key.data, key->key.size);
    }
    if (reading->value.size > 0) {
        memcpy(entry->bytes + key->key.size, reading->value.data, reading->value.size);
    }
    return entry;
}

void near_table_put(struct near_table *table, const struct near_key *key,
                    const struct near_reading *reading)
{
    struct part *part = part_of(table, key);
    if (key->key.size > NEAR_KEY_SIZE_MAX ||
        key->key.size + reading->value.size > table->part_bytes_max / ENTRY_SHARE_MAX) {
        return;
    }
    struct entry *entry = create(key, reading);
    if (entry == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&part->lock);
    if (*stamp_of(part, key) == reading->ticket && !is_void(entry)) {
        struct entry **link = find(table, part, key);
        if (*link != NULL) {
            drop(part, link);
        }
        make_room(table, part, cost_of(entry));
        link = bucket_of(table, part, key->hash);
        entry->next = *link;
        *link = entry;
        append(part, entry);
        part->count++;
        part->bytes += cost_of(entry);
        atomic_store_explicit(&entry->source->used, true, memory_order_relaxed);
        entry = NULL;
    }
    (void)pthread_mutex_unlock(&part->lock);
    free(entry);
}

void near_table_forget(struct near_table *table, const struct near_key *key)
{
    struct part *part = part_of(table, key);
    (void)pthread_mutex_lock(&part->lock);
    ++*stamp_of(part, key);
    struct entry **link = find(table, part, key);
    if (*link != NULL) {
        drop(part, link);
    }
    (void)pthread_mutex_unlock(&part->lock);
}

void near_table_count(struct near_table *table, struct torc_near_stats *stats)
{
    for (size_t i = 0; i < PART_COUNT; i++) {
        struct part *part = &table->parts[i];
        (void)pthread_mutex_lock(&part->lock);
        stats->entries += part->count;
        stats->bytes += part->bytes;
        stats->hits += part->hits;
        stats->misses += part->misses;
        (void)pthread_mutex_unlock(&part->lock);
    }
}
