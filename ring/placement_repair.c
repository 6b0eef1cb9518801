#include "ring/placement_repair.h"

#include <string.h>

/*
 * A slot's owner at a lower rank steps back to this rank, where it has room, and somebody who has
 * room at the lower rank takes its place. Who holds the slot's data changes by nobody but the new
 * owner.
 */
static bool step_back(struct table *table, unsigned rank, uint16_t slot, unsigned lower, bool zones)
{
    uint16_t back = table->owners[lower][slot];
    if (table_room(table, rank, back) == 0) {
        return false;
    }
    struct walk walk = {.slot = slot, .rank = rank, .room_rank = lower, .zones = zones};
    uint32_t cursor = table->tokens.start[slot];
    uint16_t member = table_walk(table, &walk, &cursor);
    if (member == PLACEMENT_NONE) {
        return false;
    }
    table_assign(table, lower, slot, member);
    table_assign(table, rank, slot, back);
    return true;
}

/*
 * `from` gives up one slot at this rank: to somebody with room, or to the slot's owner at a lower
 * rank that has room here, whose place `from` takes. `next` remembers how far the slots of `from`
 * were looked through, so that all searches of a repair together look at each slot a few times.
 */
static bool make_room(struct table *table, unsigned rank, uint16_t from, bool zones, uint16_t *next)
{
    for (; *next < SLOT_COUNT; ++*next) {
        uint16_t slot = *next;
        if (table->owners[rank][slot] != from) {
            continue;
        }
        struct walk walk = {.slot = slot, .rank = rank, .room_rank = rank, .zones = zones};
        uint32_t cursor = table->tokens.start[slot];
        uint16_t member = table_walk(table, &walk, &cursor);
        if (member != PLACEMENT_NONE) {
            table_assign(table, rank, slot, member);
            return true;
        }
        for (unsigned lower = rank; lower > 1; lower--) {
            uint16_t back = table->owners[lower - 1][slot];
            if (table_room(table, lower - 1, from) > 0 && table_room(table, rank, back) > 0) {
                table_assign(table, lower - 1, slot, from);
                table_assign(table, rank, slot, back);
                return true;
            }
        }
    }
    return false;
}

/* A full member that may own the slot passes another of its slots on. */
static bool take_over(struct table *table, unsigned rank, uint16_t slot, bool zones, uint16_t *next)
{
    struct walk walk = {.slot = slot, .rank = rank, .room_rank = rank, .zones = zones};
    for (size_t i = 0; i < table->member_count; i++) {
        uint16_t member = (uint16_t)((slot + i) % table->member_count);
        if (next[member] < SLOT_COUNT && table_fits(table, &walk, member) &&
            make_room(table, rank, member, zones, &next[member])) {
            table_assign(table, rank, slot, member);
            return true;
        }
    }
    return false;
}

size_t repair_rank(struct table *table, unsigned rank, bool zones)
{
    uint16_t next[NODES_MAX]; /* see make_room */
    memset(next, 0, table->member_count * sizeof(*next));
    size_t repaired = 0;
    for (uint32_t i = 0; i < SLOT_COUNT; i++) {
        uint16_t slot = (uint16_t)i;
        if (table->owners[rank][slot] != PLACEMENT_NONE) {
            continue;
        }
        bool done = false;
        for (unsigned lower = rank; !done && lower > 1; lower--) {
            done = step_back(table, rank, slot, lower - 1, zones);
        }
        done = done || take_over(table, rank, slot, zones, next);
        /* Changing a primary is the last thing to try. */
        done = done || (!zones && rank > 0 && step_back(table, rank, slot, 0, zones));
        repaired += done ? 1 : 0;
    }
    return repaired;
}
