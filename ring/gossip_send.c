#include "base/error.h"
#include "ring/gossip_internal.h"

#include <assert.h>
#include <stdlib.h>

#define OUTBOX_CAPACITY_MIN 8
#define EVENTS_CAPACITY_MIN 32
/* Queued rumours looked at for one datagram; the first that fit are taken. */
#define QUEUE_LOOKS 64
#define FILLER_TRIES 4
#define SCRATCH_KEEP_BYTES 4096

struct gossip_sender gossip_self_sender(const struct gossip *gossip)
{
    const struct gossip_member *self = &gossip->self->member;
    return (struct gossip_sender){self->id, self->incarnation, self->refutation, self->epoch,
                                  self->load};
}

/* Doubles a ring of `size`-byte elements, unrolling it to start at 0. NULL without memory. */
static void *grow_ring(void *ring, size_t size, size_t head, size_t capacity, size_t capacity_min)
{
    size_t grown_capacity = capacity == 0 ? capacity_min : 2 * capacity;
    char *grown = malloc(grown_capacity * size);
    if (grown != NULL && capacity > 0) {
        memcpy(grown, (char *)ring + head * size, (capacity - head) * size);
        memcpy(grown + (capacity - head) * size, ring, head * size);
    }
    if (grown != NULL) {
        free(ring);
    }
    return grown;
}

void gossip_emit(struct gossip *gossip, enum gossip_event_kind kind, const struct node_id *id)
{
    if (gossip->event_count == gossip->event_capacity) {
        struct gossip_event *grown = NULL;
        if (gossip->event_capacity < GOSSIP_EVENTS_MAX) {
            grown = grow_ring(gossip->events, sizeof(*grown), gossip->event_head,
                              gossip->event_capacity, EVENTS_CAPACITY_MIN);
        }
        if (grown == NULL) {
            gossip->counters.events_dropped++;
            return;
        }
        gossip->events = grown;
        gossip->event_head = 0;
        gossip->event_capacity =
            gossip->event_capacity == 0 ? EVENTS_CAPACITY_MIN : 2 * gossip->event_capacity;
    }
    size_t tail = (gossip->event_head + gossip->event_count) % gossip->event_capacity;
    gossip->events[tail] = (struct gossip_event){kind, *id};
    gossip->event_count++;
}

bool gossip_take_event(struct gossip *gossip, struct gossip_event *out)
{
    if (gossip->event_count == 0) {
        return false;
    }
    *out = gossip->events[gossip->event_head];
    gossip->event_head = (gossip->event_head + 1) % gossip->event_capacity;
    gossip->event_count--;
    return true;
}

static struct gossip_datagram *outbox_put(struct gossip *gossip)
{
    if (gossip->outbox_count == gossip->outbox_capacity) {
        struct gossip_datagram *grown = NULL;
        if (gossip->outbox_capacity < GOSSIP_OUTBOX_MAX) {
            grown = grow_ring(gossip->outbox, sizeof(*grown), gossip->outbox_head,
                              gossip->outbox_capacity, OUTBOX_CAPACITY_MIN);
        }
        if (grown == NULL) {
            return NULL;
        }
        gossip->outbox = grown;
        gossip->outbox_head = 0;
        gossip->outbox_capacity =
            gossip->outbox_capacity == 0 ? OUTBOX_CAPACITY_MIN : 2 * gossip->outbox_capacity;
    }
    size_t tail = (gossip->outbox_head + gossip->outbox_count) % gossip->outbox_capacity;
    gossip->outbox_count++;
    return &gossip->outbox[tail];
}

bool gossip_take_datagram(struct gossip *gossip, struct gossip_datagram *out)
{
    if (gossip->outbox_count == 0) {
        return false;
    }
    const struct gossip_datagram *head = &gossip->outbox[gossip->outbox_head];
    out->to = head->to;
    out->size = head->size;
    memcpy(out->data, head->data, head->size);
    gossip->outbox_head = (gossip->outbox_head + 1) % gossip->outbox_capacity;
    gossip->outbox_count--;
    return true;
}

