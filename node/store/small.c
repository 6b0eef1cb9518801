#include "node/store/small.h"

/* A small container that grows gets so much more for the next times. Little: copying a few KiB is
 * quick, and most containers are small. */
#define SLACK_SHARE 16

struct packed small_run(const struct object *container)
{
    struct bytes value = object_value(container);
    uint16_t count;
    memcpy(&count, value.data, sizeof(count));
    uint32_t size = (uint32_t)(value.size - SMALL_HEAD_SIZE);
    return (struct packed){.data = object_value_data((struct object *)(uintptr_t)container) +
                                   SMALL_HEAD_SIZE,
                           .capacity = size,
                           .end = size,
                           .count = count};
}

void small_settle(struct packed *run)
{
    assert(run->count <= UINT16_MAX);
    uint16_t count = (uint16_t)run->count;
    memcpy(run->data - SMALL_HEAD_SIZE, &count, sizeof(count));
    if (run->start > 0) {
        memmove(run->data, run->data + run->start, packed_used(run));
    }
}

int small_put(struct keyspace *keys, enum object_type type, struct bytes key, uint64_t hash,
              uint64_t expire_at_ms, uint32_t count, size_t size, char **run)
{
    assert(count <= UINT16_MAX);
    struct object_draft draft = {
        .type = type,
        .encoding = ENCODING_PACKED,
        .key = key,
        .value = {NULL, SMALL_HEAD_SIZE + size},
    };
    struct object *object;
    int result = keyspace_put(keys, hash, &draft, expire_at_ms, &object);
    if (result != 0) {
        return result;
    }
    uint16_t count16 = (uint16_t)count;
    char *value = object_value_data(object);
    memcpy(value, &count16, sizeof(count16));
    *run = value + SMALL_HEAD_SIZE;
    return 0;
}

int small_grow(struct keyspace *keys, struct place place, size_t more, struct packed *run)
{
    uint32_t used = small_run(place_object(place)).capacity;
    size_t size = SMALL_HEAD_SIZE + used + more;
    int result = keyspace_resize_at(keys, place, size, size / SLACK_SHARE);
    if (result != 0) {
        return result;
    }
    *run = small_run(place_object(place));
    run->end = used;
    return 0;
}

void small_shrink(struct keyspace *keys, struct place place, struct packed *run)
{
    small_settle(run);
    keyspace_shrink_at(keys, place, SMALL_HEAD_SIZE + packed_used(run));
}

void small_remove(struct keyspace *keys, struct place place, struct packed *run, uint32_t from,
                  uint32_t to, uint32_t count)
{
    packed_remove(run, from, to, count);
    if (run->count > 0) {
        small_shrink(keys, place, run);
    } else {
        small_settle(run);
    }
}

int large_put(struct keyspace *keys, enum object_type type, struct bytes key, uint64_t hash,
              uint64_t expire_at_ms, void *outside)
{
    struct object_draft draft = {
        .type = type,
        .encoding = ENCODING_OUTSIDE,
        .key = key,
        .value = {(const char *)&outside, sizeof(outside)},
    };
    return keyspace_put(keys, hash, &draft, expire_at_ms, NULL);
}

int large_replace(struct keyspace *keys, struct place place, void *outside)
{
    return keyspace_replace_at(keys, place, ENCODING_OUTSIDE,
                               (struct bytes){(const char *)&outside, sizeof(outside)});
}

bool large_remove_member(struct keyspace *keys, const struct object *object, struct bytes member)
{
    struct members *members = large_members(object);
    size_t before = members_memory(members);
    bool removed = members_remove(members, member);
    keyspace_account(keys, (int64_t)members_memory(members) - (int64_t)before);
    return removed;
}
