#include "client/engine.h"

#include "base/error.h"
#include "client/clock.h"
#include "client/dispatch.h"
#include "client/settle.h"
#include "client/subscription.h"

#include <assert.h>
#include <limits.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

void engine_kick(struct torc *handle)
{
    if (handle->polling || handle->loop.external) {
        const uint64_t one = 1;
        (void)!write(handle->event_fd, &one, sizeof(one));
    }
}

/* A timer of the kernel's wakes whoever polls, or the program's loop. It is set anew once in some
 * seconds, while a timeout of epoll_wait would be set with each call. */
static void arm(struct torc *handle)
{
    struct itimerspec when = {0};
    if (handle->armed_ms == handle->due_ms) {
        return;
    }
    handle->armed_ms = handle->due_ms;
    if (handle->due_ms != UINT64_MAX) {
        /* Later than that, for the clock of deadlines is a little behind. */
        const uint64_t when_ms = handle->due_ms + TIMER_GRAIN_MS;
        when.it_value.tv_sec = (time_t)(when_ms / 1000);
        when.it_value.tv_nsec = (long)(when_ms % 1000) * 1000000;
    }
    (void)timerfd_settime(handle->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

void engine_due(struct torc *handle, uint64_t due_ms)
{
    if (due_ms < handle->due_ms) {
        handle->due_ms = due_ms;
        arm(handle);
    }
}

/* ------------------------------------------------------------------------- taking in, letting out
 */

int engine_submit(struct torc *handle, struct call *call)
{
    if (call->target == NULL && (handle->outstanding >= handle->options.outstanding_max ||
                                 handle->outstanding_bytes > OUTSTANDING_SIZE_MAX)) {
        call_note(call, TORC_EOVERLOAD, NULL, "too many commands are waiting for an answer");
        return TORC_EOVERLOAD;
    }
    call->sequence = ++handle->sequence;
    call_retain(call);
    call->engaged = true;
    call->attempt_deadline_ms = UINT64_MAX;
    call->live_next = NULL;
    call->live_previous = handle->live_last;
    if (handle->live_last != NULL) {
        handle->live_last->live_next = call;
    } else {
        handle->live_first = call;
    }
    handle->live_last = call;
    handle->outstanding++;
    handle->outstanding_bytes += call->size;
    handle->loop.callbacks += call->callback != NULL;
    handle->loop.lasting += call->lasts;
    engine_due(handle, call->deadline_ms);
    dispatch_in_order(handle, call);
    return TORC_OK;
}

void engine_complete(struct torc *handle, struct call *call)
{
    assert(!call->completed);
    call->completed = true;
    names_settle(handle, call);
    if (TORC_UNLIKELY(handle->near != NULL) && !call->route.readonly && call->target == NULL &&
        call->size > 0) {
        near_written(handle, call);
    }
    if (call->live_previous != NULL) {
        call->live_previous->live_next = call->live_next;
    } else {
        handle->live_first = call->live_next;
    }
    if (call->live_next != NULL) {
        call->live_next->live_previous = call->live_previous;
    } else {
        handle->live_last = call->live_previous;
    }
    handle->outstanding--;
    handle->outstanding_bytes -= call->size;
    /* Whoever polls completes nothing: this is another thread, on whose account a connection was
     * found broken, and the call may be the one that the other waits for. */
    if (handle->polling) {
        engine_kick(handle);
    }
    handle->loop.callbacks -= call->callback != NULL;
    handle->loop.lasting -= call->lasts;
    if (call->finish != NULL) {
        call->finish(handle, call);
    } else if (call->callback != NULL) {
        call_retain(call);
        loop_deliver(handle, &call->delivery);
    } else if (call->waiter != NULL) {
        waiter_call_done(handle, call->waiter);
    }
    call_let_go(call);
}

void engine_fail(struct torc *handle, struct call *call, int error, const struct endpoint *endpoint,
                 const char *reason)
{
    call_note(call, error, endpoint, reason);
    order_returned(handle, call, ORDER_NOT_EXECUTED);
    engine_complete(handle, call);
}

/* -------------------------------------------------------------------------------------- writing */

static void flush_one(struct torc *handle, struct connection *connection)
{
    connection_flush(handle, connection);
    settle_failed(handle, connection);
}

void engine_flush(struct torc *handle)
{
    while (handle->dirty != NULL && !handle->gather.active) {
        struct connection *connection = handle->dirty;
        handle->dirty = connection->dirty_next;
        connection->dirty = false;
        flush_one(handle, connection);
    }
}

void engine_flush_now(struct torc *handle)
{
    handle->gather.active = false;
    engine_flush(handle);
}

void engine_flush_together(struct torc *handle)
{
    struct gather *gather = &handle->gather;
    if (gather->active) {
        gather->expected--;
        if (gather->expected > 0) {
            return;
        }
        gather->active = false;
        gather->penalty = 0;
    } else if (gather->answered >= GATHER_CALLS_MIN && !handle->led) {
        /* The caller takes the role next, so that somebody watches the time. */
        if (gather->skip == 0) {
            gather->expected = gather->answered - 1;
            gather->active = true;
        } else {
            gather->skip--;
        }
    }
    gather->answered = 0;
    engine_flush(handle);
}

void engine_flush_corked(struct torc *handle, struct call *call)
{
    struct connection *connection = call->connection;
    if (connection == NULL || call->place != CALL_QUEUED) {
        return;
    }
    const bool alone = connection->flights.count == 0 && !loop_is_calling_back(handle);
    if (alone || connection->queue.count >= CORKED_CALLS_MAX) {
        flush_one(handle, connection);
    }
}

/* --------------------------------------------------------------------------------------- timers */

static uint64_t due_of(const struct call *call)
{
    return call->deadline_ms < call->attempt_deadline_ms ? call->deadline_ms
                                                         : call->attempt_deadline_ms;
}

static void expire_calls(struct torc *handle, uint64_t now_ms)
{
    struct call *expired = NULL;
    for (struct call *call = handle->live_first; call != NULL; call = call->live_next) {
        const uint64_t due_ms = due_of(call);
        if (now_ms < due_ms) {
            engine_due(handle, due_ms);
            continue;
        }
        call_retain(call);
        call->expired_next = expired;
        expired = call;
    }
    while (expired != NULL) {
        struct call *call = expired;
        expired = call->expired_next;
        if (!call->completed) {
            settle_expired(handle, call, now_ms);
        }
        if (!call->completed) {
            engine_due(handle, due_of(call));
        }
        call_release(call);
    }
}

static void resume_delayed(struct torc *handle, uint64_t now_ms)
{
    struct call_list due = {0};
    for (struct call *call = handle->delayed.first, *next; call != NULL; call = next) {
        next = call->next;
        if (now_ms < call->due_ms) {
            engine_due(handle, call->due_ms);
            continue;
        }
        call_list_remove(&handle->delayed, call);
        call_list_append(&due, call);
    }
    for (struct call *call; (call = call_list_take(&due)) != NULL;) {
        call->place = CALL_NOWHERE;
        dispatch(handle, call);
    }
}

static void advance_connections(struct torc *handle)
{
    for (size_t i = 0; i < handle->nodes.count; i++) {
        struct node *node = handle->nodes.items[i];
        for (size_t j = 0; j < node->connection_count; j++) {
            struct connection *connection = node->connections[j];
            if (connection->state == CONNECTION_RESOLVING ||
                connection->state == CONNECTION_CONNECTING) {
                connection_advance(handle, connection);
                settle_failed(handle, connection);
                if (connection->state == CONNECTION_OPEN) {
                    dispatch_dirty(handle, connection);
                } else if (connection->state != CONNECTION_CLOSED) {
                    engine_due(handle, connection->connect_deadline_ms);
                }
            }
        }
    }
}

static void run_timers(struct torc *handle)
{
    const uint64_t now_ms = clock_now_ms();
    if (now_ms < handle->due_ms) {
        arm(handle);
        return;
    }
    handle->due_ms = UINT64_MAX;
    expire_calls(handle, now_ms);
    resume_delayed(handle, now_ms);
    order_run(handle, now_ms);
    advance_connections(handle);
    discover_run(handle, now_ms);
    subscriptions_run(handle, now_ms);
    near_run(handle, now_ms);
    if (handle->due_ms < now_ms + TIMER_GRAIN_MS) {
        handle->due_ms = now_ms + TIMER_GRAIN_MS;
    }
    arm(handle);
}

/* The nodes of the topology, and those that are still in use. */
static bool is_kept(const void *context, const struct node *node)
{
    const struct torc *handle = context;
    for (size_t i = 0; i < node->connection_count; i++) {
        const struct connection *connection = node->connections[i];
        if (connection->queue.count > 0 || connection->flights.count > 0 || connection->dirty ||
            connection->flushing || connection->receiving || connection->failed) {
            return true;
        }
    }
    if (node->use == NODE_TRACKED && node->connections[0]->state != CONNECTION_CLOSED) {
        return true;
    }
    return topology_knows(handle->routing.topology, &node->endpoint);
}

static void trim_nodes(struct torc *handle)
{
    /* A call that ASK has sent on, or that is asked of one node, holds on to it. On a connection
     * it is one of those for which its node is kept. */
    handle->trim_nodes = false;
    for (const struct call *call = handle->live_first; call != NULL; call = call->live_next) {
        const bool on_connection = call->place == CALL_QUEUED || call->place == CALL_IN_FLIGHT;
        if (!on_connection && (call->asked != NULL || call->target != NULL)) {
            handle->trim_nodes = true;
            return;
        }
    }
    nodes_trim(&handle->nodes, is_kept, handle);
}

/* -------------------------------------------------------------------------------------- reading */

static void receive(struct torc *handle, struct connection *connection)
{
    redisReply *replies[REPLIES_AT_ONCE];
    char text[CONNECTION_ERROR_SIZE];
    bool more;
    connection->receiving = true;
    do {
        size_t count;
        handle_unlock(handle);
        const int result = connection_receive(connection, replies, &count, &more, text);
        handle_lock(handle);
        if (count > 0) {
            connection->received_ms = clock_now_ms();
        }
        for (size_t i = 0; i < count; i++) {
            settle_reply(handle, connection, replies[i]);
        }
        if (result != TORC_OK) {
            connection_fail(connection, result, text);
        }
    } while (more && !connection->failed);
    connection->receiving = false;
    settle_failed(handle, connection);
}

static void drain_counter(int fd)
{
    uint64_t count;
    (void)!read(fd, &count, sizeof(count));
}

static void take_event(struct torc *handle, const struct epoll_event *event)
{
    if (event->data.ptr == &handle->event_fd) {
        drain_counter(handle->event_fd);
        advance_connections(handle);
        return;
    }
    if (event->data.ptr == &handle->timer_fd) {
        /* The clock of deadlines may still be before it: then it is due again at once. */
        drain_counter(handle->timer_fd);
        handle->armed_ms = UINT64_MAX;
        arm(handle);
        return;
    }
    struct connection *connection = event->data.ptr;
    if (connection->state == CONNECTION_CONNECTING) {
        connection_advance(handle, connection);
        settle_failed(handle, connection);
        if (connection->state == CONNECTION_OPEN) {
            dispatch_dirty(handle, connection);
        }
        return;
    }
    if (connection->state != CONNECTION_OPEN || connection->failed) {
        return;
    }
    if ((event->events & EPOLLOUT) != 0) {
        connection->wants_write = false;
        dispatch_dirty(handle, connection);
    }
    if ((event->events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        receive(handle, connection);
    }
}

/* Not longer than until_ms; UINT64_MAX: the timer sees to it that it is not for ever. */
static int poll_until(struct torc *handle, struct epoll_event *events, uint64_t until_ms)
{
    uint64_t left_ms = 0;
    if (until_ms == UINT64_MAX) {
        return epoll_wait(handle->epoll_fd, events, EVENTS_AT_ONCE, -1);
    }
    if (until_ms > 0) {
        const uint64_t now_ms = clock_now_ms();
        left_ms = until_ms > now_ms ? until_ms - now_ms : 0;
    }
    return epoll_wait(handle->epoll_fd, events, EVENTS_AT_ONCE,
                      left_ms > INT_MAX ? INT_MAX : (int)left_ms);
}

static int poll_gathering(struct torc *handle, struct epoll_event *events)
{
    const struct timespec timeout = {.tv_nsec = GATHER_US * 1000};
    /* By its number: glibc has a function for it only since 2.35. */
    return (int)syscall(SYS_epoll_pwait2, handle->epoll_fd, events, EVENTS_AT_ONCE, &timeout, NULL,
                        (size_t)0);
}

/* They have not all come in time, or something else has happened. */
static void end_gathering(struct torc *handle)
{
    struct gather *gather = &handle->gather;
    gather->active = false;
    gather->penalty =
        gather->penalty < GATHER_SKIPS_MAX ? 2 * gather->penalty + 1 : gather->penalty;
    gather->skip = gather->penalty;
}

void engine_step(struct torc *handle, const struct waiter *waiter, uint64_t until_ms)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    assert(handle->led);
    run_timers(handle);
    if (handle->trim_nodes) {
        trim_nodes(handle);
    }
    engine_flush(handle);
    if (waiter != NULL && waiter->remaining == 0) {
        return;
    }
    const bool gathering = handle->gather.active;
    handle->polling = true;
    handle_unlock(handle);
    const int count =
        gathering ? poll_gathering(handle, events) : poll_until(handle, events, until_ms);
    handle_lock(handle);
    handle->polling = false;
    if (gathering && handle->gather.active) {
        end_gathering(handle);
    }
    for (int i = 0; i < count; i++) {
        take_event(handle, &events[i]);
    }
    engine_flush(handle);
}

/* -------------------------------------------------------------------------------------- the end */

void engine_shut(struct torc *handle)
{
    handle->closing = true;
    for (size_t i = 0; i < handle->nodes.count; i++) {
        struct node *node = handle->nodes.items[i];
        for (size_t j = 0; j < node->connection_count; j++) {
            struct connection *connection = node->connections[j];
            if (connection->state != CONNECTION_CLOSED) {
                connection_fail(connection, TORC_ECLOSED, "the handle was closed");
                settle_failed(handle, connection);
            }
        }
    }
    while (handle->live_first != NULL) {
        struct call *call = handle->live_first;
        call->deadline_ms = 0;
        settle_expired(handle, call, UINT64_MAX);
    }
}
