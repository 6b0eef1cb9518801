#include "client/settle.h"

#include "base/error.h"
#include "client/answer.h"
#include "client/clock.h"
#include "client/dispatch.h"
#include "client/engine.h"
#include "client/hiredis_has.h"
#include "client/subscription.h"

#include <assert.h>
#include <stdio.h>

/* It is over: with the reply or the error that it has. */
static void end(struct torc *handle, struct call *call, enum order_fate fate)
{
    order_returned(handle, call, fate);
    call->connection = NULL;
    engine_complete(handle, call);
}

/* It is to be tried again, if there is time; its last reply or error is noted in it. */
static void again(struct torc *handle, struct call *call)
{
    uint64_t delay_ms;
    const uint64_t now_ms = clock_now_ms();
    if (handle->closing || !retry_next(&call->retry, &handle->budget, call->redirected, now_ms,
                                       call->deadline_ms, &handle->prng, &delay_ms)) {
        end(handle, call, ORDER_NOT_EXECUTED);
        return;
    }
    call->retried = true;
    if (call->origin != NULL && call->route.slot != REQUEST_NO_SLOT) {
        if (!order_again(handle, call, delay_ms)) {
            call_note(call, TORC_ENOMEM, NULL, torc_strerror(TORC_ENOMEM));
            end(handle, call, ORDER_NOT_EXECUTED);
        }
        return;
    }
    call->connection = NULL;
    if (delay_ms == 0) {
        dispatch(handle, call);
        return;
    }
    call->place = CALL_DELAYED;
    call->due_ms = now_ms + delay_ms;
    call_list_append(&handle->delayed, call);
    engine_due(handle, call->due_ms);
}

static void want_view(struct torc *handle, bool urgent)
{
    refresh_want(&handle->refresh, urgent, clock_now_ms(), &handle->prng);
    engine_due(handle, refresh_due(&handle->refresh));
}

/* A node has named another one for the slot. */
static void redirect(struct torc *handle, struct call *call, const struct answer *answer,
                     const struct connection *connection)
{
    call->redirected = true;
    if (answer->kind == ANSWER_ASK) {
        call->asked =
            nodes_get(&handle->nodes, &answer->owner, handle->options.connections_per_node);
        return;
    }
    want_view(handle, false);
    /* Without memory the slot goes on being sought where it was, which MOVED will mend. */
    if (order_guard(handle, connection, answer->slot)) {
        routing_moved(&handle->routing, answer->slot, &answer->owner);
        near_owners_changed(handle);
    }
}

/* True if executing it again does no harm, or does not happen. */
static bool may_repeat(const struct call *call)
{
    return call->route.readonly || call->repeatable || names_protect(call, clock_now_ms());
}

/* The node does not take the call's name: it goes without one, unless that could be its second
 * execution. False: it has ended. */
static bool refuse_name(struct torc *handle, struct call *call, const struct connection *connection)
{
    if (!call->named) {
        end(handle, call, ORDER_EXECUTED);
        return false;
    }
    /* A node that lacks the room has looked for the name. One that knows no names has not. */
    if (call->doubtful && strncmp(call->reply->str, "ONCEFULL", 8) != 0) {
        call_note(call, TORC_ECLOSED, &connection->node->endpoint,
                  "the node knows no names of writes; it may or may not have been executed");
        end(handle, call, ORDER_PERHAPS);
        return false;
    }
    names_refused(handle, call);
    call->redirected = true; /* it costs no wait */
    return true;
}

/* A reply that has come back to a call which is still waited for. */
static void settle_answer(struct torc *handle, const struct connection *connection,
                          struct call *call, redisReply *reply)
{
    struct answer answer;
    call_forget(call);
    call->reply = reply;
    call->redirected = false;
    if (call->target != NULL || reply->type != REDIS_REPLY_ERROR) {
        retry_budget_succeeded(&handle->budget, call->retried);
        end(handle, call, ORDER_EXECUTED);
        return;
    }
    answer_read(&answer, reply, connection->node->endpoint.host);
    switch (answer.kind) {
    case ANSWER_FINAL: end(handle, call, ORDER_EXECUTED); return;
    case ANSWER_UNKNOWN:
        if (!may_repeat(call)) {
            end(handle, call, ORDER_EXECUTED);
            return;
        }
        call->doubtful = true;
        want_view(handle, true);
        break;
    case ANSWER_LATER: want_view(handle, true); break;
    case ANSWER_NO_NAMES:
        if (!refuse_name(handle, call, connection)) {
            return;
        }
        break;
    case ANSWER_ASK:
    case ANSWER_MOVED: redirect(handle, call, &answer, connection); break;
    }
    again(handle, call);
}

