/*
 * One hash table of at most about a thousand objects: the whole table of an ordinary slot, or one
 * piece of a giant's. Internal to the store; the caller holds the slot's lock.
 *
 *      entry:    tag, 20 bits | address / 8, 44 bits                   0 = empty
 *      entries:  [ 03.. | 07.. |  0  | 3a.. | 3a.. | 41.. |  0  | ... ]   ordered by tag, with gaps
 *      expiries: [  0   | time |  0  | time | time |  0   |  0  | ... ]   behind them; or none
 *
 * The tag is a window of the hash, and an entry's home is its tag scaled to the table: a table is
 * in the order of the hash, whatever its size. So it may have any size (it grows by an eighth, to
 * seven eighths full), is spread anew without looking at a single object, is deleted from without
 * leaving marks, and is scanned by a cursor that is a place in the hash and not in the table. A
 * lookup walks forward from the home to the first greater tag: mostly one cache line.
 *
 * When its objects expire is written behind the entries, in the same block, from the first object
 * that does until the table is made anew without any. An object only says whether it expires, and
 * the sweep need not look at one to know when.
 *
 * Ordered linear probing: Amble and Knuth 1974, "Ordered hash tables".
 */
#ifndef TORC_NODE_STORE_SEGMENT_H
#define TORC_NODE_STORE_SEGMENT_H

#include "node/store/expiries.h"
#include "node/store/freeing.h"
#include "node/store/object.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define TAG_BITS 20
#define ADDRESS_BITS 44 /* of 47 in user space, less the three that alignment makes zero */
#define WINDOW_STEP 4u  /* bits by which the window moves on: a split in four looks at objects */
#define SEGMENT_DENSE_MAX 8u /* up to one cache line a table is a plain ordered array */
#define SEGMENT_GROUP 8u     /* entries a lookup compares at once */
#define SEGMENT_NOT_FOUND SIZE_MAX
#define SEGMENT_PREFETCH_AHEAD 8u /* entries ahead of the one that a walk is looking at */
#define EXPIRY_NONE UINT64_MAX

static_assert(TAG_BITS + ADDRESS_BITS == 64, "an entry is one word");

struct segment {
    _Atomic(uint64_t *) entries; /* NULL while capacity is 0 */
    uint64_t next_expiry_ms;     /* no object expires sooner; EXPIRY_NONE = none expires */
    _Atomic uint32_t span; /* homes are 0 .. span-1; the rest takes what is pushed off the end */
    uint32_t capacity;     /* entries allocated */
    uint32_t count;        /* entries in use */
    uint8_t depth;         /* high bits of the hash that all keys here have in common */
    bool pinned;           /* is being walked: entries may go, the table stays */
    uint8_t expiry_size;   /* of each expiry, see expiries.h; 0 = there are none */
};

/* Entries of a table or of a part of one, ordered by tag, with zeros between, and their expiries.
 */
struct entry_run {
    uint64_t *entries;
    struct expiries expiries;
    size_t length;
};

static inline uint64_t *segment_entries(const struct segment *segment)
{
    return atomic_load_explicit(&segment->entries, memory_order_relaxed);
}

/* Those behind so many entries, of which there may be none. */
static inline struct expiries entries_expiries(const uint64_t *entries, size_t capacity,
                                               unsigned expiry_size)
{
    uintptr_t behind = (uintptr_t)entries + capacity * sizeof(entries[0]);
    return (struct expiries){(uint8_t *)behind, expiry_size};
}

static inline struct expiries segment_expiries(const struct segment *segment)
{
    return entries_expiries(segment_entries(segment), segment->capacity, segment->expiry_size);
}

static inline struct entry_run segment_run(const struct segment *segment)
{
    return (struct entry_run){segment_entries(segment), segment_expiries(segment),
                              segment->capacity};
}

/* Of the entry at a place; 0 = never. */
static inline uint64_t segment_expire_at_ms(const struct segment *segment, size_t at)
{
    return expiries_get(segment_expiries(segment), at);
}

/* False: segment_widen first. */
static inline bool segment_fits_expiry(const struct segment *segment, uint64_t expire_at_ms)
{
    return expire_at_ms == 0 || expiry_size_for(expire_at_ms) <= segment->expiry_size;
}

static inline uint64_t entry_make(uint64_t tag, const struct object *object)
{
    assert(((uintptr_t)object & 7) == 0);
    assert((uintptr_t)object >> 3 >> ADDRESS_BITS == 0);
    return tag << ADDRESS_BITS | (uint64_t)((uintptr_t)object >> 3);
}

static inline struct object *entry_object(uint64_t entry)
{
    return (struct object *)(uintptr_t)((entry & (((uint64_t)1 << ADDRESS_BITS) - 1)) << 3);
}

