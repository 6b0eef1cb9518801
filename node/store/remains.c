#include "node/store/remains.h"

#include "node/store/freeing.h"
#include "node/store/keyspace.h"

static void push(struct store *store, struct remains *remains)
{
    remains->next = atomic_load_explicit(&store->remains, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&store->remains, &remains->next, remains,
                                                  memory_order_release, memory_order_relaxed)) {
    }
}

/* Takes one off the stack; NULL if there is none. All of it is taken first and the rest put back,
 * so that nobody looks into what another thread may free. */
static struct remains *pop(struct store *store)
{
    struct remains *taken = atomic_exchange_explicit(&store->remains, NULL, memory_order_acquire);
    struct remains *rest = taken == NULL ? NULL : taken->next;
    struct remains *none = NULL;
    while (rest != NULL &&
           !atomic_compare_exchange_strong_explicit(&store->remains, &none, rest,
                                                    memory_order_release, memory_order_relaxed)) {
        struct remains *newer =
            atomic_exchange_explicit(&store->remains, NULL, memory_order_acquire);
        if (newer != NULL) {
            struct remains *last = newer;
            while (last->next != NULL) {
                last = last->next;
            }
            last->next = rest;
            rest = newer;
        }
        none = NULL;
    }
    return taken;
}

/* NULL without memory. */
static struct remains *remains_create(struct object *object, size_t bytes)
{
    struct remains *remains = store_allocate(sizeof(*remains));
    if (remains != NULL) {
        remains->bytes = bytes + store_allocated_size(remains);
        remains->object = object;
        table_init(&remains->table);
    }
    return remains;
}

static void leave(struct store *store, struct remains *remains)
{
    atomic_fetch_add_explicit(&store->memory, remains->bytes, memory_order_relaxed);
    atomic_fetch_add_explicit(&store->freeing, remains->bytes, memory_order_relaxed);
    push(store, remains);
}

void store_leave_object(struct store *store, struct object *object)
{
    size_t bytes = object_memory(object);
    size_t least = object_is_outside(object) ? REMAINS_BYTES_MIN : REMAINS_TEXT_MIN;
    struct remains *remains = bytes < least ? NULL : remains_create(object, bytes);
    if (remains == NULL) {
        object_destroy(object);
    } else {
        leave(store, remains);
    }
}

void store_leave_table(struct store *store, struct table *table)
{
    size_t bytes = table->memory;
    bool small = bytes < REMAINS_BYTES_MIN && table_count(table) <= REMAINS_OBJECTS_MAX;
    struct remains *remains = small ? NULL : remains_create(NULL, bytes);
    if (remains == NULL) {
        table_clear(table);
    } else {
        table_take(table, &remains->table);
        leave(store, remains);
    }
}

size_t store_freeing(const struct store *store)
{
    return atomic_load_explicit(&store->freeing, memory_order_relaxed);
}

size_t store_free_some(struct store *store, size_t budget)
{
    struct remains *remains = pop(store);
    if (remains == NULL) {
        return 0;
    }
    struct freeing freeing = {.budget = budget};
    bool more = remains->object != NULL ? object_free_some(remains->object, &freeing)
                                        : table_free_some(&remains->table, &freeing);
    if (more) {
        remains->bytes -= freeing.bytes;
        push(store, remains);
    } else {
        size_t left = remains->bytes;
        freeing_release(&freeing, remains);
        assert(freeing.bytes == left);
    }
    atomic_fetch_sub_explicit(&store->memory, freeing.bytes, memory_order_relaxed);
    atomic_fetch_sub_explicit(&store->freeing, freeing.bytes, memory_order_relaxed);
    return freeing.bytes;
}
