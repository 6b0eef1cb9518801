#include "base/error.h"
#include "ring/gossip_internal.h"

#include <assert.h>

/* Suspects are looked at five times a period: fine enough against suspicions of four and more. */
#define SWEEPS_PER_PERIOD 5
/* A helper reports silence at 4/5 of the probe timeout, while the requester still listens. */
#define NACK_NUMERATOR 4
#define NACK_DENOMINATOR 5
/* Draws for a random member that suits, before doing without. */
#define PICK_TRIES 16

void gossip_health_change(struct gossip *gossip, int delta)
{
    int health = (int)gossip->health + delta;
    health = health < 0 ? 0 : health;
    gossip->health = (unsigned)(health > GOSSIP_HEALTH_MAX ? GOSSIP_HEALTH_MAX : health);
}

void gossip_probe_init(struct gossip *gossip, uint64_t now_ms)
{
    gossip->sequence = (uint32_t)prng_next(&gossip->prng);
    gossip->probes_to_nudge = GOSSIP_NUDGE_PROBES;
    /* Nodes that start together do not probe together. */
    gossip->probe_ms = now_ms + prng_below(&gossip->prng, gossip->period_ms);
    gossip->push_ms = now_ms + prng_below(&gossip->prng, gossip->period_ms);
    gossip->sweep_ms = now_ms;
}

/* `aside`: on behalf of another member or out of turn, and kept small. */
static void send_ping(struct gossip *gossip, struct gossip_peer *peer, uint32_t sequence,
                      bool aside, uint64_t now_ms)
{
    struct gossip_outgoing outgoing = {
        .type = GOSSIP_PING,
        .flags = peer->wanted || peer->provisional ? GOSSIP_FLAG_WANT_ALIVE : 0,
        .sequence = sequence,
        .subject = peer->member.id,
        .to = peer->member.address,
        .recipient = peer,
        .own = !aside && !peer->introduced,
        .filler = !aside,
        .updates_size = aside ? GOSSIP_SIDE_UPDATES_SIZE : 0,
    };
    gossip_send(gossip, &outgoing, now_ms);
}

/* Pings one member that is dead to us, expecting nothing. If it lives, on the other side of a
 * partition that has healed say, it finds its own obituary in the ping and denies it. */
static void nudge_dead(struct gossip *gossip, uint64_t now_ms)
{
    struct gossip_members *members = &gossip->members;
    size_t start = (size_t)prng_below(&gossip->prng, members->count);
    for (size_t i = 0; i < members->count && i < 4 * PICK_TRIES; i++) {
        struct gossip_peer *peer = members->peers[(start + i) % members->count];
        if (peer->member.status == GOSSIP_DEAD) {
            send_ping(gossip, peer, ++gossip->sequence, false, now_ms);
            return;
        }
    }
}

static void probe_start(struct gossip *gossip, uint64_t now_ms)
{
    struct gossip_peer *target = gossip_members_next(&gossip->members, gossip->self, &gossip->prng);
    gossip->probe.active = false;
    gossip->calls_left = GOSSIP_CALLS;
    gossip->probe_ms = now_ms + (uint64_t)gossip->period_ms * (gossip->health + 1);
    if (target == NULL || --gossip->probes_to_nudge == 0) {
        gossip->probes_to_nudge = GOSSIP_NUDGE_PROBES;
        nudge_dead(gossip, now_ms);
    }
    if (target == NULL) {
        return;
    }
    gossip->counters.probes++;
    gossip->probe = (struct gossip_probe){
        .active = true,
        .told = !target->introduced,
        .target = target->member.id,
        .sequence = ++gossip->sequence,
        .indirect_ms = now_ms + (uint64_t)gossip->probe_timeout_ms * (gossip->health + 1),
    };
    send_ping(gossip, target, gossip->probe.sequence, false, now_ms);
}

/* A random alive member that is none of `excluded`; NULL when luck has it so. */
static struct gossip_peer *pick_alive(struct gossip *gossip, struct gossip_peer *const *excluded,
                                      size_t excluded_count)
{
    for (int tries = 0; tries < PICK_TRIES; tries++) {
        size_t index = (size_t)prng_below(&gossip->prng, gossip->members.count);
        struct gossip_peer *peer = gossip->members.peers[index];
        bool suits = peer != gossip->self && peer->member.status == GOSSIP_ALIVE;
        for (size_t i = 0; i < excluded_count && suits; i++) {
            suits = peer != excluded[i];
        }
        if (suits) {
            return peer;
        }
    }
    return NULL;
}

