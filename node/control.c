#include "node/control.h"

#include "base/error.h"
#include "node/clock.h"
#include "node/errand.h"
#include "node/gossip_driver.h"
#include "node/member_meta.h"
#include "node/net.h"
#include "node/node.h"
#include "node/peers.h"
#include "node/quorum_driver.h"
#include "node/roles.h"
#include "node/take.h"
#include "node/worker.h"
#include "ring/quorum.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define TICK_SECONDS 0.01
#define CHANGING_TICK_SECONDS 0.002 /* while slots move: clients wait */
#define CATCH_UP_PERIOD_MS 100
#define HOUSEKEEPING_PERIOD_MS 1000
#define EXCHANGE_PERIOD_MS 30000 /* whole state with a random member, for what datagrams missed */
#define EXCHANGE_SOON_MS 3000    /* the second one, once others have heard of this node */
#define INTRODUCE_PERIOD_MS                                                                        \
    10000 /* gossip forgets the dead; those of the view must be found again */

struct link *control_link(struct control *control, uint16_t peer)
{
    if (control->links[peer] == NULL) {
        struct link *link = malloc(sizeof(*link));
        if (link != NULL) {
            link_init(link, control->node, peers_at(control->node->peers, peer), control->loop);
            control->links[peer] = link;
        }
    }
    return control->links[peer];
}

/* ---- views ---- */

/* Peers are reached where gossip hears them, or where the view says when gossip knows nothing. */
static void learn_addresses(struct control *control, const struct view *view)
{
    struct node *node = control->node;
    for (size_t i = 0; i < view->node_count; i++) {
        const struct view_node *other = &view->nodes[i];
        struct gossip_address address;
        if (node_id_equal(&other->id, &node->id)) {
            continue;
        }
        struct peer *peer = peers_get(node->peers, &other->id);
        bool known = false;
        pthread_mutex_lock(&node->gossip_lock);
        const struct gossip_member *member =
            node->gossip == NULL ? NULL : gossip_find(node->gossip, &other->id);
        if (member != NULL && member->address.port != 0) {
            address = member->address;
            known = true;
        }
        pthread_mutex_unlock(&node->gossip_lock);
        bool reached = known || (peer != NULL && peer_address(peer, &address));
        if (!reached && net_resolve(other->host, other->bus_port, &address) != TORC_OK) {
            log_warning(&node->log, "cannot resolve the address of a node: %s", other->host);
            continue;
        }
        if (peer != NULL) {
            peer_set_address(peer, &address);
        }
        pthread_mutex_lock(&node->gossip_lock);
        if (!known && node->gossip != NULL &&
            gossip_introduce(node->gossip, &other->id, other->incarnation, &address,
                             (struct bytes){NULL, 0}, clock_monotonic_ms()) != TORC_OK) {
            log_warning(&node->log, "out of memory for a member");
        }
        pthread_mutex_unlock(&node->gossip_lock);
    }
}

static const char *status_text(enum node_status status)
{
    return status == NODE_UP ? "up" : status == NODE_SYNCING ? "syncing" : "down";
}

/* What an operator wants to know of a view: whom it treats otherwise than the one before. */
static void log_view(struct node *node, const struct view *before, const struct view *view)
{
    log_info(&node->log, "view %llu: %zu nodes%s", (unsigned long long)view->epoch,
             view->node_count, view->changing ? ", slots are moving" : "");
    for (size_t i = 0; i < view->node_count; i++) {
        const struct view_node *at = &view->nodes[i];
        int index = before == NULL ? -1 : view_find(before, &at->id);
        if (index < 0 || before->nodes[index].status != at->status ||
            before->nodes[index].leaving != at->leaving) {
            log_info(&node->log, "view %llu: node %02x%02x%02x%02x is %s%s",
                     (unsigned long long)view->epoch, at->id.bytes[0], at->id.bytes[1],
                     at->id.bytes[2], at->id.bytes[3], status_text(at->status),
                     at->leaving ? ", leaving" : "");
        }
    }
}

