#include "client/exchange.h"

#include "base/error.h"
#include "client/answer.h"
#include "client/clock.h"
#include "torc/torc.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define BUSY_CAPACITY_MIN 8

/* One round, as it goes on. */
struct round {
    struct torc *handle;
    struct batch *batch;
    const struct endpoint *targets; /* of each call, whose reply is not looked at then; or NULL */
    uint64_t deadline_ms;
};

static void end_call(struct round *round, size_t index, enum call_state state, int error,
                     const struct endpoint *endpoint, const char *text)
{
    struct call *call = &round->batch->calls[index];
    call->state = state;
    call->error = error;
    handle_note_failure(round->handle, round->batch, index, error, endpoint, text);
}

/* Puts the connection on the list of those to be polled, opening it where needed. */
static int make_busy(struct round *round, struct connection *connection)
{
    struct torc *handle = round->handle;
    if (handle->busy_count == handle->busy_capacity) {
        size_t capacity =
            handle->busy_capacity == 0 ? BUSY_CAPACITY_MIN : 2 * handle->busy_capacity;
        struct connection **busy = realloc(handle->busy, capacity * sizeof(*busy));
        if (busy == NULL) {
            return TORC_ENOMEM;
        }
        handle->busy = busy;
        struct pollfd *polls = realloc(handle->polls, capacity * sizeof(*polls));
        if (polls == NULL) {
            return TORC_ENOMEM;
        }
        handle->polls = polls;
        handle->busy_capacity = capacity;
    }
    handle->busy[handle->busy_count++] = connection;
    connection->busy = true;
    connection_check_idle(connection);
    if (connection->state == CONNECTION_CLOSED) {
        connection_open(connection, clock_now_ms(), handle->options.connect_timeout_ms);
    }
    return TORC_OK;
}

static bool find_target(const struct round *round, const struct call *call, struct endpoint *out)
{
    if (call->route.slot == REQUEST_NO_SLOT) {
        return routing_any(&round->handle->routing, round->handle->any_turn, out);
    }
    return routing_owner(&round->handle->routing, call->route.slot, out);
}

static void place(struct round *round, size_t index)
{
    struct call *call = &round->batch->calls[index];
    struct endpoint target;
    if (round->targets != NULL) {
        target = round->targets[index];
    } else if (!find_target(round, call, &target)) {
        round->handle->findings.refresh = true;
        end_call(round, index, CALL_AGAIN, TORC_ECONNECT, NULL,
                 call->route.slot == REQUEST_NO_SLOT ? "no node is up"
                                                     : "no owner of the slot is up");
        return;
    }
    struct connection *connection = pool_get(&round->handle->pool, &target);
    if (connection == NULL || (!connection->busy && make_busy(round, connection) != TORC_OK) ||
        connection_push(connection, index, batch_request(round->batch, index)) != TORC_OK) {
        end_call(round, index, CALL_DONE, TORC_ENOMEM, &target, torc_strerror(TORC_ENOMEM));
        return;
    }
    call->state = CALL_SENT;
}

static void settle_reply(struct round *round, const struct connection *connection, size_t index,
                         redisReply *reply)
{
    struct call *call = &round->batch->calls[index];
    struct findings *findings = &round->handle->findings;
    call->reply = reply;
    call->state = CALL_DONE;
    if (round->targets != NULL) {
        return;
    }
    struct answer answer;
    answer_read(&answer, reply, connection->endpoint.host);
    switch (answer.kind) {
    case ANSWER_FINAL: return;
    case ANSWER_UNKNOWN:
        if (!call->route.readonly) {
            return;
        }
        break;
    case ANSWER_MOVED:
        routing_moved(&round->handle->routing, answer.slot, &answer.owner);
        findings->has_newer = true;
        findings->newer = connection->endpoint;
        call->redirected = true;
        break;
    case ANSWER_LATER: break;
    }
    findings->refresh = true;
    call->state = CALL_AGAIN;
}

static void settle_replies(struct round *round, struct connection *connection)
{
    struct flight flight;
    redisReply *reply;
    while (connection_take_reply(connection, &flight, &reply)) {
        settle_reply(round, connection, flight.call, reply);
    }
}

/* The connection is closed: what becomes of the calls that it has not answered? */
static void settle_failure(struct round *round, struct connection *connection)
{
    struct torc *handle = round->handle;
    struct flight flight;
    const int error = connection->error;
    assert(error != TORC_OK);
    const bool peer_failed =
        error == TORC_ECLOSED || error == TORC_ECONNECT || error == TORC_ERESOLVE;
    while (connection_take_flight(connection, &flight)) {
        const struct call *call = &round->batch->calls[flight.call];
        /* What the kernel did not take whole, the node cannot have executed. */
        const bool harmless = call->route.readonly || flight.end > connection->sent;
        const bool again = peer_failed && harmless && round->targets == NULL;
        char text[CONNECTION_ERROR_SIZE + 64];
        (void)snprintf(text, sizeof(text), "%s%s", connection->error_text,
                       peer_failed && !harmless ? "; it may or may not have been executed" : "");
        end_call(round, flight.call, again ? CALL_AGAIN : CALL_DONE, error, &connection->endpoint,
                 text);
    }
    if (peer_failed && round->targets == NULL) {
        routing_distrust(&handle->routing, &connection->endpoint);
        handle->any_turn++;
        handle->findings.refresh = true;
        handle->findings.has_failed = true;
        handle->findings.failed = connection->endpoint;
    }
}

