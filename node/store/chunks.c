#include "node/store/chunks.h"

#include "base/error.h"
#include "node/store/allocate.h"

#include <assert.h>

#define INDEX_CAPACITY_MIN 8u
#define WASTE_MAX (CHUNK_SIZE / 8) /* free bytes that a run may keep that nothing is added to */

static void *take(struct chunks *chunks, size_t size)
{
    void *block = store_allocate(size);
    chunks->memory += store_allocated_size(block);
    return block;
}

static void give(struct chunks *chunks, void *block)
{
    chunks->memory -= store_allocated_size(block);
    store_release(block);
}

struct chunks *chunks_create(void)
{
    struct chunks *chunks = store_allocate(sizeof(*chunks));
    if (chunks != NULL) {
        *chunks = (struct chunks){.memory = store_allocated_size(chunks)};
    }
    return chunks;
}

void chunks_destroy(struct chunks *chunks)
{
    if (chunks != NULL) {
        struct freeing all = FREEING_ALL;
        (void)chunks_free_some(chunks, &all);
    }
}

bool chunks_free_some(struct chunks *chunks, struct freeing *freeing)
{
    while (chunks->length > 0 && freeing->budget > 0) {
        freeing_release(freeing, chunks_at(chunks, chunks->length - 1)->data);
        chunks->length--;
    }
    if (chunks->length > 0) {
        return true;
    }
    freeing_release(freeing, chunks->index);
    freeing_release(freeing, chunks);
    return false;
}

/* ---- the index ---- */

/* Moves the index to a block of another capacity, its free places at both ends alike. */
static int index_move(struct chunks *chunks, size_t capacity)
{
    struct packed *index = take(chunks, capacity * sizeof(*index));
    if (index == NULL) {
        return TORC_ENOMEM;
    }
    size_t first = (capacity - chunks->length) / 2;
    if (chunks->length > 0) {
        memcpy(index + first, chunks_at(chunks, 0), chunks->length * sizeof(*index));
    }
    give(chunks, chunks->index);
    chunks->index = index;
    chunks->capacity = capacity;
    chunks->first = first;
    return 0;
}

/* Makes sure of `more` free places at each end. A list that is added to at one end and taken from
 * at the other wanders through its index: it is put back to the middle, and grows only when it is
 * half full, so that either costs a constant time for each chunk. */
static int index_reserve(struct chunks *chunks, size_t more)
{
    size_t behind = chunks->capacity - chunks->first - chunks->length;
    if (chunks->first >= more && behind >= more) {
        return 0;
    }
    size_t free = chunks->capacity - chunks->length;
    if (chunks->length <= chunks->capacity / 2 && free >= 2 * more) {
        memmove(chunks->index + free / 2, chunks_at(chunks, 0),
                chunks->length * sizeof(*chunks->index));
        chunks->first = free / 2;
        return 0;
    }
    size_t capacity = 2 * (chunks->length + more);
    return index_move(chunks, capacity < INDEX_CAPACITY_MIN ? INDEX_CAPACITY_MIN : capacity);
}

/* Makes a place at `chunk`; index_reserve has been asked for it. */
static struct packed *index_open(struct chunks *chunks, size_t chunk)
{
    size_t behind = chunks->length - chunk;
    if (chunk < behind) {
        struct packed *from = chunks_at(chunks, 0);
        memmove(from - 1, from, chunk * sizeof(*from));
        chunks->first--;
    } else {
        struct packed *from = chunks_at(chunks, chunk);
        memmove(from + 1, from, behind * sizeof(*from));
    }
    chunks->length++;
    return chunks_at(chunks, chunk);
}

/* Takes out `count` places, whose blocks are gone. */
static void index_close(struct chunks *chunks, size_t chunk, size_t count)
{
    size_t behind = chunks->length - chunk - count;
    if (chunk < behind) {
        struct packed *from = chunks_at(chunks, 0);
        memmove(from + count, from, chunk * sizeof(*from));
        chunks->first += count;
    } else {
        struct packed *to = chunks_at(chunks, chunk);
        memmove(to, to + count, behind * sizeof(*to));
    }
    chunks->length -= count;
    if (chunks->capacity > 8 * INDEX_CAPACITY_MIN && chunks->length < chunks->capacity / 8) {
        /* Without memory it stays as large as it is. */
        (void)index_move(chunks, 2 * chunks->length + INDEX_CAPACITY_MIN);
    }
}

