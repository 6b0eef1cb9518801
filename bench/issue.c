#include "bench/issue.h"

#include "base/error.h"
#include "ring/slot.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <xxhash.h>

#define LOAD_BATCH_MAX 64
#define LOAD_BATCH_BYTES (256u * 1024)
#define NS_PER_S 1e9

static const char asking[] = "*1\r\n$6\r\nASKING\r\n";

static uint16_t slot_of_operation(const struct run *run, const struct operation *operation)
{
    char text[REQUEST_PREFIX_SIZE_MAX + TRACE_KEY_SIZE_MAX];
    static_assert(sizeof(text) >= REQUEST_KEY_SIZE_MAX, "holds keys of both kinds");
    if (run->trace.count == 0) {
        size_t size = request_key(&run->format, operation->key, text);
        return slot_of_key((struct bytes){text, size});
    }
    struct bytes key = trace_key(&run->trace, operation->key);
    memcpy(text, run->format.prefix, run->format.prefix_size);
    memcpy(text + run->format.prefix_size, key.data, key.size);
    return slot_of_key((struct bytes){text, run->format.prefix_size + key.size});
}

/* NULL when the run has failed. */
static struct connection *route(struct client *client, const struct operation *operation)
{
    struct worker *worker = client->worker;
    if (worker->run->options->mode == MODE_ANY) {
        return client->connections[0];
    }
    uint16_t server = worker->map.owners[slot_of_operation(worker->run, operation)];
    if (server == SLOT_MAP_NONE) {
        server = 0; /* whoever it is will say where the slot is, or that nobody serves it */
    }
    return worker_connection(client, &worker->map.servers[server], server);
}

static void append_request(const struct run *run, struct buf *out,
                           const struct operation *operation)
{
    bool set = operation->kind == OPERATION_SET;
    if (run->trace.count == 0) {
        if (set) {
            request_append_set(&run->format, out, operation->key);
        } else {
            request_append_get(&run->format, out, operation->key);
        }
        return;
    }
    struct bytes key = trace_key(&run->trace, operation->key);
    if (set) {
        request_append_set_key(&run->format, out, key);
    } else {
        request_append_get_key(&run->format, out, key);
    }
}

static void mark_dirty(struct worker *worker, struct connection *connection)
{
    if (connection->dirty) {
        return;
    }
    if (worker->dirty_count == worker->dirty_capacity) {
        size_t capacity = worker->dirty_capacity > 0 ? worker->dirty_capacity * 2 : 64;
        struct connection **dirty = realloc(worker->dirty, capacity * sizeof(worker->dirty[0]));
        if (dirty == NULL) {
            run_fail(worker->run, "out of memory");
            return;
        }
        worker->dirty = dirty;
        worker->dirty_capacity = capacity;
    }
    connection->dirty = true;
    worker->dirty[worker->dirty_count++] = connection;
}

static void stage(struct client *client, struct connection *connection,
                  const struct operation *operation)
{
    struct worker *worker = client->worker;
    if (connection_push(connection, operation) != TORC_OK) {
        run_fail(worker->run, "out of memory");
        return;
    }
    append_request(worker->run, &connection->out, operation);
    client->outstanding++;
    worker->outstanding++;
    mark_dirty(worker, connection);
}

void issue_operation(struct client *client, const struct operation *operation)
{
    struct connection *connection = route(client, operation);
    if (connection != NULL) {
        stage(client, connection, operation);
    }
}

void issue_asking(struct client *client, const struct operation *operation,
                  const struct address *address)
{
    struct worker *worker = client->worker;
    uint16_t server = 0;
    if (slot_map_server(&worker->map, address, &server) != TORC_OK) {
        run_fail(worker->run, "too many servers, or out of memory");
        return;
    }
    struct connection *connection = worker_connection(client, address, server);
    const struct operation ask = {.silent = true};
    if (connection == NULL) {
        return;
    }
    if (connection_push(connection, &ask) != TORC_OK) {
        run_fail(worker->run, "out of memory");
        return;
    }
    buf_append(&connection->out, asking, sizeof(asking) - 1);
    stage(client, connection, operation);
}

static void issue_load(struct worker *worker, struct client *client)
{
    const struct bench_options *options = worker->run->options;
    uint64_t batch = LOAD_BATCH_BYTES / (options->size + 1);
    batch = batch < 1 ? 1 : batch > LOAD_BATCH_MAX ? LOAD_BATCH_MAX : batch;
    if (client->outstanding > 0 || worker->stopping) {
        return;
    }
    for (uint64_t i = 0; i < batch && client->load_next < options->keys; i++) {
        const struct operation operation = {
            .key = client->load_next, .kind = OPERATION_SET, .load = true};
        client->load_next += options->clients;
        issue_operation(client, &operation);
    }
}

/* An operation of the mix. */
static struct operation draw(struct worker *worker, uint64_t start_ns)
{
    const struct run *run = worker->run;
    const struct bench_options *options = run->options;
    uint64_t total = (uint64_t)options->ratio_set + options->ratio_get;
    bool set = (((prng_next(&worker->prng) >> 32) * total) >> 32) < options->ratio_set;
    struct operation operation = {
        .start_ns = start_ns,
        .kind = (uint8_t)(set ? OPERATION_SET : OPERATION_GET),
    };
    operation.key = options->zipf_exponent > 0.0 ? zipf_next(&run->zipf, &worker->prng) - 1
                                                 : prng_below(&worker->prng, options->keys);
    return operation;
}

