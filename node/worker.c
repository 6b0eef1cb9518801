#include "node/worker.h"

#include "base/error.h"
#include "node/blocking.h"
#include "node/bus_server.h"
#include "node/clock.h"
#include "node/connection.h"
#include "node/freeing.h"
#include "node/invalidation.h"
#include "node/maintenance.h"
#include "node/memory.h"
#include "node/net.h"
#include "node/operation.h"
#include "node/peers.h"
#include "node/stream_sender.h"
#include "node/tracking.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* While expiry is behind: it takes a third of the time then, of which commands get the rest. */
#define SWEEP_TICK_SECONDS 0.00075 /* while it is behind, or keys have to be moved in haste */
#define FREEING_TICK_SECONDS 0.005 /* while something big waits to be freed */
#define TICK_SECONDS 0.01          /* while there is reason to: held requests, keys that expire */
#define IDLE_TICK_SECONDS 0.1      /* else */
#define MEMORY_LOOK_MS 100
#define ACCEPTS_PER_EVENT 64
#define ACCEPT_PAUSE_MS 100 /* when there are no more file descriptors */

static const char too_many[] = "-ERR max number of clients reached\r\n";

/* ---- accepting ---- */

static void admit(struct worker *worker, enum listener_kind kind, int fd)
{
    struct node *node = worker->node;
    if (kind == LISTEN_BUS) {
        bus_connection_open(worker, fd);
        return;
    }
    if (session_count(&node->sessions) >=
        atomic_load_explicit(&node->config.clients_max, memory_order_relaxed)) {
        ssize_t ignored = send(fd, too_many, sizeof(too_many) - 1, MSG_NOSIGNAL);
        (void)ignored; /* a courtesy */
        close(fd);
        stat_add(&worker->stats.connections_rejected, 1);
        return;
    }
    stat_add(&worker->stats.connections_accepted, 1);
    connection_open(worker, fd, kind == LISTEN_CLIENT ? ACCESS_ANY : ACCESS_DIRECT);
}

static void pause_accepting(struct worker *worker)
{
    log_warning(&worker->node->log,
                "cannot accept more connections: %s; raise the limit on open files (ulimit -n)",
                strerror(errno));
    worker->accept_paused_until_ms = clock_monotonic_ms() + ACCEPT_PAUSE_MS;
    for (int kind = 0; kind < LISTENER_COUNT; kind++) {
        ev_io_stop(worker->loop, &worker->listeners[kind].watcher);
    }
}

static void on_acceptable(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)loop;
    (void)events;
    struct listener *listener = watcher->data;
    for (int i = 0; i < ACCEPTS_PER_EVENT; i++) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            admit(listener->worker, listener->kind, fd);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            pause_accepting(listener->worker);
            return;
        } else if (errno == EAGAIN) {
            return;
        }
    }
}

int worker_listen(struct worker *worker)
{
    const struct config *config = &worker->node->config;
    static const char *const names[] = {"--port", "--direct-port", "--bus-port"};
    const uint16_t ports[] = {config->port, config->direct_port, config->bus_port};
    for (int kind = 0; kind < LISTENER_COUNT; kind++) {
        struct listener *listener = &worker->listeners[kind];
        /* The first worker makes sure that nobody else listens there. */
        int result = worker->index == 0 ? net_probe_free(config->bind, ports[kind]) : TORC_OK;
        if (result == TORC_OK) {
            result = net_listen(config->bind, ports[kind], true, &listener->fd);
        }
        if (result != TORC_OK) {
            log_error(&worker->node->log, "cannot listen on %s port %u (%s): %s", config->bind,
                      ports[kind], names[kind],
                      result == TORC_ERESOLVE ? torc_strerror(result) : strerror(errno));
            return TORC_EIO;
        }
        ev_io_init(&listener->watcher, on_acceptable, listener->fd, EV_READ);
        listener->watcher.data = listener;
        ev_io_start(worker->loop, &listener->watcher);
    }
    return TORC_OK;
}

