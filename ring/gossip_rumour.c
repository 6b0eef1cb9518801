#include "base/error.h"
#include "ring/gossip_internal.h"

#include <assert.h>

static bool is_gone(const struct gossip_peer *peer)
{
    return peer->member.status == GOSSIP_DEAD || peer->member.status == GOSSIP_LEFT;
}

/* Negative, 0 or positive: the update is older than, of the same age as, or newer than what is
 * known. The incarnation decides, then the refutation. */
static int compare_age(const struct gossip_update *update, const struct gossip_member *member)
{
    if (update->incarnation != member->incarnation) {
        return update->incarnation < member->incarnation ? -1 : 1;
    }
    if (update->refutation != member->refutation) {
        return update->refutation < member->refutation ? -1 : 1;
    }
    return 0;
}

/* Passes a rumour on; in full when its details are news as well. A member introduced from outside
 * is our own business until somebody has heard of it. */
static void pass_on(struct gossip *gossip, struct gossip_peer *peer, bool in_full,
                    unsigned transmits_left)
{
    if (peer->provisional) {
        return;
    }
    unsigned limit = gossip_queue_limit(&gossip->members);
    unsigned skip = transmits_left == 0 || transmits_left >= limit ? 0 : limit - transmits_left;
    skip = skip >= GOSSIP_TRANSMITS_MAX ? GOSSIP_TRANSMITS_MAX - 1 : skip;
    /* Details that are on their way still are, whatever else becomes known of the member. */
    peer->in_full = in_full || (peer->queued && peer->in_full);
    gossip_queue_put(&gossip->members, peer, skip);
}

static void set_age(struct gossip_peer *peer, const struct gossip_update *update)
{
    if (update->incarnation != peer->member.incarnation) {
        /* Another process: it knows nothing of us, and all that is known of it starts anew. */
        peer->introduced = false;
        peer->epoch_told = 0;
        peer->details = -1;
        peer->details_newest = 0;
        peer->member.epoch = 0;
        peer->member.load = (struct gossip_load){0};
    }
    peer->member.incarnation = update->incarnation;
    peer->member.refutation = update->refutation;
}

/* Of the same age or newer than what we said of ourselves: it would win, so deny it with a higher
 * refutation. Of an older age: whoever says so has missed our own update. */
static void hear_of_self(struct gossip *gossip, const struct gossip_update *update)
{
    struct gossip_member *self = &gossip->self->member;
    bool ill = update->status != GOSSIP_ALIVE;
    if (update->incarnation > self->incarnation) {
        return; /* another process has taken our id; the one with the higher incarnation stays */
    }
    if (compare_age(update, self) < 0) {
        gossip->slandered |= ill;
        return;
    }
    if ((!ill && update->refutation == self->refutation) || update->refutation == UINT32_MAX) {
        return;
    }
    self->refutation = update->refutation + 1;
    /* Who holds us dead may have forgotten our details by now. */
    pass_on(gossip, gossip->self, update->status != GOSSIP_SUSPECT, 0);
    gossip->refuted = true;
    if (ill) {
        gossip->slandered = true;
        gossip->counters.refutations++;
        gossip_health_change(gossip, 1);
    }
}

static bool same_details(const struct gossip_member *member, const struct gossip_update *update)
{
    return bytes_equal(member->meta, update->meta) &&
           member->address.port == update->address.port &&
           memcmp(member->address.ip, update->address.ip, sizeof(update->address.ip)) == 0;
}

static void apply_first_alive(struct gossip *gossip, const struct gossip_update *update,
                              unsigned transmits_left)
{
    struct gossip_peer *peer = NULL;
    if (update->brief ||
        gossip_members_is_forgotten(&gossip->members, &update->id, update->incarnation)) {
        return;
    }
    if (gossip_members_add(&gossip->members, &update->id, &gossip->prng, &peer) != TORC_OK) {
        gossip->counters.members_refused++;
        return;
    }
    if (gossip_peer_set_meta(peer, update->meta) != TORC_OK) {
        gossip_members_remove(&gossip->members, peer);
        gossip->counters.members_refused++;
        return;
    }
    peer->member.address = update->address;
    peer->member.incarnation = update->incarnation;
    peer->member.refutation = update->refutation;
    peer->details = update->details;
    peer->details_newest = update->details;
    pass_on(gossip, peer, true, transmits_left);
    gossip_emit(gossip, GOSSIP_EVENT_JOINED, &update->id);
}

static void apply_alive(struct gossip *gossip, struct gossip_peer *peer,
                        const struct gossip_update *update, unsigned transmits_left,
                        uint64_t now_ms)
{
    struct gossip_member *member = &peer->member;
    int age = compare_age(update, member);
    bool same_process = update->incarnation == member->incarnation;
    bool better = age > 0 || (age == 0 && peer->provisional);
    /* Details have an age of their own: they may arrive later than a newer, brief update. */
    bool detailed = !update->brief && (same_process ? update->details > peer->details : better);
    if (!better && !detailed) {
        return;
    }
    if (!same_process && update->brief) {
        peer->wanted = true; /* of another process, which may have another address */
        return;
    }
    bool joined = better && (is_gone(peer) || peer->provisional);
    bool changed = !same_process || (better && member->status == GOSSIP_SUSPECT) ||
                   (detailed && !same_details(member, update));
    if (detailed && gossip_peer_set_meta(peer, update->meta) != TORC_OK) {
        return; /* as if it had been lost */
    }
    if (better) {
        set_age(peer, update);
        peer->provisional = false;
        gossip_members_set_status(&gossip->members, peer, GOSSIP_ALIVE, now_ms);
    }
    if (detailed) {
        member->address = update->address;
        peer->details = update->details;
    }
    if (peer->details_newest < update->details) {
        peer->details_newest = update->details;
    }
    peer->wanted = peer->details < peer->details_newest;
    pass_on(gossip, peer, joined || detailed, transmits_left);
    if (joined) {
        gossip_emit(gossip, GOSSIP_EVENT_JOINED, &member->id);
    } else if (changed) {
        gossip_emit(gossip, GOSSIP_EVENT_UPDATED, &member->id);
    }
}