void control_adopt_view(struct control *control, const struct view *view)
{
    struct node *node = control->node;
    if (view->epoch <= atomic_load(&node->epoch)) {
        return;
    }
    const struct view *before = node_view(node);
    learn_addresses(control, view);
    bool installed_now = roles_install(node, &control->rim, view, control->peers_of_view);
    if (installed_now) {
        log_view(node, before, view);
    }
    view_release(before);
    if (!installed_now) {
        return;
    }
    pthread_mutex_lock(&node->gossip_lock);
    if (node->gossip != NULL) {
        gossip_set_epoch(node->gossip, view->epoch);
    }
    pthread_mutex_unlock(&node->gossip_lock);
    int self = view_find(view, &node->id);
    struct copy_view installed = {.view = view, .self = self, .peers = control->peers_of_view};
    report_view_changed(control);
    take_restart(control->take, &installed);
    control->adopted_at_ms = clock_monotonic_ms();
    take_tick(control->take, control->adopted_at_ms);
    if (view_was_removed(view, &node->id)) {
        log_error(&node->log,
                  "this node was removed from the cluster: stopping. To have the machine "
                  "join anew, empty its --state-dir");
        control->exit_code = TORC_EINVAL;
        node_stop(node);
    }
}

void control_wish(struct control *control, bool prefer, const struct node_id *forget)
{
    pthread_mutex_lock(&control->offer_lock);
    control->wish_prefer = control->wish_prefer || prefer;
    if (forget != NULL) {
        control->wish_forget = *forget;
    }
    pthread_mutex_unlock(&control->offer_lock);
    control_wake(control);
}

void control_wish_ring(struct control *control, struct ring_wish *ring)
{
    pthread_mutex_lock(&control->offer_lock);
    ring_wish_deinit(&control->wish_ring);
    control->wish_ring = *ring;
    pthread_mutex_unlock(&control->offer_lock);
    *ring = (struct ring_wish){0};
    control_wake(control);
}

void control_wake(struct control *control)
{
    ev_async_send(control->loop, &control->wake);
}

static void on_wake(struct ev_loop *loop, ev_async *watcher, int events)
{
    (void)events;
    struct control *control = watcher->data;
    if (atomic_load(&control->node->stopping)) {
        ev_break(loop, EVBREAK_ALL);
        return;
    }
    quorum_driver_tick(control);
    take_tick(control->take, clock_monotonic_ms());
}

static void on_view_fetched(struct control *control, struct bytes content)
{
    struct view *view = NULL;
    control->fetching = false;
    if (content.data != NULL &&
        view_decode(&view, content, quorum_view(control->quorum)) == TORC_OK) {
        quorum_driver_offer(control, view);
        view_release(view);
    }
}

void control_fetch_view(struct control *control, const struct node_id *from)
{
    struct peer *peer = peers_get(control->node->peers, from);
    struct gossip_address address;
    if (peer == NULL || control->fetching) {
        return;
    }
    if (!peer_address(peer, &address)) {
        bool known = false;
        pthread_mutex_lock(&control->node->gossip_lock);
        const struct gossip_member *member = gossip_find(control->node->gossip, from);
        if (member != NULL) {
            address = member->address;
            known = true;
        }
        pthread_mutex_unlock(&control->node->gossip_lock);
        if (!known) {
            return;
        }
        peer_set_address(peer, &address);
    }
    struct bytes argv[] = {BYTES_LITERAL("torc.view")};
    control->fetching = true;
    errand_send(control, peer, 1, argv, on_view_fetched);
}

/* ---- regularly ---- */

static void housekeeping(struct control *control)
{
    struct node *node = control->node;
    uint64_t operations = NODE_STAT(node, commands);
    struct gossip_load load = {.key_count = node_key_count(node),
                               .memory_bytes = node_memory(node),
                               .operations_per_second =
                                   (uint32_t)(operations - control->operations_seen)};
    control->operations_seen = operations;
    atomic_store(&node->operations_per_second, load.operations_per_second);
    pthread_mutex_lock(&node->gossip_lock);
    if (node->gossip != NULL) {
        gossip_set_load(node->gossip, &load);
    }
    pthread_mutex_unlock(&node->gossip_lock);
}

/* Gossip says once that somebody knows a newer view; a fetch that failed is tried again. */
static void catch_up(struct control *control)
{
    struct node *node = control->node;
    uint64_t epoch = atomic_load(&node->epoch);
    struct node_id ahead;
    bool found = false;
    pthread_mutex_lock(&node->gossip_lock);
    for (size_t i = 0; node->gossip != NULL && i < gossip_member_count(node->gossip); i++) {
        const struct gossip_member *member = gossip_member_at(node->gossip, i);
        if (member->epoch > epoch && member->status == GOSSIP_ALIVE) {
            ahead = member->id;
            found = true;
        }
    }
    pthread_mutex_unlock(&node->gossip_lock);
    if (found) {
        control_fetch_view(control, &ahead);
    }
}

static void introduce_members(struct control *control)
{
    const struct view *view = node_view(control->node);
    if (view != NULL) {
        learn_addresses(control, view);
        view_release(view);
    }
}