/* ---- what others ask of it ---- */

void worker_wake(struct worker *worker)
{
    if (!atomic_exchange(&worker->woken, true)) {
        ev_async_send(worker->loop, &worker->wake);
    }
}

static void close_killed(struct worker *worker)
{
    struct connection *connection = worker->connections;
    while (connection != NULL) {
        struct connection *next = connection->next;
        if (atomic_load_explicit(&connection->session.kill_wanted, memory_order_relaxed)) {
            connection_close(connection);
        } else if (!connection_end_waiting(connection) && !connection->reading) {
            connection_want_flush(connection); /* a pause may have ended */
        }
        connection = next;
    }
}

static void on_wake(struct ev_loop *loop, ev_async *watcher, int events)
{
    (void)events;
    struct worker *worker = watcher->data;
    atomic_store(&worker->woken, false);
    if (atomic_load(&worker->node->stopping)) {
        ev_break(loop, EVBREAK_ALL);
        return;
    }
    worker->acks_arrived = true;
    if (atomic_exchange(&worker->view_came, false)) {
        worker_begin(worker);
        worker_follow_view(worker);
        operations_tick(worker, clock_monotonic_ms());
        bus_connections_tick(worker, clock_monotonic_ms());
    }
    if (atomic_exchange(&worker->look_at_clients, false)) {
        close_killed(worker);
    }
}

/* ---- the lease ---- */

void worker_begin(struct worker *worker)
{
    worker->now_wall_ms = clock_wall_ms();
    worker->term = atomic_load_explicit(&worker->node->term, memory_order_acquire);
    worker->has_lease = worker_may_answer(worker, worker->term);
    worker->guarded = false;
}

/* The clock is read anew each time: between two looks this process may have been stopped for longer
 * than a lease. */
bool worker_may_answer(const struct worker *worker, uint64_t term)
{
    const struct node *node = worker->node;
    return clock_lease_ms() < atomic_load_explicit(&node->lease_until_ms, memory_order_acquire) &&
           atomic_load_explicit(&node->term, memory_order_acquire) == term;
}

/* Nobody asks for a write again for as long as that. */
#define OUTCOMES_AGE_MS (2 * OPERATION_REPEAT_LIMIT_MS)

static void age_outcomes(struct worker *worker, uint64_t now_ms)
{
    if (now_ms < worker->age_at_ms) {
        return;
    }
    worker->age_at_ms = now_ms + OUTCOMES_AGE_MS;
    struct node *node = worker->node;
    for (uint32_t i = worker->index; i < SLOT_COUNT; i += node->worker_count) {
        slot_lock(&node->slots[i]);
        copy_age(&node->slots[i].copy);
        slot_unlock(&node->slots[i]);
    }
}

/* ---- before each sleep, and regularly ---- */

static void poll_streams(struct worker *worker, uint64_t now_ms)
{
    struct peers *peers = worker->node->peers;
    size_t count = atomic_load_explicit(&peers->count, memory_order_acquire);
    for (size_t i = 0; i < count; i++) {
        struct peer *peer = peers_at(peers, (uint16_t)i);
        if (worker->senders[i] == NULL) {
            if (atomic_load(&peer->streams[worker->index]) == NULL) {
                continue;
            }
            worker->senders[i] = stream_sender_create(worker, peer);
        }
        if (worker->senders[i] != NULL) {
            stream_sender_poll(worker->senders[i], now_ms);
        }
    }
}

static void flush_links(struct worker *worker)
{
    size_t count = atomic_load_explicit(&worker->node->peers->count, memory_order_acquire);
    for (size_t i = 0; i < count; i++) {
        if (worker->links[i] != NULL && buf_size(&worker->links[i]->out) > 0) {
            link_flush(worker->links[i]);
        }
    }
}

static void flush_clients(struct worker *worker)
{
    /* Those that ask again while they are looked after have their turn in the next round. */
    struct connection *list = worker->flush_first;
    worker->flush_first = NULL;
    while (list != NULL) {
        struct connection *connection = list;
        list = connection->flush_next;
        connection->flush_wanted = false;
        connection_flush(connection);
    }
}