/* ---- one run ---- */

/* Gives the run a block of another capacity that holds it. 0 or TORC_ENOMEM. */
static int run_fit(struct chunks *chunks, struct packed *run, uint32_t capacity)
{
    uint32_t used = packed_used(run);
    assert(capacity >= used);
    memmove(run->data, run->data + run->start, used);
    run->start = 0;
    run->end = used;
    size_t before = store_allocated_size(run->data);
    char *data = store_reallocate(run->data, capacity);
    if (data == NULL) {
        return TORC_ENOMEM;
    }
    chunks->memory += store_allocated_size(data) - before;
    run->data = data;
    run->capacity = capacity;
    return 0;
}

/* Nothing will be added to the run for a while: gives back what it does not need. */
static void run_seal(struct chunks *chunks, struct packed *run)
{
    if (packed_room(run) > WASTE_MAX) {
        /* Without memory it stays as large as it is. */
        (void)run_fit(chunks, run, packed_used(run));
    }
}

/* True if `size` more bytes belong into the run and there is room for them. */
static bool run_has_room(const struct packed *run, size_t size)
{
    return packed_used(run) + size <= CHUNK_SIZE && packed_room(run) >= size;
}

/* The same; makes the room. */
static bool run_make_room(struct chunks *chunks, struct packed *run, size_t size)
{
    return run_has_room(run, size) ||
           (packed_used(run) + size <= CHUNK_SIZE && run_fit(chunks, run, CHUNK_SIZE) == 0);
}

/* A new, empty run at `chunk`; NULL without memory. index_reserve has been asked for it. */
static struct packed *run_add(struct chunks *chunks, size_t chunk, size_t size)
{
    uint32_t capacity = size > CHUNK_SIZE ? (uint32_t)size : CHUNK_SIZE;
    char *data = take(chunks, capacity);
    if (data == NULL) {
        return NULL;
    }
    struct packed *run = index_open(chunks, chunk);
    /* At the head more will come before what is put there first, elsewhere behind it. */
    uint32_t start = chunk == 0 && chunks->length > 1 ? capacity : 0;
    *run = (struct packed){.data = data, .capacity = capacity, .start = start, .end = start};
    return run;
}

/* Puts values of another run behind those of this one, which has the room. */
static void run_append(struct packed *run, const struct packed *from)
{
    uint32_t size = packed_used(from);
    memcpy(packed_open(run, run->end, size), from->data + from->start, size);
    run->count += from->count;
}

/* ---- places ---- */

struct chunk_place chunks_place(const struct chunks *chunks, size_t index)
{
    assert(chunks->length > 0);
    assert(index <= chunks->count);
    size_t chunk;
    size_t before; /* values before the run */
    if (index <= chunks->count / 2) {
        before = 0;
        for (chunk = 0; index - before >= chunks_at(chunks, chunk)->count; chunk++) {
            before += chunks_at(chunks, chunk)->count;
        }
    } else {
        chunk = chunks->length - 1;
        for (before = chunks->count - chunks_at(chunks, chunk)->count; before > index;
             before -= chunks_at(chunks, chunk)->count) {
            chunk--;
        }
    }
    return (struct chunk_place){chunk, (uint32_t)(index - before)};
}

static void note_insert(struct chunks *chunks, struct bytes value)
{
    chunks->count++;
    chunks->size += packed_entry_size(value.size);
}

/* Inserts where a run has room: that of the place, or the one before if the place is its end too.
 * False if none has. */
