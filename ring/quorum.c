#include "ring/quorum.h"

#include "base/codec.h"
#include "base/error.h"
#include "ring/quorum_internal.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define LEASE_ASKS 8        /* requests in the time of a lease: some may be lost */
#define REPORT_PERIOD_MS 50 /* while there is something to report */
#define WISH_PERIOD_MS 200
#define FINISH_DELAY_MS                                                                            \
    100                  /* for whoever began a decision to end it; again for each lower voter     \
                          */
#define WITHHOLD_MS 1000 /* after a refusal; whoever wants the view asks again sooner */
#define AHEAD_MS 500     /* for which a node is asked for the newer view that it spoke of */
#define DURABLE_VERSION 1
#define DURABLE_VIEW_MAX (4u * 1024 * 1024)

/* ---- what leaves the node ---- */

static void queue_deinit(struct quorum_queue *queue)
{
    for (size_t i = 0; i < queue->count; i++) {
        buf_deinit(&queue->items[(queue->head + i) % queue->capacity].bytes);
    }
    free(queue->items);
    *queue = (struct quorum_queue){0};
}

static bool queue_grow(struct quorum_queue *queue)
{
    size_t capacity = queue->capacity == 0 ? 32 : 2 * queue->capacity;
    struct quorum_message *items = malloc(capacity * sizeof(*items));
    if (items == NULL || capacity > QUORUM_QUEUE_MAX) {
        free(items);
        return false;
    }
    for (size_t i = 0; i < queue->count; i++) {
        items[i] = queue->items[(queue->head + i) % queue->capacity];
    }
    free(queue->items);
    *queue = (struct quorum_queue){items, 0, queue->count, capacity};
    return true;
}

static bool queue_take(struct quorum_queue *queue, struct quorum_message *out)
{
    if (queue->count == 0) {
        return false;
    }
    *out = queue->items[queue->head];
    queue->head = (queue->head + 1) % queue->capacity;
    queue->count--;
    return true;
}

static uint64_t cluster_tag(const struct view *view)
{
    return XXH3_64bits(view->cluster_id.bytes, NODE_ID_SIZE);
}

struct quorum_wire quorum_wire_begin(const struct quorum *quorum, enum quorum_kind kind)
{
    return (struct quorum_wire){.kind = (uint8_t)kind,
                                .cluster_tag = cluster_tag(quorum->view),
                                .sender = quorum->options.self,
                                .incarnation = quorum->options.incarnation,
                                .epoch = quorum->view->epoch};
}

void quorum_send(struct quorum *quorum, const struct node_id *to, const struct quorum_wire *wire)
{
    /* Only votes promise something; everything else is true whether it is on disk or not. */
    struct quorum_queue *queue = wire->kind == QUORUM_AGREEMENT ? &quorum->sealed : &quorum->plain;
    if (queue->count == queue->capacity && !queue_grow(queue)) {
        return; /* as if it had been lost on the way */
    }
    struct quorum_message message = {.to = *to,
                                     .datagram = wire->kind == QUORUM_LEASE_REQUEST ||
                                                 wire->kind == QUORUM_LEASE_ANSWER};
    quorum_wire_encode(wire, &message.bytes);
    if (message.bytes.failed) {
        buf_deinit(&message.bytes);
        return;
    }
    queue->items[(queue->head + queue->count) % queue->capacity] = message;
    queue->count++;
}

bool quorum_take(struct quorum *quorum, struct quorum_message *out)
{
    bool taken = queue_take(&quorum->plain, out) ||
                 (!quorum_must_write(quorum) && queue_take(&quorum->sealed, out));
    quorum->counters.sent += taken;
    return taken;
}

/* ---- views ---- */

bool quorum_is_voter(const struct quorum *quorum)
{
    return view_is_voter(quorum->view, &quorum->options.self);
}

bool quorum_may_accept(const struct quorum *quorum, const struct view *next)
{
    return quorum->options.break_lease_wait ||
           !supports_forbid(&quorum->supports, quorum->view, next, quorum->now_ms);
}

