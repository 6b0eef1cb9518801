/*
 * Arbitrary bytes as a dump: refused without a trace, or taken and then dumped to the same value.
 * Since a checksum guards the body, the input is also tried as a body with the right one behind it.
 */
#include "base/buf.h"
#include "base/codec.h"
#include "base/error.h"
#include "node/store/store.h"

#include <assert.h>
#include <xxhash.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct store *the_store(void)
{
    static struct store *store;
    if (store == NULL) {
        store = store_create();
        assert(store != NULL);
    }
    return store;
}

static void check_round_trip(struct keyspace *keys, struct bytes key)
{
    char scratch[OBJECT_SCRATCH_SIZE];
    char scratch_copy[OBJECT_SCRATCH_SIZE];
    struct bytes copy_key = BYTES_LITERAL("copy");
    struct object *object = keyspace_find(keys, key, key_hash(key));
    assert(object != NULL);
    struct buf dump = {0};
    object_dump(object, &dump);
    assert(!dump.failed);
    int result = keyspace_restore(keys, copy_key, key_hash(copy_key), buf_bytes(&dump), 0);
    assert(result == 0);
    struct object *copy = keyspace_find(keys, copy_key, key_hash(copy_key));
    assert(bytes_equal(object_string(object, scratch), object_string(copy, scratch_copy)));
    buf_deinit(&dump);
}

static void restore(struct bytes dump)
{
    struct keyspace *keys = store_keyspace(the_store(), 0);
    struct bytes key = BYTES_LITERAL("key");
    int result = keyspace_restore(keys, key, key_hash(key), dump, 77);
    if (result == 0) {
        check_round_trip(keys, key);
    } else {
        assert(result == TORC_ECORRUPT || result == TORC_EVERSION);
        assert(keyspace_count(keys) == 0);
        assert(keyspace_memory(keys) == 0);
    }
    keyspace_clear(keys);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    restore((struct bytes){(const char *)data, size});
    struct buf sealed = {0};
    buf_append(&sealed, data, size);
    write_u64(&sealed, XXH3_64bits(data, size));
    restore(buf_bytes(&sealed));
    buf_deinit(&sealed);
    return 0;
}