static bool insert_in_place(struct chunks *chunks, struct chunk_place place, struct bytes value)
{
    size_t size = packed_entry_size(value.size);
    struct packed *run = chunks_at(chunks, place.chunk);
    uint32_t offset = packed_seek(run, place.inside);
    if (place.inside == 0 && place.chunk > 0 && !run_has_room(run, size)) {
        struct packed *previous = chunks_at(chunks, place.chunk - 1);
        if (run_make_room(chunks, previous, size)) {
            packed_insert(previous, previous->end, value);
            return true;
        }
    }
    uint32_t from_start = offset - run->start;
    if (!run_make_room(chunks, run, size)) {
        return false;
    }
    packed_insert(run, run->start + from_start, value);
    return true;
}

/* Makes two runs of one, which both have values. 0 or TORC_ENOMEM. */
static int split(struct chunks *chunks, struct chunk_place place)
{
    struct packed *right = run_add(chunks, place.chunk + 1, CHUNK_SIZE);
    if (right == NULL) {
        return TORC_ENOMEM;
    }
    struct packed *left = chunks_at(chunks, place.chunk);
    uint32_t offset = packed_seek(left, place.inside);
    struct packed moved = {
        .data = left->data, .start = offset, .end = left->end, .count = left->count - place.inside};
    run_append(right, &moved);
    left->end = offset;
    left->count = place.inside;
    return 0;
}

/* Inserts into a run of its own. 0 or TORC_ENOMEM. */
static int insert_alone(struct chunks *chunks, size_t chunk, struct bytes value)
{
    struct packed *run = run_add(chunks, chunk, packed_entry_size(value.size));
    if (run == NULL) {
        return TORC_ENOMEM;
    }
    packed_insert(run, run->start, value);
    if (chunk > 0) {
        run_seal(chunks, chunks_at(chunks, chunk - 1));
    }
    if (chunk + 1 < chunks->length) {
        run_seal(chunks, chunks_at(chunks, chunk + 1));
    }
    return 0;
}

static int insert_at(struct chunks *chunks, struct chunk_place place, struct bytes value)
{
    if (insert_in_place(chunks, place, value)) {
        return 0;
    }
    size_t alone = place.chunk;
    if (place.inside > 0) {
        alone++;
        if (place.inside < chunks_at(chunks, place.chunk)->count) {
            int result = split(chunks, place);
            if (result != 0) {
                return result;
            }
            if (insert_in_place(chunks, place, value) ||
                insert_in_place(chunks, (struct chunk_place){place.chunk + 1, 0}, value)) {
                return 0;
            }
        }
    }
    return insert_alone(chunks, alone, value);
}

int chunks_insert(struct chunks *chunks, size_t index, struct bytes value)
{
    int result = index_reserve(chunks, 2);
    if (result != 0) {
        return result;
    }
    result = chunks->length == 0 ? insert_alone(chunks, 0, value)
                                 : insert_at(chunks, chunks_place(chunks, index), value);
    if (result == 0) {
        note_insert(chunks, value);
    }
    return result;
}

int chunks_append_run(struct chunks *chunks, const struct packed *run)
{
    assert(packed_used(run) <= CHUNK_SIZE);
    int result = index_reserve(chunks, 1);
    struct packed *added = result != 0 ? NULL : run_add(chunks, chunks->length, CHUNK_SIZE);
    if (added == NULL) {
        return TORC_ENOMEM;
    }
    run_append(added, run);
    chunks->count += run->count;
    chunks->size += packed_used(run);
    return 0;
}

struct chunks *chunks_clone(const struct chunks *chunks)
{
    struct chunks *clone = chunks_create();
    if (clone == NULL || index_move(clone, chunks->length + 2) != 0) {
        goto err_clone;
    }
    clone->first = 1;
    for (; clone->length < chunks->length; clone->length++) {
        const struct packed *from = chunks_at(chunks, clone->length);
        uint32_t size = packed_used(from);
        char *data = take(clone, size);
        if (data == NULL) {
            goto err_clone;
        }
        memcpy(data, from->data + from->start, size);
        *chunks_at(clone, clone->length) =
            (struct packed){.data = data, .capacity = size, .end = size, .count = from->count};
    }
    clone->count = chunks->count;
    clone->size = chunks->size;
    return clone;

err_clone:
    chunks_destroy(clone);
    return NULL;
}

/* ---- removing ---- */

