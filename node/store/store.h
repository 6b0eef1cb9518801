/*
 * The keyspace: typed objects under binary keys, in one table for each slot. Pure: the time is an
 * argument, there is no thread, no lock and no network in here. Whoever calls holds the slot's lock
 * for everything that takes a keyspace; different slots may be used by different threads at once.
 *
 *      store ── keyspace[0..16383] ── table ──► object { header | key | value }
 *
 * What is particular to lists is in list.h, to hashes in hash.h, to sets in set.h, to sorted sets
 * in zset.h. It neither expires nor evicts by itself: the node asks, deletes, and tells the
 * replicas.
 */
#ifndef TORC_NODE_STORE_STORE_H
#define TORC_NODE_STORE_STORE_H

#include "base/attributes.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/prng.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Numbers of the dump's format, which never change. */
enum object_type {
    OBJECT_STRING = 1,
    OBJECT_LIST = 2,
    OBJECT_HASH = 3,
    OBJECT_SET = 4,
    OBJECT_ZSET = 5,
};

#define OBJECT_SCRATCH_SIZE 24 /* room for any int64 as text */

/* Who goes when memory is full; evictor.h chooses. The volatile ones drop only keys with an expiry.
 */
enum eviction_policy {
    EVICTION_NONE,
    EVICTION_S3FIFO, /* see eviction.h */
    EVICTION_LRU,    /* least recently used of some */
    EVICTION_LFU,    /* least frequently used of some, as in Redis */
    EVICTION_TTL,    /* soonest to expire of some; volatile */
    EVICTION_RANDOM,
    EVICTION_VOLATILE_LRU,
    EVICTION_VOLATILE_LFU,
    EVICTION_VOLATILE_RANDOM,
};

struct store;    /* of a node; owns the keyspaces and the account of memory */
struct keyspace; /* of one slot */
struct object;   /* one key with its value; borrowed until the next change of its keyspace */

/* Store: any thread. NULL without memory. */
struct store *store_create(void);
/* The other half of one: keys of a slot may be in either, and both evict as one. Destroy it before
 * the first. NULL without memory. */
struct store *store_create_beside(struct store *first);
void store_destroy(struct store *store);
/* Says what is noted of accesses: what the policy needs; or, where nothing limits the memory, the
 * time. After a change it takes until the next access of each key for that to be right. Any thread.
 */
void store_set_eviction(struct store *store, enum eviction_policy policy, bool limited);
/* How many keys there are that may be evicted, of both halves; when evictor_due says so. */
void store_fit_eviction(struct store *store, size_t key_count);
/* Bytes held to remember what was evicted; store_memory does not count them. Any thread. */
size_t store_eviction_memory(const struct store *store);
/* The first slot from `from` on that has keys; SLOT_COUNT if there is none. Any thread. */
unsigned store_next_filled(const struct store *store, unsigned from);
struct keyspace *store_keyspace(struct store *store, uint16_t slot);
/* Bytes held for keys, values and tables, as the allocator counts them. One load: cheap enough to
 * ask before every write. A slot tells the store of its changes in lumps, so that writers do not
 * contend: the figure is within 1/256 (and 64 MiB) of the sum of keyspace_memory, and is exactly 0
 * when all is empty. Any thread. */
size_t store_memory(const struct store *store);
/* Keys; keys with an expiry. Sums of relaxed counters over all slots, exact when nobody writes;
 * some ten microseconds each at most. Any thread. */
size_t store_key_count(const struct store *store);
size_t store_expiry_count(const struct store *store);
/* True if any key has an expiry. One load, for whoever asks often. Any thread. */
bool store_has_expiries(const struct store *store);

/* The hash every keyspace function wants: computed once per key and command. */
uint64_t key_hash(struct bytes key);
/* Pulls the cache line of the table that a find of that hash begins with. The one function that any
 * thread may call without the slot's lock, so that a batch can be prefetched before it is executed.
 */
void keyspace_prefetch(const struct keyspace *keys, uint64_t hash);
/* Pulls the object that a find of that hash will look at. Reads the table: under the slot's lock,
 * and some requests after keyspace_prefetch. */
void keyspace_prefetch_object(struct keyspace *keys, uint64_t hash);

/* NULL if absent. Returns expired objects too: see object_expired_at. */
struct object *keyspace_find(struct keyspace *keys, struct bytes key, uint64_t hash);
/* When an object of the keyspace expires; 0 = never. */
uint64_t keyspace_expire_at_ms(struct keyspace *keys, const struct object *object);
/* Both at once, for less; absent: NULL and 0. */
struct object *keyspace_find_with_expiry(struct keyspace *keys, struct bytes key, uint64_t hash,
                                         uint64_t *expire_at_ms);
