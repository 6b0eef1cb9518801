#include "ring/gossip.h"

#include "base/error.h"
#include "ring/gossip_internal.h"

#include <assert.h>
#include <stdlib.h>

#define PERIOD_MS_DEFAULT 500
#define PROBE_TIMEOUT_MS_DEFAULT 200
#define DEAD_FORGET_MS_DEFAULT 60000

struct gossip *gossip_create(const struct gossip_options *options, uint64_t now_ms)
{
    assert(!node_id_is_zero(&options->self));
    assert(options->address.port != 0);
    assert(options->meta.size <= GOSSIP_META_SIZE_MAX);
    struct gossip *gossip = calloc(1, sizeof(*gossip));
    if (gossip == NULL) {
        return NULL;
    }
    gossip->cluster_tag = options->cluster_tag;
    gossip->period_ms = options->period_ms != 0 ? options->period_ms : PERIOD_MS_DEFAULT;
    gossip->probe_timeout_ms =
        options->probe_timeout_ms != 0 ? options->probe_timeout_ms : PROBE_TIMEOUT_MS_DEFAULT;
    gossip->dead_forget_ms =
        options->dead_forget_ms != 0 ? options->dead_forget_ms : DEAD_FORGET_MS_DEFAULT;
    gossip->budget_bytes = GOSSIP_BUDGET_BURST;
    gossip->budget_ms = now_ms;
    prng_init(&gossip->prng, options->seed);
    gossip_members_init(&gossip->members, prng_next(&gossip->prng));
    buf_init(&gossip->scratch);
    if (gossip_members_add(&gossip->members, &options->self, &gossip->prng, &gossip->self) !=
            TORC_OK ||
        gossip_peer_set_meta(gossip->self, options->meta) != TORC_OK) {
        gossip_destroy(gossip);
        return NULL;
    }
    gossip->self->member.incarnation = options->incarnation;
    gossip->self->member.address = options->address;
    gossip->self->member.heard_ms = now_ms == 0 ? 1 : now_ms;
    gossip->self->in_full = true;
    gossip_queue_put(&gossip->members, gossip->self, 0);
    gossip_probe_init(gossip, now_ms);
    return gossip;
}

void gossip_destroy(struct gossip *gossip)
{
    if (gossip == NULL) {
        return;
    }
    gossip_members_deinit(&gossip->members);
    buf_deinit(&gossip->scratch);
    free(gossip->outbox);
    free(gossip->events);
    free(gossip);
}

int gossip_introduce(struct gossip *gossip, const struct node_id *id, uint64_t incarnation,
                     const struct gossip_address *address, struct bytes meta, uint64_t now_ms)
{
    if (address->port == 0) {
        return TORC_EINVAL;
    }
    if (meta.size > GOSSIP_META_SIZE_MAX) {
        return TORC_ETOOBIG;
    }
    struct gossip_members *members = &gossip->members;
    struct gossip_peer *peer = gossip_members_find(members, id);
    if (gossip->leaving || peer == gossip->self ||
        (peer != NULL && peer->member.incarnation >= incarnation) ||
        gossip_members_is_forgotten(members, id, incarnation)) {
        return TORC_OK;
    }
    bool alone = members->live_count == 1;
    if (peer == NULL) {
        int rc = gossip_members_add(members, id, &gossip->prng, &peer);
        if (rc != TORC_OK) {
            return rc;
        }
        if (gossip_peer_set_meta(peer, meta) != TORC_OK) {
            gossip_members_remove(members, peer);
            return TORC_ENOMEM;
        }
    } else {
        if (gossip_peer_set_meta(peer, meta) != TORC_OK) {
            return TORC_ENOMEM;
        }
        gossip_queue_remove(members, peer);
        gossip_members_set_status(members, peer, GOSSIP_ALIVE, now_ms);
    }
    peer->provisional = true;
    peer->introduced = false;
    peer->member.address = *address;
    peer->member.incarnation = incarnation;
    peer->member.refutation = 0;
    peer->details = -1;
    peer->details_newest = 0;
    if (alone) {
        gossip->probe_ms = now_ms; /* the first acquaintance is not made to wait */
    }
    return TORC_OK;
}

void gossip_forget(struct gossip *gossip, const struct node_id *id)
{
    struct gossip_peer *peer = gossip_members_find(&gossip->members, id);
    if (peer == NULL || peer == gossip->self) {
        return;
    }
    gossip_members_forget(&gossip->members, id, peer->member.incarnation);
    gossip_members_remove(&gossip->members, peer);
}

static void answer_ping(struct gossip *gossip, const struct gossip_address *from,
                        const struct gossip_message *message, struct gossip_peer *sender,
                        uint64_t now_ms)
{
    if (!node_id_equal(&message->subject, &gossip->self->member.id)) {
        return; /* meant for whoever had this address before us */
    }
    bool wanted = sender == NULL || sender->wanted || sender->provisional;
    struct gossip_outgoing outgoing = {
        .type = GOSSIP_ACK,
        .flags = wanted ? GOSSIP_FLAG_WANT_ALIVE : 0,
        .sequence = message->sequence,
        .subject = gossip->self->member.id,
        .to = *from,
        .recipient = sender,
        .own = (message->flags & GOSSIP_FLAG_WANT_ALIVE) != 0 || gossip->slandered,
    };
    gossip_send(gossip, &outgoing, now_ms);
}

