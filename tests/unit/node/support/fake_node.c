#include "fake_node.h"

#include "base/error.h"
#include "node/clock.h"
#include "node/roles.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define STEP_BYTES (1u << 20)

struct node_id fake_id(size_t index)
{
    return (struct node_id){{(uint8_t)(index + 1)}};
}

/* ---- the node ---- */

static void make_worker(struct fake_node *fake)
{
    struct worker *worker = &fake->worker;
    worker->node = &fake->node;
    worker->bit = 1;
    atomic_store(&worker->woken, true); /* its loop does not run: nobody is to wake it */
    slot_rim_init(&worker->rim, &fake->node, worker);
    worker->peer_session.access = ACCESS_BUS;
    worker->peer_session.protocol = 2;
    prng_init(&worker->prng, 1);
    argument_list_init(&worker->arguments);
    argument_list_init(&worker->replayed);
    argument_list_init(&worker->looked_at);
    fake->workers[0] = worker;
    fake->node.workers = fake->workers;
    fake->node.worker_count = 1;
}

static void make_slots(struct node *node)
{
    node->store = store_create();
    node->incoming_store = store_create_beside(node->store);
    node->slots = calloc(SLOT_COUNT, sizeof(*node->slots));
    ck_assert(node->store != NULL && node->incoming_store != NULL && node->slots != NULL);
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        copy_init(&node->slots[i].copy, (uint16_t)i);
        atomic_store(&node->slots[i].keys, store_keyspace(node->store, (uint16_t)i));
        node->slots[i].incoming = store_keyspace(node->incoming_store, (uint16_t)i);
    }
}

struct fake_node *fake_node_create(void)
{
    struct fake_node *fake = calloc(1, sizeof(*fake));
    ck_assert_ptr_nonnull(fake);
    struct node *node = &fake->node;
    config_defaults(&node->config);
    log_init(&node->log, -1, LOG_ERROR, "test");
    pthread_mutex_init(&node->view_lock, NULL);
    pthread_mutex_init(&node->gossip_lock, NULL);
    session_registry_init(&node->sessions);
    node->id = fake_id(FAKE_SELF);
    node->incarnation = 1;
    node->peers = peers_create();
    node->commands = command_table_create();
    ck_assert(node->peers != NULL && node->commands != NULL);
    check_init(&node->check);
    make_slots(node);
    make_worker(fake);
    fake->control.node = node;
    fake->control.inbox_tail = &fake->control.inbox;
    pthread_mutex_init(&fake->control.offer_lock, NULL);
    slot_rim_init(&fake->control.rim, node, NULL);
    node->control = &fake->control;
    return fake;
}

void fake_give_lease(struct fake_node *fake)
{
    atomic_store(&fake->node.lease_until_ms, clock_lease_ms() + FAKE_LONG_MS);
}

static void on_event(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)loop;
    (void)watcher;
    (void)events;
}

struct bus_connection *fake_bus_open(struct fake_node *fake)
{
    struct worker *worker = &fake->worker;
    struct bus_connection *bus = calloc(1, sizeof(*bus));
    ck_assert_ptr_nonnull(bus);
    worker->loop = ev_loop_new(EVFLAG_AUTO);
    ck_assert_ptr_nonnull(worker->loop);
    bus->worker = worker;
    bus->fd = -1;
    bus->state = BUS_SERVING_REQUESTS;
    bus->writing = true;
    bus->session.access = ACCESS_BUS;
    ev_io_init(&bus->reader, on_event, 0, EV_READ);
    ev_io_init(&bus->writer, on_event, 0, EV_WRITE);
    worker->bus_connections = bus;
    return bus;
}

void fake_node_destroy(struct fake_node *fake)
{
    struct node *node = &fake->node;
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        copy_deinit(&node->slots[i].copy);
    }
    free(node->slots);
    store_destroy(node->incoming_store);
    store_destroy(node->store);
    view_release(fake->worker.view);
    argument_list_deinit(&fake->worker.arguments);
    argument_list_deinit(&fake->worker.replayed);
    buf_deinit(&fake->worker.effects);
    buf_deinit(&fake->worker.chunk);
    ack_set_deinit(&fake->worker.chunk_acks);
    view_release(node->view);
    peers_destroy(node->peers);
    check_deinit(&node->check);
    command_table_destroy(node->commands);
    session_registry_deinit(&node->sessions);
    pthread_mutex_destroy(&fake->control.offer_lock);
    pthread_mutex_destroy(&node->gossip_lock);
    pthread_mutex_destroy(&node->view_lock);
    free(fake);
}

/* ---- views ---- */

struct view *fake_view_create(const struct fake_view *described)
{
    struct view *view = view_create();
    ck_assert_ptr_nonnull(view);
    view->epoch = described->epoch;
    view->copies = described->copies == 0 ? 2 : described->copies;
    view->lease_ms = FAKE_LEASE_MS;
    view->cluster_id.bytes[0] = 99;
    view->changing = described->joining;
    for (size_t i = 0; i < FAKE_NODES; i++) {
        uint64_t incarnation = described->incarnation[i];
        struct view_node node = {
            .id = fake_id(i),
            .incarnation = incarnation == 0 ? 1 : incarnation,
            .host = "host",
            .client_port = 1,
            .direct_port = 2,
            .http_port = 3,
            .bus_port = 4,
            .status = described->status[i],
            .weight_asked = WEIGHT_UNIT,
            .weight_current = described->joining && i == 2 ? 0 : WEIGHT_UNIT,
            .weight_target = WEIGHT_UNIT,
        };
        ck_assert_int_eq(view_put_node(view, &node), TORC_OK);
    }
    view->voters[0] = fake_id(1);
    view->voter_count = 1;
    ck_assert_int_eq(view_seal(view), TORC_OK);
    return view;
}

