#include "refill_fixture.h"

#include "base/error.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#define STEPS_MAX 1000

struct fake_node *fake;
struct worker *worker;
struct refills *refills;

void refills_setup(void)
{
    fake = fake_node_create();
    worker = &fake->worker;
    refills = &worker->refills;
    moves_init(&fake->node.moves);
}

void refills_teardown(void)
{
    moves_deinit(&fake->node.moves);
    fake_node_destroy(fake);
}

/* ---- views ---- */

void install(uint64_t epoch, uint8_t copies, enum node_status second, enum node_status third)
{
    struct fake_view view = {.epoch = epoch, .copies = copies, .status = {NODE_UP, second, third}};
    ck_assert(fake_node_install(fake, &view));
}

void settle(void)
{
    fake_node_settle(fake);
    (void)fake_marked(fake);
    worker->rim.appended_bytes = 0;
}

void begin(uint8_t copies, enum node_status second, enum node_status third)
{
    install(1, copies, second == NODE_UP ? NODE_UP : NODE_DOWN, NODE_DOWN);
    settle();
    install(2, copies, second, third);
}

/* ---- slots ---- */

struct copy *copy_of(unsigned slot)
{
    return &fake->node.slots[slot].copy;
}

size_t count_led(void)
{
    size_t count = 0;
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        count += copy_of(i)->role == COPY_PRIMARY;
    }
    return count;
}

const struct copy_member *member_of(const struct copy *copy, uint16_t peer)
{
    for (size_t i = 0; i < copy->member_count; i++) {
        if (copy->members[i].peer == peer) {
            return &copy->members[i];
        }
    }
    return NULL;
}

const struct copy_member *find_member(unsigned slot, size_t index)
{
    return member_of(copy_of(slot), fake_peer(fake, index));
}

size_t count_below(size_t index, unsigned stage)
{
    uint16_t peer = fake_peer(fake, index);
    size_t count = 0;
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        const struct copy_member *member = member_of(copy_of(i), peer);
        count += member != NULL && member->stage < stage;
    }
    return count;
}

uint16_t next_lacking(unsigned slot, size_t index)
{
    uint16_t peer = fake_peer(fake, index);
    for (; slot < SLOT_COUNT; slot++) {
        const struct copy_member *member = member_of(copy_of(slot), peer);
        if (member != NULL && member->stage != MEMBER_ATTACHED) {
            break;
        }
    }
    ck_assert_uint_lt(slot, SLOT_COUNT);
    return (uint16_t)slot;
}

void resolve(unsigned slot)
{
    const struct copy_answers nothing = {.best_peer = PEER_NONE};
    (void)copy_resolve(copy_of(slot), &worker->rim.copies, &nothing);
    refills_mark(&fake->node, (uint16_t)slot);
}

void fill(uint16_t slot, unsigned keys)
{
    char value[KEY_BYTES + 1];
    memset(value, 'v', KEY_BYTES);
    value[KEY_BYTES] = '\0';
    for (unsigned i = 0; i < keys; i++) {
        char key[32];
        snprintf(key, sizeof(key), "%u", i);
        fake_set(fake, slot, key, value, 0);
    }
}

void fill_first(unsigned slots, size_t index)
{
    uint16_t slot = next_lacking(0, index);
    for (unsigned i = 1; i < slots; i++) {
        fill(slot, KEYS);
        slot = next_lacking(slot + 1u, index);
    }
    fill(slot, KEYS);
}

bool is_in(const struct refill_set *set, unsigned place)
{
    return (set->words[place / 64] >> place % 64 & 1) != 0;
}

/* ---- steps ---- */

uint64_t step(void)
{
    uint64_t before = worker->rim.appended_bytes;
    atomic_store(&worker->view_came, false); /* the worker has followed it */
    refills_step(worker);
    worker->acks_arrived = false; /* and has looked who waited for them */
    return worker->rim.appended_bytes - before;
}

uint64_t step_asked(void)
{
    stat_add(&worker->stats.commands, 1);
    return step();
}

void look(bool at_once)
{
    refills->look_at_us = at_once ? 0 : UINT64_MAX;
}

unsigned run(void)
{
    unsigned steps = 0;
    do {
        look(false);
        (void)step();
        ck_assert_uint_lt(++steps, STEPS_MAX);
    } while (refills->again);
    return steps;
}

struct told told(size_t index, unsigned slot)
{
    struct told count = {0};
    struct op op;
    while (fake_next_op(fake_stream(fake, index), &op)) {
        if (slot == ANY_SLOT || op.slot == slot) {
            count.begins += op.kind == OP_REFILL_BEGIN;
            count.keys += op.kind == OP_REFILL_KEY;
            count.ends += op.kind == OP_REFILL_END;
            count.confirms += op.kind == OP_CONFIRM;
        }
    }
    return count;
}

void expect_told(size_t index, unsigned slot, struct told expected)
{
    struct told found = told(index, slot);
    ck_assert_uint_eq(found.begins, expected.begins);
    ck_assert_uint_eq(found.keys, expected.keys);
    ck_assert_uint_eq(found.ends, expected.ends);
    ck_assert_uint_eq(found.confirms, expected.confirms);
}

void set_backlog(size_t index, uint64_t size)
{
    atomic_store(&fake_stream(fake, index)->backlog_size, size);
}