static void refill_budget(struct gossip *gossip, uint64_t now_ms)
{
    if (now_ms <= gossip->budget_ms) {
        return;
    }
    uint64_t elapsed_ms = now_ms - gossip->budget_ms;
    elapsed_ms = elapsed_ms > 60000 ? 60000 : elapsed_ms; /* no overflow after a long sleep */
    gossip->budget_ms = now_ms;
    gossip->budget_bytes += (int64_t)(elapsed_ms * GOSSIP_BUDGET_BYTES_PER_SECOND / 1000);
    if (gossip->budget_bytes > GOSSIP_BUDGET_BURST) {
        gossip->budget_bytes = GOSSIP_BUDGET_BURST;
    }
}

struct gossip_update gossip_update_of(const struct gossip_peer *peer, bool full)
{
    const struct gossip_member *member = &peer->member;
    struct gossip_update update = {
        .status = member->status,
        .brief = member->status == GOSSIP_ALIVE && (!full || peer->details < 0),
        .id = member->id,
        .incarnation = member->incarnation,
        .refutation = member->refutation,
        .address = member->address,
        .meta = member->meta,
    };
    update.details = (uint32_t)(update.brief ? peer->details_newest : peer->details);
    if (member->status == GOSSIP_SUSPECT) {
        /* The latest accuser first, then the others in turn: each further one that hears of them
         * has its suspicion confirmed. */
        size_t count = peer->suspicion->accuser_count;
        update.accuser = peer->suspicion->accusers[count - 1 - peer->transmits % count];
    }
    return update;
}

/* The updates of one datagram while they are chosen. */
struct selection {
    struct gossip_message *message;
    struct gossip_peer *queued[GOSSIP_UPDATES_MAX]; /* those that came from the queue */
    size_t queued_count;
    size_t room; /* bytes left */
};

static bool select_peer(struct selection *selection, const struct gossip_peer *peer, bool full)
{
    struct gossip_update update = gossip_update_of(peer, full);
    size_t size = gossip_update_size(&update);
    if (size > selection->room || selection->message->update_count == GOSSIP_UPDATES_MAX) {
        return false;
    }
    selection->message->updates[selection->message->update_count++] = update;
    selection->room -= size;
    return true;
}

static void note_queued(struct selection *selection, struct gossip_peer *peer)
{
    if (peer->queued) {
        selection->queued[selection->queued_count++] = peer;
    }
}

/* What must go along: our own update where it is asked for; and, to a member that we hold suspect
 * or dead, that very rumour, so that it can deny it at once (Lifeguard's buddy system). */
static void select_required(struct gossip *gossip, struct selection *selection,
                            const struct gossip_outgoing *outgoing)
{
    if (outgoing->own && select_peer(selection, gossip->self, true)) {
        note_queued(selection, gossip->self);
    }
    struct gossip_peer *buddy = outgoing->recipient;
    if (buddy != NULL && buddy->member.status != GOSSIP_ALIVE &&
        select_peer(selection, buddy, false)) {
        note_queued(selection, buddy);
    }
}

static void select_queued(struct gossip *gossip, struct selection *selection,
                          const struct gossip_outgoing *outgoing)
{
    unsigned looks = QUEUE_LOOKS;
    for (size_t bucket = 0; bucket < GOSSIP_TRANSMITS_MAX; bucket++) {
        for (struct gossip_peer *peer = TAILQ_FIRST(&gossip->members.buckets[bucket]); peer != NULL;
             peer = TAILQ_NEXT(peer, queue_link)) {
            if (looks-- == 0 || selection->room < GOSSIP_UPDATE_SIZE_MIN) {
                return;
            }
            bool present = peer == outgoing->recipient || (peer == gossip->self && outgoing->own);
            if (!present && select_peer(selection, peer, peer->in_full)) {
                note_queued(selection, peer);
            }
        }
    }
}

