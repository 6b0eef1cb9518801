#include "replication/outcomes.h"

#include "base/codec.h"
#include "base/error.h"

#include <stdlib.h>
#include <string.h>

struct outcome {
    uint64_t id;
    char *reply; /* owned; never NULL */
    uint32_t reply_size;
    bool aged;
};

/* Of one origin, by ascending id. */
struct outcome_list {
    uint64_t origin;
    uint64_t settled; /* the highest that was said */
    struct outcome *items;
    size_t start; /* first in use */
    size_t end;
    size_t capacity;
};

struct outcomes {
    struct outcome_list *lists;
    size_t list_count;
    size_t client_count; /* of these, clients' */
};

void once_encode(struct buf *out, const struct once *once)
{
    write_u64(out, once->origin);
    write_u64(out, once->id);
    write_u64(out, once->settled);
}

int once_decode(struct bytes *input, struct once *out)
{
    struct reader reader;
    reader_init(&reader, *input);
    out->origin = read_u64(&reader);
    out->id = read_u64(&reader);
    out->settled = read_u64(&reader);
    if (reader.failed || out->id == 0) {
        return TORC_ECORRUPT;
    }
    input->data += ONCE_SIZE;
    input->size -= ONCE_SIZE;
    return TORC_OK;
}

struct outcomes *outcomes_create(void)
{
    return calloc(1, sizeof(struct outcomes));
}

void outcomes_destroy(struct outcomes *outcomes)
{
    if (outcomes == NULL) {
        return;
    }
    for (size_t i = 0; i < outcomes->list_count; i++) {
        struct outcome_list *list = &outcomes->lists[i];
        while (list->start < list->end) {
            free(list->items[list->start].reply);
            list->start++;
        }
        free(list->items);
    }
    free(outcomes->lists);
    free(outcomes);
}

static struct outcome_list *find_list(const struct outcomes *outcomes, uint64_t origin)
{
    for (size_t i = 0; i < outcomes->list_count; i++) {
        if (outcomes->lists[i].origin == origin) {
            return &outcomes->lists[i];
        }
    }
    return NULL;
}

/* Where the id is, or where it would go. */
static size_t lower_bound(const struct outcome_list *list, uint64_t id)
{
    size_t low = list->start;
    size_t high = list->end;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list->items[middle].id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct bytes outcomes_find(const struct outcomes *outcomes, const struct once *once)
{
    const struct outcome_list *list = outcomes == NULL ? NULL : find_list(outcomes, once->origin);
    if (list != NULL) {
        size_t at = lower_bound(list, once->id);
        if (at < list->end && list->items[at].id == once->id) {
            return (struct bytes){list->items[at].reply, list->items[at].reply_size};
        }
    }
    return (struct bytes){NULL, 0};
}

bool outcomes_settled(const struct outcomes *outcomes, const struct once *once)
{
    const struct outcome_list *list = outcomes == NULL ? NULL : find_list(outcomes, once->origin);
    return list != NULL && once->id < list->settled;
}

static bool is_client(uint64_t origin)
{
    return (origin & ONCE_ORIGIN_CLIENT) != 0;
}

bool outcomes_full(const struct outcomes *outcomes, const struct once *once)
{
    return outcomes != NULL && is_client(once->origin) &&
           outcomes->client_count >= OUTCOME_CLIENTS_MAX &&
           find_list(outcomes, once->origin) == NULL;
}

static struct outcome_list *add_list(struct outcomes *outcomes, uint64_t origin)
{
    struct outcome_list *lists =
        realloc(outcomes->lists, (outcomes->list_count + 1) * sizeof(*lists));
    if (lists == NULL) {
        return NULL;
    }
    outcomes->lists = lists;
    lists[outcomes->list_count] = (struct outcome_list){.origin = origin};
    outcomes->client_count += is_client(origin) ? 1 : 0;
    return &lists[outcomes->list_count++];
}

/* Room for one more at the end. */
static bool make_room(struct outcome_list *list)
{
    if (list->end < list->capacity) {
        return true;
    }
    size_t count = list->end - list->start;
    if (list->start > list->capacity / 2) {
        memmove(list->items, list->items + list->start, count * sizeof(list->items[0]));
    } else {
        size_t capacity = list->capacity == 0 ? 4 : 2 * list->capacity;
        struct outcome *items = malloc(capacity * sizeof(*items));
        if (items == NULL) {
            return false;
        }
        if (count > 0) {
            memcpy(items, list->items + list->start, count * sizeof(*items));
        }
        free(list->items);
        list->items = items;
        list->capacity = capacity;
    }
    list->start = 0;
    list->end = count;
    return true;
}

int outcomes_note(struct outcomes *outcomes, const struct once *once, struct bytes reply)
{
    struct outcome_list *list = find_list(outcomes, once->origin);
    if (list == NULL) {
        list = add_list(outcomes, once->origin);
    }
    size_t size = reply.size > OUTCOME_REPLY_SIZE_MAX ? 0 : reply.size;
    char *kept = malloc(size + 1);
    if (list == NULL || kept == NULL || !make_room(list)) {
        free(kept);
        return TORC_ENOMEM;
    }
    if (size > 0) {
        memcpy(kept, reply.data, size);
    }
    size_t at = lower_bound(list, once->id);
    struct outcome *item = &list->items[at];
    if (at < list->end && item->id == once->id) {
        /* Told again, by a refill. */
        char *before = item->reply;
        item->reply = kept;
        item->reply_size = (uint32_t)size;
        item->aged = false;
        free(before);
    } else {
        memmove(item + 1, item, (list->end - at) * sizeof(*item));
        list->end++;
        *item = (struct outcome){.id = once->id, .reply = kept, .reply_size = (uint32_t)size};
    }
    list->settled = once->settled > list->settled ? once->settled : list->settled;
    while (list->start < list->end && list->items[list->start].id < list->settled) {
        free(list->items[list->start].reply);
        list->start++;
    }
    return TORC_OK;
}

size_t outcomes_count(const struct outcomes *outcomes)
{
    size_t count = 0;
    for (size_t i = 0; outcomes != NULL && i < outcomes->list_count; i++) {
        count += outcomes->lists[i].end - outcomes->lists[i].start;
    }
    return count;
}

void outcomes_age(struct outcomes *outcomes)
{
    size_t kept_lists = 0;
    for (size_t i = 0; i < outcomes->list_count; i++) {
        struct outcome_list list = outcomes->lists[i];
        size_t kept = list.start;
        for (size_t at = list.start; at < list.end; at++) {
            if (list.items[at].aged) {
                free(list.items[at].reply);
            } else {
                list.items[kept] = list.items[at];
                list.items[kept++].aged = true;
            }
        }
        list.end = kept;
        if (list.start == list.end) {
            free(list.items);
            outcomes->client_count -= is_client(list.origin) ? 1 : 0;
        } else {
            outcomes->lists[kept_lists++] = list;
        }
    }
    outcomes->list_count = kept_lists;
}

void outcomes_each(const struct outcomes *outcomes, outcomes_visitor *visit, void *context)
{
    for (size_t i = 0; outcomes != NULL && i < outcomes->list_count; i++) {
        const struct outcome_list *list = &outcomes->lists[i];
        for (size_t at = list->start; at < list->end; at++) {
            struct once once = {
                .origin = list->origin, .id = list->items[at].id, .settled = list->settled};
            visit(context, &once,
                  (struct bytes){list->items[at].reply, list->items[at].reply_size});
        }
    }
}