void gossip_accuse(struct gossip *gossip, struct gossip_peer *peer, const struct node_id *accuser,
                   uint64_t now_ms)
{
    assert(!is_gone(peer) && peer != gossip->self);
    if (peer->member.status == GOSSIP_SUSPECT) {
        if (gossip_suspicion_confirm(peer->suspicion, accuser)) {
            pass_on(gossip, peer, false, 0);
        }
        return;
    }
    if (gossip_members_suspect(&gossip->members, peer, accuser, gossip->period_ms, now_ms) !=
        TORC_OK) {
        return; /* the next failed probe will suspect it again */
    }
    gossip->counters.suspicions++;
    pass_on(gossip, peer, false, 0);
    gossip_emit(gossip, GOSSIP_EVENT_SUSPECT, &peer->member.id);
}

static void apply_suspect(struct gossip *gossip, struct gossip_peer *peer,
                          const struct gossip_update *update, uint64_t now_ms)
{
    int age = compare_age(update, &peer->member);
    /* Of a member that is gone only its own alive update can bring better news. */
    if (age < 0 || is_gone(peer)) {
        return;
    }
    if (age > 0) {
        /* The accusers of an older state say nothing of this one. When it is another process
         * its address and meta are out of date, too; it is asked for them. */
        gossip_members_set_status(&gossip->members, peer, GOSSIP_ALIVE, now_ms);
        set_age(peer, update);
    }
    gossip_accuse(gossip, peer, &update->accuser, now_ms);
}

static void declare_gone(struct gossip *gossip, struct gossip_peer *peer, enum gossip_status status,
                         unsigned transmits_left, uint64_t now_ms)
{
    gossip_members_set_status(&gossip->members, peer, status, now_ms);
    pass_on(gossip, peer, false, transmits_left);
    gossip->counters.deaths += status == GOSSIP_DEAD;
    gossip_emit(gossip, status == GOSSIP_DEAD ? GOSSIP_EVENT_DEAD : GOSSIP_EVENT_LEFT,
                &peer->member.id);
}

static void apply_gone(struct gossip *gossip, struct gossip_peer *peer,
                       const struct gossip_update *update, unsigned transmits_left, uint64_t now_ms)
{
    int age = compare_age(update, &peer->member);
    if (age < 0 || (age == 0 && is_gone(peer))) {
        return;
    }
    bool was_gone = is_gone(peer);
    set_age(peer, update);
    if (!was_gone) {
        declare_gone(gossip, peer, update->status, transmits_left, now_ms);
    }
}

void gossip_apply(struct gossip *gossip, const struct gossip_update *update,
                  unsigned transmits_left, uint64_t now_ms)
{
    struct gossip_peer *peer = gossip_members_find(&gossip->members, &update->id);
    if (peer == gossip->self) {
        hear_of_self(gossip, update);
        return;
    }
    if (peer == NULL) {
        /* Ill rumours of a stranger are not remembered: they would travel in circles, each member
         * reminding the others of what they had forgotten. */
        if (update->status == GOSSIP_ALIVE) {
            apply_first_alive(gossip, update, transmits_left);
        }
        return;
    }
    switch (update->status) {
    case GOSSIP_ALIVE: apply_alive(gossip, peer, update, transmits_left, now_ms); break;
    case GOSSIP_SUSPECT: apply_suspect(gossip, peer, update, now_ms); break;
    case GOSSIP_DEAD:
    case GOSSIP_LEFT: apply_gone(gossip, peer, update, transmits_left, now_ms); break;
    }
}

void gossip_sweep_members(struct gossip *gossip, uint64_t now_ms)
{
    struct gossip_peer *peer = TAILQ_FIRST(&gossip->members.suspects);
    while (peer != NULL) {
        struct gossip_peer *next = TAILQ_NEXT(peer, status_link);
        if (peer->suspicion->deadline_ms <= now_ms) {
            declare_gone(gossip, peer, GOSSIP_DEAD, 0, now_ms);
        }
        peer = next;
    }
    for (peer = TAILQ_FIRST(&gossip->members.gone);
         peer != NULL && peer->gone_ms + gossip->dead_forget_ms <= now_ms;
         peer = TAILQ_FIRST(&gossip->members.gone)) {
        gossip_members_remove(&gossip->members, peer);
    }
}

struct gossip_peer *gossip_heed_sender(struct gossip *gossip, const struct gossip_sender *sender,
                                       uint64_t now_ms)
{
    struct gossip_peer *peer = gossip_members_find(&gossip->members, &sender->id);
    if (peer == NULL || sender->incarnation < peer->member.incarnation) {
        return peer;
    }
    if (sender->incarnation > peer->member.incarnation) {
        peer->wanted = true;
        return peer;
    }
    struct gossip_member *member = &peer->member;
    peer->wanted = peer->provisional || peer->details < peer->details_newest ||
                   sender->refutation > member->refutation;
    member->heard_ms = now_ms == 0 ? 1 : now_ms;
    member->load = sender->load;
    if (sender->epoch > member->epoch) {
        member->epoch = sender->epoch;
    }
    if (sender->epoch > gossip->self->member.epoch && sender->epoch > peer->epoch_told) {
        peer->epoch_told = sender->epoch;
        gossip_emit(gossip, GOSSIP_EVENT_EPOCH, &member->id);
    }
    return peer;
}