bool fake_node_install(struct fake_node *fake, const struct fake_view *described)
{
    struct view *view = fake_view_create(described);
    bool newer = roles_install(&fake->node, &fake->control.rim, view, fake->control.peers_of_view);
    view_release(view);
    return newer;
}

/* ---- slots ---- */

void fake_node_step(struct fake_node *fake)
{
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        copy_step(&fake->node.slots[i].copy, &fake->worker.rim.copies, STEP_BYTES);
    }
}

size_t fake_marked(struct fake_node *fake)
{
    struct refills *refills = &fake->worker.refills;
    size_t count = 0;
    for (size_t i = 0; i < REFILL_PLACES / 64; i++) {
        count += (size_t)__builtin_popcountll(atomic_exchange(&refills->marked[i], 0));
    }
    ck_assert_int_eq(atomic_exchange(&refills->marked_any, false), count > 0);
    return count;
}

/* An empty refill by the leader. An assertion costs a message to Check, too much for each slot. */
static bool follow(struct fake_node *fake, struct copy *copy)
{
    const struct op begin = {
        .kind = OP_REFILL_BEGIN, .slot = copy->index, .view_epoch = copy->epoch};
    const struct op end = {.kind = OP_REFILL_END,
                           .flags = OP_FLAG_CONFIRM,
                           .slot = copy->index,
                           .view_epoch = copy->epoch};
    const struct copy_rim *rim = &fake->worker.rim.copies;
    return copy_receive(copy, rim, &begin, copy->leader, 1, copy->epoch) == COPY_APPLIED &&
           copy_receive(copy, rim, &end, copy->leader, 1, copy->epoch) == COPY_APPLIED;
}

void fake_node_settle(struct fake_node *fake)
{
    const struct copy_answers nothing = {.best_peer = PEER_NONE};
    bool settled = true;
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        struct copy *copy = &fake->node.slots[i].copy;
        if (copy->role == COPY_PRIMARY && copy->stage == COPY_ASKING) {
            settled = copy_resolve(copy, &fake->worker.rim.copies, &nothing) && settled;
        } else if (copy->role == COPY_FOLLOWER && copy->leader != PEER_NONE &&
                   (!copy->confirmed || copy->source != copy->leader)) {
            settled = follow(fake, copy) && settled;
        }
    }
    ck_assert(settled);
    for (unsigned round = 0; round < 3; round++) { /* refilled, caught up, told so */
        fake_node_step(fake);
        for (size_t i = 1; i < FAKE_NODES; i++) {
            struct replica_stream *stream = fake_stream(fake, i);
            if (stream != NULL) {
                fake_acknowledge(stream);
            }
        }
    }
    atomic_store(&fake->node.unserved_slots, roles_look(&fake->node).unserved); /* as a report */
}

/* ---- streams ---- */

struct replica_stream *fake_stream(struct fake_node *fake, size_t index)
{
    struct node_id id = fake_id(index);
    struct peer *peer = peers_find(fake->node.peers, &id);
    return peer == NULL ? NULL : atomic_load(&peer->streams[0]);
}

uint16_t fake_peer(struct fake_node *fake, size_t index)
{
    struct node_id id = fake_id(index);
    struct peer *peer = peers_find(fake->node.peers, &id);
    ck_assert_ptr_nonnull(peer);
    return peer->index;
}

static void send_all(struct replica_stream *stream)
{
    for (size_t size; (size = stream_to_send(&stream->stream).size) > 0;) {
        stream_sent(&stream->stream, size);
    }
}

void fake_acknowledge(struct replica_stream *stream)
{
    spin_lock(&stream->lock);
    send_all(stream);
    ck_assert_int_eq(stream_ack(&stream->stream, stream->stream.appended), TORC_OK);
    uint64_t acked = stream->stream.acked;
    spin_unlock(&stream->lock);
    atomic_store(&stream->acked, acked);
    atomic_store(&stream->backlog_size, 0);
}

void fake_skip_last(struct replica_stream *stream, uint64_t position)
{
    spin_lock(&stream->lock);
    send_all(stream);
    ck_assert_int_eq(stream_skip(&stream->stream, position), TORC_OK);
    spin_unlock(&stream->lock);
    atomic_store(&stream->skipped_any, true);
}

bool fake_next_op(struct replica_stream *stream, struct op *op)
{
    size_t consumed = 0;
    if (op_decode(stream_to_send(&stream->stream), op, &consumed) != TORC_OK) {
        return false;
    }
    stream_sent(&stream->stream, consumed);
    return true;
}

/* ---- keys ---- */

void fake_set(struct fake_node *fake, uint16_t slot, const char *key, const char *value,
              uint64_t expire_at_ms)
{
    struct bytes name = bytes_of(key);
    struct object *object = NULL;
    ck_assert_int_eq(keyspace_set_string(slot_keys(&fake->node.slots[slot]), name, key_hash(name),
                                         bytes_of(value), expire_at_ms, &object),
                     TORC_OK);
}

const char *fake_get(struct keyspace *keys, const char *key)
{
    static char value[256];
    char scratch[OBJECT_SCRATCH_SIZE];
    struct bytes name = bytes_of(key);
    const struct object *object = keyspace_find(keys, name, key_hash(name));
    value[0] = '\0';
    if (object != NULL) {
        struct bytes found = object_string(object, scratch);
        ck_assert_uint_lt(found.size, sizeof(value));
        memcpy(value, found.data, found.size);
        value[found.size] = '\0';
    }
    return value;
}
