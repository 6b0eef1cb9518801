#include "node/store/members.h"

#include "base/error.h"
#include "node/store/allocate.h"

struct members *members_create(void)
{
    struct members *members = store_allocate(sizeof(*members));
    if (members != NULL) {
        table_init(&members->table);
        members->size = 0;
    }
    return members;
}

void members_destroy(struct members *members)
{
    if (members != NULL) {
        table_clear(&members->table);
        store_release(members);
    }
}

struct members *members_clone(const struct members *members)
{
    struct members *clone = members_create();
    if (clone == NULL) {
        return NULL;
    }
    if (table_clone(&clone->table, &members->table) != 0) {
        members_destroy(clone);
        return NULL;
    }
    clone->size = members->size;
    return clone;
}

size_t members_memory(const struct members *members)
{
    return store_allocated_size(members) + members->table.memory;
}

struct object *members_find(struct members *members, struct bytes member)
{
    return place_object(table_place(&members->table, member, key_hash(member)));
}

int members_put(struct members *members, struct bytes member, struct bytes value,
                struct object **out)
{
    uint64_t hash = key_hash(member);
    struct place place = table_place(&members->table, member, hash);
    struct object *old = place_object(place);
    struct object *object = old;
    size_t size = packed_entry_size(value.size);
    size_t before = old == NULL ? 0 : packed_entry_size(object_value(old).size);
    struct object_draft draft = {
        .type = OBJECT_STRING,
        .encoding = ENCODING_TEXT,
        .key = member,
        .value = value,
    };
    if (old == NULL || !object_overwrite(old, &draft)) {
        object = object_create(&draft);
        if (object == NULL) {
            return TORC_ENOMEM;
        }
        if (old != NULL) {
            object_destroy(table_exchange(&members->table, place, object));
        } else {
            int result = table_insert(&members->table, hash, object);
            if (result != 0) {
                object_destroy(object);
                return result;
            }
            size += packed_entry_size(member.size);
        }
    }
    members->size += size - before;
    if (out != NULL) {
        *out = object;
    }
    return 0;
}

bool members_remove(struct members *members, struct bytes member)
{
    uint64_t hash = key_hash(member);
    struct place place = table_place(&members->table, member, hash);
    if (place.at == SEGMENT_NOT_FOUND) {
        return false;
    }
    struct object *object = table_remove(&members->table, place);
    members->size -= member_size(member, object_value(object));
    object_destroy(object);
    table_give_room(&members->table, hash);
    return true;
}

uint64_t members_scan(struct members *members, uint64_t cursor, size_t budget,
                      keyspace_visitor *visit, void *context)
{
    return table_scan(&members->table, cursor, budget, visit, context);
}

struct object *members_random(struct members *members, struct prng *prng)
{
    return table_random(&members->table, prng);
}
