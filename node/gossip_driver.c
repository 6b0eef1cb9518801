#include "node/gossip_driver.h"

#include "base/error.h"
#include "node/clock.h"
#include "node/control.h"
#include "node/errand.h"
#include "node/member_meta.h"
#include "node/net.h"
#include "node/node.h"
#include "node/peers.h"
#include "node/quorum_driver.h"
#include "node/version.h"
#include "ring/quorum.h"

#include <stdio.h>
#include <sys/socket.h>
#include <xxhash.h>

#define DATAGRAMS_PER_EVENT 256

static uint64_t cluster_tag(const struct view *view)
{
    return XXH3_64bits(view->cluster_id.bytes, NODE_ID_SIZE);
}

static int encode_meta(struct control *control, struct buf *out)
{
    const struct config *config = &control->node->config;
    struct member_meta meta = {.client_port = config->port,
                               .direct_port = config->direct_port,
                               .http_port = config->http_port,
                               .bus_port = config->bus_port,
                               .weight = config->weight,
                               .waits = !config->auto_rebalance};
    snprintf(meta.host, sizeof(meta.host), "%s", control->node->announce);
    snprintf(meta.zone, sizeof(meta.zone), "%s", config->zone);
    snprintf(meta.software, sizeof(meta.software), "%s", TORC_VERSION);
    return member_meta_encode(&meta, out);
}

int gossip_driver_start(struct control *control, const struct view *view)
{
    struct node *node = control->node;
    struct gossip_options options = {.self = node->id,
                                     .incarnation = node->incarnation,
                                     .cluster_tag = cluster_tag(view),
                                     .seed = prng_next(&control->prng)};
    struct buf meta = {0};
    if (net_resolve(node->announce, node->config.bus_port, &options.address) != TORC_OK) {
        log_error(&node->log, "cannot resolve %s (--announce)", node->announce);
        return TORC_ERESOLVE;
    }
    int result = encode_meta(control, &meta);
    options.meta = buf_bytes(&meta);
    struct gossip *gossip =
        result == TORC_OK ? gossip_create(&options, clock_monotonic_ms()) : NULL;
    buf_deinit(&meta);
    if (gossip == NULL) {
        log_error(&node->log, "cannot start gossip: %s",
                  torc_strerror(result == TORC_OK ? TORC_ENOMEM : result));
        return result == TORC_OK ? TORC_ENOMEM : result;
    }
    pthread_mutex_lock(&node->gossip_lock);
    node->gossip = gossip;
    pthread_mutex_unlock(&node->gossip_lock);
    return TORC_OK;
}

static void send_datagrams(struct control *control)
{
    struct node *node = control->node;
    struct gossip_datagram datagram;
    for (;;) {
        pthread_mutex_lock(&node->gossip_lock);
        bool any = node->gossip != NULL && gossip_take_datagram(node->gossip, &datagram);
        pthread_mutex_unlock(&node->gossip_lock);
        if (!any) {
            return;
        }
        struct sockaddr_storage to;
        socklen_t size = net_to_sockaddr(&datagram.to, &to);
        ssize_t ignored =
            sendto(control->udp_fd, datagram.data, datagram.size, 0, (struct sockaddr *)&to, size);
        (void)ignored; /* gossip expects loss */
    }
}

static const char *event_text(enum gossip_event_kind kind)
{
    switch (kind) {
    case GOSSIP_EVENT_JOINED: return "is alive";
    case GOSSIP_EVENT_SUSPECT: return "is suspected";
    case GOSSIP_EVENT_DEAD: return "is dead";
    case GOSSIP_EVENT_LEFT: return "has left";
    case GOSSIP_EVENT_UPDATED: return "has news of itself";
    case GOSSIP_EVENT_EPOCH: return "knows a newer view";
    }
    return "?";
}

