/* The portable form of a hash. Normative: docs/protocol.md. */
#include "base/error.h"
#include "node/store/dump_value.h"
#include "node/store/hash.h"
#include "node/store/hash_form.h"

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

int hash_restore(struct keyspace *keys, struct bytes key, uint64_t hash, struct reader *payload,
                 uint64_t expire_at_ms)
{
    struct members *members;
    int result = members_read(payload, true, &members);
    if (result != 0) {
        return result;
    }
    result = hash_put(keys, key, hash, expire_at_ms, members);
    if (result != 0) {
        members_destroy(members);
    }
    return result;
}
