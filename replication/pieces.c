#include "replication/pieces.h"

#include <stdlib.h>
#include <string.h>

void pieces_destroy(struct pieces *pieces)
{
    if (pieces == NULL) {
        return;
    }
    for (size_t i = 0; i < pieces->count; i++) {
        free(pieces->items[i].key);
    }
    free(pieces->items);
    free(pieces);
}

struct piece_key *pieces_find(struct pieces *pieces, struct bytes key)
{
    for (size_t i = 0; pieces != NULL && i < pieces->count; i++) {
        if (bytes_equal(piece_key_bytes(&pieces->items[i]), key)) {
            return &pieces->items[i];
        }
    }
    return NULL;
}

static void *must(void *memory)
{
    if (memory == NULL) {
        abort();
    }
    return memory;
}

void pieces_add(struct pieces **pieces, struct bytes key, enum piece_stage stage)
{
    if (pieces_find(*pieces, key) != NULL) {
        return;
    }
    if (*pieces == NULL) {
        *pieces = must(calloc(1, sizeof(**pieces)));
    }
    struct pieces *all = *pieces;
    if (all->count == all->capacity) {
        all->capacity = all->capacity == 0 ? 4 : 2 * all->capacity;
        all->items = must(realloc(all->items, all->capacity * sizeof(*all->items)));
    }
    char *copy = must(malloc(key.size + 1));
    if (key.size > 0) {
        memcpy(copy, key.data, key.size);
    }
    all->items[all->count++] =
        (struct piece_key){.key = copy, .size = key.size, .stage = (uint8_t)stage};
}

void pieces_forget(struct pieces *pieces, struct piece_key *item)
{
    free(item->key);
    *item = pieces->items[--pieces->count];
}

struct piece_key *pieces_next(struct pieces *pieces)
{
    struct piece_key *waiting = NULL;
    for (size_t i = 0; pieces != NULL && i < pieces->count; i++) {
        if (pieces->items[i].stage == PIECES_ACTIVE) {
            return &pieces->items[i];
        }
        if (pieces->items[i].stage == PIECES_WAITING && waiting == NULL) {
            waiting = &pieces->items[i];
        }
    }
    return waiting;
}
