#include "node/tracked.h"

#include "base/error.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS_MIN 4

struct tracked {
    struct tracked_key **buckets; /* by the low bits of the hash */
    size_t bucket_count;          /* a power of two */
    size_t count;                 /* of keys */
};

static struct tracked_key **bucket_of(const struct tracked *tracked, uint64_t hash)
{
    return &tracked->buckets[hash & (tracked->bucket_count - 1)];
}

static struct tracked *create(void)
{
    struct tracked *tracked = calloc(1, sizeof(*tracked));
    if (tracked == NULL) {
        return NULL;
    }
    tracked->bucket_count = BUCKETS_MIN;
    tracked->buckets = calloc(BUCKETS_MIN, sizeof(struct tracked_key *));
    if (tracked->buckets == NULL) {
        free(tracked);
        return NULL;
    }
    return tracked;
}

static void drop_if_empty(struct tracked **tracked)
{
    if ((*tracked)->count == 0) {
        free((*tracked)->buckets);
        free(*tracked);
        *tracked = NULL;
    }
}

/* Twice as many buckets. */
static bool grow(struct tracked *tracked)
{
    struct tracked larger = {.bucket_count = 2 * tracked->bucket_count, .count = tracked->count};
    larger.buckets = calloc(larger.bucket_count, sizeof(struct tracked_key *));
    if (larger.buckets == NULL) {
        return false;
    }
    for (size_t i = 0; i < tracked->bucket_count; i++) {
        while (tracked->buckets[i] != NULL) {
            struct tracked_key *key = tracked->buckets[i];
            tracked->buckets[i] = key->next;
            struct tracked_key **bucket = bucket_of(&larger, key->hash);
            key->next = *bucket;
            *bucket = key;
        }
    }
    free(tracked->buckets);
    *tracked = larger;
    return true;
}

/* Where the key is linked, or where its bucket ends. */
static struct tracked_key **find(const struct tracked *tracked, struct bytes key, uint64_t hash)
{
    struct tracked_key **at = bucket_of(tracked, hash);
    while (*at != NULL && ((*at)->hash != hash || !bytes_equal(tracked_key_bytes(*at), key))) {
        at = &(*at)->next;
    }
    return at;
}

static struct tracked_key *add_key(struct tracked *tracked, struct bytes key, uint64_t hash)
{
    if (tracked->count == tracked->bucket_count && !grow(tracked)) {
        return NULL;
    }
    struct tracked_key *added = malloc(sizeof(*added) + key.size);
    struct watcher *watchers = malloc(sizeof(*watchers));
    if (added == NULL || watchers == NULL) {
        free(added);
        free(watchers);
        return NULL;
    }
    struct tracked_key **bucket = bucket_of(tracked, hash);
    *added = (struct tracked_key){
        .next = *bucket, .hash = hash, .watchers = watchers, .capacity = 1, .key_size = key.size};
    if (key.size > 0) {
        memcpy(added->key, key.data, key.size);
    }
    *bucket = added;
    tracked->count++;
    return added;
}

void tracked_key_free(struct tracked_key *key)
{
    if (key != NULL) {
        free(key->watchers);
        free(key);
    }
}

/* Index of the first watcher whose place is not below this one. */
static uint32_t find_place(const struct tracked_key *key, const void *place)
{
    uint32_t low = 0;
    uint32_t high = key->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if ((uintptr_t)key->watchers[middle].place < (uintptr_t)place) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static int add_watcher(struct tracked_key *key, struct watcher watcher, bool *added)
{
    uint32_t index = find_place(key, watcher.place);
    *added = index == key->count || key->watchers[index].place != watcher.place;
    if (!*added) {
        key->watchers[index].id = watcher.id; /* whoever was there is gone */
        return TORC_OK;
    }
    if (key->count == key->capacity) {
        uint32_t capacity = 2 * key->capacity;
        struct watcher *watchers = realloc(key->watchers, capacity * sizeof(*watchers));
        if (watchers == NULL) {
            *added = false;
            return TORC_ENOMEM;
        }
        key->watchers = watchers;
        key->capacity = capacity;
    }
    memmove(&key->watchers[index + 1], &key->watchers[index],
            (key->count - index) * sizeof(*key->watchers));
    key->watchers[index] = watcher;
    key->count++;
    return TORC_OK;
}

int tracked_note(struct tracked **tracked, struct bytes key, uint64_t hash, struct watcher watcher,
                 struct tracked_growth *growth)
{
    *growth = (struct tracked_growth){0};
    if (*tracked == NULL) {
        *tracked = create();
        if (*tracked == NULL) {
            return TORC_ENOMEM;
        }
    }
    struct tracked_key *found = *find(*tracked, key, hash);
    if (found == NULL) {
        found = add_key(*tracked, key, hash);
        growth->key = found != NULL;
    }
    if (found == NULL) {
        drop_if_empty(tracked);
        return TORC_ENOMEM;
    }
    return add_watcher(found, watcher, &growth->item); /* a new key has room for one */
}

static struct tracked_key *take(struct tracked **tracked, struct tracked_key **at)
{
    struct tracked_key *taken = *at;
    *at = taken->next;
    taken->next = NULL;
    (*tracked)->count--;
    drop_if_empty(tracked);
    return taken;
}

struct tracked_key *tracked_take(struct tracked **tracked, struct bytes key, uint64_t hash)
{
    if (*tracked == NULL) {
        return NULL;
    }
    struct tracked_key **at = find(*tracked, key, hash);
    return *at == NULL ? NULL : take(tracked, at);
}

struct tracked_key *tracked_take_any(struct tracked **tracked, uint64_t seed)
{
    if (*tracked == NULL) {
        return NULL;
    }
    struct tracked_key **at = bucket_of(*tracked, seed);
    while (*at == NULL) {
        at = bucket_of(*tracked, ++seed); /* there is one: else there were no table */
    }
    return take(tracked, at);
}

struct tracked_key *tracked_take_where(struct tracked **tracked,
                                       bool (*where)(void *context, const struct tracked_key *key),
                                       void *context)
{
    struct tracked_key *taken = NULL;
    for (size_t i = 0; *tracked != NULL && i < (*tracked)->bucket_count; i++) {
        struct tracked_key **at = &(*tracked)->buckets[i];
        while (*at != NULL) {
            struct tracked_key *key = *at;
            if (where(context, key)) {
                *at = key->next;
                key->next = taken;
                taken = key;
                (*tracked)->count--;
            } else {
                at = &key->next;
            }
        }
    }
    if (*tracked != NULL) {
        drop_if_empty(tracked);
    }
    return taken;
}

size_t tracked_count(const struct tracked *tracked)
{
    return tracked == NULL ? 0 : tracked->count;
}
