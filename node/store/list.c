#include "node/store/list.h"

#include "base/error.h"
#include "node/store/list_form.h"

/* A large list becomes small again at half the size at which it had become large, so that one which
 * wavers is not made over each time. */
#define EMBED_SIZE_MAX (LIST_SMALL_SIZE_MAX / 2)

static_assert(LIST_SMALL_SIZE_MAX / 2 <= UINT16_MAX, "the count of the shortest values");
static_assert(CONTAINER_SIZE_MAX / 2 <= UINT32_MAX, "the count in a dump");

/* Values to put into a list: one after the other, or each before the one before it. */
struct insertion {
    size_t index;
    const struct bytes *values;
    size_t count;
    size_t size; /* bytes they will take */
    bool reverse;
};

static struct insertion insertion_of(size_t index, const struct bytes *values, size_t count,
                                     bool reverse)
{
    struct insertion what = {.index = index, .values = values, .count = count, .reverse = reverse};
    for (size_t i = 0; i < count; i++) {
        what.size += packed_entry_size(values[i].size);
    }
    return what;
}

static void write_values(char *at, const struct insertion *what)
{
    for (size_t i = 0; i < what->count; i++) {
        at = packed_write(at, what->values[what->reverse ? what->count - 1 - i : i]);
    }
}

/* ---- the small form ---- */

static int small_insert(struct keyspace *keys, struct place place, const struct insertion *what)
{
    struct packed run;
    int result = small_grow(keys, place, what->size, &run);
    if (result == 0) {
        uint32_t offset = packed_seek(&run, (uint32_t)what->index);
        write_values(packed_open(&run, offset, (uint32_t)what->size), what);
        run.count += (uint32_t)what->count;
        small_settle(&run);
    }
    return result;
}

/* ---- the large form ---- */

static struct chunks *large_chunks(const struct object *list)
{
    return object_outside(list);
}

/* All or nothing. */
static int large_insert(struct chunks *chunks, const struct insertion *what)
{
    for (size_t i = 0; i < what->count; i++) {
        size_t index = what->reverse ? what->index : what->index + i;
        int result = chunks_insert(chunks, index, what->values[i]);
        if (result != 0) {
            chunks_remove(chunks, what->index, i);
            return result;
        }
    }
    return 0;
}

/* The large form of a small list; NULL without memory. */
static struct chunks *enlarge(const struct object *list)
{
    struct packed run = small_run(list);
    struct chunks *chunks = chunks_create();
    if (chunks != NULL && chunks_append_run(chunks, &run) != 0) {
        chunks_destroy(chunks);
        return NULL;
    }
    return chunks;
}

/* Makes a large list that has got few values a small one. Without memory it stays large. */
static void embed_if_few(struct keyspace *keys, struct place place)
{
    const struct chunks *chunks = large_chunks(place_object(place));
    if (chunks->size > EMBED_SIZE_MAX) {
        return;
    }
    char value[SMALL_HEAD_SIZE + EMBED_SIZE_MAX];
    uint16_t count = (uint16_t)chunks->count;
    memcpy(value, &count, sizeof(count));
    size_t size = SMALL_HEAD_SIZE;
    for (size_t i = 0; i < chunks->length; i++) {
        const struct packed *run = chunks_at(chunks, i);
        memcpy(value + size, run->data + run->start, packed_used(run));
        size += packed_used(run);
    }
    /* There is nothing to do about a failure, and nothing to undo. */
    int result = keyspace_replace_at(keys, place, ENCODING_PACKED, (struct bytes){value, size});
    (void)result;
}

static void account_chunks(struct keyspace *keys, const struct chunks *chunks, size_t before)
{
    keyspace_account(keys, (int64_t)chunks->memory - (int64_t)before);
}

/* ---- reading ---- */

size_t list_count(const struct object *list)
{
    assert(object_type(list) == OBJECT_LIST);
    return object_is_outside(list) ? large_chunks(list)->count : small_run(list).count;
}

/* Bytes of the values in runs. */
static size_t list_size(const struct object *list)
{
    return object_is_outside(list) ? large_chunks(list)->size : small_run(list).capacity;
}

static void enter_run(struct list_cursor *cursor, const struct packed *run, uint32_t inside)
{
    bool forward = cursor->to == LIST_TAIL;
    /* Walking to the head a value is reached from behind it. */
    cursor->at = run->data + packed_seek(run, forward ? inside : inside + 1);
    cursor->limit = run->data + (forward ? run->end : run->start);
}