static void ask_helpers(struct gossip *gossip, struct gossip_peer *target, uint64_t now_ms)
{
    struct gossip_peer *picked[1 + GOSSIP_HELPERS] = {target};
    gossip->probe.indirect = true;
    for (size_t i = 1; i <= GOSSIP_HELPERS; i++) {
        picked[i] = pick_alive(gossip, picked, i);
        if (picked[i] == NULL) {
            return;
        }
        struct gossip_outgoing outgoing = {
            .type = GOSSIP_PING_REQUEST,
            .sequence = gossip->probe.sequence,
            .subject = target->member.id,
            .to = picked[i]->member.address,
            .recipient = picked[i],
            .updates_size = GOSSIP_SIDE_UPDATES_SIZE,
        };
        gossip_send(gossip, &outgoing, now_ms);
        gossip->probe.helpers++;
    }
}

/* The period is over and nobody vouched for the target. */
static void probe_fail(struct gossip *gossip, struct gossip_peer *target, uint64_t now_ms)
{
    const struct gossip_probe *probe = &gossip->probe;
    gossip->counters.probes_failed++;
    /* Helpers that said they are well but the target is not speak for us; silence of a helper too
     * may be our own fault (Lifeguard, section IV-A). One step for a probe, however many helpers
     * are silent: with half the cluster down, most of them are. */
    if (probe->helpers == 0 || probe->nacks < probe->helpers) {
        gossip_health_change(gossip, 1);
    }
    bool fresh = target->member.status == GOSSIP_ALIVE;
    gossip_accuse(gossip, target, &gossip->self->member.id, now_ms);
    if (fresh) {
        gossip_send_update(gossip, &target->member.address, target, false, now_ms);
    }
}

static void tick_probe(struct gossip *gossip, uint64_t now_ms)
{
    struct gossip_probe *probe = &gossip->probe;
    struct gossip_peer *target = NULL;
    if (probe->active) {
        target = gossip_members_find(&gossip->members, &probe->target);
        bool live = target != NULL && (target->member.status == GOSSIP_ALIVE ||
                                       target->member.status == GOSSIP_SUSPECT);
        probe->active = live;
    }
    if (probe->active && !probe->indirect && probe->indirect_ms <= now_ms) {
        ask_helpers(gossip, target, now_ms);
    }
    if (gossip->probe_ms <= now_ms) {
        if (probe->active) {
            probe_fail(gossip, target, now_ms);
        }
        probe_start(gossip, now_ms);
    }
}

static struct gossip_relay *relay_at(struct gossip *gossip, size_t i)
{
    return &gossip->relays[(gossip->relay_head + i) % GOSSIP_RELAYS_MAX];
}

static void send_relay_answer(struct gossip *gossip, const struct gossip_relay *relay,
                              enum gossip_type type, uint64_t now_ms)
{
    struct gossip_outgoing outgoing = {
        .type = type,
        .sequence = relay->requester_sequence,
        .subject = relay->target,
        .to = relay->requester,
        .updates_size = GOSSIP_SIDE_UPDATES_SIZE,
    };
    gossip_send(gossip, &outgoing, now_ms);
}

static void tick_relays(struct gossip *gossip, uint64_t now_ms)
{
    for (size_t i = 0; i < gossip->relay_count; i++) {
        struct gossip_relay *relay = relay_at(gossip, i);
        if (!relay->settled && relay->nack_ms <= now_ms) {
            relay->settled = true;
            send_relay_answer(gossip, relay, GOSSIP_NACK, now_ms);
        }
    }
    while (gossip->relay_count > 0 && relay_at(gossip, 0)->expire_ms <= now_ms) {
        gossip->relay_head = (gossip->relay_head + 1) % GOSSIP_RELAYS_MAX;
        gossip->relay_count--;
    }
}

static void tick_push(struct gossip *gossip, uint64_t now_ms)
{
    if (gossip->push_ms > now_ms) {
        return;
    }
    gossip->push_ms = now_ms + gossip->period_ms / GOSSIP_PUSHES;
    struct gossip_peer *peer =
        gossip->members.queued_count == 0 ? NULL : pick_alive(gossip, NULL, 0);
    if (peer != NULL) {
        gossip_send_update(gossip, &peer->member.address, peer, false, now_ms);
    }
}

/* A suspect that lives has most likely denied it already, and the denial was lost on its way here:
 * asked again, it answers with its alive update. A few in a period, so that a massacre costs no
 * more than a death. */
static void call_suspects(struct gossip *gossip, uint64_t now_ms)
{
    struct gossip_peer *peer = TAILQ_FIRST(&gossip->members.suspects);
    for (; peer != NULL && gossip->calls_left > 0; peer = TAILQ_NEXT(peer, status_link)) {
        if (gossip_suspicion_call_is_due(peer->suspicion, now_ms)) {
            peer->suspicion->calls++;
            gossip->calls_left--;
            send_ping(gossip, peer, ++gossip->sequence, true, now_ms);
        }
    }
}

static void tick_sweep(struct gossip *gossip, uint64_t now_ms)
{
    if (gossip->sweep_ms > now_ms) {
        return;
    }
    gossip->sweep_ms = now_ms + gossip->period_ms / SWEEPS_PER_PERIOD + 1;
    gossip_sweep_members(gossip, now_ms);
    call_suspects(gossip, now_ms);
}

