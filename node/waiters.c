#include "node/waiters.h"

#include "base/error.h"
#include "node/store/store.h"

#include <assert.h>
#include <stdlib.h>

#define BUCKETS_MIN 4

struct waiter_queue {
    struct waiter_queue *next; /* of the bucket */
    struct waiter_place *first, *last;
    uint64_t hash;
    size_t key_size;
    char key[];
};

struct waiters {
    struct waiter_queue **buckets; /* by the low bits of the hash */
    size_t bucket_count;           /* a power of two */
    size_t queue_count;
};

static struct waiter_queue **bucket_of(const struct waiters *waiters, uint64_t hash)
{
    return &waiters->buckets[hash & (waiters->bucket_count - 1)];
}

static struct waiter_queue *find_queue(const struct waiters *waiters, struct bytes key,
                                       uint64_t hash)
{
    struct waiter_queue *queue = *bucket_of(waiters, hash);
    while (queue != NULL && (queue->hash != hash ||
                             !bytes_equal((struct bytes){queue->key, queue->key_size}, key))) {
        queue = queue->next;
    }
    return queue;
}

/* Twice as many buckets. */
static bool grow(struct waiters *waiters)
{
    struct waiters larger = {.bucket_count = 2 * waiters->bucket_count,
                             .queue_count = waiters->queue_count};
    larger.buckets = calloc(larger.bucket_count, sizeof(struct waiter_queue *));
    if (larger.buckets == NULL) {
        return false;
    }
    for (size_t i = 0; i < waiters->bucket_count; i++) {
        while (waiters->buckets[i] != NULL) {
            struct waiter_queue *queue = waiters->buckets[i];
            waiters->buckets[i] = queue->next;
            struct waiter_queue **bucket = bucket_of(&larger, queue->hash);
            queue->next = *bucket;
            *bucket = queue;
        }
    }
    free(waiters->buckets);
    *waiters = larger;
    return true;
}

static struct waiter_queue *add_queue(struct waiters *waiters, struct bytes key, uint64_t hash)
{
    if (waiters->queue_count == waiters->bucket_count && !grow(waiters)) {
        return NULL;
    }
    struct waiter_queue *queue = malloc(sizeof(*queue) + key.size);
    if (queue == NULL) {
        return NULL;
    }
    struct waiter_queue **bucket = bucket_of(waiters, hash);
    *queue = (struct waiter_queue){.next = *bucket, .hash = hash, .key_size = key.size};
    if (key.size > 0) {
        memcpy(queue->key, key.data, key.size);
    }
    *bucket = queue;
    waiters->queue_count++;
    return queue;
}

static void remove_queue(struct waiters *waiters, struct waiter_queue *queue)
{
    struct waiter_queue **at = bucket_of(waiters, queue->hash);
    while (*at != queue) {
        at = &(*at)->next;
    }
    *at = queue->next;
    waiters->queue_count--;
    free(queue);
}

static struct waiters *create(void)
{
    struct waiters *waiters = malloc(sizeof(*waiters));
    if (waiters == NULL) {
        return NULL;
    }
    *waiters = (struct waiters){.bucket_count = BUCKETS_MIN};
    waiters->buckets = calloc(BUCKETS_MIN, sizeof(struct waiter_queue *));
    if (waiters->buckets == NULL) {
        free(waiters);
        return NULL;
    }
    return waiters;
}

static void destroy_unused(struct waiters **waiters)
{
    if (*waiters != NULL && (*waiters)->queue_count == 0) {
        free((*waiters)->buckets);
        free(*waiters);
        *waiters = NULL;
    }
}

/* The place behind which one belongs that has waited since then; NULL: at the front. */
static struct waiter_place *place_before(const struct waiter_queue *queue, uint64_t since_ms)
{
    struct waiter_place *place = queue->last;
    while (place != NULL && place->waiter->since_ms > since_ms) {
        place = place->previous;
    }
    return place;
}

static void insert(struct waiter_queue *queue, struct waiter_place *place,
                   struct waiter_place *before)
{
    place->queue = queue;
    place->previous = before;
    place->next = before == NULL ? queue->first : before->next;
    if (place->next != NULL) {
        place->next->previous = place;
    } else {
        queue->last = place;
    }
    if (before != NULL) {
        before->next = place;
    } else {
        queue->first = place;
    }
}

int waiters_add(struct waiters **waiters, struct waiter *waiter, const struct bytes *keys,
                size_t count)
{
    assert(!waiter->queued);
    if (*waiters == NULL) {
        *waiters = create();
    }
    waiter->place_count = 0;
    waiter->places = calloc(count, sizeof(*waiter->places));
    if (*waiters == NULL || waiter->places == NULL) {
        free(waiter->places);
        waiter->places = NULL;
        destroy_unused(waiters);
        return TORC_ENOMEM;
    }
    waiter->queued = true;
    for (size_t i = 0; i < count; i++) {
        uint64_t hash = key_hash(keys[i]);
        struct waiter_queue *queue = find_queue(*waiters, keys[i], hash);
        if (queue == NULL) {
            queue = add_queue(*waiters, keys[i], hash);
        }
        if (queue == NULL) {
            waiters_remove(waiters, waiter);
            return TORC_ENOMEM;
        }
        struct waiter_place *before = place_before(queue, waiter->since_ms);
        if (before == NULL || before->waiter != waiter) { /* it may name a key twice */
            struct waiter_place *place = &waiter->places[waiter->place_count++];
            place->waiter = waiter;
            insert(queue, place, before);
        }
    }
    return TORC_OK;
}

void waiters_remove(struct waiters **waiters, struct waiter *waiter)
{
    assert(waiter->queued);
    for (size_t i = 0; i < waiter->place_count; i++) {
        struct waiter_place *place = &waiter->places[i];
        struct waiter_queue *queue = place->queue;
        if (place->previous != NULL) {
            place->previous->next = place->next;
        } else {
            queue->first = place->next;
        }
        if (place->next != NULL) {
            place->next->previous = place->previous;
        } else {
            queue->last = place->previous;
        }
        if (queue->first == NULL) {
            remove_queue(*waiters, queue);
        }
    }
    free(waiter->places);
    waiter->places = NULL;
    waiter->place_count = 0;
    waiter->queued = false;
    destroy_unused(waiters);
}

struct waiter_place *waiters_first(const struct waiters *waiters, struct bytes key, uint64_t hash)
{
    const struct waiter_queue *queue = waiters == NULL ? NULL : find_queue(waiters, key, hash);
    return queue == NULL ? NULL : queue->first;
}

struct waiter *waiters_any(const struct waiters *waiters)
{
    for (size_t i = 0; waiters != NULL && i < waiters->bucket_count; i++) {
        if (waiters->buckets[i] != NULL) {
            return waiters->buckets[i]->first->waiter;
        }
    }
    return NULL;
}