static void flush_bus(struct worker *worker)
{
    struct bus_connection *bus = worker->bus_connections;
    while (bus != NULL) {
        struct bus_connection *next = bus->next;
        if (bus->dirty) {
            bus_connection_flush(bus);
        }
        bus = next;
    }
}

/* Ticks as often as there is reason to. */
static void set_tick(struct worker *worker)
{
    bool busy = worker->held_first != NULL || refills_wanted(&worker->refills) ||
                worker->waiting != NULL || worker->bus_held > 0 ||
                atomic_load_explicit(&worker->compacting, memory_order_relaxed) ||
                check_is_due(worker) || node_has_expiries(worker->node);
    bool hurry = worker->sweep_behind || freeing_is_behind(worker->node) ||
                 (atomic_load_explicit(&worker->compacting, memory_order_relaxed) &&
                  atomic_load_explicit(&worker->node->compact_pressed, memory_order_relaxed));
    double wanted = hurry                            ? SWEEP_TICK_SECONDS
                    : node_freeing(worker->node) > 0 ? FREEING_TICK_SECONDS
                    : busy                           ? TICK_SECONDS
                                                     : IDLE_TICK_SECONDS;
    if (worker->tick.repeat != wanted) {
        worker->tick.repeat = wanted;
        /* Never later than it was to come: what is wanted may change with each batch. */
        if (ev_timer_remaining(worker->loop, &worker->tick) > wanted) {
            ev_timer_again(worker->loop, &worker->tick);
        }
    }
}

static void on_before_sleep(struct ev_loop *loop, ev_prepare *watcher, int events)
{
    (void)events;
    struct worker *worker = watcher->data;
    if (refills_wanted(&worker->refills)) {
        refills_step(worker);
    }
    if (atomic_load_explicit(&worker->streams_dirty, memory_order_relaxed) &&
        atomic_exchange(&worker->streams_dirty, false)) {
        poll_streams(worker, clock_monotonic_ms());
    }
    if (!mailbox_is_empty(&worker->posted)) {
        worker_begin(worker);
        blocking_collect(worker);
    }
    if (worker->acks_arrived) {
        worker->acks_arrived = false;
        operations_check_acks(worker);
    }
    if (TORC_UNLIKELY(worker->tracks_too_much)) {
        tracking_trim(worker);
    }
    if (!mailbox_is_empty(&worker->invalidations)) {
        invalidation_collect(worker);
    }
    if (worker->flush_first != NULL) {
        flush_clients(worker);
    }
    flush_links(worker);
    flush_bus(worker);
    if (TORC_UNLIKELY(freeing_is_behind(worker->node))) {
        double busy = ev_time() - ev_now(loop); /* of the wall clock, which may be set back */
        freeing_keep_up(worker, busy > 0 ? (uint64_t)(busy * 1e6) : 0);
    }
    set_tick(worker);
    if (worker->flush_first != NULL || worker->acks_arrived || worker->refills.again ||
        atomic_load_explicit(&worker->view_came, memory_order_relaxed) ||
        !mailbox_is_empty(&worker->posted) || !mailbox_is_empty(&worker->invalidations) ||
        atomic_load_explicit(&worker->streams_dirty, memory_order_relaxed)) {
        /* Something came up meanwhile: do not sleep. */
        ev_feed_event(loop, &worker->wake, EV_ASYNC);
    }
}

static void close_idle(struct worker *worker, uint32_t idle_seconds)
{
    uint64_t now = clock_wall_ms();
    struct connection *connection = worker->connections;
    while (connection != NULL) {
        struct connection *next = connection->next;
        unsigned tracking =
            atomic_load_explicit(&connection->session.tracking, memory_order_relaxed);
        if (connection->first == NULL && (tracking & SESSION_SUBSCRIBED) == 0 &&
            now > connection->session.last_active_ms + (uint64_t)idle_seconds * 1000) {
            connection_close(connection);
        }
        connection = next;
    }
}

