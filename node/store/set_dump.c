/* The portable form of a set. Normative: docs/protocol.md. */
#include "base/error.h"
#include "node/store/dump_value.h"
#include "node/store/set.h"
#include "node/store/set_form.h"

static void dump_member(void *context, struct bytes member, struct bytes value)
{
    (void)value;
    dump_write_value(context, member);
}

void set_dump(const struct object *object, struct buf *out)
{
    write_u32(out, (uint32_t)set_count(object));
    set_scan(object, 0, SIZE_MAX, dump_member, out);
}

int set_restore(struct keyspace *keys, struct bytes key, uint64_t hash, struct reader *payload,
                uint64_t expire_at_ms)
{
    struct members *members;
    int result = members_read(payload, false, &members);
    if (result != 0) {
        return result;
    }
    result = set_put(keys, key, hash, expire_at_ms, members);
    if (result != 0) {
        members_destroy(members);
    }
    return result;
}