/* Off the connection. */
static void take_off(struct connection *connection, struct call_list *list, struct call *call)
{
    if (connection->sending == call) {
        connection->sending = call->next;
    }
    call_list_remove(list, call);
    call->place = CALL_NOWHERE;
    connection->node->outstanding--;
}

void settle_reply(struct torc *handle, struct connection *connection, redisReply *reply)
{
    struct call *call = connection->flights.first;
    if (connection->failed) {
        torc_reply_free(reply); /* what failed has been settled, or is about to be */
        return;
    }
    if (TORC_UNLIKELY(reply->type == REDIS_REPLY_PUSH)) {
        near_told(handle, connection->node, reply);
        torc_reply_free(reply);
        return;
    }
    if (connection->greeting.replies_due > 0) {
        const char *reason = greeting_reply(&connection->greeting, reply);
        if (reason != NULL) {
            char text[CONNECTION_ERROR_SIZE];
            (void)snprintf(text, sizeof(text), "AUTH: %.140s", reason);
            connection_fail(connection, TORC_EREPLY, text);
        }
        torc_reply_free(reply);
        return;
    }
    /* A writer that has not been heard of since may have sent it whole. */
    if (call == NULL || (call->end > connection->sent && !connection->flushing)) {
        torc_reply_free(reply);
        connection_fail(connection, TORC_EPROTOCOL, "a reply to nothing that was asked");
        return;
    }
    if (call->skip) {
        call->skip = false;
        torc_reply_free(reply);
        return;
    }
    breaker_succeeded(&connection->node->breaker);
    if (TORC_UNLIKELY(call->subscription != NULL)) {
        call = subscription_reply(handle, call->subscription, reply);
        if (call == NULL) {
            return;
        }
    }
    take_off(connection, &connection->flights, call);
    if (call->completed) {
        torc_reply_free(reply);
        order_returned(handle, call, ORDER_EXECUTED);
        call->connection = NULL;
        call_let_go(call);
        return;
    }
    settle_answer(handle, connection, call, reply);
}

static bool is_failure_of_node(int error)
{
    return error == TORC_ECLOSED || error == TORC_ECONNECT || error == TORC_ERESOLVE ||
           error == TORC_ETIMEOUT || error == TORC_OK;
}

/* The connection has failed. */
static void settle_lost(struct torc *handle, struct connection *connection, struct call *call,
                        bool unsent)
{
    const int error = connection->error == TORC_OK ? TORC_ECLOSED : connection->error;
    const bool harmless = unsent || may_repeat(call);
    const bool of_node = is_failure_of_node(connection->error);
    char text[CONNECTION_ERROR_SIZE + 64];
    if (call->completed) {
        order_returned(handle, call, unsent ? ORDER_NOT_EXECUTED : ORDER_PERHAPS);
        call->connection = NULL;
        call_let_go(call);
        return;
    }
    if (call->subscription != NULL) {
        subscription_lost(handle, call->subscription, error, connection->error_text);
    }
    (void)snprintf(text, sizeof(text), "%s%s", connection->error_text,
                   of_node && !harmless ? "; it may or may not have been executed" : "");
    call_note(call, error, &connection->node->endpoint, text);
    call->redirected = false;
    call->doubtful = call->doubtful || !unsent;
    /* What was open once goes on after anything but a refusal. */
    const bool goes_on = of_node || (call->subscription != NULL && error != TORC_EREPLY &&
                                     subscription_was_open(call->subscription));
    if (goes_on && harmless && call->target == NULL) {
        again(handle, call);
    } else {
        end(handle, call, unsent ? ORDER_NOT_EXECUTED : ORDER_PERHAPS);
    }
}

void settle_failed(struct torc *handle, struct connection *connection)
{
    if (!connection->failed || connection->flushing || connection->receiving) {
        return;
    }
    struct node *node = connection->node;
    const int error = connection->error;
    const uint64_t sent = connection->sent;
    connection_close(connection);
    if (node->use == NODE_TRACKED) {
        near_lost(handle, node);
    }
    if (error != TORC_OK && is_failure_of_node(error)) {
        breaker_failed(&node->breaker, clock_now_ms(), handle->options.breaker_failures,
                       handle->options.breaker_open_ms, &handle->prng);
        routing_distrust(&handle->routing, &node->endpoint);
        handle->any_turn++;
        if (handle->routing.topology != NULL) {
            want_view(handle, true);
        }
    }
    /* They may be put on this very connection again. */
    struct call_list flights = connection->flights;
    struct call_list queue = connection->queue;
    connection->flights = (struct call_list){0};
    connection->queue = (struct call_list){0};
    node->outstanding -= flights.count + queue.count;
    for (struct call *call; (call = call_list_take(&flights)) != NULL;) {
        call->place = CALL_NOWHERE;
        settle_lost(handle, connection, call, call->end > sent);
    }
    for (struct call *call; (call = call_list_take(&queue)) != NULL;) {
        call->place = CALL_NOWHERE;
        settle_lost(handle, connection, call, true);
    }
}

