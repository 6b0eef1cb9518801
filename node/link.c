#include "node/link.h"

#include "base/error.h"
#include "node/clock.h"
#include "node/net.h"
#include "node/node.h"
#include "node/peers.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECONNECT_DELAY_MS 50
#define GREETING_LIMIT_MS 2000 /* to connect and be welcomed */
#define READ_SIZE (64u * 1024)
#define KEEP_BYTES (64u * 1024) /* buffer kept between bursts */

static void on_readable(struct ev_loop *loop, ev_io *watcher, int events);
static void on_writable(struct ev_loop *loop, ev_io *watcher, int events);

void link_init(struct link *link, struct node *node, struct peer *peer, struct ev_loop *loop)
{
    memset(link, 0, sizeof(*link));
    link->node = node;
    link->peer = peer;
    link->loop = loop;
    link->fd = -1;
}

static int table_grow(struct link *link)
{
    uint32_t size = link->table_size == 0 ? 64 : 2 * link->table_size;
    struct link_request **table = realloc(link->table, size * sizeof(struct link_request *));
    if (table == NULL) {
        return TORC_ENOMEM;
    }
    link->table = table;
    uint32_t *generations = realloc(link->generations, size * sizeof(uint32_t));
    if (generations == NULL) {
        return TORC_ENOMEM;
    }
    link->generations = generations;
    uint32_t *unused = realloc(link->unused, size * sizeof(uint32_t));
    if (unused == NULL) {
        return TORC_ENOMEM;
    }
    link->unused = unused;
    for (uint32_t i = size; i > link->table_size; i--) {
        table[i - 1] = NULL;
        generations[i - 1] = 0;
        unused[link->unused_count++] = i - 1;
    }
    link->table_size = size;
    return TORC_OK;
}

static int register_request(struct link *link, struct link_request *request)
{
    if (link->unused_count == 0 && table_grow(link) != TORC_OK) {
        return TORC_ENOMEM;
    }
    uint32_t index = link->unused[--link->unused_count];
    link->table[index] = request;
    request->id = ((uint64_t)link->generations[index] << 32) | index;
    request->next = NULL;
    request->previous = link->last;
    if (link->last != NULL) {
        link->last->next = request;
    } else {
        link->first = request;
    }
    link->last = request;
    return TORC_OK;
}

static void unregister_request(struct link *link, struct link_request *request)
{
    uint32_t index = (uint32_t)request->id;
    assert(link->table[index] == request);
    link->table[index] = NULL;
    link->generations[index]++;
    link->unused[link->unused_count++] = index;
    if (request->previous != NULL) {
        request->previous->next = request->next;
    } else {
        link->first = request->next;
    }
    if (request->next != NULL) {
        request->next->previous = request->previous;
    } else {
        link->last = request->previous;
    }
}

static void finish(struct link *link, struct link_request *request, int result,
                   const struct frame *frame)
{
    unregister_request(link, request);
    request->done(request, result, frame);
}

/* Closes and ends what was in flight. `done` may send again: that starts a new connection. */
static void link_break(struct link *link, int result)
{
    if (link->fd >= 0) {
        ev_io_stop(link->loop, &link->reader);
        ev_io_stop(link->loop, &link->writer);
        close(link->fd);
    }
    link->fd = -1;
    link->writing = false;
    link->state = LINK_IDLE;
    link->retry_at_ms = clock_monotonic_ms() + RECONNECT_DELAY_MS;
    buf_reset(&link->in, 0);
    buf_reset(&link->greeting, 0);
    buf_reset(&link->out, 0);
    if (link->lost != NULL) {
        link->lost(link);
    }
    struct link_request *orphans = link->first;
    for (struct link_request *at = orphans; at != NULL; at = at->next) {
        uint32_t index = (uint32_t)at->id;
        link->table[index] = NULL;
        link->generations[index]++;
        link->unused[link->unused_count++] = index;
    }
    link->first = NULL;
    link->last = NULL;
    while (orphans != NULL) {
        struct link_request *request = orphans;
        orphans = request->next;
        request->done(request, result, NULL);
    }
}

