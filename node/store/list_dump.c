/* The portable form of a list. Normative: docs/protocol.md. */
#include "base/error.h"
#include "node/store/dump_value.h"
#include "node/store/list_form.h"

void list_dump(const struct object *list, struct buf *out)
{
    struct list_cursor cursor;
    struct bytes value;
    write_u32(out, (uint32_t)list_count(list));
    list_cursor_init(&cursor, list, 0, LIST_TAIL);
    while (list_next(&cursor, &value)) {
        dump_write_value(out, value);
    }
}

/* Walks through all values; *size is what they take in runs. 0 or TORC_ECORRUPT. */
static int measure(struct reader payload, uint32_t count, size_t *size)
{
    *size = 0;
    if (count == 0) {
        return TORC_ECORRUPT;
    }
    for (uint32_t i = 0; i < count && !payload.failed; i++) {
        *size += packed_entry_size(dump_read_value(&payload).size);
    }
    int result = reader_finish(&payload);
    return result == 0 && *size > CONTAINER_SIZE_MAX ? TORC_ECORRUPT : result;
}

static int restore_large(struct keyspace *keys, struct bytes key, uint64_t hash,
                         struct reader *payload, uint32_t count, uint64_t expire_at_ms)
{
    struct chunks *chunks = chunks_create();
    if (chunks == NULL) {
        return TORC_ENOMEM;
    }
    int result = 0;
    for (uint32_t i = 0; i < count && result == 0; i++) {
        result = chunks_insert(chunks, i, dump_read_value(payload));
    }
    if (result == 0) {
        result = large_put(keys, OBJECT_LIST, key, hash, expire_at_ms, chunks);
    }
    if (result != 0) {
        chunks_destroy(chunks);
    }
    return result;
}

int list_restore(struct keyspace *keys, struct bytes key, uint64_t hash, struct reader *payload,
                 uint64_t expire_at_ms)
{
    size_t size;
    uint32_t count = read_u32(payload);
    int result = measure(*payload, count, &size);
    if (result != 0) {
        return result;
    }
    if (size > LIST_SMALL_SIZE_MAX) {
        return restore_large(keys, key, hash, payload, count, expire_at_ms);
    }
    char *run;
    result = small_put(keys, OBJECT_LIST, key, hash, expire_at_ms, count, size, &run);
    for (uint32_t i = 0; i < count && result == 0; i++) {
        run = packed_write(run, dump_read_value(payload));
    }
    return result;
}
