#include "ring/placement.h"

#include "base/error.h"
#include "ring/placement_repair.h"
#include "ring/placement_table.h"
#include "ring/placement_tokens.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static_assert(NODES_MAX < PLACEMENT_NONE, "an index is never mistaken for none");

/* What a slot asks of the member it has walked to. */
struct proposal {
    uint64_t distance; /* of the walk */
    uint16_t member;
    uint16_t slot;
};

static int compare_proposals(const void *left, const void *right)
{
    const struct proposal *a = left;
    const struct proposal *b = right;
    if (a->member != b->member) {
        return a->member < b->member ? -1 : 1;
    }
    if (a->distance != b->distance) {
        return a->distance < b->distance ? -1 : 1;
    }
    return a->slot < b->slot ? -1 : a->slot > b->slot;
}

/*
 * One round: every slot without an owner at this rank asks the first member on its walk that has
 * room; a member asked by more than it has room for takes those that walked the shortest way. The
 * outcome does not depend on the order of the slots, and a slot leaves its nearest member only when
 * nearer slots have filled it, which is what keeps runs whole and moves small. Returns how many
 * slots were placed.
 */
static size_t assign_round(struct table *table, unsigned rank, bool zones,
                           struct proposal *proposals)
{
    size_t count = 0;
    memset(table->asked, 0, table->member_count * sizeof(*table->asked));
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        if (table->owners[rank][slot] != PLACEMENT_NONE || table->cursor[slot] == TABLE_NO_WALK) {
            continue;
        }
        struct walk walk = {
            .slot = (uint16_t)slot, .rank = rank, .room_rank = rank, .zones = zones};
        uint16_t member = table_walk(table, &walk, &table->cursor[slot]);
        if (member == PLACEMENT_NONE) {
            table->cursor[slot] = TABLE_NO_WALK;
            continue;
        }
        table->asked[member]++;
        proposals[count++] =
            (struct proposal){.distance = walk.distance, .member = member, .slot = (uint16_t)slot};
    }

    for (size_t i = 0; i < table->member_count; i++) {
        table->room[i] = table_room(table, rank, (uint16_t)i);
    }
    size_t placed = 0;
    size_t contested = 0;
    for (size_t i = 0; i < count; i++) {
        uint16_t member = proposals[i].member;
        if (table->asked[member] <= table->room[member]) {
            table_assign(table, rank, proposals[i].slot, member);
            placed++;
        } else {
            proposals[contested++] = proposals[i];
        }
    }
    qsort(proposals, contested, sizeof(*proposals), compare_proposals);
    for (size_t i = 0; i < contested; i++) {
        if (table_room(table, rank, proposals[i].member) > 0) {
            table_assign(table, rank, proposals[i].slot, proposals[i].member);
            placed++;
        }
    }
    return placed;
}

/*
 * Fills one rank. When the greedy rounds leave slots over, slots are traded; when that leaves some
 * over, distinct zones are given up for them; and last the bounds grow by a twentieth, again and
 * again, until every slot has its copy.
 */
static void fill_rank(struct table *table, unsigned rank, struct proposal *proposals)
{
    size_t left = SLOT_COUNT;
    for (;;) {
        for (int zones = rank < table->zone_count ? 1 : 0; zones >= 0; zones--) {
            table_rewind(table);
            for (size_t placed = 1; placed > 0 && left > 0;) {
                placed = assign_round(table, rank, zones == 1, proposals);
                left -= placed;
            }
            if (left > 0) {
                left -= repair_rank(table, rank, zones == 1);
            }
            if (left == 0) {
                return;
            }
        }
        table_raise_bounds(table, rank);
    }
}

int placement_build(struct placement *out, const struct placement_member *members, size_t count,
                    unsigned copies)
{
    if (copies < 1 || copies > COPIES_MAX || count > NODES_MAX) {
        return TORC_EINVAL;
    }
    memset(out->owners, 0xff, sizeof(out->owners));
    struct table *table;
    int error = table_create(&table, members, count, out->owners);
    if (error != 0) {
        return error;
    }
    struct proposal *proposals = malloc(SLOT_COUNT * sizeof(*proposals));
    if (proposals == NULL) {
        table_destroy(table);
        return TORC_ENOMEM;
    }
    table_set_bounds(table, copies);
    for (unsigned rank = 0; rank < copies && rank < table->member_count; rank++) {
        fill_rank(table, rank, proposals);
    }
    for (unsigned rank = 0; rank < copies && rank < table->member_count; rank++) {
        for (size_t slot = 0; slot < SLOT_COUNT; slot++) {
            assert(out->owners[rank][slot] < table->member_count);
            out->owners[rank][slot] = table->given[out->owners[rank][slot]];
        }
    }
    free(proposals);
    table_destroy(table);
    return 0;
}