static inline bool object_expired_at(uint64_t expire_at_ms, uint64_t now_ms)
{
    return expire_at_ms != 0 && expire_at_ms <= now_ms;
}
/* Notes an access, for eviction. `now_ms` as everywhere: milliseconds of the wall clock. What is
 * noted is the eviction policy's to say; see store_set_eviction. The first touch of a new object is
 * its coming, and no hit: touch what keyspace_set_... gives out. One that takes the place of
 * another inherits what was noted. */
void keyspace_touch(struct keyspace *keys, struct object *object, uint64_t now_ms);
/* How long ago the last access was, in whole seconds or 64 ms. False: the policy does not note it.
 */
bool keyspace_idle_ms(struct keyspace *keys, const struct object *object, uint64_t now_ms,
                      uint64_t *idle_ms);
/* Has the last access be then, where that is noted. */
void keyspace_set_idle(struct keyspace *keys, struct object *object, uint64_t then_ms);
/* The logarithm of the accesses, 0 to 255. False: the policy does not note it. */
bool keyspace_frequency(struct keyspace *keys, const struct object *object, uint64_t now_ms,
                        unsigned *frequency);
void keyspace_set_frequency(struct keyspace *keys, struct object *object, unsigned frequency,
                            uint64_t now_ms);

enum object_type object_type(const struct object *object);
const char *object_type_name(const struct object *object); /* as TYPE: "string", "zset" */
/* As Redis names them: "int", "embstr", "raw"; "listpack", "quicklist", "hashtable", "intset",
 * "skiplist". */
const char *object_encoding_name(const struct object *object);
struct bytes object_key(const struct object *object);
size_t object_memory(const struct object *object); /* all bytes it holds, key included */

/* Strings. An integer is rendered into scratch; else the bytes are borrowed from the object. */
struct bytes object_string(const struct object *object, char scratch[OBJECT_SCRATCH_SIZE]);
size_t object_string_size(const struct object *object);
/* True if the value is the canonical decimal text of an int64 (as Redis's string2ll accepts). */
bool object_integer(const struct object *object, int64_t *out);

/*
 * Sets, replacing whatever was there. `expire_at_ms` 0 = no expiry. `value` and `key` may lie
 * inside the replaced object. A value that is the canonical text of an integer is kept as one. *out
 * (may be NULL) is the new object. 0 or TORC_ENOMEM (nothing changed).
 */
int keyspace_set_string(struct keyspace *keys, struct bytes key, uint64_t hash, struct bytes value,
                        uint64_t expire_at_ms, struct object **out) TORC_MUST_USE;
int keyspace_set_integer(struct keyspace *keys, struct bytes key, uint64_t hash, int64_t value,
                         uint64_t expire_at_ms, struct object **out) TORC_MUST_USE;
/* Makes the string `size` bytes long, keeping its beginning and its expiry, zero-filling what is
 * new; creates it when absent; *data is writable until the next change. Grows with slack, so that
 * many appends cost amortised linear time. 0, TORC_ENOMEM, TORC_ETYPE. */
int keyspace_resize_string(struct keyspace *keys, struct bytes key, uint64_t hash, size_t size,
                           char **data) TORC_MUST_USE;
/* 0, TORC_ENOTFOUND, TORC_ENOMEM. expire_at_ms 0 removes the expiry, for which memory never lacks.
 */
int keyspace_set_expiry(struct keyspace *keys, struct bytes key, uint64_t hash,
                        uint64_t expire_at_ms) TORC_MUST_USE;
bool keyspace_delete(struct keyspace *keys, struct bytes key, uint64_t hash);
/* Copies value and expiry to another key, of this keyspace or another (both locked), replacing it.
 * 0, TORC_ENOTFOUND, TORC_ENOMEM. */
int keyspace_copy(struct keyspace *from, struct bytes key, uint64_t hash, struct keyspace *to,
                  struct bytes to_key, uint64_t to_hash) TORC_MUST_USE;
/* Gives a key another name in the same keyspace, replacing what had that: value, expiry and last
 * access go along. No container is copied. 0, TORC_ENOTFOUND, TORC_ENOMEM (nothing changed). */
int keyspace_rename(struct keyspace *keys, struct bytes key, uint64_t hash, struct bytes to_key,
                    uint64_t to_hash) TORC_MUST_USE;