/* Whether the view may be accepted; if not, it will be, once the leases it takes have run out. */
static bool accept_or_withhold(struct quorum *quorum, const struct view *next)
{
    if (quorum_may_accept(quorum, next)) {
        return true;
    }
    const struct view *before = quorum->withheld_for;
    quorum->withheld_for = view_retain(next);
    quorum->withheld_until_ms = quorum->now_ms + WITHHOLD_MS;
    view_release(before);
    return false;
}

bool quorum_withholds(const struct quorum *quorum, const struct view_node *node)
{
    return quorum->withheld_for != NULL && quorum->now_ms < quorum->withheld_until_ms &&
           lease_is_taken(node, quorum->withheld_for);
}

static bool voters_equal(const struct view *a, const struct view *b)
{
    bool equal = a->voter_count == b->voter_count;
    for (size_t i = 0; equal && i < a->voter_count; i++) {
        equal = view_is_voter(b, &a->voters[i]);
    }
    return equal;
}

/* Those who go on as voters have answered when they have. */
static void keep_answered(struct quorum *quorum, const struct view *before, const struct view *view)
{
    uint64_t answered_ms[VOTERS_MAX] = {0};
    for (size_t i = 0; i < view->voter_count; i++) {
        for (size_t j = 0; j < before->voter_count; j++) {
            if (node_id_equal(&view->voters[i], &before->voters[j])) {
                answered_ms[i] = quorum->answered_ms[j];
            }
        }
    }
    memcpy(quorum->answered_ms, answered_ms, sizeof(answered_ms));
}

/* The view has what was wished for. */
static bool wish_granted(const struct quorum *quorum)
{
    int preferred = view_find(quorum->view, &quorum->prefer);
    int forgotten = view_find(quorum->view, &quorum->forget);
    return (preferred < 0 || quorum->view->nodes[preferred].preferred) &&
           (forgotten < 0 || view_node_is_given_up(&quorum->view->nodes[forgotten])) &&
           (quorum->ring.tag == 0 || quorum->ring.tag != view_ring_tag(quorum->view));
}

/* Looked at in each view: the next one may grant what somebody else wishes since, and a wish that
 * was granted is not made again.
 */
static void drop_granted_wish(struct quorum *quorum)
{
    if (quorum->wish_until_ms != 0 && wish_granted(quorum)) {
        quorum->wish_until_ms = 0;
        ring_wish_deinit(&quorum->ring);
    }
}

static void install(struct quorum *quorum, const struct view *view)
{
    const struct view *before = quorum->view;
    quorum->view = view_retain(view);
    /* Others may have granted leases that this voter does not know of, and they are no longer
     * asked.
     */
    if (view->epoch != before->epoch + 1 || !voters_equal(before, view)) {
        supports_grace(&quorum->supports, quorum->now_ms + view->lease_ms);
    }
    keep_answered(quorum, before, view);
    supports_expect(&quorum->supports, view, quorum->now_ms);
    lease_install(&quorum->lease, view);
    agreement_install(&quorum->agreement, view);
    view_release(before);
    view_release(quorum->withheld_for);
    quorum->withheld_for = NULL;
    quorum->pending_since_ms = 0;
    quorum->asked_prefer = (struct node_id){0};
    quorum->asked_forget = (struct node_id){0};
    drop_granted_wish(quorum);
    quorum->has_ready = false; /* that was of the view before */
    quorum->lease_at_ms = quorum->now_ms;
}

bool quorum_offer(struct quorum *quorum, const struct view *view, uint64_t now_ms)
{
    quorum->now_ms = now_ms;
    if (view->epoch <= quorum->view->epoch ||
        !node_id_equal(&view->cluster_id, &quorum->view->cluster_id)) {
        return false;
    }
    install(quorum, view);
    return true;
}