static void act_on_events(struct control *control)
{
    struct node *node = control->node;
    struct gossip_event event;
    for (;;) {
        struct gossip_address address = {.port = 0};
        pthread_mutex_lock(&node->gossip_lock);
        bool any = node->gossip != NULL && gossip_take_event(node->gossip, &event);
        const struct gossip_member *member = any ? gossip_find(node->gossip, &event.id) : NULL;
        if (member != NULL) {
            address = member->address;
        }
        pthread_mutex_unlock(&node->gossip_lock);
        if (!any) {
            return;
        }
        bool minor = event.kind == GOSSIP_EVENT_UPDATED || event.kind == GOSSIP_EVENT_EPOCH;
        log_write(&node->log, minor ? LOG_DEBUG : LOG_INFO, "node %02x%02x%02x%02x %s",
                  event.id.bytes[0], event.id.bytes[1], event.id.bytes[2], event.id.bytes[3],
                  event_text(event.kind));
        struct peer *peer = peers_find(node->peers, &event.id);
        if (peer != NULL && address.port != 0) {
            peer_set_address(peer, &address);
        }
        if (event.kind == GOSSIP_EVENT_EPOCH) {
            control_fetch_view(control, &event.id);
        } else if (!minor) {
            control->consider_at_ms = 0; /* look at once */
        }
    }
}

void gossip_driver_receive(struct control *control)
{
    struct node *node = control->node;
    uint64_t now_ms = clock_monotonic_ms();
    for (int i = 0; i < DATAGRAMS_PER_EVENT; i++) {
        char data[65536];
        struct sockaddr_storage storage = {0};
        socklen_t size = sizeof(storage);
        ssize_t got = recvfrom(control->udp_fd, data, sizeof(data), MSG_DONTWAIT,
                               (struct sockaddr *)&storage, &size);
        if (got < 0) {
            break;
        }
        struct gossip_address from;
        if (got >= 4 && memcmp(data, QUORUM_MAGIC, 4) == 0) {
            quorum_driver_receive(control, (struct bytes){data, (size_t)got});
        } else if (net_from_sockaddr(&storage, &from)) {
            pthread_mutex_lock(&node->gossip_lock);
            if (node->gossip != NULL) {
                gossip_receive(node->gossip, &from, (struct bytes){data, (size_t)got}, now_ms);
            }
            pthread_mutex_unlock(&node->gossip_lock);
        }
    }
    act_on_events(control);
    send_datagrams(control);
}

void gossip_driver_tick(struct control *control, uint64_t now_ms)
{
    struct node *node = control->node;
    pthread_mutex_lock(&node->gossip_lock);
    if (node->gossip != NULL && gossip_next_ms(node->gossip) <= now_ms) {
        gossip_tick(node->gossip, now_ms);
    }
    pthread_mutex_unlock(&node->gossip_lock);
    act_on_events(control);
    send_datagrams(control);
}

static void on_state_exchanged(struct control *control, struct bytes state)
{
    struct node *node = control->node;
    if (state.data == NULL) {
        return;
    }
    pthread_mutex_lock(&node->gossip_lock);
    int result = gossip_merge_state(node->gossip, state, clock_monotonic_ms());
    pthread_mutex_unlock(&node->gossip_lock);
    if (result != TORC_OK) {
        log_warning(&node->log, "gossip: a member's state is refused: %s", torc_strerror(result));
    }
}

void gossip_driver_exchange(struct control *control)
{
    struct node *node = control->node;
    size_t count = atomic_load(&node->peers->count);
    if (count == 0) {
        return;
    }
    struct peer *peer = peers_at(node->peers, (uint16_t)prng_below(&control->prng, count));
    if (node_id_equal(&peer->id, &node->id)) {
        return;
    }
    struct buf state = {0};
    pthread_mutex_lock(&node->gossip_lock);
    gossip_encode_state(node->gossip, &state);
    pthread_mutex_unlock(&node->gossip_lock);
    struct bytes argv[] = {BYTES_LITERAL("torc.gossip"), buf_bytes(&state)};
    if (!state.failed) {
        errand_send(control, peer, 2, argv, on_state_exchanged);
    }
    buf_deinit(&state);
}

void gossip_driver_publish(struct control *control)
{
    struct node *node = control->node;
    struct buf meta = {0};
    if (encode_meta(control, &meta) == TORC_OK) {
        pthread_mutex_lock(&node->gossip_lock);
        if (node->gossip != NULL && gossip_set_meta(node->gossip, buf_bytes(&meta)) != TORC_OK) {
            log_warning(&node->log, "gossip: out of memory");
        }
        pthread_mutex_unlock(&node->gossip_lock);
    }
    buf_deinit(&meta);
}

void gossip_driver_leave(struct control *control)
{
    struct node *node = control->node;
    pthread_mutex_lock(&node->gossip_lock);
    if (node->gossip != NULL) {
        gossip_leave(node->gossip, clock_monotonic_ms());
    }
    pthread_mutex_unlock(&node->gossip_lock);
    send_datagrams(control);
}
