#include "ring/placement_table.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

/* Bounds keep at least one member in twenty open, so that an honest walk ends long before this; it
 * stops the walk for the one member of a lonely zone with a single token. */
#define WALK_TOKENS_MAX 1024
/* Tokens passed before the walk makes sure that there is anybody to be found. */
#define WALK_TOKENS_BLIND 32
#define DUE_SHIFT 16

static_assert(((UINT64_C(1) << 63) >> DUE_SHIFT) / SLOT_COUNT / WEIGHT_MAX > NODES_MAX,
              "the products of share_dues fit 64 bits");

static int compare_ids(const void *left, const void *right)
{
    const struct placement_member *const *a = left;
    const struct placement_member *const *b = right;
    return node_id_compare(&(*a)->id, &(*b)->id);
}

struct zone_entry {
    const char *zone;
    uint16_t member;
};

static int compare_zones(const void *left, const void *right)
{
    const struct zone_entry *a = left;
    const struct zone_entry *b = right;
    return strcmp(a->zone, b->zone);
}

/* Only whether two numbers are equal matters, never their order. */
static void number_zones(struct table *table, struct zone_entry *entries)
{
    qsort(entries, table->member_count, sizeof(*entries), compare_zones);
    for (size_t i = 0; i < table->member_count; i++) {
        bool same = i > 0 && entries[i].zone[0] != '\0' &&
                    strcmp(entries[i - 1].zone, entries[i].zone) == 0;
        table->zone_count += same ? 0 : 1;
        table->zone[entries[i].member] = (uint16_t)(table->zone_count - 1);
    }
}

/* Sorts the members with weight by id and fills the arrays about them. */
static int take_members(struct table *table, const struct placement_member *members, size_t count)
{
    int error = TORC_ENOMEM;
    const struct placement_member **sorted = malloc((count + 1) * sizeof(*sorted));
    struct zone_entry *zones = malloc((count + 1) * sizeof(*zones));
    struct token_owner *owners = malloc((count + 1) * sizeof(*owners));
    if (sorted == NULL || zones == NULL || owners == NULL) {
        goto out;
    }
    for (size_t i = 0; i < count; i++) {
        if (members[i].weight > 0) {
            sorted[table->member_count++] = &members[i];
        }
    }
    qsort(sorted, table->member_count, sizeof(*sorted), compare_ids);
    for (size_t i = 0; i < table->member_count; i++) {
        if (i > 0 && node_id_equal(&sorted[i - 1]->id, &sorted[i]->id)) {
            error = TORC_EINVAL;
            goto out;
        }
        table->weight[i] = sorted[i]->weight;
        table->given[i] = (uint16_t)(sorted[i] - members);
        zones[i] = (struct zone_entry){.zone = sorted[i]->zone, .member = (uint16_t)i};
        owners[i] = (struct token_owner){.id = &sorted[i]->id, .weight = sorted[i]->weight};
    }
    number_zones(table, zones);
    error = tokens_init(&table->tokens, owners, table->member_count);
out:
    free(owners);
    free(zones);
    free(sorted);
    return error;
}

int table_create(struct table **out, const struct placement_member *members, size_t count,
                 uint16_t (*owners)[SLOT_COUNT])
{
    struct table *table = calloc(1, sizeof(*table));
    if (table == NULL) {
        return TORC_ENOMEM;
    }
    table->owners = owners;
    int error = take_members(table, members, count);
    if (error != 0) {
        free(table);
        return error;
    }
    *out = table;
    return 0;
}

void table_destroy(struct table *table)
{
    tokens_deinit(&table->tokens);
    free(table);
}

/*
 * What is due to a member at a rank is its share by weight, but never more than the slots that its
 * dues at the ranks before leave it: a member of weight 10 beside two of weight 1 is primary of
 * most slots and can be replica of the rest only, so what it cannot take is shared among the others
 * by weight. The bound is 1.05 of what is due, rounded up. Dues are whole numbers of 2^-16 slots,
 * so that every machine computes the same.
 */