/* Tells a view to everybody who is or was in it. */
static void tell_view(struct quorum *quorum, const struct view *before, const struct view *view)
{
    struct quorum_wire wire = quorum_wire_begin(quorum, QUORUM_VIEW);
    wire.view = view;
    for (size_t i = 0; i < view->node_count; i++) {
        if (view->nodes[i].status != NODE_DOWN &&
            !node_id_equal(&view->nodes[i].id, &quorum->options.self)) {
            quorum_send(quorum, &view->nodes[i].id, &wire);
        }
    }
    for (size_t i = 0; i < before->node_count; i++) {
        if (before->nodes[i].status != NODE_DOWN && view_find(view, &before->nodes[i].id) < 0) {
            quorum_send(quorum, &before->nodes[i].id, &wire);
        }
    }
}

static void adopt_decided(struct quorum *quorum)
{
    if (quorum_must_write(quorum)) {
        return; /* this node's own vote is part of the majority, and not on disk yet */
    }
    const struct view *decided = agreement_take_decided(&quorum->agreement);
    if (decided == NULL) {
        return;
    }
    quorum->counters.decisions++;
    const struct view *before = view_retain(quorum->view);
    install(quorum, decided);
    tell_view(quorum, before, decided);
    view_release(before);
    view_release(decided);
}

void quorum_note_ahead(struct quorum *quorum, const struct node_id *who, uint64_t epoch)
{
    bool stale = quorum->now_ms >= quorum->ahead_until_ms; /* it may have been mistaken */
    if (epoch > quorum->view->epoch && (stale || epoch >= quorum->ahead_epoch)) {
        quorum->ahead = *who;
        quorum->ahead_epoch = epoch;
        quorum->ahead_until_ms = quorum->now_ms + AHEAD_MS;
    }
}

bool quorum_behind(const struct quorum *quorum, struct node_id *who)
{
    *who = quorum->ahead;
    return quorum->ahead_epoch > quorum->view->epoch && quorum->now_ms < quorum->ahead_until_ms;
}

/* ---- agreement ---- */

static void send_agreement(struct quorum *quorum)
{
    struct agreement_outgoing out;
    while (agreement_take(&quorum->agreement, &out)) {
        struct quorum_wire wire = quorum_wire_begin(quorum, QUORUM_AGREEMENT);
        wire.agreement = out.message;
        quorum_send(quorum, &out.to, &wire);
        view_release(out.message.view);
    }
}

static void handle_agreement(struct quorum *quorum, const struct quorum_wire *wire)
{
    const struct agreement_message *message = &wire->agreement;
    bool asks = message->kind == AGREEMENT_PREPARE || message->kind == AGREEMENT_ACCEPT;
    if (message->instance <= quorum->view->epoch && !asks) {
        return; /* a late answer */
    }
    if (message->instance <= quorum->view->epoch) {
        struct quorum_wire reply = quorum_wire_begin(quorum, QUORUM_VIEW); /* decided already */
        reply.view = quorum->view;
        quorum_send(quorum, &wire->sender, &reply);
        return;
    }
    if (!quorum_is_voter(quorum)) {
        return;
    }
    bool may_accept = true;
    if (message->kind == AGREEMENT_ACCEPT) {
        bool ours = node_id_equal(&message->view->cluster_id, &quorum->view->cluster_id);
        if (message->instance != quorum->view->epoch + 1 || !ours) {
            return;
        }
        may_accept = accept_or_withhold(quorum, message->view);
    }
    agreement_receive(&quorum->agreement, &wire->sender, message, may_accept, quorum->now_ms);
    send_agreement(quorum);
}

/* A decision that somebody began and did not end stands in the way of leases: it is ended here. */
static void finish_overdue(struct quorum *quorum)
{
    const struct agreement *agreement = &quorum->agreement;
    uint64_t delay_ms = FINISH_DELAY_MS * (1 + quorum_rank(quorum));
    if (agreement->accepted_view != NULL && agreement_is_idle(agreement, quorum->now_ms) &&
        quorum->now_ms >= agreement->accepted_at_ms + delay_ms && quorum_is_voter(quorum)) {
        agreement_propose(&quorum->agreement, NULL, quorum->now_ms);
    }
}

/* ---- reports and wishes ---- */

