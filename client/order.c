#include "client/order.h"

#include "base/error.h"
#include "client/clock.h"
#include "client/connection.h"
#include "client/dispatch.h"
#include "client/engine.h"
#include "client/handle.h"

#include <assert.h>
#include <stdlib.h>

#define HOLDS_AT_ONCE 256

struct hold {
    struct hold *next;
    struct call_list calls; /* CALL_HELD */
    size_t in_flight;
    uint64_t due_ms; /* the first may go, once nothing is in flight */
    uint16_t slot;
    bool confirmed; /* the slot is served: the others may go */
};

static struct hold *find(const struct torc *handle, uint16_t slot)
{
    struct hold *hold = handle->order.holds[slot % ORDER_BUCKETS];
    while (hold != NULL && hold->slot != slot) {
        hold = hold->next;
    }
    return hold;
}

static bool is_ordered(const struct call *call)
{
    return call->origin != NULL && call->route.slot != REQUEST_NO_SLOT && call->target == NULL;
}

static size_t count_of_slot(const struct call_list *list, uint16_t slot)
{
    size_t count = 0;
    for (const struct call *call = list->first; call != NULL; call = call->next) {
        count += is_ordered(call) && call->route.slot == slot;
    }
    return count;
}

/* Unsent calls of the slot need not come back first. */
static void recall_queued(struct connection *connection, struct hold *hold)
{
    for (struct call *call = connection->queue.first, *next; call != NULL; call = next) {
        next = call->next;
        if (is_ordered(call) && call->route.slot == hold->slot) {
            call_list_remove(&connection->queue, call);
            connection->node->outstanding--;
            call->connection = NULL;
            call->place = CALL_HELD;
            call_list_insert(&hold->calls, call);
        }
    }
}

/* NULL without memory. */
static struct hold *create(struct torc *handle, uint16_t slot)
{
    struct hold **bucket = &handle->order.holds[slot % ORDER_BUCKETS];
    struct hold *hold = calloc(1, sizeof(*hold));
    if (hold != NULL) {
        hold->slot = slot;
        hold->next = *bucket;
        *bucket = hold;
        handle->order.count++;
    }
    return hold;
}

static void destroy(struct torc *handle, struct hold *hold)
{
    struct hold **link = &handle->order.holds[hold->slot % ORDER_BUCKETS];
    assert(hold->calls.count == 0);
    while (*link != hold) {
        link = &(*link)->next;
    }
    *link = hold->next;
    handle->order.count--;
    free(hold);
}

static void release_all(struct torc *handle, struct hold *hold)
{
    struct call_list calls = hold->calls;
    hold->calls = (struct call_list){0};
    destroy(handle, hold);
    for (struct call *call; (call = call_list_take(&calls)) != NULL;) {
        call->place = CALL_NOWHERE;
        /* The first of them may have been refused, and the slot be held again. */
        dispatch_in_order(handle, call);
    }
}

/* Goes on, if nothing has to come back first. */
static void proceed(struct torc *handle, struct hold *hold)
{
    if (hold->in_flight > 0) {
        return;
    }
    if (hold->confirmed || hold->calls.count == 0) {
        release_all(handle, hold);
        return;
    }
    const uint64_t now_ms = clock_now_ms();
    if (now_ms < hold->due_ms) {
        engine_due(handle, hold->due_ms);
        return;
    }
    struct call *first = call_list_take(&hold->calls);
    first->place = CALL_NOWHERE;
    hold->in_flight = 1;
    dispatch(handle, first);
}

bool order_holds(struct torc *handle, struct call *call)
{
    if (handle->order.count == 0 || !is_ordered(call)) {
        return false;
    }
    struct hold *hold = find(handle, call->route.slot);
    if (hold == NULL) {
        return false;
    }
    call->place = CALL_HELD;
    call_list_insert(&hold->calls, call);
    return true;
}

/* An earlier call of the same origin would now come after one that has been executed. */
static void refuse_overtaken(struct torc *handle, struct hold *hold, const struct call *executed)
{
    for (struct call *call = hold->calls.first, *next; call != NULL; call = next) {
        next = call->next;
        if (call->sequence < executed->sequence && call->origin == executed->origin &&
            !(call->route.readonly && executed->route.readonly)) {
            call_list_remove(&hold->calls, call);
            call->place = CALL_NOWHERE;
            call_note(call, TORC_EAGAIN, NULL,
                      "not executed: a retry would have come after later commands");
            engine_complete(handle, call);
        }
    }
}

