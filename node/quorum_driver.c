#include "node/quorum_driver.h"

#include "base/error.h"
#include "node/clock.h"
#include "node/control.h"
#include "node/errand.h"
#include "node/member_meta.h"
#include "node/net.h"
#include "node/node.h"
#include "node/peers.h"
#include "node/report.h"
#include "node/take.h"
#include "ring/quorum.h"

#include <stdlib.h>
#include <sys/socket.h>

#define CONSIDER_PERIOD_MS 40
#define REPORT_PERIOD_MS 10
#define WRITE_AGAIN_MS 500 /* after the disk refused */
#define TAKE_FIRST_MS 100
#define INBOX_MAX 4096 /* messages; more are as if lost on the way */

struct inbox_message {
    struct inbox_message *next;
    struct buf bytes;
};

int quorum_driver_post(struct control *control, struct bytes message)
{
    struct inbox_message *item = calloc(1, sizeof(*item));
    if (item == NULL) {
        return TORC_ENOMEM;
    }
    buf_append(&item->bytes, message.data, message.size);
    int result = item->bytes.failed ? TORC_ENOMEM : TORC_OK;
    pthread_mutex_lock(&control->offer_lock);
    if (result == TORC_OK && control->inbox_count >= INBOX_MAX) {
        result = TORC_EOVERLOAD;
    }
    if (result == TORC_OK) {
        *control->inbox_tail = item;
        control->inbox_tail = &item->next;
        control->inbox_count++;
    }
    pthread_mutex_unlock(&control->offer_lock);
    if (result != TORC_OK) {
        buf_deinit(&item->bytes);
        free(item);
        return result;
    }
    control_wake(control);
    return TORC_OK;
}

/* ---- out ---- */

static bool address_of(struct control *control, const struct node_id *id,
                       struct gossip_address *address)
{
    struct peer *peer = peers_find(control->node->peers, id);
    return peer != NULL && peer_address(peer, address);
}

static void send_message(struct control *control, const struct quorum_message *message)
{
    struct gossip_address address;
    if (message->datagram) {
        struct sockaddr_storage to;
        if (address_of(control, &message->to, &address)) {
            socklen_t size = net_to_sockaddr(&address, &to);
            ssize_t ignored = sendto(control->udp_fd, buf_head(&message->bytes),
                                     buf_size(&message->bytes), 0, (struct sockaddr *)&to, size);
            (void)ignored; /* it is repeated */
        }
        return;
    }
    struct peer *peer = peers_get(control->node->peers, &message->to);
    if (peer != NULL) {
        struct bytes argv[] = {BYTES_LITERAL("torc.quorum"), buf_bytes(&message->bytes)};
        errand_send(control, peer, 2, argv, NULL);
    }
}

static void send_messages(struct control *control)
{
    struct quorum_message message;
    while (quorum_take(control->quorum, &message)) {
        send_message(control, &message);
        buf_deinit(&message.bytes);
    }
}

/* ---- what must be on disk ---- */

static void write_down(struct control *control)
{
    uint64_t now_ms = clock_monotonic_ms();
    bool wanted = quorum_must_write(control->quorum) || control->state_file.failing;
    /* Slots that are being taken over are served nowhere meanwhile; votes can wait for a moment. */
    bool taking =
        take_is_under_way(control->take) && now_ms < control->adopted_at_ms + TAKE_FIRST_MS;
    if (!wanted || taking || now_ms < control->write_at_ms) {
        return;
    }
    struct node_state state = {.id = control->node->id,
                               .incarnation = control->node->incarnation,
                               .view = quorum_view(control->quorum)};
    quorum_encode(control->quorum, &state.quorum);
    int result = state.quorum.failed
                     ? TORC_ENOMEM
                     : state_file_write(&control->state_file, &control->node->log, &state);
    buf_deinit(&state.quorum);
    if (result == TORC_OK) {
        quorum_written(control->quorum);
    } else {
        control->write_at_ms = now_ms + WRITE_AGAIN_MS;
    }
}

/* Everything that follows from what the quorum has just been told. */
static void settle(struct control *control)
{
    struct node *node = control->node;
    if (quorum_view(control->quorum)->epoch > atomic_load(&node->epoch)) {
        /* It is decided, whether it is written down here or not, and slots wait for it. */
        send_messages(control); /* others can install it meanwhile */
        control_adopt_view(control, quorum_view(control->quorum));
    }
    write_down(control);
    send_messages(control);
    control_adopt_view(control,
                       quorum_view(control->quorum)); /* decided by the vote written down */
    /* The lease counts for the view that is installed here, so it is published after it. */
    atomic_store_explicit(&node->lease_until_ms, quorum_lease_until_ms(control->quorum),
                          memory_order_release);
    tracking_follow_lease(node, NULL);
    struct node_id ahead;
    if (quorum_behind(control->quorum, &ahead)) {
        control_fetch_view(control, &ahead);
    }
}

/* ---- in ---- */

static void receive(struct control *control, struct bytes message)
{
    int result = quorum_receive(control->quorum, message, clock_lease_ms());
    if (result != TORC_OK && result != control->refused_last) {
        log_warning(&control->node->log, "a quorum message is refused: %s", torc_strerror(result));
        control->refused_last = result; /* logged once, counted always */
    }
}

void quorum_driver_receive(struct control *control, struct bytes message)
{
    if (control->quorum != NULL) {
        receive(control, message);
        settle(control);
    }
}