void settle_unserved(struct torc *handle, struct call *call)
{
    want_view(handle, true);
    call_note(call, TORC_ECONNECT, NULL,
              call->route.slot == REQUEST_NO_SLOT ? "no node is up" : "no owner of the slot is up");
    call->redirected = false;
    again(handle, call);
}

void settle_unavailable(struct torc *handle, struct call *call, const struct node *node)
{
    want_view(handle, true);
    handle->any_turn += call->route.slot == REQUEST_NO_SLOT ? 1 : 0;
    /* What was noted at the last attempt says more. */
    if (call->error == TORC_OK && call->reply == NULL) {
        call_note(call, TORC_EUNAVAILABLE, &node->endpoint,
                  "left alone for a while, after failures in a row");
    }
    call->redirected = false;
    if (handle->options.fail_fast) {
        end(handle, call, ORDER_NOT_EXECUTED);
    } else {
        again(handle, call);
    }
}

/* An answer that does not come. If nothing at all has come for so long, the connection is given up:
 * a new one may fare better than one whose segments are lost. */
static void expire_in_flight(struct torc *handle, struct call *call, uint64_t now_ms)
{
    struct connection *connection = call->connection;
    const unsigned patience_ms = handle->options.attempt_timeout_ms > 0
                                     ? handle->options.attempt_timeout_ms
                                     : handle->options.timeout_ms;
    call_note(call, TORC_ETIMEOUT, &connection->node->endpoint,
              call->route.readonly || call->repeatable
                  ? "no answer in time"
                  : "no answer in time; it may or may not have been executed");
    /* Nor may the server go on waiting for somebody who is gone. */
    if (now_ms >= connection->received_ms + patience_ms ||
        connection->node->use == NODE_DEDICATED || connection->node->use == NODE_SUBSCRIBER) {
        connection_fail(connection, TORC_ETIMEOUT, "no answer in time");
    }
    engine_complete(handle, call);
    settle_failed(handle, connection);
}

static void expire_queued(struct torc *handle, struct call *call)
{
    struct connection *connection = call->connection;
    const bool connecting = connection->state != CONNECTION_OPEN;
    take_off(connection, &connection->queue, call);
    call_note(call, TORC_ETIMEOUT, &connection->node->endpoint,
              connecting ? "timed out while connecting" : "not sent in time; it was not executed");
    end(handle, call, ORDER_NOT_EXECUTED);
}

/* Only this attempt has taken too long. Another is made of what may be repeated. */
static void expire_attempt(struct torc *handle, struct call *call, uint64_t now_ms)
{
    struct connection *connection = call->connection;
    call->attempt_deadline_ms = UINT64_MAX;
    if (now_ms >= connection->received_ms + handle->options.attempt_timeout_ms) {
        connection_fail(connection, TORC_ETIMEOUT, "no answer in time");
        settle_failed(handle, connection);
    }
}

void settle_expired(struct torc *handle, struct call *call, uint64_t now_ms)
{
    const bool over = now_ms >= call->deadline_ms;
    switch (call->place) {
    case CALL_NOWHERE: assert(false); break;
    case CALL_UNROUTED:
        call_list_remove(&handle->unrouted, call);
        call->place = CALL_NOWHERE;
        discover_explain(handle, call);
        engine_complete(handle, call);
        break;
    case CALL_QUEUED:
        if (over) {
            expire_queued(handle, call);
        }
        break;
    case CALL_IN_FLIGHT:
        if (over) {
            expire_in_flight(handle, call, now_ms);
        } else {
            expire_attempt(handle, call, now_ms);
        }
        break;
    case CALL_DELAYED:
        call_list_remove(&handle->delayed, call);
        call->place = CALL_NOWHERE;
        end(handle, call, ORDER_NOT_EXECUTED);
        break;
    case CALL_HELD:
        order_remove(handle, call);
        if (call->error == TORC_OK && call->reply == NULL) {
            call_note(call, TORC_ETIMEOUT, NULL,
                      "not executed: an earlier command of its slot was still being retried");
        }
        engine_complete(handle, call);
        break;
    }
}