static void on_tick(struct ev_loop *loop, ev_timer *watcher, int events)
{
    (void)events;
    struct worker *worker = watcher->data;
    uint64_t now_ms = clock_monotonic_ms();
    worker_begin(worker);
    worker_follow_view(worker);
    refills_step(worker);
    age_outcomes(worker, now_ms);
    check_step(worker, now_ms);
    worker->sweep_behind = maintenance_sweep(worker);
    freeing_tick(worker);
    if (worker->index == 0) {
        memory_follow_config(worker->node);
    }
    memory_keep_within(worker);
    /* What is about to expire need not be moved, and one tick not do both. */
    if (!worker->sweep_behind) {
        memory_compact(worker);
    }
    if (worker->index == 0 && now_ms >= worker->memory_look_at_ms) {
        worker->memory_look_at_ms = now_ms + MEMORY_LOOK_MS;
        memory_watch(worker->node);
        if (atomic_load_explicit(&worker->node->config.memory_bytes_max, memory_order_relaxed) !=
            0) {
            memory_take_stock(worker->node);
        }
    }
    operations_tick(worker, now_ms);
    bus_connections_tick(worker, now_ms);
    poll_streams(worker, now_ms);
    far_tick(worker, now_ms);
    /* Replies may wait for nothing but the lease, of whose return nobody tells. */
    worker->acks_arrived = worker->acks_arrived || worker->waiting != NULL;
    size_t count = atomic_load_explicit(&worker->node->peers->count, memory_order_acquire);
    for (size_t i = 0; i < count; i++) {
        if (worker->links[i] != NULL && worker->links[i]->first != NULL) {
            link_expire(worker->links[i], now_ms);
        }
    }
    if (worker->accept_paused_until_ms != 0 && now_ms >= worker->accept_paused_until_ms) {
        worker->accept_paused_until_ms = 0;
        for (int kind = 0; kind < LISTENER_COUNT; kind++) {
            ev_io_start(loop, &worker->listeners[kind].watcher);
        }
    }
    uint64_t pause_until = atomic_load(&worker->node->pause_until_ms);
    if (pause_until != worker->pause_seen_ms && pause_until <= worker->now_wall_ms) {
        worker->pause_seen_ms = pause_until;
        close_killed(worker); /* also has those that were paused go on */
    }
    uint32_t idle =
        atomic_load_explicit(&worker->node->config.idle_timeout_s, memory_order_relaxed);
    if (idle != 0) {
        close_idle(worker, idle);
    }
}

/* ---- life ---- */

struct worker *worker_create(struct node *node, unsigned index)
{
    struct worker *worker = calloc(1, sizeof(*worker));
    if (worker == NULL) {
        return NULL;
    }
    worker->node = node;
    worker->index = index;
    worker->bit = UINT64_C(1) << index;
    worker->sweep_slot = (uint16_t)index;
    slot_rim_init(&worker->rim, node, worker);
    worker->age_at_ms = clock_monotonic_ms() + OUTCOMES_AGE_MS;
    worker->peer_session.access = ACCESS_BUS;
    worker->peer_session.protocol = 2;
    worker->read_buffer = malloc(WORKER_READ_BUFFER_SIZE);
    worker->loop = ev_loop_new(EVFLAG_AUTO);
    int listed = clients_init(&worker->clients);
    if (worker->read_buffer == NULL || worker->loop == NULL || listed != TORC_OK) {
        free(worker->clients.buckets);
        free(worker->read_buffer);
        free(worker);
        return NULL;
    }
    prng_init(&worker->prng, clock_ms(CLOCK_REALTIME) ^ ((uint64_t)index << 56));
    evictor_init(&worker->evictor, prng_next(&worker->prng));
    worker->compact_slot = index;
    argument_list_init(&worker->arguments);
    argument_list_init(&worker->replayed);
    argument_list_init(&worker->looked_at);
    for (int kind = 0; kind < LISTENER_COUNT; kind++) {
        worker->listeners[kind] =
            (struct listener){.worker = worker, .kind = (enum listener_kind)kind, .fd = -1};
    }
    ev_async_init(&worker->wake, on_wake);
    ev_prepare_init(&worker->before_sleep, on_before_sleep);
    ev_timer_init(&worker->tick, on_tick, TICK_SECONDS, TICK_SECONDS);
    worker->wake.data = worker;
    worker->before_sleep.data = worker;
    worker->tick.data = worker;
    ev_async_start(worker->loop, &worker->wake);
    ev_prepare_start(worker->loop, &worker->before_sleep);
    ev_timer_start(worker->loop, &worker->tick);
    return worker;
}

