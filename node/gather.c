#include "node/gather.h"

#include "base/error.h"
#include "node/command_errors.h"
#include "node/commands/scan_cursor.h"
#include "node/connection.h"
#include "node/operation.h"
#include "node/peers.h"
#include "node/request_text.h"
#include "node/scan_merge.h"
#include "node/worker.h"
#include "ring/slot.h"

#include <assert.h>
#include <stdlib.h>

struct gather {
    struct operation *place; /* in the client's queue; owns this */
    enum command_route route;
    size_t part_count;
    size_t missing;    /* parts without an answer, and one for the loop that asks */
    struct buf *parts; /* replies, by part */
    uint64_t *weights; /* RANDOMKEY: keys of each part's node, as gossip has it */
};

void gather_destroy(struct gather *gather)
{
    if (gather == NULL) {
        return;
    }
    for (size_t i = 0; i < gather->part_count; i++) {
        buf_deinit(&gather->parts[i]);
    }
    free(gather->parts);
    free(gather->weights);
    free(gather);
}

/* ---- putting together ---- */

static struct bytes part_bytes(const struct gather *gather, size_t part)
{
    return buf_bytes(&gather->parts[part]);
}

/* The first part that is an error, or one past the last. */
static size_t find_error(const struct gather *gather)
{
    size_t part = 0;
    while (part < gather->part_count && gather->parts[part].data != NULL &&
           buf_size(&gather->parts[part]) > 0 && *buf_head(&gather->parts[part]) != '-') {
        part++;
    }
    return part;
}

/* Reads the number in a reply's first line, ":12\r\n" or "*3\r\n"; *body is what follows it. */
static int64_t first_line_number(struct bytes reply, struct bytes *body)
{
    int64_t value = 0;
    size_t at = 1;
    while (at < reply.size && reply.data[at] >= '0' && reply.data[at] <= '9') {
        value = value * 10 + (reply.data[at] - '0');
        at++;
    }
    at = at + 2 <= reply.size ? at + 2 : reply.size;
    *body = (struct bytes){reply.data + at, reply.size - at};
    return value;
}

static void join_sum(const struct gather *gather, struct reply_writer *writer)
{
    int64_t sum = 0;
    for (size_t i = 0; i < gather->part_count; i++) {
        struct bytes body;
        sum += first_line_number(part_bytes(gather, i), &body);
    }
    reply_integer(writer, sum);
}

static void join_arrays(const struct gather *gather, struct reply_writer *writer)
{
    int64_t count = 0;
    struct bytes body;
    for (size_t i = 0; i < gather->part_count; i++) {
        count += first_line_number(part_bytes(gather, i), &body);
    }
    reply_array(writer, (size_t)count);
    for (size_t i = 0; i < gather->part_count; i++) {
        first_line_number(part_bytes(gather, i), &body);
        buf_append(writer->out, body.data, body.size);
    }
}

/* One of the parts that have something, the likelier the more keys its node has. */
static void join_pick(const struct gather *gather, struct reply_writer *writer)
{
    uint64_t sum = 0;
    size_t picked = gather->part_count;
    for (size_t i = 0; i < gather->part_count; i++) {
        struct bytes part = part_bytes(gather, i);
        if (part.size >= 2 && part.data[0] == '$' && part.data[1] != '-') {
            uint64_t weight = gather->weights == NULL ? 1 : gather->weights[i] + 1;
            sum += weight;
            if (prng_below(&gather->place->worker->prng, sum) < weight) {
                picked = i;
            }
        }
    }
    if (picked == gather->part_count) {
        reply_null(writer);
    } else {
        buf_append(writer->out, part_bytes(gather, picked).data, part_bytes(gather, picked).size);
    }
}

static void join(struct gather *gather)
{
    struct operation *place = gather->place;
    struct reply_writer writer = {.out = &place->reply, .protocol = place->protocol};
    size_t error = find_error(gather);
    if (error < gather->part_count) {
        if (buf_size(&gather->parts[error]) == 0) {
            reply_error(&writer, "ERR out of memory");
        } else {
            buf_append(writer.out, part_bytes(gather, error).data, part_bytes(gather, error).size);
        }
        return;
    }
    switch (gather->route) {
    case ROUTE_SPLIT_SUM:
    case ROUTE_ALL_SUM: join_sum(gather, &writer); return;
    case ROUTE_SPLIT_ARRAY:
    case ROUTE_ALL_CONCAT: join_arrays(gather, &writer); return;
    case ROUTE_ALL_PICK: join_pick(gather, &writer); return;
    case ROUTE_ALL_SCAN: scan_merge(gather->parts, gather->part_count, &writer); return;
    case ROUTE_SPLIT_OK:
    case ROUTE_ALL_OK:
    case ROUTE_LOCAL:
    case ROUTE_SLOT: reply_ok(&writer); return;
    }
}

static void part_arrived(struct gather *gather)
{
    if (--gather->missing == 0) {
        join(gather);
        operation_finish(gather->place);
    }
}

void gather_part_done(struct operation *part)
{
    struct gather *gather = part->parent;
    gather->parts[part->part] = part->reply;
    buf_init(&part->reply);
    operation_destroy(part);
    part_arrived(gather);
}

struct connection *gather_client(const struct operation *part)
{
    return part->parent->place->connection;
}

/* ---- taking apart ---- */

