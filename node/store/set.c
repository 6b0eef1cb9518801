#include "node/store/set.h"

#include "base/error.h"
#include "node/store/integer.h"
#include "node/store/integers.h"
#include "node/store/set_form.h"
#include "node/store/small.h"

#define INTEGERS_MAX 512 /* as Redis's set-max-intset-entries */

/* The head of a set of integers: its upper bits, which a count of members never has, are their
 * width, so that none of them means a packed run. */
#define WIDTH_SHIFT 12
#define COUNT_MASK 0xfffu

static_assert(INTEGERS_MAX <= COUNT_MASK, "the count of integers");
static_assert(SMALL_MEMBERS_MAX <= COUNT_MASK, "no width in the head of a packed run");
static_assert(INTEGER_TEXT_SIZE_MAX <= SMALL_MEMBER_SIZE_MAX, "integers fit a packed run");

static const struct bytes no_value = {NULL, 0};

/* ---- sorted integers ---- */

static uint16_t read_head(const struct object *object)
{
    uint16_t head;
    memcpy(&head, object_value(object).data, sizeof(head));
    return head;
}

bool set_is_integers(const struct object *object)
{
    return !object_is_outside(object) && read_head(object) >> WIDTH_SHIFT != 0;
}

static struct integers integers_of(const struct object *object)
{
    uint16_t head = read_head(object);
    return (struct integers){
        .data = object_value_data((struct object *)(uintptr_t)object) + SMALL_HEAD_SIZE,
        .count = head & COUNT_MASK,
        .width = (uint8_t)(head >> WIDTH_SHIFT),
    };
}

/* Notes count and width in the head before them. */
static void settle_integers(const struct integers *integers)
{
    uint16_t head = (uint16_t)((unsigned)integers->width << WIDTH_SHIFT | integers->count);
    memcpy(integers->data - SMALL_HEAD_SIZE, &head, sizeof(head));
}

/* A set of `count` integers of that width, for the caller to write. */
static int put_integers(struct keyspace *keys, struct bytes key, uint64_t hash,
                        uint64_t expire_at_ms, struct integers *integers)
{
    int result = small_put(keys, OBJECT_SET, key, hash, expire_at_ms, 0, integers_size(integers),
                           &integers->data);
    if (result == 0) {
        settle_integers(integers);
    }
    return result;
}

static int create_integers(struct keyspace *keys, struct bytes key, uint64_t hash, int64_t value)
{
    struct integers integers = {.count = 1, .width = integer_width(value)};
    int result = put_integers(keys, key, hash, 0, &integers);
    if (result == 0) {
        integers.count = 0;
        integers_insert(&integers, 0, value);
    }
    return result;
}

static int insert_integer(struct keyspace *keys, struct place place, uint32_t index, int64_t value)
{
    struct integers integers = integers_of(place_object(place));
    uint8_t width = integer_width(value);
    width = width > integers.width ? width : integers.width;
    struct packed block;
    size_t more = ((size_t)integers.count + 1) * width - integers_size(&integers);
    int result = small_grow(keys, place, more, &block);
    if (result != 0) {
        return result;
    }
    integers.data = block.data;
    integers_widen(&integers, width);
    integers_insert(&integers, index, value);
    settle_integers(&integers);
    return 0;
}

static void remove_integer(struct keyspace *keys, struct place place, uint32_t index)
{
    struct integers integers = integers_of(place_object(place));
    integers_remove(&integers, index);
    settle_integers(&integers);
    if (integers.count > 0) {
        keyspace_shrink_at(keys, place, SMALL_HEAD_SIZE + integers_size(&integers));
    }
}

static bool has_integer(const struct object *object, struct bytes member, int64_t *value,
                        uint32_t *index)
{
    struct integers integers = integers_of(object);
    return integer_parse(member, value) && integers_find(&integers, *value, index);
}

static void visit_integer(int64_t value, member_visitor *visit, void *context)
{
    char text[INTEGER_TEXT_SIZE_MAX];
    visit(context, (struct bytes){text, integer_format(value, text)}, no_value);
}