static inline uint64_t entry_tag(uint64_t entry)
{
    return entry >> ADDRESS_BITS;
}

/* First bit of the hash, from the top, that the tags of a depth hold. Every fourth depth moves it.
 */
static inline unsigned window_of_depth(unsigned depth)
{
    return depth & ~(WINDOW_STEP - 1);
}

static inline uint64_t tag_at_depth(unsigned depth, uint64_t hash)
{
    return (hash << window_of_depth(depth)) >> ADDRESS_BITS;
}

static inline size_t home_at_depth(unsigned depth, uint64_t tag, uint32_t span)
{
    /* The bits of the tag that all here have in common fall off the top. */
    uint32_t place = (uint32_t)(tag << (32 - TAG_BITS + (depth & (WINDOW_STEP - 1))));
    return (size_t)(((uint64_t)place * span) >> 32);
}

static inline uint64_t segment_tag(const struct segment *segment, uint64_t hash)
{
    return tag_at_depth(segment->depth, hash);
}

static inline size_t segment_home(const struct segment *segment, uint64_t tag)
{
    return home_at_depth(segment->depth, tag,
                         atomic_load_explicit(&segment->span, memory_order_relaxed));
}

/* Which of the SEGMENT_GROUP entries have that tag, one bit each: without a branch to mispredict.
 */
static inline unsigned entries_with_tag(const uint64_t *entries, uint64_t tag)
{
#ifdef __SSE2__
    /* The upper halves of the entries, four to a register: above the address they hold the tag. */
    const __m128i *from = (const __m128i *)(const void *)entries;
    __m128i wanted = _mm_set1_epi32((int)tag);
    __m128i match[2];
    for (int i = 0; i < 2; i++) {
        __m128 a = _mm_castsi128_ps(_mm_loadu_si128(from + 2 * i));
        __m128 b = _mm_castsi128_ps(_mm_loadu_si128(from + 2 * i + 1));
        __m128i upper = _mm_castps_si128(_mm_shuffle_ps(a, b, _MM_SHUFFLE(3, 1, 3, 1)));
        match[i] = _mm_cmpeq_epi32(_mm_srli_epi32(upper, ADDRESS_BITS - 32), wanted);
    }
    __m128i match16 = _mm_packs_epi32(match[0], match[1]);
    return (unsigned)_mm_movemask_epi8(_mm_packs_epi16(match16, _mm_setzero_si128()));
#else
    unsigned match = 0;
    for (unsigned i = 0; i < SEGMENT_GROUP; i++) {
        match |= (unsigned)(entry_tag(entries[i]) == tag) << i;
    }
    return match;
#endif
}

/*
 * Looks at entries from the home on, a group at a time: *at is where to begin, and to go on.
 * Entries of the tag are in *match, one bit each counted from *from. False if there are none
 * further on: behind a gap, and behind a greater tag, there are only greater ones.
 */
static inline bool segment_next_group(const struct segment *segment, uint64_t tag, size_t *at,
                                      size_t *from, unsigned *match)
{
    const uint64_t *entries = segment_entries(segment);
    size_t capacity = segment->capacity;
    if (*at >= capacity) {
        return false;
    }
    if (TORC_UNLIKELY(capacity < SEGMENT_GROUP)) {
        *from = 0;
        *match = 0;
        for (unsigned i = 0; i < capacity; i++) {
            *match |= (unsigned)(entries[i] != 0 && entry_tag(entries[i]) == tag) << i;
        }
        *at = capacity;
        return true;
    }
    *from = *at + SEGMENT_GROUP <= capacity ? *at : capacity - SEGMENT_GROUP;
    *match = entries_with_tag(entries + *from, tag);
    uint64_t last = entries[*from + SEGMENT_GROUP - 1];
    *at = last == 0 || entry_tag(last) > tag ? capacity : *from + SEGMENT_GROUP;
    return true;
}

/* Index of the entry with that key, or SEGMENT_NOT_FOUND. */
static inline size_t segment_find(const struct segment *segment, struct bytes key, uint64_t hash)
{
    const uint64_t *entries = segment_entries(segment);
    uint64_t tag = segment_tag(segment, hash);
    size_t at = segment_home(segment, tag);
    size_t from;
    unsigned match;
    while (segment_next_group(segment, tag, &at, &from, &match)) {
        for (; match != 0; match &= match - 1) {
            size_t found = from + (size_t)__builtin_ctz(match);
            if (entries[found] != 0 && object_has_key(entry_object(entries[found]), key)) {
                return found;
            }
        }
    }
    return SEGMENT_NOT_FOUND;
}

