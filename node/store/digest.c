/* Digests, by which copies are compared. Normative: docs/protocol.md. */
#include "node/store/hash.h"
#include "node/store/keyspace.h"
#include "node/store/list.h"
#include "node/store/set.h"
#include "node/store/zset.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define CHUNK_BYTES 4096 /* of objects between two looks at where a range ends */

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

static uint64_t string_digest(const struct object *object)
{
    char scratch[OBJECT_SCRATCH_SIZE];
    return digest_bytes(object_string(object, scratch), 0);
}

/* Each value is the seed of the next: their order counts. */
static uint64_t list_digest(const struct object *object)
{
    struct list_cursor cursor;
    struct bytes value;
    uint64_t digest = 0;
    list_cursor_init(&cursor, object, 0, LIST_TAIL);
    while (list_next(&cursor, &value)) {
        digest = digest_bytes(value, digest);
    }
    return digest;
}

/* A sum: the order does not count. */
static void add_member(void *context, struct bytes member, struct bytes value)
{
    uint64_t *sum = context;
    *sum += digest_bytes(value, digest_bytes(member, 0));
}

static uint64_t hash_digest(const struct object *object)
{
    uint64_t sum = 0;
    hash_scan(object, 0, SIZE_MAX, add_member, &sum);
    return sum;
}

static uint64_t set_digest(const struct object *object)
{
    uint64_t sum = 0;
    set_scan(object, 0, SIZE_MAX, add_member, &sum);
    return sum;
}

/* A score counts as it is, not as it is held. */
static void add_scored(void *context, struct bytes member, struct bytes held)
{
    uint64_t *sum = context;
    double score = zset_held_score(held);
    uint64_t bits;
    char bytes[sizeof(bits)];
    memcpy(&bits, &score, sizeof(bits));
    put_u64(bytes, bits);
    *sum += digest_bytes((struct bytes){bytes, sizeof(bytes)}, digest_bytes(member, 0));
}

static uint64_t zset_digest(const struct object *object)
{
    uint64_t sum = 0;
    zset_scan(object, 0, SIZE_MAX, add_scored, &sum);
    return sum;
}

static uint64_t value_digest(const struct object *object)
{
    switch (object_type(object)) {
    case OBJECT_STRING: return string_digest(object);
    case OBJECT_LIST: return list_digest(object);
    case OBJECT_HASH: return hash_digest(object);
    case OBJECT_SET: return set_digest(object);
    case OBJECT_ZSET: return zset_digest(object);
    }
    return 0;
}

/* ---- of a key ---- */

static uint64_t digest_hashed(const struct object *object, uint64_t hash, uint64_t expire_at_ms)
{
    char parts[1 + 2 * sizeof(uint64_t)];
    parts[0] = (char)object_type(object);
    put_u64(parts + 1, expire_at_ms);
    put_u64(parts + 1 + sizeof(uint64_t), value_digest(object));
    return digest_bytes((struct bytes){parts, sizeof(parts)}, hash);
}

uint64_t object_digest(const struct object *object, uint64_t expire_at_ms)
{
    return digest_hashed(object, key_hash(object_key(object)), expire_at_ms);
}

/* ---- of a range of places ---- */

struct digest_walk {
    struct keyspace *keys;
    uint64_t from, to; /* places; `to` 0 = the end */
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
        walk->out->count++;
        walk->out->sum += digest_hashed(object, hash, keyspace_expire_at_ms(walk->keys, object));
    }
}

uint64_t keyspace_digest_next(struct keyspace *keys, uint64_t from, size_t budget,
                              struct keyspace_digest *out)
{
    struct digest_walk walk = {.keys = keys, .from = from, .out = out};
    *out = (struct keyspace_digest){0};
    return table_scan_bytes(&keys->table, from, budget, digest_visit, &walk);
}

void keyspace_digest_range(struct keyspace *keys, uint64_t from, uint64_t to,
                           struct keyspace_digest *out)
{
    struct digest_walk walk = {.keys = keys, .from = from, .to = to, .out = out};
    uint64_t cursor = from;
    *out = (struct keyspace_digest){0};
    do {
        cursor = table_scan_bytes(&keys->table, cursor, CHUNK_BYTES, digest_visit, &walk);
    } while (cursor != 0 && (to == 0 || cursor < to));
}