static void set_tick(struct control *control)
{
    const struct view *view = control->quorum == NULL ? NULL : quorum_view(control->quorum);
    double wanted = view != NULL && view->changing ? CHANGING_TICK_SECONDS : TICK_SECONDS;
    if (control->tick.repeat != wanted) {
        control->tick.repeat = wanted;
        ev_timer_again(control->loop, &control->tick);
    }
}

static void on_tick(struct ev_loop *loop, ev_timer *watcher, int events)
{
    (void)loop;
    (void)events;
    struct control *control = watcher->data;
    struct node *node = control->node;
    uint64_t now_ms = clock_monotonic_ms();
    gossip_driver_tick(control, now_ms);
    quorum_driver_tick(control);
    take_tick(control->take, now_ms);
    leave_tick(control, now_ms);
    set_tick(control);
    if (now_ms >= control->catch_up_at_ms) {
        control->catch_up_at_ms = now_ms + CATCH_UP_PERIOD_MS;
        catch_up(control);
    }
    if (now_ms >= control->housekeeping_at_ms) {
        control->housekeeping_at_ms = now_ms + HOUSEKEEPING_PERIOD_MS;
        housekeeping(control);
    }
    if (now_ms >= control->introduce_at_ms) {
        control->introduce_at_ms = now_ms + INTRODUCE_PERIOD_MS;
        introduce_members(control);
    }
    if (now_ms >= control->exchange_at_ms) {
        control->exchange_at_ms =
            now_ms + (control->exchange_at_ms == 0 ? EXCHANGE_SOON_MS : EXCHANGE_PERIOD_MS);
        gossip_driver_exchange(control);
    }
    size_t count = atomic_load(&node->peers->count);
    for (size_t i = 0; i < count; i++) {
        if (control->links[i] != NULL) {
            link_expire(control->links[i], now_ms);
        }
    }
}

/* ---- life ---- */

struct control *control_create(struct node *node)
{
    struct control *control = calloc(1, sizeof(*control));
    if (control == NULL) {
        return NULL;
    }
    control->node = node;
    control->udp_fd = -1;
    control->state_file.lock_fd = -1;
    control->inbox_tail = &control->inbox;
    slot_rim_init(&control->rim, node, NULL);
    control->loop = ev_loop_new(EVFLAG_AUTO);
    control->take = take_create(control);
    if (control->loop == NULL || control->take == NULL) {
        take_destroy(control->take);
        free(control);
        return NULL;
    }
    pthread_mutex_init(&control->offer_lock, NULL);
    prng_init(&control->prng, clock_ms(CLOCK_REALTIME) ^ clock_ms(CLOCK_MONOTONIC) << 20);
    ev_async_init(&control->wake, on_wake);
    control->wake.data = control;
    ev_async_start(control->loop, &control->wake);
    return control;
}

int control_listen(struct control *control)
{
    const struct config *config = &control->node->config;
    int result = net_udp(config->bind, config->bus_port, &control->udp_fd);
    if (result != TORC_OK) {
        log_error(&control->node->log, "cannot use UDP on %s port %u (--bus-port): %s",
                  config->bind, config->bus_port,
                  result == TORC_ERESOLVE ? torc_strerror(result) : strerror(errno));
        return TORC_EIO;
    }
    return TORC_OK;
}

static void on_datagram(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)loop;
    (void)events;
    gossip_driver_receive(watcher->data);
}

void *control_run(void *context)
{
    struct control *control = context;
    ev_io_init(&control->udp_reader, on_datagram, control->udp_fd, EV_READ);
    ev_timer_init(&control->tick, on_tick, 0, TICK_SECONDS);
    control->udp_reader.data = control;
    control->tick.data = control;
    ev_io_start(control->loop, &control->udp_reader);
    ev_timer_start(control->loop, &control->tick);
    if (!atomic_load(&control->node->stopping)) {
        ev_run(control->loop, 0);
    }
    gossip_driver_leave(control);
    return NULL;
}

void control_destroy(struct control *control)
{
    if (control == NULL) {
        return;
    }
    for (size_t i = 0; i < NODES_MAX; i++) {
        if (control->links[i] != NULL) {
            link_deinit(control->links[i]);
            free(control->links[i]);
        }
    }
    if (control->udp_fd >= 0) {
        close(control->udp_fd);
    }
    gossip_destroy(control->node->gossip);
    control->node->gossip = NULL;
    quorum_driver_stop(control);
    take_destroy(control->take);
    ring_wish_deinit(&control->wish_ring);
    state_file_close(&control->state_file);
    pthread_mutex_destroy(&control->offer_lock);
    ev_loop_destroy(control->loop);
    free(control);
}