static void handle(struct gossip *gossip, const struct gossip_address *from,
                   const struct gossip_message *message, uint64_t now_ms)
{
    gossip->slandered = false;
    gossip->refuted = false;
    for (size_t i = 0; i < message->update_count; i++) {
        gossip_apply(gossip, &message->updates[i], 0, now_ms);
    }
    struct gossip_peer *sender = gossip_heed_sender(gossip, &message->sender, now_ms);
    bool own = gossip->refuted;
    switch (message->type) {
    case GOSSIP_PING: answer_ping(gossip, from, message, sender, now_ms); return;
    case GOSSIP_ACK:
        /* Only an ack is answered so: two members that cannot learn each other's update, for want
         * of memory say, must not talk in circles. */
        own |= (message->flags & GOSSIP_FLAG_WANT_ALIVE) != 0;
        gossip_handle_ack(gossip, message, sender, now_ms);
        break;
    case GOSSIP_PING_REQUEST: gossip_handle_ping_request(gossip, from, message, now_ms); break;
    case GOSSIP_NACK: gossip_handle_nack(gossip, message); break;
    case GOSSIP_UPDATE: break;
    }
    if (own) {
        gossip_send_update(gossip, from, sender, true, now_ms);
    } else if (gossip->slandered && sender != NULL) {
        sender->introduced = false; /* it has missed our denial: the next ping repeats it */
    }
}

int gossip_receive(struct gossip *gossip, const struct gossip_address *from, struct bytes data,
                   uint64_t now_ms)
{
    struct gossip_message message;
    gossip->counters.received++;
    gossip->counters.bytes_received += data.size;
    int rc = gossip_message_decode(&message, data, gossip->cluster_tag);
    if (rc == TORC_OK && gossip_members_find(&gossip->members, &message.sender.id) == NULL &&
        gossip_members_is_forgotten(&gossip->members, &message.sender.id,
                                    message.sender.incarnation)) {
        rc = TORC_ESTALE;
    }
    switch (rc) {
    case TORC_OK: break;
    case TORC_EVERSION: gossip->counters.refused_version++; return rc;
    case TORC_EINVAL: gossip->counters.refused_cluster++; return rc;
    case TORC_ESTALE: gossip->counters.refused_forgotten++; return rc;
    default: gossip->counters.refused_corrupt++; return rc;
    }
    /* A message of our own comes back by a strange route, or another process has our id. */
    if (!gossip->leaving && !node_id_equal(&message.sender.id, &gossip->self->member.id)) {
        handle(gossip, from, &message, now_ms);
    }
    return TORC_OK;
}

int gossip_set_meta(struct gossip *gossip, struct bytes meta)
{
    if (meta.size > GOSSIP_META_SIZE_MAX) {
        return TORC_ETOOBIG;
    }
    struct gossip_peer *self = gossip->self;
    if (bytes_equal(self->member.meta, meta)) {
        return TORC_OK;
    }
    if (gossip_peer_set_meta(self, meta) != TORC_OK) {
        return TORC_ENOMEM;
    }
    /* The refutation orders all that a process says of itself, changes of meta included. */
    self->member.refutation++;
    self->details = self->member.refutation;
    self->details_newest = self->details;
    self->in_full = true;
    gossip_queue_put(&gossip->members, self, 0);
    return TORC_OK;
}

void gossip_set_epoch(struct gossip *gossip, uint64_t epoch)
{
    gossip->self->member.epoch = epoch;
}

void gossip_set_load(struct gossip *gossip, const struct gossip_load *load)
{
    gossip->self->member.load = *load;
}

void gossip_leave(struct gossip *gossip, uint64_t now_ms)
{
    if (gossip->leaving) {
        return;
    }
    struct gossip_members *members = &gossip->members;
    /* Newer than any suspicion of us that may be on its way. */
    gossip->self->member.refutation++;
    gossip_members_set_status(members, gossip->self, GOSSIP_LEFT, now_ms);
    size_t start = (size_t)prng_below(&gossip->prng, members->count);
    unsigned farewells = GOSSIP_FAREWELLS;
    for (size_t i = 0; i < members->count && farewells > 0; i++) {
        struct gossip_peer *peer = members->peers[(start + i) % members->count];
        if (peer->member.status == GOSSIP_ALIVE) {
            gossip_send_update(gossip, &peer->member.address, peer, true, now_ms);
            farewells--;
        }
    }
    gossip->leaving = true;
}

size_t gossip_member_count(const struct gossip *gossip)
{
    return gossip->members.count;
}

const struct gossip_member *gossip_member_at(const struct gossip *gossip, size_t index)
{
    assert(index < gossip->members.count);
    return &gossip->members.peers[index]->member;
}

const struct gossip_member *gossip_find(const struct gossip *gossip, const struct node_id *id)
{
    const struct gossip_peer *peer = gossip_members_find(&gossip->members, id);
    return peer == NULL ? NULL : &peer->member;
}

const struct gossip_counters *gossip_counters(const struct gossip *gossip)
{
    return &gossip->counters;
}

unsigned gossip_local_health(const struct gossip *gossip)
{
    return gossip->health;
}