/* The entry of an object, which is there. */
static inline size_t segment_find_object(const struct segment *segment, const struct object *object,
                                         uint64_t hash)
{
    const uint64_t *entries = segment_entries(segment);
    uint64_t tag = segment_tag(segment, hash);
    uint64_t entry = entry_make(tag, object);
    size_t at = segment_home(segment, tag);
    while (entries[at] != entry) {
        at++;
        assert(at < segment->capacity);
    }
    return at;
}

/* The entry a find of that hash will most likely look at; SEGMENT_NOT_FOUND if there is none. */
static inline size_t segment_likely(const struct segment *segment, uint64_t hash)
{
    uint64_t tag = segment_tag(segment, hash);
    size_t at = segment_home(segment, tag);
    size_t from;
    unsigned match;
    while (segment_next_group(segment, tag, &at, &from, &match)) {
        if (match != 0) {
            return from + (size_t)__builtin_ctz(match);
        }
    }
    return SEGMENT_NOT_FOUND;
}

static inline struct object *segment_object(const struct segment *segment, size_t at)
{
    return entry_object(segment_entries(segment)[at]);
}

/* Has the object at a place expire then; 0 = never. There must be room: segment_fits_expiry. */
static inline void segment_set_expiry(struct segment *segment, size_t at, uint64_t expire_at_ms)
{
    expiries_set(segment_expiries(segment), at, expire_at_ms);
    object_set_expires(segment_object(segment, at), expire_at_ms != 0);
}

/* For a walk over all entries: pulls the object that it will come to soon. */
static inline void segment_prefetch_ahead(const struct segment *segment, size_t at)
{
    if (at + SEGMENT_PREFETCH_AHEAD < segment->capacity) {
        __builtin_prefetch(segment_object(segment, at + SEGMENT_PREFETCH_AHEAD));
    }
}

/* The first hash that belongs to the segment of `hash`. */
static inline uint64_t segment_first_hash(const struct segment *segment, uint64_t hash)
{
    return segment->depth == 0 ? 0 : hash >> (64 - segment->depth) << (64 - segment->depth);
}

/* The first hash behind the segment; 0 after the last one. */
static inline uint64_t segment_end_hash(const struct segment *segment, uint64_t hash)
{
    return segment->depth == 0
               ? 0
               : segment_first_hash(segment, hash) + ((uint64_t)1 << (64 - segment->depth));
}

/* Bytes its table holds. */
size_t segment_memory(const struct segment *segment);

void segment_init(struct segment *segment, unsigned depth);
void segment_deinit(struct segment *segment); /* the table, not the objects */
/* Moves all that one holds to another of that depth, which is empty. */
void segment_take(struct segment *from, struct segment *to);
/* Some of its objects and, with the last of them, its table: see freeing.h. It is as after
 * segment_init then. */
bool segment_free_some(struct segment *segment, struct freeing *freeing);
/* The same for a piece of a giant. NULL without memory; NULL may be destroyed. */
struct segment *segment_create(unsigned depth);
void segment_destroy(struct segment *segment);

/* Adds an object whose key is not there, which expires then; 0 = never. False if there is no room
 * where it belongs, or none for its expiry. */
bool segment_insert(struct segment *segment, uint64_t hash, struct object *object,
                    uint64_t expire_at_ms);
void segment_remove(struct segment *segment, size_t at);

/*
 * Replaces the table by one for at least `capacity` entries that holds the `count` entries of a
 * run, which may be the table itself, and their expiries, if there are any. Capacity 0 is no table
 * at all. 0 or TORC_ENOMEM (nothing changed).
 */
int segment_rebuild(struct segment *segment, const struct entry_run *from, size_t count,
                    size_t capacity) TORC_MUST_USE;
/* One step larger, and with room for such an expiry. 0 or TORC_ENOMEM (nothing changed). */
int segment_grow(struct segment *segment, uint64_t expire_at_ms) TORC_MUST_USE;
/* As large, with room for such an expiry. 0 or TORC_ENOMEM (nothing changed). */
int segment_widen(struct segment *segment, uint64_t expire_at_ms) TORC_MUST_USE;
/* True once so little of the table is used that a smaller one is worth its making. */
static inline bool segment_is_wasteful(const struct segment *segment)
{
    return segment->count == 0
               ? segment->capacity > 0
               : segment->capacity > SEGMENT_DENSE_MAX && segment->count < segment->capacity / 2;
}
/* As small as its entries allow. 0 or TORC_ENOMEM (nothing changed). */
int segment_shrink(struct segment *segment) TORC_MUST_USE;
/* Capacity a table of that many entries starts with. */
size_t segment_capacity_for(size_t count);

#endif
