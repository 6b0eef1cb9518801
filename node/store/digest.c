/* Digests, by which copies are compared. Normative: docs/protocol.md. */
#include "node/store/hash.h"
#include "node/store/keyspace.h"
#include "node/store/list.h"
#include "node/store/piece.h"
#include "node/store/set.h"
#include "node/store/zset.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define CHUNK_BYTES 4096 /* of objects between two looks at where a range ends */
#define CHUNK_MEMBERS 64 /* likewise, of a value */

static uint64_t digest_bytes(struct bytes bytes, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes.data, bytes.size, seed);
}

static void put_u64(char *out, uint64_t number)
{
    for (unsigned i = 0; i < sizeof(number); i++) {
        out[i] = (char)(number >> (8 * i));
    }
}

/* ---- of a value ---- */

/* The elements from one place on up to before another, 0 = the end, and what they come to. */
struct part {
    uint64_t from, to;
    uint64_t digest;
};
static const struct part WHOLE;

static bool is_within(const struct part *part, uint64_t place)
{
    return place >= part->from && (part->to == 0 || place < part->to);
}

static void string_digest(const struct object *object, struct part *part)
{
    char scratch[OBJECT_SCRATCH_SIZE];
    struct bytes text = object_string(object, scratch);
    size_t to = part->to == 0 || part->to > text.size ? text.size : (size_t)part->to;
    size_t from = part->from < to ? (size_t)part->from : to;
    part->digest = digest_bytes((struct bytes){text.data + from, to - from}, 0);
}

/* Each value is the seed of the next: their order counts. */
static void list_digest(const struct object *object, struct part *part)
{
    struct list_cursor cursor;
    struct bytes value;
    uint64_t at = part->from;
    list_cursor_init(&cursor, object, (size_t)at, LIST_TAIL);
    while (is_within(part, at) && list_next(&cursor, &value)) {
        part->digest = digest_bytes(value, part->digest);
        at++;
    }
}

/* A sum: the order does not count. A member's place is that of a key, wherever it is held. */
static void add_member(void *context, struct bytes member, struct bytes value)
{
    struct part *part = context;
    uint64_t hash = key_hash(member);
    if (is_within(part, table_cursor(hash))) {
        part->digest += digest_bytes(value, hash);
    }
}

/* A score counts as it is, not as it is held. */
static void add_scored(void *context, struct bytes member, struct bytes held)
{
    double score = zset_held_score(held);
    uint64_t bits;
    char bytes[sizeof(bits)];
    memcpy(&bits, &score, sizeof(bits));
    put_u64(bytes, bits);
    add_member(context, member, (struct bytes){bytes, sizeof(bytes)});
}

/* As keyspace_scan, over the members of what has them. */
static uint64_t scan_members(const struct object *object, uint64_t cursor, size_t budget,
                             member_visitor *visit, void *context)
{
    switch (object_type(object)) {
    case OBJECT_HASH: return hash_scan(object, cursor, budget, visit, context);
    case OBJECT_SET: return set_scan(object, cursor, budget, visit, context);
    case OBJECT_ZSET: return zset_scan(object, cursor, budget, visit, context);
    default: return 0;
    }
}

static void members_digest(const struct object *object, struct part *part)
{
    member_visitor *add = object_type(object) == OBJECT_ZSET ? add_scored : add_member;
    size_t budget = part->to == 0 ? SIZE_MAX : CHUNK_MEMBERS;
    uint64_t cursor = part->from;
    do {
        cursor = scan_members(object, cursor, budget, add, part);
    } while (cursor != 0 && is_within(part, cursor));
}

static uint64_t value_digest(const struct object *object, struct part part)
{
    switch (object_type(object)) {
    case OBJECT_STRING: string_digest(object, &part); break;
    case OBJECT_LIST: list_digest(object, &part); break;
    default: members_digest(object, &part); break;
    }
    return part.digest;
}

static void pass(void *context, struct bytes member, struct bytes value)
{
    (void)context;
    (void)member;
    (void)value;
}