static struct gather *gather_begin(struct connection *connection, const struct execution *execution,
                                   size_t part_count)
{
    struct operation *place = operation_create(connection->worker, ASKER_CLIENT);
    struct gather *gather = calloc(1, sizeof(*gather));
    struct buf *parts = calloc(part_count, sizeof(*parts));
    if (place == NULL || gather == NULL || parts == NULL) {
        free(place);
        free(gather);
        free(parts);
        return NULL;
    }
    gather->place = place;
    gather->route = execution->command->route;
    gather->part_count = part_count;
    gather->missing = part_count + 1;
    gather->parts = parts;
    place->gather = gather;
    place->command = execution->command;
    place->protocol = execution->protocol;
    place->silent = connection->session.reply_mode != REPLY_ON;
    connection_push(connection, place);
    return gather;
}

static void gather_no_memory(struct connection *connection)
{
    buf_append_text(&connection->worker->chunk, "-ERR out of memory\r\n");
}

static void start_part(struct gather *gather, const struct execution *execution, size_t index,
                       uint16_t slot, uint16_t target)
{
    struct operation *part = operation_create(gather->place->worker, ASKER_GATHER);
    if (part == NULL) {
        buf_append_text(&gather->parts[index], "-ERR out of memory\r\n");
        part_arrived(gather);
        return;
    }
    part->parent = gather;
    part->part = index;
    part->slot = slot;
    part->target = target;
    part->command = execution->command;
    part->protocol = execution->protocol;
    part->tracked = execution->tracked;
    part->deadline_ms = gather->place->deadline_ms;
    request_append(&part->request, execution->argc, execution->argv);
    operation_start(part);
}

/* A part was executed on the spot: the reply of the whole is guarded as that part is, and what
 * comes next in the batch by what it does itself. */
static void guard_place(struct gather *gather)
{
    struct worker *worker = gather->place->worker;
    gather->place->guarded = true;
    gather->place->term = worker->term;
    worker->guarded = false;
}

void gather_keys(struct connection *connection, const struct execution *execution)
{
    struct worker *worker = connection->worker;
    const struct command *command = execution->command;
    size_t step = (size_t)command->key_step;
    size_t part_count = (execution->argc - (size_t)command->first_key + step - 1) / step;
    struct gather *gather = gather_begin(connection, execution, part_count);
    if (gather == NULL) {
        gather_no_memory(connection);
        return;
    }
    for (size_t i = 0; i < part_count; i++) {
        struct bytes argv[3] = {execution->argv[0]};
        assert(step <= 2);
        for (size_t j = 0; j < step; j++) {
            argv[1 + j] = execution->argv[(size_t)command->first_key + i * step + j];
        }
        struct execution one = *execution;
        one.argv = argv;
        one.argc = 1 + step;
        one.slot = slot_of_key(argv[1]);
        one.hash = key_hash(argv[1]);
        one.out = &gather->parts[i];
        one.acks = &gather->place->acks;
        if (!operations_must_hold(worker, command, one.slot) && execute_in_slot(worker, &one)) {
            guard_place(gather);
            part_arrived(gather);
        } else {
            start_part(gather, &one, i, one.slot, PEER_NONE);
        }
    }
    part_arrived(gather);
}

/* How many keys each node says it has, by its index in the view; NULL without memory. */
static uint64_t *node_weights(struct node *node, const struct view *view)
{
    uint64_t *weights = calloc(view->node_count, sizeof(*weights));
    pthread_mutex_lock(&node->gossip_lock);
    for (size_t i = 0, part = 0; weights != NULL && i < view->node_count; i++) {
        if (view->nodes[i].status == NODE_UP) {
            const struct gossip_member *member =
                node->gossip == NULL ? NULL : gossip_find(node->gossip, &view->nodes[i].id);
            weights[part++] = member == NULL ? 0 : member->load.key_count;
        }
    }
    pthread_mutex_unlock(&node->gossip_lock);
    return weights;
}

void gather_nodes(struct connection *connection, const struct execution *execution)
{
    struct worker *worker = connection->worker;
    struct node *node = worker->node;
    struct execution one = *execution;
    struct scan_request scan;
    if (execution->command->route == ROUTE_ALL_SCAN) {
        /* Every node is asked in the internal form, which says how far it came. */
        struct reply_writer writer = {.out = &worker->chunk, .protocol = execution->protocol};
        if (!scan_request_build(&scan, node->commands, execution, &one, &writer)) {
            return;
        }
    }
    /* Starting a part may look for a newer view: keep this one for the whole loop. */
    const struct view *view = view_retain(worker_view(worker));
    struct gather *gather = gather_begin(connection, execution, view->node_count);
    if (gather == NULL) {
        view_release(view);
        gather_no_memory(connection);
        return;
    }
    if (gather->route == ROUTE_ALL_PICK) {
        gather->weights = node_weights(node, view);
    }
    gather->part_count = 0;
    for (size_t i = 0; i < view->node_count; i++) {
        if (view->nodes[i].status != NODE_UP) {
            gather->missing--;
            continue;
        }
        size_t index = gather->part_count++;
        struct peer *peer = NULL;
        bool self = node_id_equal(&view->nodes[i].id, &node->id);
        if (self && atomic_load(&node->unserved_slots) == 0) {
            one.out = &gather->parts[index];
            one.acks = &gather->place->acks;
            execute_local(worker, &one);
            guard_place(gather);
            part_arrived(gather);
        } else if (self) {
            start_part(gather, &one, index, FRAME_NO_SLOT, PEER_NONE);
        } else if ((peer = peers_get(node->peers, &view->nodes[i].id)) != NULL) {
            start_part(gather, &one, index, FRAME_NO_SLOT, peer->index);
        } else {
            buf_append_text(&gather->parts[index], "-CLUSTERDOWN a node cannot be reached\r\n");
            part_arrived(gather);
        }
    }
    view_release(view);
    part_arrived(gather);
}