void link_deinit(struct link *link)
{
    link_break(link, TORC_ECLOSED);
    buf_deinit(&link->in);
    buf_deinit(&link->greeting);
    buf_deinit(&link->out);
    free(link->table);
    free(link->generations);
    free(link->unused);
}

static int link_connect(struct link *link)
{
    struct gossip_address address;
    if (clock_monotonic_ms() < link->retry_at_ms || !peer_address(link->peer, &address)) {
        return TORC_ECONNECT;
    }
    const struct view *view = node_view(link->node);
    if (view == NULL) {
        return TORC_ECONNECT;
    }
    struct hello hello = {.version = BUS_PROTOCOL_VERSION,
                          .purpose = BUS_REQUESTS,
                          .cluster_id = view->cluster_id,
                          .node_id = link->node->id,
                          .incarnation = link->node->incarnation};
    view_release(view);
    if (net_connect(&address, &link->fd) != TORC_OK) {
        link->fd = -1;
        link->retry_at_ms = clock_monotonic_ms() + RECONNECT_DELAY_MS;
        return TORC_ECONNECT;
    }
    link->state = LINK_CONNECTING;
    hello_encode(&link->greeting, &hello);
    link->opened_ms = clock_monotonic_ms();
    ev_io_init(&link->reader, on_readable, link->fd, EV_READ);
    ev_io_init(&link->writer, on_writable, link->fd, EV_WRITE);
    link->reader.data = link;
    link->writer.data = link;
    ev_io_start(link->loop, &link->reader);
    ev_io_start(link->loop, &link->writer);
    link->writing = true;
    return TORC_OK;
}

int link_send(struct link *link, struct link_request *request, uint16_t slot, uint8_t flags,
              struct bytes before, struct bytes command)
{
    if (link->state == LINK_IDLE) {
        int result = link_connect(link);
        if (result != TORC_OK) {
            return result;
        }
    }
    int result = register_request(link, request);
    if (result != TORC_OK) {
        return result;
    }
    if (buf_reserve(&link->out, FRAME_HEADER_SIZE + before.size + command.size) != TORC_OK) {
        link->out.failed = false;
        unregister_request(link, request);
        return TORC_ENOMEM;
    }
    struct frame frame = {FRAME_REQUEST, flags, slot, request->id, before};
    frame_header_encode(&link->out, &frame, before.size + command.size);
    buf_append(&link->out, before.data, before.size);
    buf_append(&link->out, command.data, command.size);
    return TORC_OK;
}

void link_cancel(struct link *link, const struct link_request *request)
{
    /* Without memory the peer answers when the request's time is over. */
    if (buf_reserve(&link->out, FRAME_HEADER_SIZE) != TORC_OK) {
        link->out.failed = false;
        return;
    }
    struct frame frame = {
        .kind = FRAME_CANCEL, .slot = FRAME_NO_SLOT, .id = request->id, .payload = {NULL, 0}};
    frame_encode(&link->out, &frame);
}

void link_give_up(struct link *link,
                  bool (*gone)(void *context, const struct link_request *request), void *context)
{
    /* `done` may send on this link, so each round starts anew. */
    struct link_request *request = link->first;
    while (request != NULL) {
        if (gone(context, request)) {
            finish(link, request, TORC_ECLOSED, NULL);
            request = link->first;
        } else {
            request = request->next;
        }
    }
}

void link_flush(struct link *link)
{
    if (link->state == LINK_IDLE || link->state == LINK_CONNECTING || link->writing) {
        return;
    }
    struct buf *from = link->state == LINK_OPEN ? &link->out : &link->greeting;
    while (buf_size(from) > 0) {
        ssize_t written = send(link->fd, buf_head(from), buf_size(from), MSG_NOSIGNAL);
        if (written < 0) {
            if (errno == EINTR) {
                continue;
            }
            if (errno == EAGAIN) {
                ev_io_start(link->loop, &link->writer);
                link->writing = true;
                return;
            }
            link_break(link, link->state == LINK_OPEN ? TORC_ECLOSED : TORC_ECONNECT);
            return;
        }
        buf_consume(from, (size_t)written);
    }
    buf_reset(from, KEEP_BYTES);
}

