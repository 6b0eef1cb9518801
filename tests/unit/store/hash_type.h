/*
 * What a hash is to the model of fields.
 */
#ifndef TORC_TESTS_UNIT_STORE_HASH_TYPE_H
#define TORC_TESTS_UNIT_STORE_HASH_TYPE_H

#include "node/store/hash.h"
#include "tests/unit/store/field_model.h"

static inline int hash_type_set(struct keyspace *keys, struct bytes key, uint64_t hash,
                                struct bytes field, struct bytes value, bool *added)
{
    return keyspace_hash_set(keys, key, hash, field, value, added, NULL);
}

static const struct field_type hash_type = {
    .type = OBJECT_HASH,
    .values = true,
    .count = hash_count,
    .get = hash_get,
    .scan = hash_scan,
    .random = hash_random,
    .set = hash_type_set,
    .remove = keyspace_hash_remove,
};

#endif
