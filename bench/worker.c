#include "bench/worker.h"

#include "base/error.h"
#include "bench/answer.h"
#include "bench/clock.h"
#include "bench/issue.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define READ_SIZE (64u * 1024)
#define FEED_SIZE_MIN (4u * 1024)
#define DRAIN_S 3.0 /* how long the last replies are waited for */

static void flush_dirty(struct worker *worker)
{
    /* Flushing may break a connection, whose client then stages elsewhere: the list may grow. */
    for (size_t i = 0; i < worker->dirty_count; i++) {
        connection_flush(worker->dirty[i]);
    }
    worker->dirty_count = 0;
}

void worker_end_phase_when_done(struct worker *worker)
{
    if (atomic_load_explicit(&worker->run->failed, memory_order_relaxed) ||
        (worker->outstanding == 0 && worker->phase != PHASE_CONNECT && issue_exhausted(worker))) {
        ev_break(worker->loop, EVBREAK_ALL);
    }
}

void worker_proceed(struct worker *worker, struct client *client)
{
    issue(worker, client);
    flush_dirty(worker);
    worker_end_phase_when_done(worker);
}

struct connection *worker_connection(struct client *client, const struct address *address,
                                     size_t index)
{
    struct worker *worker = client->worker;
    if (index >= client->connection_capacity) {
        size_t capacity = index + 4;
        struct connection **connections =
            realloc(client->connections, capacity * sizeof(client->connections[0]));
        if (connections == NULL) {
            run_fail(worker->run, "out of memory");
            return NULL;
        }
        memset(connections + client->connection_capacity, 0,
               (capacity - client->connection_capacity) * sizeof(connections[0]));
        client->connections = connections;
        client->connection_capacity = capacity;
    }
    if (client->connections[index] == NULL) {
        struct connection *connection = connection_create(&worker->context, client, address);
        if (connection == NULL) {
            run_fail(worker->run, "out of memory");
            return NULL;
        }
        client->connections[index] = connection;
        connection_open(connection);
    }
    return client->connections[index];
}

static void hand_over_stats(struct worker *worker)
{
    struct run *run = worker->run;
    if (worker->phase != PHASE_RUN) {
        worker->stats.bytes_in = 0; /* figures of the measured part alone */
        worker->stats.bytes_out = 0;
    }
    (void)pthread_mutex_lock(&run->mutex);
    stats_merge(&run->collected, &worker->stats);
    (void)pthread_mutex_unlock(&run->mutex);
    stats_init(&worker->stats);
}

static void on_publish(struct ev_loop *loop, ev_timer *watcher, int revents)
{
    (void)loop;
    (void)revents;
    hand_over_stats(watcher->data);
}

static void give_up_outstanding(struct worker *worker)
{
    for (; worker->outstanding > 0; worker->outstanding--) {
        stats_error(&worker->stats, "(unanswered)", worker->context.now_ns);
    }
    ev_break(worker->loop, EVBREAK_ALL);
}

static void begin_stop(struct worker *worker)
{
    if (worker->stopping) {
        return;
    }
    worker->context.now_ns = clock_now_ns();
    worker->stopping = true;
    if (worker->phase == PHASE_RUN) {
        worker->stats.behind += issue_behind(worker, worker->context.now_ns);
        worker->end_ns = worker->context.now_ns;
    }
    ev_timer_stop(worker->loop, &worker->deadline);
    ev_timer_set(&worker->deadline, DRAIN_S, 0.0);
    ev_timer_start(worker->loop, &worker->deadline);
    worker_end_phase_when_done(worker);
}

static void on_deadline(struct ev_loop *loop, ev_timer *watcher, int revents)
{
    struct worker *worker = watcher->data;
    (void)loop;
    (void)revents;
    if (worker->stopping) {
        give_up_outstanding(worker);
    } else {
        begin_stop(worker);
    }
}

