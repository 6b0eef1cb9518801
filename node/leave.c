/*
 * How a node leaves in an orderly way: it says so, the view gives its slots to the other owners (or
 * moves what nobody else owns), and once it leads nothing and is a replica like any other it says
 * goodbye, so that nobody waits for it.
 */
#include "base/error.h"
#include "node/clock.h"
#include "node/control.h"
#include "node/gossip_driver.h"
#include "node/node.h"
#include "node/quorum_driver.h"
#include "node/roles.h"
#include "node/worker.h"
#include "ring/quorum.h"

#define LOOK_PERIOD_MS 20
#define GOODBYE_LIMIT_MS 1500 /* for the view that counts this node as down */

/* True if some other node could lead what this one leads. */
static bool somebody_takes(const struct view *view, int self)
{
    for (size_t i = 0; i < view->node_count; i++) {
        const struct view_node *node = &view->nodes[i];
        if ((int)i != self && node->status == NODE_UP && !node->leaving &&
            node->weight_current > 0) {
            return true;
        }
    }
    return false;
}

static size_t count_led(struct node *node)
{
    size_t led = 0;
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        slot_lock(&node->slots[i]);
        led += node->slots[i].copy.role == COPY_PRIMARY;
        slot_unlock(&node->slots[i]);
    }
    return led;
}

/* Replies that wait for acknowledgements would not be given any more after the goodbye. */
static size_t count_waiting(const struct node *node)
{
    size_t waiting = 0;
    for (unsigned i = 0; i < node->worker_count; i++) {
        waiting += atomic_load_explicit(&node->workers[i]->waiting_count, memory_order_relaxed);
    }
    return waiting;
}

/* Without a lease there is no majority that could give the slots to anybody. */
static bool is_cut_off(const struct node *node, const struct view *view)
{
    return clock_lease_ms() > atomic_load(&node->lease_until_ms) + 2 * (uint64_t)view->lease_ms;
}

static void say_goodbye(struct control *control, uint64_t now_ms)
{
    if (!control->said_goodbye) {
        control->said_goodbye = true;
        control->leave_until_ms = now_ms + GOODBYE_LIMIT_MS;
        log_info(&control->node->log, "leaving: nothing depends on this node any more");
    }
    quorum_driver_leave(control); /* again and again: it is a datagram */
}

void leave_tick(struct control *control, uint64_t now_ms)
{
    struct node *node = control->node;
    if (!atomic_load(&node->leaving) || control->quorum == NULL || now_ms < control->leave_at_ms) {
        return;
    }
    control->leave_at_ms = now_ms + LOOK_PERIOD_MS;
    const struct view *view = quorum_view(control->quorum);
    int self = view_find(view, &node->id);
    if (control->leave_until_ms == 0) {
        control->leave_until_ms = now_ms + (uint64_t)node->config.leave_timeout_s * 1000;
        log_info(&node->log, "leaving: handing the slots over");
    }
    if (self < 0 || view->nodes[self].status == NODE_DOWN ||
        (!control->said_goodbye && (!somebody_takes(view, self) || is_cut_off(node, view)))) {
        node_stop(node);
        return;
    }
    bool late = now_ms >= control->leave_until_ms;
    if (control->said_goodbye) {
        say_goodbye(control, now_ms);
        if (late) {
            node_stop(node);
        }
        return;
    }
    size_t led = count_led(node);
    struct roles_state state = roles_look(node);
    if ((view->nodes[self].leaving || view->nodes[self].status != NODE_UP) && led == 0 &&
        count_waiting(node) == 0 && (state.unready == 0 || view->nodes[self].status != NODE_UP)) {
        say_goodbye(control, now_ms);
    } else if (late) {
        log_warning(&node->log,
                    "leaving although %zu slots are not handed over: --leave-timeout has passed",
                    led);
        say_goodbye(control, now_ms);
    }
}