void list_cursor_init(struct list_cursor *cursor, const struct object *list, size_t index,
                      enum list_end to)
{
    *cursor = (struct list_cursor){.to = to};
    if (index >= list_count(list)) {
        return;
    }
    if (object_is_outside(list)) {
        cursor->chunks = large_chunks(list);
        struct chunk_place place = chunks_place(cursor->chunks, index);
        cursor->chunk = place.chunk;
        enter_run(cursor, chunks_at(cursor->chunks, place.chunk), place.inside);
    } else {
        struct packed run = small_run(list);
        enter_run(cursor, &run, (uint32_t)index);
    }
}

static bool next_run(struct list_cursor *cursor)
{
    size_t last = cursor->chunks == NULL    ? cursor->chunk
                  : cursor->to == LIST_HEAD ? 0
                                            : cursor->chunks->length - 1;
    if (cursor->chunk == last) {
        return false;
    }
    cursor->chunk += cursor->to == LIST_TAIL ? 1 : (size_t)-1;
    const struct packed *run = chunks_at(cursor->chunks, cursor->chunk);
    enter_run(cursor, run, cursor->to == LIST_TAIL ? 0 : run->count - 1);
    return true;
}

bool list_next(struct list_cursor *cursor, struct bytes *value)
{
    if (cursor->at == cursor->limit && !next_run(cursor)) {
        return false;
    }
    cursor->at = cursor->to == LIST_TAIL ? packed_read(cursor->at, value)
                                         : packed_read_back(cursor->at, value);
    return true;
}

/* ---- changing ---- */

static int create(struct keyspace *keys, struct bytes key, uint64_t hash,
                  const struct insertion *what)
{
    if (what->size <= LIST_SMALL_SIZE_MAX) {
        char *run;
        int result =
            small_put(keys, OBJECT_LIST, key, hash, 0, (uint32_t)what->count, what->size, &run);
        if (result == 0) {
            write_values(run, what);
        }
        return result;
    }
    struct chunks *chunks = chunks_create();
    if (chunks == NULL) {
        return TORC_ENOMEM;
    }
    int result = large_insert(chunks, what);
    if (result == 0) {
        result = large_put(keys, OBJECT_LIST, key, hash, 0, chunks);
    }
    if (result != 0) {
        chunks_destroy(chunks);
    }
    return result;
}

/* Inserts into the list of a place. */
static int insert_values(struct keyspace *keys, struct place place, const struct insertion *what)
{
    struct object *list = place_object(place);
    size_t size = list_size(list);
    if (what->size > CONTAINER_SIZE_MAX - size) {
        return TORC_ETOOBIG;
    }
    if (object_is_outside(list)) {
        struct chunks *chunks = large_chunks(list);
        size_t before = chunks->memory;
        int result = large_insert(chunks, what);
        account_chunks(keys, chunks, before);
        return result;
    }
    if (size + what->size <= LIST_SMALL_SIZE_MAX) {
        return small_insert(keys, place, what);
    }
    struct chunks *chunks = enlarge(list);
    if (chunks == NULL) {
        return TORC_ENOMEM;
    }
    int result = large_insert(chunks, what);
    if (result == 0) {
        result = large_replace(keys, place, chunks);
    }
    if (result != 0) {
        chunks_destroy(chunks);
    }
    return result;
}

int keyspace_list_push(struct keyspace *keys, struct bytes key, uint64_t hash, enum list_end end,
                       const struct bytes *values, size_t count, struct object **out)
{
    assert(count > 0);
    struct place place = keyspace_place(keys, key, hash);
    const struct object *list = place_object(place);
    if (list != NULL && object_type(list) != OBJECT_LIST) {
        return TORC_ETYPE;
    }
    size_t index = list == NULL || end == LIST_HEAD ? 0 : list_count(list);
    struct insertion what = insertion_of(index, values, count, end == LIST_HEAD);
    if (what.size > CONTAINER_SIZE_MAX) {
        return TORC_ETOOBIG;
    }
    int result = list == NULL ? create(keys, key, hash, &what) : insert_values(keys, place, &what);
    if (result == 0 && out != NULL) {
        *out = keyspace_find(keys, key, hash);
    }
    return result;
}

/* The place of a list that is there. */
static struct place list_place(struct keyspace *keys, struct bytes key, uint64_t hash)
{
    struct place place = keyspace_place(keys, key, hash);
    assert(place.at != SEGMENT_NOT_FOUND);
    assert(object_type(place_object(place)) == OBJECT_LIST);
    return place;
}

int keyspace_list_insert(struct keyspace *keys, struct bytes key, uint64_t hash, size_t index,
                         struct bytes value)
{
    struct place place = list_place(keys, key, hash);
    assert(index <= list_count(place_object(place)));
    struct insertion what = insertion_of(index, &value, 1, false);
    return insert_values(keys, place, &what);
}