/* Removes values of one run, not all. */
static void remove_inside(struct chunks *chunks, struct packed *run, uint32_t inside,
                          uint32_t count)
{
    uint32_t from = packed_seek(run, inside);
    uint32_t to = run->end;
    if (inside + count < run->count) {
        struct packed rest = *run;
        rest.start = from;
        rest.count -= inside;
        to = packed_seek(&rest, count);
    }
    packed_remove(run, from, to, count);
    chunks->size -= to - from;
}

void chunks_remove(struct chunks *chunks, size_t index, size_t count)
{
    if (count == 0) {
        return;
    }
    assert(count <= chunks->count - index);
    struct chunk_place place = chunks_place(chunks, index);
    size_t gone = 0;
    size_t gone_from = place.inside == 0 ? place.chunk : place.chunk + 1;
    chunks->count -= count;
    for (size_t chunk = place.chunk; count > 0; chunk++, place.inside = 0) {
        struct packed *run = chunks_at(chunks, chunk);
        uint32_t here = run->count - place.inside;
        here = count < here ? (uint32_t)count : here;
        count -= here;
        if (here < run->count) {
            remove_inside(chunks, run, place.inside, here);
        } else {
            chunks->size -= packed_used(run);
            give(chunks, run->data);
            gone++;
        }
    }
    if (gone > 0) {
        index_close(chunks, gone_from, gone);
    }
}

/* Joins neighbours that fit into one run and drops empty ones, in one pass. */
static void join_runs(struct chunks *chunks)
{
    size_t kept = 0;
    for (size_t chunk = 0; chunk < chunks->length; chunk++) {
        struct packed *run = chunks_at(chunks, chunk);
        struct packed *last = kept == 0 ? NULL : chunks_at(chunks, kept - 1);
        bool joins = last != NULL && packed_used(last) + packed_used(run) <= CHUNK_SIZE &&
                     run_make_room(chunks, last, packed_used(run));
        if (joins && run->count > 0) {
            run_append(last, run);
        }
        if (joins || run->count == 0) {
            give(chunks, run->data);
        } else {
            *chunks_at(chunks, kept++) = *run;
        }
    }
    index_close(chunks, kept, chunks->length - kept);
}

size_t chunks_remove_equal(struct chunks *chunks, struct bytes value, bool last_ones, size_t limit)
{
    size_t removed = 0;
    for (size_t i = 0; i < chunks->length && removed < limit; i++) {
        struct packed *run = chunks_at(chunks, last_ones ? chunks->length - 1 - i : i);
        uint32_t skip = 0;
        if (last_ones) {
            uint32_t found = packed_count_equal(run, value);
            skip = found > limit - removed ? found - (uint32_t)(limit - removed) : 0;
        }
        removed += packed_remove_equal(run, value, skip, limit - removed);
    }
    if (removed > 0) {
        chunks->count -= removed;
        chunks->size -= removed * packed_entry_size(value.size);
        join_runs(chunks);
    }
    return removed;
}

int chunks_replace(struct chunks *chunks, size_t index, struct bytes value)
{
    assert(index < chunks->count);
    struct chunk_place place = chunks_place(chunks, index);
    struct packed *run = chunks_at(chunks, place.chunk);
    uint32_t from = packed_seek(run, place.inside);
    struct bytes old;
    uint32_t to = (uint32_t)(packed_read(run->data + from, &old) - run->data);
    uint32_t old_size = to - from;
    size_t size = packed_entry_size(value.size);
    size_t used = packed_used(run) - old_size + size;
    if (used > run->capacity || (run->count > 1 && used > CHUNK_SIZE)) {
        int result = chunks_insert(chunks, index, value);
        if (result == 0) {
            chunks_remove(chunks, index + 1, 1);
        }
        return result;
    }
    packed_remove(run, from, to, 1);
    packed_insert(run, packed_seek(run, place.inside), value);
    chunks->size = chunks->size - old_size + size;
    if (run->capacity > CHUNK_SIZE && packed_room(run) > 0) {
        /* Without memory it stays as large as it is. */
        (void)run_fit(chunks, run, used < CHUNK_SIZE ? CHUNK_SIZE : (uint32_t)used);
    }
    return 0;
}