static void on_wake(struct ev_loop *loop, ev_async *watcher, int revents)
{
    struct worker *worker = watcher->data;
    struct run *run = worker->run;
    (void)loop;
    (void)revents;
    (void)pthread_mutex_lock(&run->mutex);
    int result = TORC_OK;
    if (run->map_generation != worker->map_generation) {
        worker->map_generation = run->map_generation;
        result = slot_map_adopt(&worker->map, &run->map);
    }
    (void)pthread_mutex_unlock(&run->mutex);
    if (result != TORC_OK) {
        run_fail(run, torc_strerror(result));
    }
    if (atomic_load(&run->stop)) {
        begin_stop(worker);
    }
    if (atomic_load(&run->failed)) {
        ev_break(worker->loop, EVBREAK_ALL);
    }
}

static void on_schedule(struct ev_loop *loop, ev_io *watcher, int revents)
{
    struct worker *worker = watcher->data;
    uint64_t expirations = 0;
    (void)loop;
    (void)revents;
    if (read(worker->schedule_fd, &expirations, sizeof(expirations)) != sizeof(expirations)) {
        return; /* re-armed since */
    }
    worker->schedule_armed_ns = 0;
    worker->context.now_ns = clock_now_ns();
    worker_proceed(worker, NULL);
}

static void connect_all(struct worker *worker)
{
    const struct run *run = worker->run;
    bool owns[SLOT_MAP_SERVERS_MAX] = {false};
    for (size_t slot = 0; slot < SLOT_COUNT; slot++) {
        if (worker->map.owners[slot] != SLOT_MAP_NONE) {
            owns[worker->map.owners[slot]] = true;
        }
    }
    for (size_t i = 0; i < worker->client_count; i++) {
        struct client *client = &worker->clients[i];
        if (run->options->mode == MODE_ANY) {
            client->seed = client->index % run->seeds.count;
            worker->connecting++;
            (void)worker_connection(client, &run->seeds.items[client->seed], 0);
            continue;
        }
        for (size_t server = 0; server < worker->map.server_count; server++) {
            if (owns[server]) {
                worker->connecting++;
                (void)worker_connection(client, &worker->map.servers[server], server);
            }
        }
    }
    if (!atomic_load(&worker->run->failed)) {
        ev_run(worker->loop, 0);
    }
}

static uint64_t timeval_ns(struct timeval value)
{
    return (uint64_t)value.tv_sec * 1000000000 + (uint64_t)value.tv_usec * 1000;
}

static void run_phase(struct worker *worker, enum worker_phase phase)
{
    worker->phase = phase;
    worker->stopping = atomic_load(&worker->run->stop);
    worker->context.now_ns = clock_now_ns();
    if (!worker->stopping) {
        worker_proceed(worker, NULL);
        if (worker->outstanding > 0 || !issue_exhausted(worker)) {
            ev_run(worker->loop, 0);
        }
    }
    ev_timer_stop(worker->loop, &worker->deadline);
}

static void run_measured(struct worker *worker)
{
    const struct bench_options *options = worker->run->options;
    struct rusage before;
    struct rusage after;
    if (options->seconds > 0.0) {
        ev_now_update(worker->loop);
        ev_timer_set(&worker->deadline, options->seconds, 0.0);
        ev_timer_start(worker->loop, &worker->deadline);
    }
    (void)getrusage(RUSAGE_THREAD, &before);
    worker->start_ns = clock_now_ns();
    run_phase(worker, PHASE_RUN);
    (void)getrusage(RUSAGE_THREAD, &after);
    if (worker->end_ns == 0) {
        worker->end_ns = clock_now_ns();
    }
    worker->cpu_user_ns = timeval_ns(after.ru_utime) - timeval_ns(before.ru_utime);
    worker->cpu_system_ns = timeval_ns(after.ru_stime) - timeval_ns(before.ru_stime);
}

/* All workers leave it together; false when the run is over. */
static bool meet(struct worker *worker)
{
    (void)pthread_barrier_wait(&worker->run->barrier);
    return !atomic_load(&worker->run->failed);
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    struct run *run = worker->run;
    worker->phase = PHASE_CONNECT;
    connect_all(worker);
    bool go_on = meet(worker);
    if (go_on && run->options->load) {
        uint64_t begin_ns = clock_now_ns();
        run_phase(worker, PHASE_LOAD);
        go_on = meet(worker);
        worker->load_ns = clock_now_ns() - begin_ns;
        hand_over_stats(worker);
    }
    if (go_on && !run->options->only_load) {
        atomic_store(&run->measuring, true);
        run_measured(worker);
    }
    hand_over_stats(worker);
    atomic_fetch_sub(&run->running, 1);
    run_wake_main(run);
    return NULL;
}