static int small_replace(struct keyspace *keys, struct place place, size_t index,
                         struct bytes value)
{
    struct packed run = small_run(place_object(place));
    uint32_t from = packed_seek(&run, (uint32_t)index);
    struct bytes old;
    size_t old_size = (size_t)(packed_read(run.data + from, &old) - (run.data + from));
    size_t size = packed_entry_size(value.size);
    if (size > old_size) {
        int result = small_grow(keys, place, size - old_size, &run);
        if (result != 0) {
            return result;
        }
    }
    packed_remove(&run, from, from + (uint32_t)old_size, 1);
    packed_insert(&run, packed_seek(&run, (uint32_t)index), value);
    if (size < old_size) {
        small_shrink(keys, place, &run);
    } else {
        small_settle(&run);
    }
    return 0;
}

/* A small list that one long value makes large. */
static int replace_enlarged(struct keyspace *keys, struct place place, size_t index,
                            struct bytes value)
{
    struct chunks *chunks = enlarge(place_object(place));
    if (chunks == NULL) {
        return TORC_ENOMEM;
    }
    int result = chunks_replace(chunks, index, value);
    if (result == 0) {
        result = large_replace(keys, place, chunks);
    }
    if (result != 0) {
        chunks_destroy(chunks);
    }
    return result;
}

static int replace_in_chunks(struct keyspace *keys, struct place place, size_t index,
                             struct bytes value)
{
    struct chunks *chunks = large_chunks(place_object(place));
    size_t before = chunks->memory;
    int result = chunks_replace(chunks, index, value);
    account_chunks(keys, chunks, before);
    if (result == 0) {
        embed_if_few(keys, place);
    }
    return result;
}

int keyspace_list_replace(struct keyspace *keys, struct bytes key, uint64_t hash, size_t index,
                          struct bytes value)
{
    struct place place = list_place(keys, key, hash);
    const struct object *list = place_object(place);
    struct list_cursor cursor;
    struct bytes old = {0};
    list_cursor_init(&cursor, list, index, LIST_TAIL);
    bool found = list_next(&cursor, &old);
    assert(found);
    size_t size = list_size(list) - packed_entry_size(old.size) + packed_entry_size(value.size);
    if (size > CONTAINER_SIZE_MAX) {
        return TORC_ETOOBIG;
    }
    if (object_is_outside(list)) {
        return replace_in_chunks(keys, place, index, value);
    }
    return size <= LIST_SMALL_SIZE_MAX ? small_replace(keys, place, index, value)
                                       : replace_enlarged(keys, place, index, value);
}

void keyspace_list_remove(struct keyspace *keys, struct bytes key, uint64_t hash, size_t index,
                          size_t count)
{
    struct place place = list_place(keys, key, hash);
    const struct object *list = place_object(place);
    assert(count <= list_count(list) - index);
    if (count == list_count(list)) {
        bool deleted = keyspace_delete(keys, key, hash);
        assert(deleted);
    } else if (object_is_outside(list)) {
        struct chunks *chunks = large_chunks(list);
        size_t before = chunks->memory;
        chunks_remove(chunks, index, count);
        account_chunks(keys, chunks, before);
        embed_if_few(keys, place);
    } else if (count > 0) {
        struct packed run = small_run(list);
        uint32_t from = packed_seek(&run, (uint32_t)index);
        uint32_t to = packed_seek(&run, (uint32_t)(index + count));
        packed_remove(&run, from, to, (uint32_t)count);
        small_shrink(keys, place, &run);
    }
}

static size_t small_remove_equal(struct keyspace *keys, struct place place, struct bytes value,
                                 enum list_end from, size_t limit)
{
    struct packed run = small_run(place_object(place));
    uint32_t skip = 0;
    if (from == LIST_TAIL) {
        uint32_t found = packed_count_equal(&run, value);
        skip = found > limit ? found - (uint32_t)limit : 0;
    }
    size_t removed = packed_remove_equal(&run, value, skip, limit);
    if (removed > 0) {
        small_shrink(keys, place, &run);
    }
    return removed;
}

size_t keyspace_list_remove_equal(struct keyspace *keys, struct bytes key, uint64_t hash,
                                  struct bytes value, enum list_end from, size_t limit)
{
    struct place place = list_place(keys, key, hash);
    const struct object *list = place_object(place);
    size_t removed;
    bool large = object_is_outside(list);
    if (large) {
        struct chunks *chunks = large_chunks(list);
        size_t before = chunks->memory;
        removed = chunks_remove_equal(chunks, value, from == LIST_TAIL, limit);
        account_chunks(keys, chunks, before);
    } else {
        removed = small_remove_equal(keys, place, value, from, limit);
    }
    if (list_count(place_object(place)) == 0) {
        bool deleted = keyspace_delete(keys, key, hash);
        assert(deleted);
    } else if (large) {
        embed_if_few(keys, place);
    }
    return removed;
}