static void to_voters(struct quorum *quorum, const struct quorum_wire *wire)
{
    for (size_t i = 0; i < quorum->view->voter_count; i++) {
        if (!node_id_equal(&quorum->view->voters[i], &quorum->options.self)) {
            quorum_send(quorum, &quorum->view->voters[i], wire);
        }
    }
}

static void handle_report(struct quorum *quorum, const struct quorum_wire *wire)
{
    struct quorum_peer *peer = quorum_peers_get(&quorum->peers, &wire->sender, wire->incarnation);
    if (peer == NULL || peer->incarnation != wire->incarnation) {
        return;
    }
    if (wire->has_ready && peer->ready == NULL) {
        peer->ready = malloc(sizeof(wire->ready));
    }
    if (wire->has_ready && peer->ready != NULL) {
        memcpy(peer->ready, wire->ready, sizeof(wire->ready));
    } else {
        free(peer->ready);
        peer->ready = NULL;
    }
    peer->report_ms = quorum->now_ms;
    peer->report_epoch = wire->epoch;
    peer->slow_count = wire->slow_count;
    memcpy(peer->slow, wire->slow, wire->slow_count * sizeof(wire->slow[0]));
}

static void send_report(struct quorum *quorum)
{
    struct quorum_wire wire = quorum_wire_begin(quorum, QUORUM_REPORT);
    wire.has_ready = quorum->has_ready;
    memcpy(wire.ready, quorum->ready, sizeof(wire.ready));
    wire.slow_count = quorum->slow_count;
    memcpy(wire.slow, quorum->slow, quorum->slow_count * sizeof(wire.slow[0]));
    handle_report(quorum, &wire);
    to_voters(quorum, &wire);
}

int quorum_set_report(struct quorum *quorum, const struct quorum_report *report)
{
    bool news =
        report->complete_epoch != quorum->complete_epoch || report->leaving != quorum->leaving;
    quorum->complete_epoch = report->complete_epoch;
    quorum->leaving = report->leaving;
    bool had = quorum->has_ready || quorum->slow_count > 0;
    quorum->has_ready = report->ready != NULL;
    if (report->ready != NULL) {
        memcpy(quorum->ready, report->ready, sizeof(quorum->ready));
    }
    quorum->slow_count =
        report->slow_count < QUORUM_SLOW_MAX ? report->slow_count : QUORUM_SLOW_MAX;
    if (quorum->slow_count > 0) {
        memcpy(quorum->slow, report->slow, quorum->slow_count * sizeof(quorum->slow[0]));
    }
    if (had && !quorum->has_ready && quorum->slow_count == 0) {
        send_report(quorum); /* takes the last one back */
    }
    if (news) {
        quorum->lease_at_ms = quorum->now_ms; /* said with the next request for the lease */
    }
    return TORC_OK;
}

static int handle_wish(struct quorum *quorum, const struct quorum_wire *wire)
{
    /* A view that the asker does not know yet may have granted it. */
    if (!node_id_is_zero(&wire->prefer) && wire->epoch >= quorum->view->epoch) {
        quorum->asked_prefer = wire->prefer;
    }
    if (!node_id_is_zero(&wire->forget)) {
        quorum->asked_forget = wire->forget;
    }
    if (wire->ring.tag == 0) {
        return TORC_OK;
    }
    struct ring_wish ring;
    int result = ring_wish_copy(&ring, &wire->ring);
    if (result == TORC_OK) {
        ring_wish_deinit(&quorum->asked_ring);
        quorum->asked_ring = ring;
        quorum->asked_ring_ms = quorum->now_ms;
    }
    return result;
}

int quorum_wish(struct quorum *quorum, const struct quorum_wish *wish, uint64_t until_ms)
{
    ring_wish_deinit(&quorum->ring);
    quorum->prefer = wish->prefer == NULL ? (struct node_id){0} : *wish->prefer;
    quorum->forget = wish->forget == NULL ? (struct node_id){0} : *wish->forget;
    quorum->wish_until_ms = until_ms;
    quorum->wish_at_ms = 0;
    int result = wish->ring == NULL ? TORC_OK : ring_wish_copy(&quorum->ring, wish->ring);
    drop_granted_wish(quorum);
    return result;
}