/* ---- a packed run ---- */

static bool find_in_run(const struct packed *run, struct bytes member, uint32_t *at, uint32_t *end)
{
    const char *here = run->data + run->start;
    while (here < run->data + run->end) {
        struct bytes value;
        const char *next = packed_read(here, &value);
        if (value.size == member.size && object_bytes_same(value.data, member.data, member.size)) {
            *at = (uint32_t)(here - run->data);
            *end = (uint32_t)(next - run->data);
            return true;
        }
        here = next;
    }
    return false;
}

static int create_run(struct keyspace *keys, struct bytes key, uint64_t hash, struct bytes member)
{
    char *run;
    int result = small_put(keys, OBJECT_SET, key, hash, 0, 1, packed_entry_size(member.size), &run);
    if (result == 0) {
        packed_write(run, member);
    }
    return result;
}

static int append_to_run(struct keyspace *keys, struct place place, struct bytes member)
{
    struct packed run;
    int result = small_grow(keys, place, packed_entry_size(member.size), &run);
    if (result == 0) {
        packed_insert(&run, run.end, member);
        small_settle(&run);
    }
    return result;
}

static void write_member(void *context, struct bytes member, struct bytes value)
{
    (void)value;
    char **at = context;
    *at = packed_write(*at, member);
}

/* ---- the large form ---- */

/* Within the limit of a set's size. NULL is members that there was no memory for. */
static int put_member(struct members *members, struct bytes member, bool *added)
{
    if (members == NULL) {
        return TORC_ENOMEM;
    }
    size_t size = members->size + member_size(member, no_value);
    *added = members_find(members, member) == NULL;
    if (!*added) {
        return 0;
    }
    return size > CONTAINER_SIZE_MAX ? TORC_ETOOBIG : members_put(members, member, no_value, NULL);
}

static int create_large(struct keyspace *keys, struct bytes key, uint64_t hash, struct bytes member)
{
    bool added;
    struct members *members = members_create();
    int result = put_member(members, member, &added);
    if (result == 0) {
        result = large_put(keys, OBJECT_SET, key, hash, 0, members);
    }
    if (result != 0) {
        members_destroy(members);
    }
    return result;
}

/* The large form of a set that is not; NULL without memory. */
static struct members *enlarge(const struct object *object)
{
    struct gathering gathering = {.members = members_create()};
    if (gathering.members != NULL) {
        set_scan(object, 0, SIZE_MAX, members_gather, &gathering);
    }
    if (gathering.result != 0) {
        members_destroy(gathering.members);
        return NULL;
    }
    return gathering.members;
}

/* Adds a member, which is not there, to a set that it makes a large one. */
static int become_large(struct keyspace *keys, struct place place, struct bytes member)
{
    bool added;
    struct members *members = enlarge(place_object(place));
    int result = put_member(members, member, &added);
    if (result == 0) {
        result = large_replace(keys, place, members);
    }
    if (result != 0) {
        members_destroy(members);
    }
    return result;
}

static int large_add(struct keyspace *keys, const struct object *object, struct bytes member,
                     bool *added)
{
    struct members *members = large_members(object);
    size_t before = members_memory(members);
    int result = put_member(members, member, added);
    keyspace_account(keys, (int64_t)members_memory(members) - (int64_t)before);
    return result;
}

/* ---- reading ---- */

size_t set_count(const struct object *object)
{
    assert(object_type(object) == OBJECT_SET);
    return object_is_outside(object) ? members_count(large_members(object))
                                     : read_head(object) & COUNT_MASK;
}

bool set_has(const struct object *object, struct bytes member)
{
    if (object_is_outside(object)) {
        return members_find(large_members(object), member) != NULL;
    }
    if (set_is_integers(object)) {
        int64_t value;
        uint32_t index;
        return has_integer(object, member, &value, &index);
    }
    struct packed run = small_run(object);
    uint32_t at, end;
    return find_in_run(&run, member, &at, &end);
}