void keyspace_clear(struct keyspace *keys);
/* The same in no time, however many keys there are, and however large. */
void keyspace_discard(struct keyspace *keys);
/*
 * What is big takes long to free: of values that are deleted or replaced, and of keyspaces that are
 * discarded, it is only taken out, and freed by store_free_some. Frees of one of them about
 * `budget` blocks, or as many pages. Returns how many bytes; 0 = there is nothing that another
 * thread is not at. Any thread, without any slot's lock. */
size_t store_free_some(struct store *store, size_t budget);
/* Bytes of store_memory that wait for that. Any thread. */
size_t store_freeing(const struct store *store);

size_t keyspace_count(const struct keyspace *keys);
size_t keyspace_expiry_count(const struct keyspace *keys);
size_t keyspace_memory(const struct keyspace *keys);
/* Soonest expiry that may exist, 0 = none: a hint for the sweep, never later than the truth. */
uint64_t keyspace_next_expiry_ms(const struct keyspace *keys);

/*
 * Visits some keys: starts at cursor 0, goes on with what it returned, is finished when that is 0.
 * Visits until `budget` objects were seen or the table ends. A key present from start to end is
 * visited at least once whatever is inserted, deleted or resized between calls (more than once only
 * when a giant shrank). The visitor must not change the keyspace. A cursor is below 2^48, so that a
 * caller can put a slot beside it in 64 bits; one that is not finishes the scan.
 */
typedef void keyspace_visitor(void *context, const struct object *object);
uint64_t keyspace_scan(struct keyspace *keys, uint64_t cursor, size_t budget,
                       keyspace_visitor *visit, void *context);
/* Of the members of a container: those of a set; the fields of a hash, with their values. */
typedef void member_visitor(void *context, struct bytes member, struct bytes value);
/* The same with a budget of bytes (object_memory), of which the last object may take more. */
uint64_t keyspace_scan_bytes(struct keyspace *keys, uint64_t cursor, size_t budget,
                             keyspace_visitor *visit, void *context);
/* Uniform among the keys; NULL if empty. */
struct object *keyspace_random(struct keyspace *keys, struct prng *prng);
/* Calls visit for up to `budget` objects whose expiry has passed. The visitor may delete exactly
 * the object it is given. Returns how many; fewer than budget means none is left, except that one
 * call looks at no more than about five thousand objects: whether a giant has more to be looked at,
 * now or later, keyspace_next_expiry_ms tells. */
typedef void keyspace_expirer(void *context, struct keyspace *keys, struct object *object);
size_t keyspace_expired(struct keyspace *keys, uint64_t now_ms, size_t budget,
                        keyspace_expirer *visit, void *context);

/* Moves what lies in nearly empty pages, of about a thousand keys from a place on (a cursor as
 * above), and adds to *moved how many keys that were. Returns where to go on, 0 = that was all.
 * Does nothing with an allocator that cannot say what lies where. */
uint64_t keyspace_compact(struct keyspace *keys, uint64_t cursor, size_t *moved);

/*
 * One versioned, self-checking format for DUMP, RESTORE, slot transfer and snapshots: the value
 * without key and expiry. docs/protocol.md.
 */
void object_dump(const struct object *object, struct buf *out);
/* 0, TORC_ECORRUPT, TORC_EVERSION, TORC_ENOMEM; on failure nothing changed. */
int keyspace_restore(struct keyspace *keys, struct bytes key, uint64_t hash, struct bytes dump,
                     uint64_t expire_at_ms) TORC_MUST_USE;

/*
 * By which copies are compared: equal for equal keys with equal values and expiries, however the
 * values are held in memory and whatever a set or hash was made of before. docs/protocol.md.
 */
uint64_t object_digest(const struct object *object, uint64_t expire_at_ms);
struct keyspace_digest {
    uint64_t count; /* keys */
    uint64_t sum;   /* of their digests, modulo 2^64 */
};
/* Where a range begins or ends: at the keys of a place, which is a cursor of keyspace_scan, or
 * within their values, below 2^48: so many bytes into a string or values into a list, and by the
 * cursor of a scan in the others. {0, 0} is the beginning, and the end. */
struct digest_place {
    uint64_t key;
    uint64_t part;
};
/* Where the range that begins there ends, so that it has about `budget` bytes, of which the last
 * key may take more unless it is big (PIECE_OBJECT_MIN): that one is a range for itself, or
 * several. Two keyspaces with the same keys agree on what lies between two places. */
struct digest_place keyspace_digest_end(struct keyspace *keys, struct digest_place from,
                                        size_t budget) TORC_MUST_USE;
/* Of the keys from a place on up to before another. Where one of the two is within values, so is
 * the other, or it is the place next to it. */
void keyspace_digest_range(struct keyspace *keys, struct digest_place from, struct digest_place to,
                           struct keyspace_digest *out);

#endif