static void empty_inbox(struct control *control)
{
    pthread_mutex_lock(&control->offer_lock);
    struct inbox_message *item = control->inbox;
    control->inbox = NULL;
    control->inbox_tail = &control->inbox;
    control->inbox_count = 0;
    pthread_mutex_unlock(&control->offer_lock);
    while (item != NULL) {
        struct inbox_message *next = item->next;
        if (control->quorum != NULL) {
            receive(control, buf_bytes(&item->bytes));
        }
        buf_deinit(&item->bytes);
        free(item);
        item = next;
    }
}

void quorum_driver_stop(struct control *control)
{
    quorum_destroy(control->quorum);
    control->quorum = NULL;
    empty_inbox(control); /* with nobody to tell, what is left is only freed */
}

void quorum_driver_offer(struct control *control, const struct view *view)
{
    if (control->quorum != NULL && quorum_offer(control->quorum, view, clock_lease_ms())) {
        settle(control);
    }
}

/* ---- facts ---- */

static int compare_facts(const void *a, const void *b)
{
    const struct member_fact *x = a;
    const struct member_fact *y = b;
    return node_id_compare(&x->node.id, &y->node.id);
}

static bool fact_of(const struct gossip_member *member, struct member_fact *fact)
{
    struct member_meta meta;
    if (member->status == GOSSIP_LEFT || member->status == GOSSIP_DEAD ||
        member_meta_decode(&meta, member->meta) != TORC_OK) {
        return false;
    }
    *fact = (struct member_fact){.node = {.id = member->id,
                                          .incarnation = member->incarnation,
                                          .client_port = meta.client_port,
                                          .direct_port = meta.direct_port,
                                          .http_port = meta.http_port,
                                          .bus_port = meta.bus_port,
                                          .weight_asked = meta.weight},
                                 .waits = meta.waits};
    memcpy(fact->node.host, meta.host, sizeof(fact->node.host));
    memcpy(fact->node.zone, meta.zone, sizeof(fact->node.zone));
    return true;
}

static void consider(struct control *control)
{
    struct node *node = control->node;
    size_t count = 0;
    pthread_mutex_lock(&node->gossip_lock);
    size_t members = gossip_member_count(node->gossip);
    struct member_fact *facts = malloc((members + 1) * sizeof(*facts));
    for (size_t i = 0; i < members && facts != NULL; i++) {
        count += fact_of(gossip_member_at(node->gossip, i), &facts[count]);
    }
    pthread_mutex_unlock(&node->gossip_lock);
    if (facts != NULL) {
        qsort(facts, count, sizeof(*facts), compare_facts);
        quorum_consider(control->quorum, facts, count, clock_lease_ms());
    }
    free(facts);
}

/* ---- regularly ---- */

static void pass_on_wishes(struct control *control)
{
    pthread_mutex_lock(&control->offer_lock);
    bool prefer = control->wish_prefer;
    struct node_id forget = control->wish_forget;
    struct ring_wish ring = control->wish_ring;
    control->wish_prefer = false;
    control->wish_forget = (struct node_id){0};
    control->wish_ring = (struct ring_wish){0};
    pthread_mutex_unlock(&control->offer_lock);
    if (prefer || !node_id_is_zero(&forget) || ring.tag != 0) {
        struct quorum_wish wish = {.prefer = prefer ? &control->node->id : NULL,
                                   .forget = node_id_is_zero(&forget) ? NULL : &forget,
                                   .ring = ring.tag == 0 ? NULL : &ring};
        if (quorum_wish(control->quorum, &wish, clock_lease_ms() + WISH_LIMIT_MS) != TORC_OK) {
            log_warning(&control->node->log, "out of memory for a wish");
        }
    }
    ring_wish_deinit(&ring);
}

void quorum_driver_tick(struct control *control)
{
    uint64_t now_ms = clock_monotonic_ms();
    if (control->quorum == NULL) {
        return;
    }
    empty_inbox(control);
    pass_on_wishes(control);
    if (now_ms >= control->report_at_ms) { /* it may look at every slot */
        control->report_at_ms = now_ms + REPORT_PERIOD_MS;
        report_update(control, now_ms);
    }
    quorum_tick(control->quorum, clock_lease_ms());
    if (now_ms >= control->consider_at_ms &&
        /* What it proposed it would have to accept, and could not write down. */
        !control->state_file.failing &&
        view_is_voter(quorum_view(control->quorum), &control->node->id)) {
        control->consider_at_ms = now_ms + CONSIDER_PERIOD_MS;
        consider(control);
        quorum_tick(control->quorum, clock_lease_ms());
    }
    settle(control);
}

void quorum_driver_leave(struct control *control)
{
    if (control->quorum != NULL) {
        atomic_store(&control->node->lease_until_ms, 0); /* before anybody is told so */
        quorum_leave(control->quorum, clock_lease_ms());
        send_messages(control);
    }
}

int quorum_driver_start(struct control *control, const struct view *view, struct bytes durable)
{
    struct node *node = control->node;
    struct quorum_options options = {.self = node->id,
                                     .incarnation = node->incarnation,
                                     .seed = prng_next(&control->prng),
                                     .replace_after_ms =
                                         (uint64_t)node->config.replace_after_s * 1000};
    control->quorum = quorum_create(&options, view, durable, clock_lease_ms());
    if (control->quorum == NULL) {
        log_error(&node->log, "out of memory for the quorum");
        return TORC_ENOMEM;
    }
    settle(control);
    return TORC_OK;
}