static void share_dues(const struct table *table, uint64_t *due, uint64_t *free_slots)
{
    bool full[NODES_MAX] = {false};
    uint64_t weight_left = 0;
    uint64_t slots_left = (uint64_t)SLOT_COUNT << DUE_SHIFT;
    for (size_t i = 0; i < table->member_count; i++) {
        weight_left += table->weight[i];
    }
    for (bool again = true; again;) {
        again = false;
        uint64_t weight_now = weight_left;
        uint64_t slots_now = slots_left;
        for (size_t i = 0; i < table->member_count; i++) {
            if (!full[i] && slots_now * table->weight[i] > free_slots[i] * weight_now) {
                full[i] = true;
                due[i] = free_slots[i];
                weight_left -= table->weight[i];
                slots_left -= due[i];
                again = true;
            }
        }
    }
    for (size_t i = 0; i < table->member_count; i++) {
        if (!full[i]) {
            due[i] = slots_left * table->weight[i] / weight_left;
        }
        free_slots[i] -= due[i];
    }
}

void table_set_bounds(struct table *table, unsigned copies)
{
    uint64_t due[NODES_MAX];
    uint64_t free_slots[NODES_MAX];
    for (size_t i = 0; i < table->member_count; i++) {
        free_slots[i] = (uint64_t)SLOT_COUNT << DUE_SHIFT;
    }
    for (unsigned rank = 0; rank < copies && rank < table->member_count; rank++) {
        share_dues(table, due, free_slots);
        for (size_t i = 0; i < table->member_count; i++) {
            uint64_t divisor = UINT64_C(20) << DUE_SHIFT;
            table->bound[rank][i] = (uint32_t)((21 * due[i] + divisor - 1) / divisor);
        }
    }
}

void table_raise_bounds(struct table *table, unsigned rank)
{
    for (size_t i = 0; i < table->member_count; i++) {
        table->bound[rank][i] += table->bound[rank][i] / 20 + 1;
    }
}

void table_rewind(struct table *table)
{
    memcpy(table->cursor, table->tokens.start, sizeof(table->cursor));
}

bool table_fits(const struct table *table, const struct walk *walk, uint16_t member)
{
    for (unsigned rank = 0; rank < walk->rank; rank++) {
        uint16_t owner = table->owners[rank][walk->slot];
        if (owner == member || (walk->zones && table->zone[owner] == table->zone[member])) {
            return false;
        }
    }
    return true;
}

/* Anybody who fits, by id from a point that differs from slot to slot. */
static uint16_t find_anybody(const struct table *table, const struct walk *walk)
{
    for (size_t i = 0; i < table->member_count; i++) {
        uint16_t member = (uint16_t)((walk->slot + i) % table->member_count);
        if (table_room(table, walk->room_rank, member) > 0 && table_fits(table, walk, member)) {
            return member;
        }
    }
    return PLACEMENT_NONE;
}

uint16_t table_walk(const struct table *table, struct walk *walk, uint32_t *cursor)
{
    const struct tokens *tokens = &table->tokens;
    size_t steps_max = tokens->count < WALK_TOKENS_MAX ? tokens->count : WALK_TOKENS_MAX;
    uint16_t anybody = PLACEMENT_NONE;
    /* A slot with no token after it on the circle starts again at the front. */
    size_t at = *cursor == tokens->count ? 0 : *cursor;
    for (size_t step = 0; step < steps_max; step++) {
        if (step == WALK_TOKENS_BLIND) {
            anybody = find_anybody(table, walk);
            if (anybody == PLACEMENT_NONE) {
                return PLACEMENT_NONE;
            }
        }
        uint16_t member = tokens->token[at].member;
        if (table_room(table, walk->room_rank, member) > 0 && table_fits(table, walk, member)) {
            walk->distance = tokens->token[at].value - tokens_slot_place(walk->slot);
            *cursor = (uint32_t)at;
            return member;
        }
        at = at + 1 == tokens->count ? 0 : at + 1;
    }
    walk->distance = UINT64_MAX;
    return anybody;
}
