/* The portable form of a sorted set. Normative: docs/protocol.md. */
#include "base/error.h"
#include "base/limits.h"
#include "node/store/dump_value.h"
#include "node/store/zset_form.h"
#include "node/store/zset_run.h"

#include <math.h>

void zset_dump(const struct object *zset, struct buf *out)
{
    struct zset_cursor cursor;
    struct zset_entry entry;
    write_u32(out, (uint32_t)zset_count(zset));
    zset_cursor_init(&cursor, zset, 0, false);
    while (zset_next(&cursor, &entry)) {
        uint64_t score;
        memcpy(&score, &entry.score, sizeof(score));
        write_u64(out, score);
        dump_write_value(out, entry.member);
    }
}

/* The member is borrowed from the payload, which fails if there is none. */
static struct zset_entry read_entry(struct reader *payload)
{
    struct zset_entry entry;
    uint64_t score = read_u64(payload);
    memcpy(&entry.score, &score, sizeof(score));
    entry.member = dump_read_value(payload);
    if (isnan(entry.score)) {
        payload->failed = true;
    }
    return entry;
}

/* Walks through all entries, which have to stand in their order; *longest is the size of the
 * longest member. 0 or TORC_ECORRUPT. */
static int check_entries(struct reader payload, uint32_t count, size_t *longest)
{
    struct zset_entry before = {{NULL, 0}, 0};
    size_t size = 0;
    *longest = 0;
    if (count == 0) {
        return TORC_ECORRUPT;
    }
    for (uint32_t i = 0; i < count && !payload.failed; i++) {
        struct zset_entry entry = read_entry(&payload);
        struct zset_bound bound = {.kind = ZSET_BOUND_ENTRY, .entry = entry};
        if (i > 0 && !zset_lies_before(before, &bound)) {
            return TORC_ECORRUPT;
        }
        before = entry;
        size += zset_entry_size(entry.member);
        *longest = entry.member.size > *longest ? entry.member.size : *longest;
    }
    int result = reader_finish(&payload);
    return result == 0 && size > CONTAINER_SIZE_MAX ? TORC_ECORRUPT : result;
}

static int restore_small(struct keyspace *keys, struct bytes key, uint64_t hash,
                         struct reader *payload, uint32_t count, uint64_t expire_at_ms)
{
    char data[ZSET_RUN_SIZE_MAX];
    struct packed run = {.data = data, .capacity = sizeof(data)};
    for (uint32_t i = 0; i < count; i++) {
        struct zset_entry entry = read_entry(payload);
        struct zset_spot spot;
        if (zset_run_find(&run, entry.member, &spot)) {
            return TORC_ECORRUPT;
        }
        run.end = (uint32_t)(zset_pair_write(data + run.end, entry) - data);
        run.count++;
    }
    return zset_put_small(keys, key, hash, expire_at_ms, &run);
}

static int restore_large(struct keyspace *keys, struct bytes key, uint64_t hash,
                         struct reader *payload, uint32_t count, uint64_t expire_at_ms)
{
    struct zset_large *set = zset_large_create();
    if (set == NULL) {
        return TORC_ENOMEM;
    }
    int result = 0;
    for (uint32_t i = 0; i < count && result == 0; i++) {
        struct zset_entry entry = read_entry(payload);
        result = zset_large_find(set, entry.member) != NULL ? TORC_ECORRUPT
                                                            : zset_large_append(set, entry);
    }
    if (result == 0) {
        result = large_put(keys, OBJECT_ZSET, key, hash, expire_at_ms, set);
    }
    if (result != 0) {
        zset_large_destroy(set);
    }
    return result;
}

int zset_restore(struct keyspace *keys, struct bytes key, uint64_t hash, struct reader *payload,
                 uint64_t expire_at_ms)
{
    size_t longest;
    uint32_t count = read_u32(payload);
    int result = check_entries(*payload, count, &longest);
    if (result != 0) {
        return result;
    }
    bool small = count <= SMALL_MEMBERS_MAX && longest <= SMALL_MEMBER_SIZE_MAX;
    return small ? restore_small(keys, key, hash, payload, count, expire_at_ms)
                 : restore_large(keys, key, hash, payload, count, expire_at_ms);
}
