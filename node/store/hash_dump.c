/* The portable form of a hash. Normative: docs/protocol.md. */
#include "base/error.h"
#include "node/store/dump_value.h"
#include "node/store/hash.h"
#include "node/store/hash_form.h"
#include "node/store/members.h"
#include "node/store/small.h"

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

struct fit {
    bool small;
};

static void note_fit(void *context, struct bytes field, struct bytes value)
{
    struct fit *fit = context;
    fit->small =
        fit->small && field.size <= SMALL_MEMBER_SIZE_MAX && value.size <= SMALL_MEMBER_SIZE_MAX;
}

static bool fits_small(struct members *members)
{
    struct fit fit = {members_count(members) <= SMALL_HASH_FIELDS_MAX};
    if (fit.small) {
        members_visit(members, 0, SIZE_MAX, note_fit, &fit);
    }
    return fit.small;
}

/* The payload was found to be lawful: its fields take `size` bytes as a run. */
static int restore_small(struct keyspace *keys, struct bytes key, uint64_t hash,
                         struct reader payload, size_t size, uint64_t expire_at_ms)
{
    uint32_t count = 2 * read_u32(&payload);
    char *run;
    int result = small_put(keys, OBJECT_HASH, key, hash, expire_at_ms, count, size, &run);
    for (uint32_t i = 0; i < count && result == 0; i++) {
        run = packed_write(run, dump_read_value(&payload));
    }
    return result;
}

int hash_restore(struct keyspace *keys, struct bytes key, uint64_t hash, struct reader *payload,
                 uint64_t expire_at_ms)
{
    struct members *members;
    struct reader again = *payload;
    int result = members_read(payload, true, &members);
    if (result != 0) {
        return result;
    }
    bool small = fits_small(members);
    result = small ? restore_small(keys, key, hash, again, members->size, expire_at_ms)
                   : large_put(keys, OBJECT_HASH, key, hash, expire_at_ms, members);
    if (small || result != 0) {
        members_destroy(members);
    }
    return result;
}