/* The round's time is over: replies that come later would be taken for those of other calls. */
static void settle_timeouts(struct round *round)
{
    struct torc *handle = round->handle;
    for (size_t i = 0; i < handle->busy_count; i++) {
        struct connection *connection = handle->busy[i];
        const char *text = connection->state == CONNECTION_CONNECTING ? "timed out while connecting"
                                                                      : "no answer in time";
        connection_close(connection, TORC_ETIMEOUT, text);
        settle_failure(round, connection);
        connection->busy = false;
    }
    handle->busy_count = 0;
    if (round->targets == NULL) {
        handle->any_turn++;
    }
}

/* Milliseconds until something is due that no socket announces. */
static int poll_timeout(const struct round *round, uint64_t now_ms)
{
    uint64_t until_ms = round->deadline_ms;
    for (size_t i = 0; i < round->handle->busy_count; i++) {
        const struct connection *connection = round->handle->busy[i];
        if (connection->state == CONNECTION_CONNECTING &&
            connection->connect_deadline_ms < until_ms) {
            until_ms = connection->connect_deadline_ms;
        }
    }
    uint64_t left_ms = until_ms > now_ms ? until_ms - now_ms : 0;
    return left_ms > INT_MAX ? INT_MAX : (int)left_ms;
}

/* Keeps those connections on the list that still owe an answer. */
static void drop_idle(struct torc *handle)
{
    size_t kept = 0;
    for (size_t i = 0; i < handle->busy_count; i++) {
        struct connection *connection = handle->busy[i];
        connection->busy = connection->flight_count > 0;
        if (connection->busy) {
            handle->busy[kept++] = connection;
        }
    }
    handle->busy_count = kept;
}

static void advance(struct round *round, struct connection *connection, short events)
{
    const bool readable = (events & (POLLIN | POLLHUP | POLLERR)) != 0;
    if (connection->state != CONNECTION_CLOSED) {
        connection_advance(connection, readable, clock_now_ms());
        settle_replies(round, connection);
    }
    if (connection->state == CONNECTION_CLOSED) {
        settle_failure(round, connection);
    }
}

static void run_round(struct round *round)
{
    struct torc *handle = round->handle;
    for (size_t i = 0; i < round->batch->count; i++) {
        if (round->batch->calls[i].state == CALL_WAITING) {
            place(round, i);
        }
    }
    for (size_t i = 0; i < handle->busy_count; i++) {
        advance(round, handle->busy[i], 0);
    }
    drop_idle(handle);
    while (handle->busy_count > 0) {
        uint64_t now_ms = clock_now_ms();
        if (now_ms >= round->deadline_ms) {
            settle_timeouts(round);
            return;
        }
        for (size_t i = 0; i < handle->busy_count; i++) {
            handle->polls[i] = (struct pollfd){.fd = handle->busy[i]->fd,
                                               .events = connection_events(handle->busy[i])};
        }
        int ready = poll(handle->polls, (nfds_t)handle->busy_count, poll_timeout(round, now_ms));
        for (size_t i = 0; i < handle->busy_count; i++) {
            advance(round, handle->busy[i], ready > 0 ? handle->polls[i].revents : 0);
        }
        drop_idle(handle);
    }
}

void exchange_round(struct torc *handle, struct batch *batch, uint64_t deadline_ms)
{
    struct round round = {.handle = handle, .batch = batch, .deadline_ms = deadline_ms};
    handle->findings = (struct findings){.refresh = false};
    run_round(&round);
}

int exchange_ask_each(struct torc *handle, const struct endpoint *endpoints, size_t count,
                      const struct bytes *argv, size_t argc, uint64_t deadline_ms,
                      redisReply **replies, int *errors)
{
    struct batch batch = {.count = 0};
    struct round round = {
        .handle = handle, .batch = &batch, .targets = endpoints, .deadline_ms = deadline_ms};
    for (size_t i = 0; i < count; i++) {
        int result = batch_add(&batch, argv, argc);
        assert(result != TORC_EINVAL);
        if (result != TORC_OK) {
            batch_deinit(&batch);
            return handle_fail(handle, result, "%.*s: %s", (int)argv[0].size, argv[0].data,
                               torc_strerror(result));
        }
    }
    handle->error_at = SIZE_MAX; /* the numbers of calls are those of this batch now */
    run_round(&round);
    handle->error_at = SIZE_MAX;
    for (size_t i = 0; i < count; i++) {
        assert(batch.calls[i].state == CALL_DONE);
        errors[i] = batch.calls[i].error;
        replies[i] = batch.calls[i].reply;
        batch.calls[i].reply = NULL;
    }
    batch_deinit(&batch);
    return TORC_OK;
}

int exchange_ask(struct torc *handle, const struct endpoint *endpoint, const struct bytes *argv,
                 size_t argc, uint64_t deadline_ms, redisReply **reply)
{
    int error = TORC_OK;
    int result = exchange_ask_each(handle, endpoint, 1, argv, argc, deadline_ms, reply, &error);
    return result == TORC_OK ? error : result;
}
