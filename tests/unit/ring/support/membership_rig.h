/* A view, and what is known of its nodes, for tests of what the next view should be. */
#ifndef TORC_TESTS_MEMBERSHIP_RIG_H
#define TORC_TESTS_MEMBERSHIP_RIG_H

#include "base/error.h"
#include "ring/membership.h"
#include <check.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define NODES_USED 8

/* A view and everything that is known about its nodes: by default all of them speak, and have
 * carried out the view. */
struct rig {
    struct view *view; /* sealed */
    struct member_state states[NODES_USED];
    struct member_fact facts[NODES_USED];
    struct membership_input input;
    uint8_t ready[NODES_USED][SLOT_COUNT / 8];
};

static inline struct node_id id_of(size_t number)
{
    return (struct node_id){{(uint8_t)number, 1}};
}

static inline struct view_node node_of(size_t number)
{
    return (struct view_node){.id = id_of(number),
                              .incarnation = 10,
                              .host = "host",
                              .bus_port = 17000,
                              .status = NODE_UP,
                              .weight_asked = WEIGHT_UNIT,
                              .weight_current = WEIGHT_UNIT,
                              .weight_target = WEIGHT_UNIT};
}

static inline void refresh(struct rig *rig)
{
    struct view *view = rig->view;
    memset(rig->states, 0, sizeof(rig->states));
    for (size_t i = 0; i < view->node_count; i++) {
        rig->states[i] = (struct member_state){.incarnation = view->nodes[i].incarnation,
                                               .heard = view->nodes[i].status != NODE_DOWN,
                                               .complete_epoch = view->epoch};
    }
    rig->input.view = view;
    rig->input.states = rig->states;
    rig->input.facts = rig->facts;
}

/* Nodes 1 .. count, up, two copies, three voters at most. */
static inline void rig_init(struct rig *rig, size_t count)
{
    memset(rig, 0, sizeof(*rig));
    rig->view = view_create();
    rig->view->epoch = 10;
    rig->view->copies = 2;
    rig->view->settled_epoch = 3;
    for (size_t i = 1; i <= count; i++) {
        struct view_node node = node_of(i);
        ck_assert_int_eq(view_put_node(rig->view, &node), 0);
    }
    size_t voters = count >= 5 ? 5 : count >= 3 ? 3 : 1;
    for (size_t i = 1; i <= voters; i++) {
        rig->view->voters[rig->view->voter_count++] = id_of(i);
    }
    ck_assert_int_eq(view_seal(rig->view), 0);
    refresh(rig);
}

static inline void rig_deinit(struct rig *rig)
{
    view_release(rig->view);
}

/* Changes the view before anything is asked; complete and heard as before. */
#define CHANGE_VIEW(rig, change)                                                                   \
    do {                                                                                           \
        struct view *view = view_clone((rig)->view);                                               \
        change;                                                                                    \
        ck_assert_int_eq(view_seal(view), 0);                                                      \
        view_release((rig)->view);                                                                 \
        (rig)->view = view;                                                                        \
        refresh(rig);                                                                              \
    } while (0)

/* The next view, sealed; the rig moves on to it. */
static inline const struct view *next_of(struct rig *rig)
{
    struct view *next = membership_next(&rig->input);
    ck_assert_ptr_nonnull(next);
    ck_assert_uint_eq(next->epoch, rig->view->epoch + 1);
    ck_assert_int_eq(view_seal(next), 0);
    view_release(rig->view);
    rig->view = next;
    refresh(rig);
    return next;
}

/* True if both rings place the slot alike, so that nobody has to do anything for it to move. */
static inline bool stays(const struct view *view, uint32_t slot)
{
    for (size_t i = 0; i < view->copies; i++) {
        if (view->current->owners[i][slot] != view->target->owners[i][slot]) {
            return false;
        }
    }
    return true;
}

static inline void expect_nothing(const struct rig *rig)
{
    struct view *next = membership_next(&rig->input);
    ck_assert_ptr_null(next);
}

static inline void add_fact(struct rig *rig, size_t number, uint64_t incarnation, uint32_t weight)
{
    struct member_fact *fact = &rig->facts[rig->input.fact_count++];
    fact->node = node_of(number);
    fact->node.incarnation = incarnation;
    fact->node.weight_asked = weight;
    strcpy(fact->node.host, "elsewhere");
    fact->node.bus_port = 17001;
}

/* Whoever leads a slot says that it may move. */
static inline void ready_all(struct rig *rig)
{
    memset(rig->ready, 0, sizeof(rig->ready));
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        uint16_t owners[COPIES_MAX];
        if (view_owners(rig->view, (uint16_t)slot, owners) > 0) {
            rig->ready[owners[0]][slot / 8] |= (uint8_t)(1u << slot % 8);
        }
    }
    for (size_t i = 0; i < rig->view->node_count; i++) {
        rig->states[i].ready = rig->ready[i];
    }
}

#endif