static void on_writable(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)events;
    struct link *link = watcher->data;
    if (link->state == LINK_CONNECTING) {
        if (net_connect_result(link->fd) != TORC_OK) {
            link_break(link, TORC_ECONNECT);
            return;
        }
        link->state = LINK_GREETING;
    }
    ev_io_stop(loop, &link->writer);
    link->writing = false;
    link_flush(link);
}

/* One frame from the peer. False: the link is broken, touch it no more. */
static bool accept_frame(struct link *link, const struct frame *frame)
{
    if (link->state != LINK_OPEN) {
        struct welcome welcome;
        if (frame->kind == FRAME_WELCOME && welcome_decode(frame->payload, &welcome) == TORC_OK &&
            node_id_equal(&welcome.node_id, &link->peer->id)) {
            link->state = LINK_OPEN;
            return true;
        }
        if (frame->kind == FRAME_REFUSED) {
            log_debug(&link->node->log, "bus: a peer refused the connection: %.*s",
                      (int)frame->payload.size, frame->payload.data);
        }
        /* Another node answers at this address: what we sent there was not executed by ours. */
        link_break(link, TORC_ECONNECT);
        return false;
    }
    if (frame->kind == FRAME_TOLD && link->told != NULL) {
        link->told(link, frame);
        return true;
    }
    uint32_t index = (uint32_t)frame->id;
    if (frame->kind != FRAME_RESPONSE || index >= link->table_size) {
        log_warning(&link->node->log, "bus: unexpected frame of kind %u", frame->kind);
        link_break(link, TORC_ECLOSED);
        return false;
    }
    struct link_request *request = link->table[index];
    if (request != NULL && request->id == frame->id) {
        finish(link, request, TORC_OK, frame);
    }
    return true;
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)loop;
    (void)events;
    struct link *link = watcher->data;
    if (buf_reserve(&link->in, READ_SIZE) != TORC_OK) {
        link_break(link, TORC_ECLOSED);
        return;
    }
    ssize_t got = read(link->fd, buf_tail(&link->in), buf_room(&link->in));
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got <= 0) {
        link_break(link, link->state == LINK_OPEN ? TORC_ECLOSED : TORC_ECONNECT);
        return;
    }
    buf_commit(&link->in, (size_t)got);
    size_t used = 0;
    struct bytes all = buf_bytes(&link->in);
    for (;;) {
        struct frame frame;
        size_t consumed = 0;
        int result =
            frame_decode((struct bytes){all.data + used, all.size - used}, &frame, &consumed);
        if (result == TORC_EAGAIN) {
            break;
        }
        if (result != TORC_OK) {
            link_break(link, link->state == LINK_OPEN ? TORC_ECLOSED : TORC_ECONNECT);
            return;
        }
        if (!accept_frame(link, &frame)) {
            return;
        }
        used += consumed;
    }
    buf_consume(&link->in, used);
    if (buf_size(&link->in) == 0) {
        buf_reset(&link->in, KEEP_BYTES + READ_SIZE);
    }
    link_flush(link); /* what waited for the greeting */
}

void link_expire(struct link *link, uint64_t now_ms)
{
    if ((link->state == LINK_CONNECTING || link->state == LINK_GREETING) &&
        now_ms > link->opened_ms + GREETING_LIMIT_MS) { /* it may have been opened since `now_ms` */
        link_break(link, TORC_ECONNECT);
        return;
    }
    /* `done` may send on this link, so each round starts anew; the oldest come first anyway. */
    struct link_request *request = link->first;
    bool expired = false;
    while (request != NULL) {
        if (request->deadline_ms <= now_ms) {
            expired = true;
            finish(link, request, TORC_ETIMEOUT, NULL);
            request = link->first;
        } else {
            request = request->next;
        }
    }
    if (expired && link->writing) {
        /* The peer reads nothing: what it has not read must not be executed when it wakes up, nor
         * pile up here. */
        link_break(link, TORC_ECLOSED);
    }
}