uint64_t set_scan(const struct object *object, uint64_t cursor, size_t budget,
                  member_visitor *visit, void *context)
{
    if (object_is_outside(object)) {
        return members_visit(large_members(object), cursor, budget, visit, context);
    }
    if (set_is_integers(object)) {
        struct integers integers = integers_of(object);
        for (uint32_t i = 0; i < integers.count; i++) {
            visit_integer(integers_at(&integers, i), visit, context);
        }
        return 0;
    }
    struct packed run = small_run(object);
    const char *at = run.data;
    while (at < run.data + run.end) {
        struct bytes member;
        at = packed_read(at, &member);
        visit(context, member, no_value);
    }
    return 0;
}

void set_random(const struct object *object, struct prng *prng, member_visitor *visit,
                void *context)
{
    if (object_is_outside(object)) {
        visit(context, object_key(members_random(large_members(object), prng)), no_value);
        return;
    }
    uint32_t index = (uint32_t)prng_below(prng, set_count(object));
    if (set_is_integers(object)) {
        struct integers integers = integers_of(object);
        visit_integer(integers_at(&integers, index), visit, context);
        return;
    }
    struct packed run = small_run(object);
    struct bytes member;
    packed_read(run.data + packed_seek(&run, index), &member);
    visit(context, member, no_value);
}

/* ---- changing ---- */

static int create(struct keyspace *keys, struct bytes key, uint64_t hash, struct bytes member)
{
    int64_t value;
    if (integer_parse(member, &value)) {
        return create_integers(keys, key, hash, value);
    }
    return member.size <= SMALL_MEMBER_SIZE_MAX ? create_run(keys, key, hash, member)
                                                : create_large(keys, key, hash, member);
}

/* Makes a set of integers, and a member that is none, a packed run. */
static int leave_integers(struct keyspace *keys, struct place place, struct bytes member)
{
    const struct object *object = place_object(place);
    char run[SMALL_HEAD_SIZE + SMALL_MEMBERS_MAX * (SMALL_MEMBER_SIZE_MAX + 2)];
    char *at = run + SMALL_HEAD_SIZE;
    uint16_t count = (uint16_t)(set_count(object) + 1);
    memcpy(run, &count, sizeof(count));
    set_scan(object, 0, SIZE_MAX, write_member, &at);
    at = packed_write(at, member);
    return keyspace_replace_at(keys, place, ENCODING_PACKED,
                               (struct bytes){run, (size_t)(at - run)});
}

static int add_to_integers(struct keyspace *keys, struct place place, struct bytes member,
                           bool *added)
{
    const struct object *object = place_object(place);
    struct integers integers = integers_of(object);
    int64_t value;
    uint32_t index;
    if (integer_parse(member, &value)) {
        *added = !integers_find(&integers, value, &index);
        if (!*added) {
            return 0;
        }
        return integers.count < INTEGERS_MAX ? insert_integer(keys, place, index, value)
                                             : become_large(keys, place, member);
    }
    *added = true;
    return integers.count < SMALL_MEMBERS_MAX && member.size <= SMALL_MEMBER_SIZE_MAX
               ? leave_integers(keys, place, member)
               : become_large(keys, place, member);
}

static int add_to_run(struct keyspace *keys, struct place place, struct bytes member, bool *added)
{
    struct packed run = small_run(place_object(place));
    uint32_t at, end;
    *added = !find_in_run(&run, member, &at, &end);
    if (!*added) {
        return 0;
    }
    return run.count < SMALL_MEMBERS_MAX && member.size <= SMALL_MEMBER_SIZE_MAX
               ? append_to_run(keys, place, member)
               : become_large(keys, place, member);
}