void *worker_run(void *context)
{
    struct worker *worker = context;
    ev_run(worker->loop, 0);
    return NULL;
}

static void close_everything(struct worker *worker)
{
    while (worker->connections != NULL) {
        connection_close(worker->connections);
    }
    while (worker->bus_connections != NULL) {
        bus_connection_close(worker->bus_connections);
    }
    for (size_t i = 0; i < NODES_MAX; i++) {
        if (worker->links[i] != NULL) {
            link_deinit(worker->links[i]);
            free(worker->links[i]);
        }
        stream_sender_destroy(worker->senders[i]);
    }
    blocking_collect(worker); /* nobody is left who would be answered */
    operations_abandon(worker);
    far_deinit(&worker->far);
    invalidation_discard(worker);
}

void worker_destroy(struct worker *worker)
{
    if (worker == NULL) {
        return;
    }
    close_everything(worker);
    for (int kind = 0; kind < LISTENER_COUNT; kind++) {
        if (worker->listeners[kind].fd >= 0) {
            close(worker->listeners[kind].fd);
        }
    }
    view_release(worker->view);
    clients_deinit(&worker->clients);
    ev_loop_destroy(worker->loop);
    argument_list_deinit(&worker->arguments);
    argument_list_deinit(&worker->replayed);
    argument_list_deinit(&worker->looked_at);
    buf_deinit(&worker->effects);
    buf_deinit(&worker->chunk);
    ack_set_deinit(&worker->chunk_acks);
    free(worker->read_buffer);
    free(worker);
}

static void on_told(struct link *link, const struct frame *frame)
{
    far_told(link->context, link->peer->index, frame);
}

static void on_lost(struct link *link)
{
    far_lost(link->context, link->peer->index);
}

struct link *worker_link(struct worker *worker, uint16_t peer)
{
    if (worker->links[peer] == NULL) {
        struct link *link = malloc(sizeof(*link));
        if (link != NULL) {
            link_init(link, worker->node, peers_at(worker->node->peers, peer), worker->loop);
            link->told = on_told;
            link->lost = on_lost;
            link->context = worker;
            worker->links[peer] = link;
        }
    }
    return worker->links[peer];
}

void worker_follow_view(struct worker *worker)
{
    uint64_t epoch = atomic_load_explicit(&worker->node->epoch, memory_order_acquire);
    if (TORC_LIKELY(epoch == worker->view_epoch)) {
        return;
    }
    const struct view *view = node_view(worker->node);
    view_release(worker->view);
    worker->view = view;
    worker->view_epoch = view == NULL ? 0 : view->epoch;
    operations_follow_view(worker);
    far_follow_view(worker);
}

const struct view *worker_view(struct worker *worker)
{
    if (TORC_UNLIKELY(worker->view == NULL)) {
        worker_follow_view(worker);
    }
    return worker->view;
}

struct node *worker_node(struct worker *worker)
{
    return worker->node;
}

unsigned worker_index(const struct worker *worker)
{
    return worker->index;
}

void worker_expect_replies(struct worker *worker, unsigned more)
{
    worker->chunk_replies += more;
}

struct worker_stats *worker_stats(struct worker *worker)
{
    return &worker->stats;
}