/* A quiet cluster repairs what was lost for good, one member at a time. */
static void select_filler(struct gossip *gossip, struct selection *selection,
                          const struct gossip_outgoing *outgoing)
{
    for (int i = 0; i < FILLER_TRIES; i++) {
        size_t index = (size_t)prng_below(&gossip->prng, gossip->members.count);
        const struct gossip_peer *peer = gossip->members.peers[index];
        if (peer->member.status == GOSSIP_ALIVE && !peer->provisional &&
            peer != outgoing->recipient && !(peer == gossip->self && outgoing->own)) {
            select_peer(selection, peer, true);
            return;
        }
    }
}

static void select_updates(struct gossip *gossip, const struct gossip_outgoing *outgoing,
                           struct gossip_message *message)
{
    size_t room = GOSSIP_PLAIN_SIZE_MAX - GOSSIP_HEADER_SIZE;
    struct selection selection = {.message = message, .room = room};
    select_required(gossip, &selection, outgoing);
    size_t used = room - selection.room;
    if (outgoing->updates_size != 0 && outgoing->updates_size < room) {
        room = outgoing->updates_size;
    }
    int64_t budget = gossip->budget_bytes - GOSSIP_PACKET_OVERHEAD - GOSSIP_HEADER_SIZE;
    budget = budget < 0 ? 0 : budget;
    room = (uint64_t)budget < room ? (size_t)budget : room;
    selection.room = room > used ? room - used : 0;
    select_queued(gossip, &selection, outgoing);
    if (outgoing->filler && selection.queued_count == 0) {
        select_filler(gossip, &selection, outgoing);
    }
    for (size_t i = 0; i < selection.queued_count; i++) {
        gossip_queue_sent(&gossip->members, selection.queued[i]);
    }
}

void gossip_send(struct gossip *gossip, const struct gossip_outgoing *outgoing, uint64_t now_ms)
{
    refill_budget(gossip, now_ms);
    struct gossip_message message;
    message.type = outgoing->type;
    message.flags = outgoing->flags;
    message.sequence = outgoing->sequence;
    message.sender = gossip_self_sender(gossip);
    message.subject = outgoing->subject;
    message.update_count = 0;
    struct gossip_datagram *datagram = outbox_put(gossip);
    if (datagram == NULL) {
        gossip->counters.datagrams_dropped++;
        return;
    }
    select_updates(gossip, outgoing, &message);
    buf_reset(&gossip->scratch, SCRATCH_KEEP_BYTES);
    gossip_message_encode(&message, gossip->cluster_tag, &gossip->scratch);
    size_t size = buf_size(&gossip->scratch);
    assert(size <= GOSSIP_PLAIN_SIZE_MAX);
    if (gossip->scratch.failed) {
        gossip->outbox_count--;
        gossip->counters.datagrams_dropped++;
        return;
    }
    datagram->to = outgoing->to;
    datagram->size = size;
    memcpy(datagram->data, buf_head(&gossip->scratch), size);
    gossip->budget_bytes -= (int64_t)size + GOSSIP_PACKET_OVERHEAD;
    if (gossip->budget_bytes < -GOSSIP_BUDGET_BURST) {
        gossip->budget_bytes = -GOSSIP_BUDGET_BURST;
    }
    gossip->counters.sent++;
    gossip->counters.bytes_sent += size;
}

void gossip_send_update(struct gossip *gossip, const struct gossip_address *to,
                        struct gossip_peer *recipient, bool own, uint64_t now_ms)
{
    struct gossip_outgoing outgoing = {
        .type = GOSSIP_UPDATE,
        .to = *to,
        .recipient = recipient,
        .own = own,
    };
    gossip_send(gossip, &outgoing, now_ms);
}