int keyspace_set_add(struct keyspace *keys, struct bytes key, uint64_t hash, struct bytes member,
                     bool *added, struct object **out)
{
    struct place place = keyspace_place(keys, key, hash);
    const struct object *object = place_object(place);
    int result;
    if (object == NULL) {
        *added = true;
        result = create(keys, key, hash, member);
    } else if (object_type(object) != OBJECT_SET) {
        return TORC_ETYPE;
    } else if (object_is_outside(object)) {
        result = large_add(keys, object, member, added);
    } else if (set_is_integers(object)) {
        result = add_to_integers(keys, place, member, added);
    } else {
        result = add_to_run(keys, place, member, added);
    }
    if (result == 0 && out != NULL) {
        *out = keyspace_find(keys, key, hash);
    }
    return result;
}

static bool remove_from_integers(struct keyspace *keys, struct place place, struct bytes member)
{
    int64_t value;
    uint32_t index;
    if (!has_integer(place_object(place), member, &value, &index)) {
        return false;
    }
    remove_integer(keys, place, index);
    return true;
}

static bool remove_from_run(struct keyspace *keys, struct place place, struct bytes member)
{
    struct packed run = small_run(place_object(place));
    uint32_t at, end;
    if (!find_in_run(&run, member, &at, &end)) {
        return false;
    }
    small_remove(keys, place, &run, at, end, 1);
    return true;
}

bool keyspace_set_remove(struct keyspace *keys, struct bytes key, uint64_t hash,
                         struct bytes member)
{
    struct place place = keyspace_place(keys, key, hash);
    assert(place.at != SEGMENT_NOT_FOUND);
    const struct object *object = place_object(place);
    bool removed;
    if (object_is_outside(object)) {
        removed = large_remove_member(keys, object, member);
    } else if (set_is_integers(object)) {
        removed = remove_from_integers(keys, place, member);
    } else {
        removed = remove_from_run(keys, place, member);
    }
    if (removed && set_count(place_object(place)) == 0) {
        bool deleted = keyspace_delete(keys, key, hash);
        assert(deleted);
    }
    return removed;
}

/* ---- whole sets ---- */

struct fit {
    bool small;
    bool integers;
    uint8_t width;
};

static void note_fit(void *context, struct bytes member, struct bytes value)
{
    (void)value;
    struct fit *fit = context;
    int64_t integer;
    fit->small = fit->small && member.size <= SMALL_MEMBER_SIZE_MAX;
    fit->integers = fit->integers && integer_parse(member, &integer);
    if (fit->integers && integer_width(integer) > fit->width) {
        fit->width = integer_width(integer);
    }
}

static void write_integer(void *context, struct bytes member, struct bytes value)
{
    (void)value;
    struct integers *integers = context;
    int64_t integer;
    uint32_t index;
    bool parsed = integer_parse(member, &integer);
    assert(parsed);
    integers_find(integers, integer, &index);
    integers_insert(integers, index, integer);
}

int set_put(struct keyspace *keys, struct bytes key, uint64_t hash, uint64_t expire_at_ms,
            struct members *members)
{
    size_t count = members_count(members);
    struct fit fit = {count <= SMALL_MEMBERS_MAX, count <= INTEGERS_MAX, 0};
    if (count <= INTEGERS_MAX) {
        members_visit(members, 0, SIZE_MAX, note_fit, &fit);
    }
    int result;
    if (fit.integers) {
        struct integers integers = {.count = (uint32_t)count, .width = fit.width};
        result = put_integers(keys, key, hash, expire_at_ms, &integers);
        if (result == 0) {
            integers.count = 0;
            members_visit(members, 0, SIZE_MAX, write_integer, &integers);
        }
    } else if (fit.small) {
        char *run;
        size_t values = count * packed_entry_size(0); /* which there are none of */
        result = small_put(keys, OBJECT_SET, key, hash, expire_at_ms, (uint32_t)count,
                           members->size - values, &run);
        if (result == 0) {
            members_visit(members, 0, SIZE_MAX, write_member, &run);
        }
    } else {
        return large_put(keys, OBJECT_SET, key, hash, expire_at_ms, members);
    }
    if (result == 0) {
        members_destroy(members);
    }
    return result;
}