static void repeat_wish(struct quorum *quorum)
{
    if (quorum->now_ms >= quorum->wish_until_ms) {
        quorum->wish_until_ms = 0;
        ring_wish_deinit(&quorum->ring);
        return;
    }
    struct quorum_wire wire = quorum_wire_begin(quorum, QUORUM_WISH);
    wire.prefer = quorum->prefer;
    wire.forget = quorum->forget;
    wire.ring = quorum->ring;                 /* borrowed */
    int ignored = handle_wish(quorum, &wire); /* without memory: it is repeated */
    (void)ignored;
    to_voters(quorum, &wire);
    quorum->wish_at_ms = quorum->now_ms + WISH_PERIOD_MS;
}

/* ---- both ---- */

static int handle(struct quorum *quorum, const struct quorum_wire *wire)
{
    quorum_note_ahead(quorum, &wire->sender, wire->epoch);
    switch ((enum quorum_kind)wire->kind) {
    case QUORUM_LEASE_REQUEST: return quorum_handle_request(quorum, wire);
    case QUORUM_LEASE_ANSWER: quorum_handle_answer(quorum, wire); return TORC_OK;
    case QUORUM_AGREEMENT: handle_agreement(quorum, wire); return TORC_OK;
    case QUORUM_VIEW: quorum_offer(quorum, wire->view, quorum->now_ms); return TORC_OK;
    case QUORUM_REPORT: handle_report(quorum, wire); return TORC_OK;
    case QUORUM_WISH: return handle_wish(quorum, wire);
    }
    return TORC_ECORRUPT;
}

int quorum_receive(struct quorum *quorum, struct bytes message, uint64_t now_ms)
{
    struct quorum_wire wire;
    quorum->now_ms = now_ms;
    int result = quorum_wire_decode(&wire, message, quorum_view(quorum));
    if (result == TORC_OK) {
        result =
            wire.cluster_tag == cluster_tag(quorum->view) ? handle(quorum, &wire) : TORC_EINVAL;
        quorum_wire_deinit(&wire);
    }
    quorum->counters.received++;
    quorum->counters.refused += result != TORC_OK && result != TORC_ENOMEM;
    adopt_decided(quorum);
    return result;
}

void quorum_tick(struct quorum *quorum, uint64_t now_ms)
{
    quorum->now_ms = now_ms;
    if (quorum->left) {
        return;
    }
    if (now_ms >= quorum->lease_at_ms) {
        quorum->lease_at_ms = now_ms + quorum->view->lease_ms / LEASE_ASKS;
        quorum_ask_lease(quorum, false);
    }
    if (now_ms >= quorum->report_at_ms && (quorum->has_ready || quorum->slow_count > 0)) {
        quorum->report_at_ms = now_ms + REPORT_PERIOD_MS;
        send_report(quorum);
    }
    if (quorum->wish_until_ms != 0 && now_ms >= quorum->wish_at_ms) {
        repeat_wish(quorum);
    }
    const struct view *value = quorum->agreement.value;
    agreement_tick(&quorum->agreement, value == NULL || accept_or_withhold(quorum, value), now_ms);
    finish_overdue(quorum);
    send_agreement(quorum);
    adopt_decided(quorum);
}

void quorum_leave(struct quorum *quorum, uint64_t now_ms)
{
    quorum->now_ms = now_ms;
    quorum_ask_lease(quorum, true);
    lease_drop(&quorum->lease);
    quorum->left = true;
}

uint64_t quorum_lease_until_ms(const struct quorum *quorum)
{
    return lease_until_ms(&quorum->lease);
}

const struct view *quorum_view(const struct quorum *quorum)
{
    return quorum->view;
}

const struct quorum_counters *quorum_counters(const struct quorum *quorum)
{
    return &quorum->counters;
}

/* ---- what must survive a restart ---- */

bool quorum_must_write(const struct quorum *quorum)
{
    return quorum->agreement.dirty && !quorum->options.break_promise_not_kept;
}