static void init_watchers(struct worker *worker)
{
    ev_async_init(&worker->wake, on_wake);
    ev_timer_init(&worker->publish, on_publish, 1.0, 1.0);
    ev_init(&worker->deadline, on_deadline);
    ev_io_init(&worker->schedule, on_schedule, worker->schedule_fd, EV_READ);
    worker->wake.data = worker;
    worker->publish.data = worker;
    worker->deadline.data = worker;
    worker->schedule.data = worker;
    ev_async_start(worker->loop, &worker->wake);
    ev_timer_start(worker->loop, &worker->publish);
    if (worker->schedule_fd >= 0) {
        ev_io_start(worker->loop, &worker->schedule);
    }
}

/* Clients are dealt to the workers in turn, and so is the number of requests. */
static int init_clients(struct worker *worker)
{
    const struct bench_options *options = worker->run->options;
    size_t threads = options->threads;
    worker->client_count = (options->clients - worker->index + threads - 1) / threads;
    worker->clients = calloc(worker->client_count, sizeof(worker->clients[0]));
    if (worker->clients == NULL) {
        return TORC_ENOMEM;
    }
    for (size_t i = 0; i < worker->client_count; i++) {
        worker->clients[i].worker = worker;
        worker->clients[i].index = i * threads + worker->index;
        worker->clients[i].load_next = worker->clients[i].index;
    }
    worker->budget = UINT64_MAX;
    if (options->requests > 0) {
        worker->budget =
            options->requests / threads + (worker->index < options->requests % threads ? 1 : 0);
    }
    return TORC_OK;
}

int worker_init(struct worker *worker, struct run *run, unsigned index)
{
    const struct bench_options *options = run->options;
    memset(worker, 0, sizeof(*worker));
    worker->run = run;
    worker->index = index;
    worker->schedule_fd = -1;
    slot_map_init(&worker->map);
    stats_init(&worker->stats);
    prng_init(&worker->prng, options->seed + index);
    size_t feed = options->size * 4 > READ_SIZE ? READ_SIZE : (size_t)options->size * 4;
    worker->loop = ev_loop_new(EVFLAG_AUTO);
    worker->context = (struct connection_context){
        .loop = worker->loop,
        .events = answer_events(),
        .stats = &worker->stats,
        .read_buffer = malloc(READ_SIZE),
        .read_size = READ_SIZE,
        .feed_size = feed < FEED_SIZE_MIN ? FEED_SIZE_MIN : feed,
    };
    if (worker->loop == NULL || worker->context.read_buffer == NULL ||
        init_clients(worker) != TORC_OK || slot_map_adopt(&worker->map, &run->map) != TORC_OK) {
        worker_deinit(worker);
        return TORC_ENOMEM;
    }
    if (options->rate > 0.0) {
        worker->schedule_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
        if (worker->schedule_fd < 0) {
            worker_deinit(worker);
            return TORC_EIO;
        }
    }
    init_watchers(worker);
    return TORC_OK;
}

void worker_deinit(struct worker *worker)
{
    for (size_t i = 0; worker->clients != NULL && i < worker->client_count; i++) {
        struct client *client = &worker->clients[i];
        for (size_t j = 0; j < client->connection_capacity; j++) {
            connection_destroy(client->connections[j]);
        }
        free(client->connections);
    }
    free(worker->clients);
    free(worker->dirty);
    free(worker->context.read_buffer);
    slot_map_deinit(&worker->map);
    if (worker->schedule_fd >= 0) {
        (void)close(worker->schedule_fd);
    }
    if (worker->loop != NULL) {
        ev_loop_destroy(worker->loop);
    }
}

int worker_start(struct worker *worker)
{
    return pthread_create(&worker->thread, NULL, worker_main, worker) == 0 ? TORC_OK : TORC_EAGAIN;
}

void worker_join(struct worker *worker)
{
    (void)pthread_join(worker->thread, NULL);
}

void worker_wake(struct worker *worker)
{
    ev_async_send(worker->loop, &worker->wake);
}