void order_returned(struct torc *handle, struct call *call, enum order_fate fate)
{
    if (handle->order.count == 0 || !is_ordered(call)) {
        return;
    }
    struct hold *hold = find(handle, call->route.slot);
    if (hold == NULL) {
        return;
    }
    /* Failed calls may end here without ever having been in flight. */
    hold->in_flight -= hold->in_flight > 0 ? 1 : 0;
    if (fate != ORDER_NOT_EXECUTED) {
        refuse_overtaken(handle, hold, call);
    }
    hold->confirmed = hold->confirmed || fate == ORDER_EXECUTED;
    proceed(handle, hold);
}

bool order_again(struct torc *handle, struct call *call, uint64_t delay_ms)
{
    struct hold *hold = find(handle, call->route.slot);
    if (hold != NULL) {
        hold->in_flight -= hold->in_flight > 0 ? 1 : 0;
    } else {
        hold = create(handle, call->route.slot);
        if (hold == NULL) {
            return false;
        }
        if (call->connection != NULL) {
            hold->in_flight = count_of_slot(&call->connection->flights, hold->slot);
            recall_queued(call->connection, hold);
        }
    }
    call->connection = NULL;
    call->place = CALL_HELD;
    call_list_insert(&hold->calls, call);
    hold->confirmed = false;
    hold->due_ms = clock_now_ms() + delay_ms;
    if (delay_ms == 0) {
        proceed(handle, hold);
    } else {
        engine_due(handle, hold->due_ms);
    }
    return true;
}

bool order_guard(struct torc *handle, const struct connection *connection, uint16_t slot)
{
    if (find(handle, slot) != NULL) {
        return true;
    }
    const size_t in_flight =
        count_of_slot(&connection->flights, slot) + count_of_slot(&connection->queue, slot);
    if (in_flight == 0) {
        return true;
    }
    struct hold *hold = create(handle, slot);
    if (hold == NULL) {
        return false;
    }
    hold->in_flight = in_flight;
    hold->confirmed = true;
    return true;
}

/* Of the calls of one list, those whose slot has another owner than the node. */
static bool guard_list(struct torc *handle, const struct topology *topology,
                       const struct connection *connection, const struct call_list *list)
{
    for (const struct call *call = list->first; call != NULL; call = call->next) {
        if (!is_ordered(call)) {
            continue;
        }
        const struct topology_set *set = topology_owners(topology, call->route.slot);
        if ((set == NULL || endpoint_compare(&topology->nodes[set->nodes[0]].direct,
                                             &connection->node->endpoint) != 0) &&
            !order_guard(handle, connection, call->route.slot)) {
            return false;
        }
    }
    return true;
}

bool order_guard_all(struct torc *handle, const struct topology *topology)
{
    for (size_t i = 0; i < handle->nodes.count; i++) {
        const struct node *node = handle->nodes.items[i];
        for (size_t j = 0; j < node->connection_count; j++) {
            const struct connection *connection = node->connections[j];
            if (!guard_list(handle, topology, connection, &connection->flights) ||
                !guard_list(handle, topology, connection, &connection->queue)) {
                return false;
            }
        }
    }
    return true;
}

void order_remove(struct torc *handle, struct call *call)
{
    struct hold *hold = find(handle, call->route.slot);
    assert(hold != NULL);
    call_list_remove(&hold->calls, call);
    call->place = CALL_NOWHERE;
    if (hold->calls.count == 0 && hold->in_flight == 0) {
        destroy(handle, hold);
    }
}

/* Collects the slots of holds that are due, and tells when the others are. */
static size_t collect_due(struct torc *handle, uint64_t now_ms, uint16_t slots[HOLDS_AT_ONCE])
{
    size_t count = 0;
    for (size_t i = 0; i < ORDER_BUCKETS; i++) {
        for (const struct hold *hold = handle->order.holds[i]; hold != NULL; hold = hold->next) {
            if (hold->in_flight > 0) {
                continue;
            }
            if (now_ms < hold->due_ms && !hold->confirmed) {
                engine_due(handle, hold->due_ms);
            } else if (count < HOLDS_AT_ONCE) {
                slots[count++] = hold->slot;
            } else {
                engine_due(handle, now_ms + 1); /* in the next turn */
            }
        }
    }
    return count;
}

void order_run(struct torc *handle, uint64_t now_ms)
{
    /* What is sent may be refused at once, and be held again: each slot gets one turn. */
    uint16_t slots[HOLDS_AT_ONCE];
    const size_t count = handle->order.count == 0 ? 0 : collect_due(handle, now_ms, slots);
    for (size_t i = 0; i < count; i++) {
        struct hold *hold = find(handle, slots[i]);
        if (hold != NULL) {
            proceed(handle, hold);
        }
    }
}

void order_deinit(struct order *order)
{
    for (size_t i = 0; i < ORDER_BUCKETS; i++) {
        while (order->holds[i] != NULL) {
            struct hold *hold = order->holds[i];
            assert(hold->calls.count == 0);
            order->holds[i] = hold->next;
            free(hold);
        }
    }
}