void quorum_written(struct quorum *quorum)
{
    quorum->agreement.dirty = false;
    adopt_decided(quorum);
}

void quorum_encode(const struct quorum *quorum, struct buf *out)
{
    const struct agreement *agreement = &quorum->agreement;
    struct buf view = {0};
    if (agreement->accepted_view != NULL) {
        view_encode(agreement->accepted_view, &view);
    }
    write_u8(out, DURABLE_VERSION);
    write_u64(out, quorum->view->epoch + 1);
    write_u64(out, agreement->promised.number);
    buf_append(out, agreement->promised.node.bytes, NODE_ID_SIZE);
    write_u64(out, agreement->accepted.number);
    buf_append(out, agreement->accepted.node.bytes, NODE_ID_SIZE);
    write_bytes32(out, buf_bytes(&view));
    out->failed = out->failed || view.failed;
    buf_deinit(&view);
}

struct durable {
    uint64_t instance;
    struct ballot promised, accepted;
    struct view *view; /* owned; NULL = none */
};

static int decode_durable(struct bytes input, struct durable *out)
{
    struct reader reader;
    *out = (struct durable){0};
    if (input.size == 0) {
        return TORC_OK;
    }
    reader_init(&reader, input);
    if (read_u8(&reader) != DURABLE_VERSION) {
        return TORC_EVERSION;
    }
    out->instance = read_u64(&reader);
    out->promised.number = read_u64(&reader);
    read_raw(&reader, out->promised.node.bytes, NODE_ID_SIZE);
    out->accepted.number = read_u64(&reader);
    read_raw(&reader, out->accepted.node.bytes, NODE_ID_SIZE);
    struct bytes view = read_bytes32(&reader, DURABLE_VIEW_MAX);
    int result = reader_finish(&reader);
    if (result == TORC_OK && view.size > 0) {
        result = view_decode(&out->view, view, NULL);
    }
    if (result == TORC_OK && (out->view != NULL) != (out->accepted.number > 0)) {
        view_release(out->view);
        result = TORC_ECORRUPT;
    }
    return result;
}

int quorum_check_durable(struct bytes durable)
{
    struct durable decoded;
    int result = decode_durable(durable, &decoded);
    if (result == TORC_OK) {
        view_release(decoded.view);
    }
    return result;
}

/* ---- life ---- */

struct quorum *quorum_create(const struct quorum_options *options, const struct view *view,
                             struct bytes durable, uint64_t now_ms)
{
    struct durable remembered;
    if (decode_durable(durable, &remembered) != TORC_OK) {
        return NULL;
    }
    struct quorum *quorum = calloc(1, sizeof(*quorum));
    if (quorum == NULL) {
        view_release(remembered.view);
        return NULL;
    }
    quorum->options = *options;
    quorum->view = view_retain(view);
    quorum->now_ms = now_ms;
    agreement_init(&quorum->agreement, &options->self, options->seed);
    agreement_install(&quorum->agreement, view);
    if (remembered.instance == view->epoch + 1 && !options->break_promise_not_kept) {
        agreement_restore(&quorum->agreement, &remembered.promised, &remembered.accepted,
                          remembered.view);
    }
    view_release(remembered.view);
    supports_init(&quorum->supports);
    supports_grace(&quorum->supports, now_ms + view->lease_ms);
    lease_init(&quorum->lease);
    lease_install(&quorum->lease, view);
    quorum->lease_at_ms = now_ms;
    return quorum;
}

void quorum_destroy(struct quorum *quorum)
{
    if (quorum == NULL) {
        return;
    }
    agreement_deinit(&quorum->agreement);
    supports_deinit(&quorum->supports);
    quorum_peers_deinit(&quorum->peers);
    queue_deinit(&quorum->plain);
    queue_deinit(&quorum->sealed);
    view_release(quorum->withheld_for);
    view_release(quorum->view);
    ring_wish_deinit(&quorum->ring);
    ring_wish_deinit(&quorum->asked_ring);
    free(quorum);
}
