#include "bench/answer.h"

#include "base/error.h"
#include "bench/issue.h"
#include "bench/worker.h"

#include <stdio.h>
#include <string.h>

#define CONNECT_ATTEMPTS_MAX 3
#define REDIRECTS_MAX 5
#define RECONNECT_SOON_S 0.01 /* after a connection broke */
#define RECONNECT_LATER_S 0.1 /* after it could not be made */

static void want_map(struct worker *worker)
{
    struct run *run = worker->run;
    if (run->options->mode == MODE_DIRECT && !atomic_exchange(&run->map_wanted, true)) {
        run_wake_main(run);
    }
}

/* Follows MOVED and ASK. False when the reply is to be counted as an error. */
static bool follow_redirect(struct connection *connection, const struct operation *operation,
                            const struct reply *reply)
{
    struct client *client = connection->owner;
    struct worker *worker = client->worker;
    if (worker->run->options->mode != MODE_DIRECT || operation->attempts >= REDIRECTS_MAX) {
        return false;
    }
    struct redirect redirect = redirect_parse(bytes_of(reply->error));
    if (redirect.kind == REDIRECT_NONE) {
        return false;
    }
    if (redirect.address.host[0] == '\0') {
        memcpy(redirect.address.host, connection->address.host, sizeof(redirect.address.host));
    }
    struct operation again = *operation;
    again.attempts++;
    if (redirect.kind == REDIRECT_ASK) {
        worker->stats.asked++;
        issue_asking(client, &again, &redirect.address);
        return true;
    }
    uint16_t server = 0;
    if (slot_map_server(&worker->map, &redirect.address, &server) != TORC_OK) {
        return false;
    }
    worker->stats.moved++;
    worker->map.owners[redirect.slot] = server;
    want_map(worker);
    issue_operation(client, &again);
    return true;
}

static void count_success(struct worker *worker, struct client *client,
                          const struct operation *operation, const struct reply *reply)
{
    struct stats *stats = &worker->stats;
    if (operation->load) {
        stats->loaded++;
        return;
    }
    uint64_t now_ns = worker->context.now_ns;
    histogram_record(&stats->latency[operation->kind],
                     now_ns > operation->start_ns ? now_ns - operation->start_ns : 0);
    if (operation->kind != OPERATION_GET) {
        return;
    }
    if (reply->kind == REPLY_VALUE) {
        stats->hits++;
        return;
    }
    stats->misses++;
    if (worker->run->trace.count > 0) {
        struct operation set = *operation;
        set.kind = OPERATION_SET;
        set.attempts = 0;
        set.start_ns = now_ns;
        issue_operation(client, &set);
    }
}

static void on_reply(struct connection *connection, const struct operation *operation,
                     const struct reply *reply)
{
    struct client *client = connection->owner;
    struct worker *worker = client->worker;
    client->outstanding--;
    worker->outstanding--;
    if (TORC_LIKELY(reply->kind != REPLY_ERROR)) {
        count_success(worker, client, operation, reply);
    } else if (!follow_redirect(connection, operation, reply)) {
        stats_error(&worker->stats, reply->error, worker->context.now_ns);
    }
}

static void on_replies_end(struct connection *connection)
{
    struct client *client = connection->owner;
    worker_proceed(client->worker, client);
}

static void on_up(struct connection *connection)
{
    struct worker *worker = ((struct client *)connection->owner)->worker;
    if (worker->phase == PHASE_CONNECT) {
        worker->connecting--;
        if (worker->connecting == 0) {
            ev_break(worker->loop, EVBREAK_ALL);
        }
    } else if (connection->ever_up) {
        worker->stats.reconnects++;
    }
}

static void on_lost(struct connection *connection, const struct operation *operation)
{
    struct client *client = connection->owner;
    struct worker *worker = client->worker;
    char address[ADDRESS_TEXT_SIZE];
    char text[ERROR_TEXT_SIZE_MAX + 1];
    if (operation->silent) {
        return;
    }
    client->outstanding--;
    worker->outstanding--;
    address_format(&connection->address, address);
    (void)snprintf(text, sizeof(text), "(connection lost): %.90s", address);
    stats_error(&worker->stats, text, worker->context.now_ns);
}

static void on_down(struct connection *connection, const char *reason, bool was_up)
{
    struct client *client = connection->owner;
    struct worker *worker = client->worker;
    if (worker->phase == PHASE_CONNECT &&
        (was_up || connection->attempts >= CONNECT_ATTEMPTS_MAX)) {
        char address[ADDRESS_TEXT_SIZE];
        char text[RUN_FAILURE_SIZE];
        address_format(&connection->address, address);
        (void)snprintf(text, sizeof(text), "cannot connect client %zu to %s: %s", client->index,
                       address, reason);
        run_fail(worker->run, text);
        ev_break(worker->loop, EVBREAK_ALL);
        return;
    }
    const struct address_list *seeds = &worker->run->seeds;
    if (worker->run->options->mode == MODE_ANY && worker->phase != PHASE_CONNECT) {
        client->seed = (client->seed + 1) % seeds->count;
        connection->address = seeds->items[client->seed];
    }
    connection_retry_after(connection, was_up ? RECONNECT_SOON_S : RECONNECT_LATER_S);
    want_map(worker);
    if (worker->phase != PHASE_CONNECT) {
        worker_proceed(worker, client);
    }
}

static void on_retry(struct connection *connection)
{
    connection_open(connection);
}

const struct connection_events *answer_events(void)
{
    static const struct connection_events events = {
        .up = on_up,
        .reply = on_reply,
        .replies_end = on_replies_end,
        .lost = on_lost,
        .down = on_down,
        .retry = on_retry,
    };
    return &events;
}
