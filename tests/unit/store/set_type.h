/*
 * What a set is to the model of fields.
 */
#ifndef TORC_TESTS_UNIT_STORE_SET_TYPE_H
#define TORC_TESTS_UNIT_STORE_SET_TYPE_H

#include "node/store/set.h"
#include "tests/unit/store/field_model.h"

static inline bool set_type_get(const struct object *object, struct bytes field,
                                struct bytes *value)
{
    *value = (struct bytes){NULL, 0};
    return set_has(object, field);
}

static inline int set_type_set(struct keyspace *keys, struct bytes key, uint64_t hash,
                               struct bytes field, struct bytes value, bool *added)
{
    (void)value;
    return keyspace_set_add(keys, key, hash, field, added, NULL);
}

static const struct field_type set_type = {
    .type = OBJECT_SET,
    .values = false,
    .count = set_count,
    .get = set_type_get,
    .scan = set_scan,
    .random = set_random,
    .set = set_type_set,
    .remove = keyspace_set_remove,
};

#endif