/* This process was stopped, or starved, for `late_ms`: what it waited for may lie unread in the
 * socket. Nobody is accused for it, and suspects get their time back. */
static void excuse_silence(struct gossip *gossip, uint64_t late_ms, uint64_t now_ms)
{
    gossip->probe.active = false;
    gossip->relay_count = 0;
    gossip->probe_ms = now_ms;
    gossip_health_change(gossip, 1);
    struct gossip_peer *peer = TAILQ_FIRST(&gossip->members.suspects);
    for (; peer != NULL; peer = TAILQ_NEXT(peer, status_link)) {
        peer->suspicion->deadline_ms += late_ms;
    }
}

/* The timer that always runs: by it one sees whether this process was there when it was due. */
static uint64_t probe_due_ms(const struct gossip *gossip)
{
    const struct gossip_probe *probe = &gossip->probe;
    bool waiting = probe->active && !probe->indirect && probe->indirect_ms < gossip->probe_ms;
    return waiting ? probe->indirect_ms : gossip->probe_ms;
}

void gossip_tick(struct gossip *gossip, uint64_t now_ms)
{
    if (gossip->leaving) {
        return;
    }
    uint64_t due_ms = probe_due_ms(gossip);
    if (now_ms > due_ms + gossip->probe_timeout_ms) {
        excuse_silence(gossip, now_ms - due_ms, now_ms);
    }
    gossip->self->member.heard_ms = now_ms == 0 ? 1 : now_ms;
    tick_relays(gossip, now_ms);
    tick_probe(gossip, now_ms);
    tick_push(gossip, now_ms);
    tick_sweep(gossip, now_ms);
}

static uint64_t min_ms(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t gossip_next_ms(const struct gossip *gossip)
{
    if (gossip->leaving) {
        return UINT64_MAX;
    }
    uint64_t next = probe_due_ms(gossip);
    for (size_t i = 0; i < gossip->relay_count; i++) {
        const struct gossip_relay *relay =
            &gossip->relays[(gossip->relay_head + i) % GOSSIP_RELAYS_MAX];
        if (!relay->settled) {
            next = min_ms(next, relay->nack_ms);
        }
    }
    if (gossip->members.queued_count > 0) {
        next = min_ms(next, gossip->push_ms);
    }
    if (!TAILQ_EMPTY(&gossip->members.suspects)) {
        next = min_ms(next, gossip->sweep_ms);
    }
    return next;
}

void gossip_handle_ack(struct gossip *gossip, const struct gossip_message *message,
                       struct gossip_peer *sender, uint64_t now_ms)
{
    struct gossip_probe *probe = &gossip->probe;
    bool direct = node_id_equal(&message->sender.id, &message->subject);
    if (probe->active && message->sequence == probe->sequence &&
        node_id_equal(&message->subject, &probe->target)) {
        probe->active = false;
        gossip_health_change(gossip, -1);
        if (direct && probe->told && sender != NULL) {
            sender->introduced = true;
        }
        return;
    }
    for (size_t i = 0; direct && i < gossip->relay_count; i++) {
        struct gossip_relay *relay = relay_at(gossip, i);
        if (relay->sequence == message->sequence && !relay->answered &&
            node_id_equal(&relay->target, &message->subject)) {
            relay->settled = true;
            relay->answered = true;
            send_relay_answer(gossip, relay, GOSSIP_ACK, now_ms);
            return;
        }
    }
}

void gossip_handle_nack(struct gossip *gossip, const struct gossip_message *message)
{
    struct gossip_probe *probe = &gossip->probe;
    if (probe->active && message->sequence == probe->sequence && probe->nacks < probe->helpers &&
        node_id_equal(&message->subject, &probe->target)) {
        probe->nacks++;
    }
}

void gossip_handle_ping_request(struct gossip *gossip, const struct gossip_address *from,
                                const struct gossip_message *message, uint64_t now_ms)
{
    if (gossip->relay_count == GOSSIP_RELAYS_MAX) {
        return;
    }
    struct gossip_relay relay = {
        .target = message->subject,
        .requester_sequence = message->sequence,
        .requester = *from,
        .nack_ms = now_ms + (uint64_t)gossip->probe_timeout_ms * NACK_NUMERATOR / NACK_DENOMINATOR,
        .expire_ms = now_ms + gossip->period_ms,
    };
    struct gossip_peer *target = gossip_members_find(&gossip->members, &message->subject);
    if (target == NULL || target == gossip->self) {
        /* Pinged at the address we know ourselves or not at all: a stranger must not be able to
         * aim our datagrams. */
        send_relay_answer(gossip, &relay, GOSSIP_NACK, now_ms);
        return;
    }
    relay.sequence = ++gossip->sequence;
    *relay_at(gossip, gossip->relay_count) = relay;
    gossip->relay_count++;
    send_ping(gossip, target, relay.sequence, true, now_ms);
}
