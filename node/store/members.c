#include "node/store/members.h"

#include "base/error.h"
#include "base/limits.h"
#include "node/store/allocate.h"
#include "node/store/dump_value.h"

static_assert(CONTAINER_SIZE_MAX / 4 <= UINT32_MAX, "the count of the shortest members");

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
        struct freeing all = FREEING_ALL;
        (void)members_free_some(members, &all);
    }
}

bool members_free_some(struct members *members, struct freeing *freeing)
{
    if (table_free_some(&members->table, freeing)) {
        return true;
    }
    freeing_release(freeing, members);
    return false;
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
            int result = table_insert(&members->table, hash, object, 0);
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

struct visit {
    member_visitor *visit;
    void *context;
};

static void visit_member(void *context, const struct object *object)
{
    const struct visit *visit = context;
    visit->visit(visit->context, object_key(object), object_value(object));
}

uint64_t members_visit(struct members *members, uint64_t cursor, size_t budget,
                       member_visitor *visit, void *context)
{
    struct visit each = {visit, context};
    return members_scan(members, cursor, budget, visit_member, &each);
}

struct object *members_random(struct members *members, struct prng *prng)
{
    return table_random(&members->table, prng);
}

void members_gather(void *context, struct bytes member, struct bytes value)
{
    struct gathering *gathering = context;
    if (gathering->result == 0) {
        gathering->result = members_put(gathering->members, member, value, NULL);
    }
}

static int read_all(struct reader *payload, bool values, struct members *members)
{
    uint32_t count = read_u32(payload);
    int result = 0;
    for (uint32_t i = 0; i < count && result == 0 && !payload->failed; i++) {
        struct bytes member = dump_read_value(payload);
        struct bytes value = values ? dump_read_value(payload) : (struct bytes){0};
        result = members_put(members, member, value, NULL);
    }
    if (result != 0) {
        return result;
    }
    /* Fewer than were announced: one was there twice. */
    bool lawful =
        count > 0 && members_count(members) == count && members->size <= CONTAINER_SIZE_MAX;
    return lawful ? reader_finish(payload) : TORC_ECORRUPT;
}

int members_read(struct reader *payload, bool values, struct members **out)
{
    struct members *members = members_create();
    if (members == NULL) {
        return TORC_ENOMEM;
    }
    int result = read_all(payload, values, members);
    if (result != 0) {
        members_destroy(members);
        return result;
    }
    *out = members;
    return 0;
}
