#include "node/store/directory.h"

#include "node/store/allocate.h"

static size_t slot_count(const struct directory *directory)
{
    return (size_t)1 << directory->depth;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Takes over the segments of another depth, each where the high bits of its hashes say. */
static void copy_segments(struct directory *to, const struct directory *from)
{
    for (size_t slot = 0; slot < slot_count(from);) {
        struct segment *segment = from->slots[slot];
        assert(segment->depth <= to->depth);
        size_t width = (size_t)1 << (from->depth - segment->depth);
        size_t to_width = (size_t)1 << (to->depth - segment->depth);
        size_t to_slot = slot / width * to_width;
        for (size_t i = 0; i < to_width; i++) {
            to->slots[to_slot + i] = segment;
        }
        to->soonest[slot_count(to) + to_slot] = segment->next_expiry_ms;
        to->segments_at[segment->depth]++;
        if (segment->capacity > to->capacity_max) {
            to->capacity_max = segment->capacity;
        }
        slot += width;
    }
    for (size_t node = slot_count(to) - 1; node > 0; node--) {
        to->soonest[node] = smaller(to->soonest[2 * node], to->soonest[2 * node + 1]);
    }
}

struct directory *directory_create(unsigned depth, const struct directory *from)
{
    assert(depth >= 1);
    assert(depth <= DIRECTORY_DEPTH_MAX);
    size_t slots = (size_t)1 << depth;
    struct directory *directory =
        store_allocate(sizeof(*directory) + slots * sizeof(directory->slots[0]) +
                       2 * slots * sizeof(directory->soonest[0]));
    if (directory == NULL) {
        return NULL;
    }
    *directory = (struct directory){.depth = (uint8_t)depth};
    directory->soonest = (uint64_t *)(void *)(directory->slots + slots);
    for (size_t i = 0; i < 2 * slots; i++) {
        directory->soonest[i] = EXPIRY_NONE;
    }
    if (from != NULL) {
        copy_segments(directory, from);
    }
    return directory;
}

void directory_destroy(struct directory *directory)
{
    store_release(directory);
}

void directory_place(struct directory *directory, struct segment *segment, uint64_t hash)
{
    size_t first = directory_first_slot(directory, segment, hash);
    size_t width = (size_t)1 << (directory->depth - segment->depth);
    for (size_t i = 0; i < width; i++) {
        directory->slots[first + i] = segment;
    }
    if (segment->capacity > directory->capacity_max) {
        directory->capacity_max = segment->capacity;
    }
    directory_update_soonest(directory, segment, hash);
}

void directory_update_soonest(struct directory *directory, const struct segment *segment,
                              uint64_t hash)
{
    uint64_t *soonest = directory->soonest;
    size_t node = slot_count(directory) + directory_first_slot(directory, segment, hash);
    soonest[node] = segment->next_expiry_ms;
    for (node /= 2; node > 0; node /= 2) {
        uint64_t minimum = smaller(soonest[2 * node], soonest[2 * node + 1]);
        if (soonest[node] == minimum) {
            break;
        }
        soonest[node] = minimum;
    }
}

size_t directory_next_due(const struct directory *directory, size_t from, uint64_t limit_ms)
{
    size_t leaves = slot_count(directory);
    if (from >= leaves) {
        return SIZE_MAX;
    }
    size_t node = leaves + from;
    while (directory->soonest[node] > limit_ms) {
        /* Up while it is a right child, then over to the right neighbour; past the end is none. */
        while (node % 2 == 1) {
            node /= 2;
        }
        if (node == 0) {
            return SIZE_MAX;
        }
        node++;
    }
    while (node < leaves) {
        node *= 2;
        if (directory->soonest[node] > limit_ms) {
            node++;
        }
    }
    return node - leaves;
}