static void issue_closed(struct worker *worker, struct client *client)
{
    if (client->outstanding > 0 || worker->stopping) {
        return;
    }
    unsigned pipeline = worker->run->options->pipeline;
    for (unsigned i = 0; i < pipeline && worker->budget > 0; i++) {
        struct operation operation = draw(worker, worker->context.now_ns);
        worker->budget--;
        issue_operation(client, &operation);
    }
}

/* Wakes the worker at that time. */
static void arm_schedule(struct worker *worker, uint64_t due_ns)
{
    if (worker->schedule_armed_ns == due_ns) {
        return;
    }
    const struct itimerspec when = {.it_value = {.tv_sec = (time_t)(due_ns / 1000000000),
                                                 .tv_nsec = (long)(due_ns % 1000000000)}};
    int result = timerfd_settime(worker->schedule_fd, TFD_TIMER_ABSTIME, &when, NULL);
    assert(result == 0);
    worker->schedule_armed_ns = due_ns;
}

/* When the n-th operation of the whole run is due. */
static uint64_t due_at(const struct worker *worker, uint64_t n)
{
    return worker->start_ns + (uint64_t)((double)n * NS_PER_S / worker->run->options->rate);
}

static uint64_t next_due(const struct worker *worker)
{
    return due_at(worker, worker->issued * worker->run->options->threads + worker->index);
}

/* The next client in turn that has room, or NULL. */
static struct client *client_with_room(struct worker *worker)
{
    unsigned pipeline = worker->run->options->pipeline;
    if (worker->outstanding >= (uint64_t)pipeline * worker->client_count) {
        return NULL;
    }
    for (size_t i = 0; i < worker->client_count; i++) {
        struct client *client = &worker->clients[worker->rotation];
        worker->rotation = worker->rotation + 1 < worker->client_count ? worker->rotation + 1 : 0;
        if (client->outstanding < pipeline) {
            return client;
        }
    }
    return NULL;
}

static void issue_scheduled(struct worker *worker)
{
    while (!worker->stopping && worker->budget > 0) {
        uint64_t due_ns = next_due(worker);
        if (due_ns > worker->context.now_ns) {
            arm_schedule(worker, due_ns);
            return;
        }
        struct client *client = client_with_room(worker);
        if (client == NULL) {
            return;
        }
        struct operation operation = draw(worker, due_ns);
        worker->budget--;
        worker->issued++;
        issue_operation(client, &operation);
    }
}

uint64_t issue_behind(const struct worker *worker, uint64_t now_ns)
{
    const struct run *run = worker->run;
    if (run->options->rate <= 0.0 || run->trace.count > 0) {
        return 0;
    }
    double due = (double)(now_ns - worker->start_ns) / NS_PER_S * run->options->rate /
                 (double)run->options->threads;
    uint64_t missing = due > (double)worker->issued ? (uint64_t)due - worker->issued : 0;
    return missing < worker->budget ? missing : worker->budget;
}

static void issue_trace(struct worker *worker)
{
    const struct run *run = worker->run;
    const struct bench_options *options = run->options;
    for (; !worker->stopping && worker->trace_next < run->trace_limit; worker->trace_next++) {
        struct bytes key = trace_key(&run->trace, worker->trace_next);
        struct operation operation = {
            .start_ns = worker->context.now_ns,
            .key = worker->trace_next,
            .hash = XXH3_64bits(key.data, key.size),
            .kind = OPERATION_GET,
        };
        size_t index = operation.hash % options->clients;
        if (index % options->threads != worker->index) {
            continue;
        }
        if (options->rate > 0.0) {
            operation.start_ns = due_at(worker, worker->trace_next);
            if (operation.start_ns > worker->context.now_ns) {
                arm_schedule(worker, operation.start_ns);
                return;
            }
        }
        struct client *client = &worker->clients[index / options->threads];
        if (client->outstanding >= options->pipeline) {
            return;
        }
        struct connection *connection = route(client, &operation);
        /* While a GET of this key is under way, whether this one hits is not decided yet. */
        if (connection == NULL || connection_waits_for(connection, OPERATION_GET, operation.hash)) {
            return;
        }
        stage(client, connection, &operation);
    }
}

void issue(struct worker *worker, struct client *client)
{
    const struct run *run = worker->run;
    if (worker->phase == PHASE_RUN && run->trace.count > 0) {
        issue_trace(worker);
        return;
    }
    if (worker->phase == PHASE_RUN && run->options->rate > 0.0) {
        issue_scheduled(worker);
        return;
    }
    if (worker->phase == PHASE_CONNECT) {
        return;
    }
    size_t first = client != NULL ? (size_t)(client - worker->clients) : 0;
    size_t end = client != NULL ? first + 1 : worker->client_count;
    for (size_t i = first; i < end; i++) {
        if (worker->phase == PHASE_LOAD) {
            issue_load(worker, &worker->clients[i]);
        } else {
            issue_closed(worker, &worker->clients[i]);
        }
    }
}

bool issue_exhausted(const struct worker *worker)
{
    const struct run *run = worker->run;
    if (worker->stopping) {
        return true;
    }
    if (worker->phase == PHASE_RUN) {
        return run->trace.count > 0 ? worker->trace_next >= run->trace_limit : worker->budget == 0;
    }
    for (size_t i = 0; i < worker->client_count; i++) {
        if (worker->clients[i].load_next < run->options->keys) {
            return false;
        }
    }
    return true;
}
