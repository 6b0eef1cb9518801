/* The portable form of a hash. Normative: docs/protocol.md. */
#include "base/error.h"
#include "node/store/dump_value.h"
#include "node/store/hash.h"
#include "node/store/hash_form.h"
#include "node/store/members.h"
#include "node/store/small.h"

static_assert(SMALL_HASH_FIELDS_MAX <= DUMP_DISTINCT_MAX,
              "looked at for a field that is there twice");
static_assert(CONTAINER_SIZE_MAX / 4 <= UINT32_MAX, "the count of the shortest fields");

static void dump_pair(void *context, struct bytes field, struct bytes value)
{
    struct buf *out = context;
    dump_write_value(out, field);
    dump_write_value(out, value);
}

void hash_dump(const struct object *object, struct buf *out)
{
    write_u32(out, (uint32_t)hash_count(object));
    hash_scan(object, 0, SIZE_MAX, dump_pair, out);
}

struct measure {
    size_t size; /* as a run */
    bool small;
};

/* Walks through all fields. 0 or TORC_ECORRUPT. */
static int measure_fields(struct reader payload, uint32_t count, struct measure *out)
{
    *out = (struct measure){.small = count <= SMALL_HASH_FIELDS_MAX};
    if (count == 0) {
        return TORC_ECORRUPT;
    }
    for (uint32_t i = 0; i < count && !payload.failed; i++) {
        struct bytes field = dump_read_value(&payload);
        struct bytes value = dump_read_value(&payload);
        out->size += member_size(field, value);
        out->small = out->small && field.size <= SMALL_MEMBER_SIZE_MAX &&
                     value.size <= SMALL_MEMBER_SIZE_MAX;
    }
    int result = reader_finish(&payload);
    return result == 0 && out->size > CONTAINER_SIZE_MAX ? TORC_ECORRUPT : result;
}

static int restore_small(struct keyspace *keys, struct bytes key, uint64_t hash,
                         struct reader *payload, uint32_t count, size_t size, uint64_t expire_at_ms)
{
    if (!dump_values_distinct(*payload, count, 2)) {
        return TORC_ECORRUPT;
    }
    char *run;
    int result = small_put(keys, OBJECT_HASH, key, hash, expire_at_ms, 2 * count, size, &run);
    for (uint32_t i = 0; i < 2 * count && result == 0; i++) {
        run = packed_write(run, dump_read_value(payload));
    }
    return result;
}

static int restore_large(struct keyspace *keys, struct bytes key, uint64_t hash,
                         struct reader *payload, uint32_t count, uint64_t expire_at_ms)
{
    struct members *members = members_create();
    if (members == NULL) {
        return TORC_ENOMEM;
    }
    int result = 0;
    for (uint32_t i = 0; i < count && result == 0; i++) {
        struct bytes field = dump_read_value(payload);
        result = members_put(members, field, dump_read_value(payload), NULL);
    }
    if (result == 0 && members_count(members) != count) {
        result = TORC_ECORRUPT; /* a field was there twice */
    }
    if (result == 0) {
        result = large_put(keys, OBJECT_HASH, key, hash, expire_at_ms, members);
    }
    if (result != 0) {
        members_destroy(members);
    }
    return result;
}

int hash_restore(struct keyspace *keys, struct bytes key, uint64_t hash, struct reader *payload,
                 uint64_t expire_at_ms)
{
    struct measure measure;
    uint32_t count = read_u32(payload);
    int result = measure_fields(*payload, count, &measure);
    if (result != 0) {
        return result;
    }
    return measure.small
               ? restore_small(keys, key, hash, payload, count, measure.size, expire_at_ms)
               : restore_large(keys, key, hash, payload, count, expire_at_ms);
}
