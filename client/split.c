#include "client/split.h"

#include "base/error.h"
#include "ring/slot.h"

#include <assert.h>
#include <stdlib.h>

static int compare_items(const void *a, const void *b)
{
    const struct split_item *left = a;
    const struct split_item *right = b;
    if (left->slot != right->slot) {
        return left->slot < right->slot ? -1 : 1;
    }
    return left->index < right->index ? -1 : 1;
}

int split_by_slot(struct split *out, const struct torc_bytes *first, size_t stride, size_t count)
{
    *out = (struct split){0};
    if (count == 0) {
        return TORC_OK;
    }
    out->items = calloc(count, sizeof(*out->items));
    if (out->items == NULL) {
        return TORC_ENOMEM;
    }
    out->count = count;
    for (size_t i = 0; i < count; i++) {
        struct torc_bytes key;
        memcpy(&key, (const char *)first + i * stride, sizeof(key));
        out->items[i] = (struct split_item){
            .index = i, .slot = slot_of_key((struct bytes){key.data, key.size})};
    }
    qsort(out->items, count, sizeof(*out->items), compare_items);
    return TORC_OK;
}

void split_deinit(struct split *split)
{
    free(split->items);
    *split = (struct split){0};
}

size_t split_group_end(const struct split *split, size_t first)
{
    assert(first < split->count);
    size_t end = first + 1;
    while (end < split->count && split->items[end].slot == split->items[first].slot) {
        end++;
    }
    return end;
}
