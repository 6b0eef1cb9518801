/*
 * A node that is put together in memory with members to attach, and steps of its refills. One node
 * a test, for Check runs each in a process of its own.
 */
#ifndef TORC_TESTS_UNIT_NODE_REFILL_FIXTURE_H
#define TORC_TESTS_UNIT_NODE_REFILL_FIXTURE_H

#include "fake_node.h"
#include "node/refills.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As in node/refills.c. */
#define ROUND_BYTES (256u * 1024)
#define ROUND_BYTES_ASKED (32u * 1024)
#define ROUND_IDLE_MAX 512
#define SLICE_BYTES (64u * 1024)
#define BACKLOG_ASKED (48u * 1024)
#define BACKLOG_MAX (1024u * 1024)
#define REST_US_MAX 80000
#define REST_FACTOR 45

#define FAR_US (UINT64_MAX / 2)
#define KEYS 4 /* of a slot that is filled */
#define KEY_BYTES 2500
#define FILLED_BYTES (KEYS * (KEY_BYTES + 200)) /* and no more, in a stream */
#define ANY_SLOT SLOT_COUNT

extern struct fake_node *fake;
extern struct worker *worker;
extern struct refills *refills;

void refills_setup(void);
void refills_teardown(void);

/* ---- views ---- */

/* The statuses of the two others. */
void install(uint64_t epoch, uint8_t copies, enum node_status second, enum node_status third);
/* What the node leads is taken over and served, all members attached; nothing is to be looked at.
 */
void settle(void);
/* The same, and then others come: they are to be attached. */
void begin(uint8_t copies, enum node_status second, enum node_status third);

/* ---- slots ---- */

struct copy *copy_of(unsigned slot);
size_t count_led(void);
const struct copy_member *member_of(const struct copy *copy, uint16_t peer); /* NULL: not one */
const struct copy_member *find_member(unsigned slot, size_t index);
/* Slots that have that node as a member which has not come so far. */
size_t count_below(size_t index, unsigned stage);
/* The next slot from there on which has that member, not attached. */
uint16_t next_lacking(unsigned slot, size_t index);
/* It is taken over: no other node holds anything of it. */
void resolve(unsigned slot);
void fill(uint16_t slot, unsigned keys);
/* Some slots that lack that member, the first ones. */
void fill_first(unsigned slots, size_t index);
bool is_in(const struct refill_set *set, unsigned place);

/* ---- steps ---- */

/* Returns how many bytes were put into streams. */
uint64_t step(void);
/* The same while there are clients. */
uint64_t step_asked(void);
/* All that is waiting for something else than bytes is looked at in the next step, or is not. */
void look(bool at_once);
/* Steps until there is nothing to do at once; returns how many. */
unsigned run(void);

struct told {
    unsigned begins, keys, ends, confirms;
};
/* What was put into the stream since the last call, of that slot. */
struct told told(size_t index, unsigned slot);
void expect_told(size_t index, unsigned slot, struct told expected);
void set_backlog(size_t index, uint64_t size);

#endif