/* Where a part of about that many bytes ends; 0 = where the value does. */
static uint64_t part_end(const struct object *object, uint64_t from, size_t budget)
{
    size_t elements = object_elements_within(object, budget);
    switch (object_type(object)) {
    case OBJECT_STRING: return from + elements < object_string_size(object) ? from + elements : 0;
    case OBJECT_LIST: return from + elements < list_count(object) ? from + elements : 0;
    default: return scan_members(object, from, elements, pass, NULL);
    }
}

/* ---- of a key ---- */

static uint64_t digest_hashed(const struct object *object, uint64_t hash, uint64_t expire_at_ms,
                              struct part part)
{
    char parts[1 + 2 * sizeof(uint64_t)];
    parts[0] = (char)object_type(object);
    put_u64(parts + 1, expire_at_ms);
    put_u64(parts + 1 + sizeof(uint64_t), value_digest(object, part));
    return digest_bytes((struct bytes){parts, sizeof(parts)}, hash);
}

uint64_t object_digest(const struct object *object, uint64_t expire_at_ms)
{
    return digest_hashed(object, key_hash(object_key(object)), expire_at_ms, WHOLE);
}

/* ---- of a range of places ---- */

struct big_walk {
    uint64_t from;
    const struct object *found; /* the first that is big; NULL = none yet */
    uint64_t place;             /* its own */
};

static void note_big(void *context, const struct object *object)
{
    struct big_walk *walk = context;
    if (object_is_big(object)) {
        uint64_t place = table_cursor(key_hash(object_key(object)));
        if (place >= walk->from && (walk->found == NULL || place < walk->place)) {
            walk->found = object;
            walk->place = place;
        }
    }
}

/* Behind all values of a place. */
static struct digest_place place_after(uint64_t key)
{
    return (struct digest_place){(key + 1) % (TABLE_CURSOR_MAX + 1), 0};
}

struct digest_place keyspace_digest_end(struct keyspace *keys, struct digest_place from,
                                        size_t budget)
{
    struct big_walk walk = {.from = from.key};
    uint64_t end =
        table_scan_bytes(&keys->table, from.key, from.part == 0 ? budget : 1, note_big, &walk);
    if (walk.found != NULL && walk.place == from.key) {
        uint64_t part = part_end(walk.found, from.part, budget);
        return part == 0 ? place_after(from.key) : (struct digest_place){from.key, part};
    }
    if (from.part != 0) {
        return place_after(from.key); /* it is gone, or has shrunk */
    }
    return (struct digest_place){walk.found != NULL ? walk.place : end, 0};
}

struct digest_walk {
    struct keyspace *keys;
    uint64_t from, to; /* places; `to` 0 = the end */
    struct part part;
    struct keyspace_digest *out;
};

/* A scan also comes across what shares a tag with the range. Tags depend on the size of a table and
 * places do not, so that the keys of a range are the same in every copy. */
static void digest_visit(void *context, const struct object *object)
{
    const struct digest_walk *walk = context;
    uint64_t hash = key_hash(object_key(object));
    uint64_t place = table_cursor(hash);
    if (place >= walk->from && (walk->to == 0 || place < walk->to)) {
        uint64_t expire_at_ms = keyspace_expire_at_ms(walk->keys, object);
        walk->out->count++;
        walk->out->sum += digest_hashed(object, hash, expire_at_ms, walk->part);
    }
}

void keyspace_digest_range(struct keyspace *keys, struct digest_place from, struct digest_place to,
                           struct keyspace_digest *out)
{
    bool within = from.part != 0 || to.part != 0;
    struct digest_walk walk = {.keys = keys,
                               .from = from.key,
                               .to = within ? place_after(from.key).key : to.key,
                               .part = {.from = from.part, .to = to.part},
                               .out = out};
    uint64_t cursor = from.key;
    *out = (struct keyspace_digest){0};
    do {
        cursor = table_scan_bytes(&keys->table, cursor, CHUNK_BYTES, digest_visit, &walk);
    } while (cursor != 0 && (walk.to == 0 || cursor < walk.to));
}
