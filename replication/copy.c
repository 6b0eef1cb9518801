/* Roles, taking over, and the follower's side; the primary's is in copy_primary.c. */
#include "replication/copy.h"

#include "base/codec.h"
#include "base/error.h"
#include "replication/copy_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int standing_compare(const struct standing *a, const struct standing *b)
{
    if (a->complete != b->complete) {
        return a->complete ? 1 : -1;
    }
    if (a->effect_epoch != b->effect_epoch) {
        return a->effect_epoch > b->effect_epoch ? 1 : -1;
    }
    return (a->sequence > b->sequence) - (a->sequence < b->sequence);
}

void copy_init(struct copy *copy, uint16_t index)
{
    *copy = (struct copy){.index = index, .leader = COPY_PEER_NONE, .source = COPY_PEER_NONE};
}

static void forget_outcomes(struct outcomes **outcomes)
{
    outcomes_destroy(*outcomes);
    *outcomes = NULL;
}

static void free_members(struct copy *copy)
{
    for (size_t i = 0; i < copy->member_count; i++) {
        pieces_destroy(copy->members[i].pieces);
    }
    free(copy->members);
    copy->members = NULL;
    copy->member_count = 0;
}

void copy_deinit(struct copy *copy)
{
    free_members(copy);
    forget_outcomes(&copy->outcomes);
    forget_outcomes(&copy->incoming);
}

static void forget_members(struct copy *copy)
{
    free_members(copy);
    copy->movable = false;
    copy->acting = false;
    copy->stage = COPY_IDLE;
}

static void detach(struct copy *copy)
{
    copy->attached = false;
    copy->confirmed = false;
}

static void stop_receiving(struct copy *copy, const struct copy_rim *rim)
{
    if (copy->receiving) {
        rim->incoming_drop(rim->context, copy->index);
        forget_outcomes(&copy->incoming);
        copy->receiving = false;
    }
}

static void forget_data(struct copy *copy, const struct copy_rim *rim)
{
    stop_receiving(copy, rim);
    rim->data_clear(rim->context, copy->index);
    forget_outcomes(&copy->outcomes);
    copy->complete = false;
    detach(copy);
    copy->source = COPY_PEER_NONE;
    copy->effect_epoch = 0;
    copy->sequence = 0;
}

/* ---- views ---- */

static bool contains(const uint16_t *nodes, size_t count, int node)
{
    for (size_t i = 0; i < count; i++) {
        if (nodes[i] == node) {
            return true;
        }
    }
    return false;
}

static struct copy_member *find_member(const struct copy *copy, uint16_t peer)
{
    for (size_t i = 0; i < copy->member_count; i++) {
        if (copy->members[i].peer == peer) {
            return &copy->members[i];
        }
    }
    return NULL;
}

/* The members a primary feeds under a view: owners first, then those that are to be. */
static size_t list_members(const struct copy_view *installed, uint16_t slot,
                           struct copy_member out[COPY_MEMBERS_MAX])
{
    uint16_t owners[COPIES_MAX];
    uint16_t learners[VIEW_LEARNERS_MAX];
    uint16_t targets[COPIES_MAX];
    const struct view *view = installed->view;
    size_t owner_count = view_owners(view, slot, owners);
    size_t learner_count = view_learners(view, slot, learners);
    size_t target_count = view_slot_moved(view, slot) ? 0 : view_owners_target(view, slot, targets);
    size_t count = 0;
    for (size_t i = 0; i < owner_count + learner_count; i++) {
        uint16_t node = i < owner_count ? owners[i] : learners[i - owner_count];
        if (node != installed->self && installed->peers[node] != COPY_PEER_NONE) {
            out[count++] = (struct copy_member){.peer = installed->peers[node],
                                                .owner = i < owner_count,
                                                .syncing = view->nodes[node].status == NODE_SYNCING,
                                                .target = contains(targets, target_count, node)};
        }
    }
    return count;
}

/* The slot is to move, somebody who is up is to have it, and nobody is who may come back. */
static bool is_movable(const struct view *view, uint16_t slot)
{
    uint16_t targets[COPIES_MAX];
    size_t up = 0;
    if (!view->changing || view_slot_moved(view, slot)) {
        return false;
    }
    size_t count = view_owners_target(view, slot, targets);
    for (size_t i = 0; i < count; i++) {
        const struct view_node *node = &view->nodes[targets[i]];
        if (node->status == NODE_DOWN && !node->lost) {
            return false;
        }
        up += node->status == NODE_UP;
    }
    return up > 0;
}

/* True if the peer is up by the view: it may go on telling us what was under way. */
static bool is_up(const struct copy_view *installed, uint16_t peer)
{
    for (size_t i = 0; i < installed->view->node_count; i++) {
        if (installed->peers[i] == peer) {
            return installed->view->nodes[i].status == NODE_UP;
        }
    }
    return false;
}

/* True if the member is taken on as it is. One that was an owner and is none any more takes itself
 * for detached. Any other must go on being waited for: it may have told the voters already that it
 * is. */
static bool is_kept(const struct copy_member *before, bool owner)
{
    return owner || !before->owner;
}

static bool is_attached(const struct copy *copy, const struct copy_rim *rim, uint16_t peer)
{
    const struct copy_member *member = find_member(copy, peer);
    return member != NULL && member->stage == MEMBER_ATTACHED &&
           !rim->stream_ended(rim->context, member->stream);
}

/* True if this primary may go on under a view that has another lead, until that one asks: it has
 * missed none, the other is up, so it will ask, and all owners get every effect already. Nobody
 * would take anything else than effects from it. */
static bool may_act(const struct copy *copy, const struct copy_rim *rim,
                    const struct copy_view *installed, const uint16_t *owners, size_t count)
{
    const struct view *view = installed->view;
    bool may = copy_serves(copy) && !installed->demoted && view->epoch == copy->epoch + 1 &&
               count > 0 && view->nodes[owners[0]].status == NODE_UP;
    for (size_t i = 0; i < count && may; i++) {
        may = owners[i] == installed->self || is_attached(copy, rim, installed->peers[owners[i]]);
    }
    return may;
}

/* Of its members the owners by the view remain. */
static void install_acting(struct copy *copy, const struct copy_view *installed,
                           const uint16_t *owners, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < copy->member_count; i++) {
        struct copy_member member = copy->members[i];
        bool owner = false;
        for (size_t j = 0; j < count; j++) {
            owner = owner || installed->peers[owners[j]] == member.peer;
        }
        if (owner) {
            member.owner = true;
            member.target = member.syncing = false;
            copy->members[kept++] = member;
        } else {
            pieces_destroy(member.pieces);
        }
    }
    copy->member_count = (uint8_t)kept;
    copy->movable = false;
    copy->acting = true;
}

bool copy_yield(struct copy *copy)
{
    if (!copy->acting) {
        return false;
    }
    free_members(copy);
    copy->stage = COPY_IDLE;
    copy->acting = false;
    detach(copy);
    copy->role = copy->stays ? COPY_FOLLOWER : COPY_NONE;
    copy->source = copy->stays ? copy->leader : COPY_PEER_NONE;
    copy->none_since = copy->stays ? copy->none_since : copy->epoch;
    return true;
}

static int install_primary(struct copy *copy, const struct copy_rim *rim,
                           const struct copy_view *installed)
{
    struct copy_member listed[COPY_MEMBERS_MAX];
    size_t count = list_members(installed, copy->index, listed);
    bool goes_on = copy->role == COPY_PRIMARY && !installed->demoted;
    bool joined = true;
    for (size_t i = 0; i < count && goes_on; i++) {
        const struct copy_member *before = find_member(copy, listed[i].peer);
        if (before != NULL && before->stream != NULL && is_kept(before, listed[i].owner) &&
            !rim->stream_ended(rim->context, before->stream)) {
            struct copy_member now = listed[i];
            listed[i] = *before;
            listed[i].owner = now.owner;
            listed[i].target = now.target;
            listed[i].syncing = now.syncing;
        }
        joined = joined && (!listed[i].owner || listed[i].stage == MEMBER_ATTACHED);
    }
    struct copy_member *members = NULL;
    if (count > 0) {
        members = malloc(count * sizeof(*members));
        if (members == NULL) {
            return TORC_ENOMEM;
        }
        memcpy(members, listed, count * sizeof(*members));
    }
    for (size_t i = 0; i < count; i++) {
        struct copy_member *before = find_member(copy, listed[i].peer);
        if (before != NULL && listed[i].pieces != NULL) {
            before->pieces = NULL; /* they are those of the new one */
        }
    }
    uint8_t stage = copy->stage;
    if (!goes_on) {
        /* Until whoever led it before has answered, and so stopped, what it has under way is taken.
         */
        bool listens = copy->role == COPY_FOLLOWER && !installed->demoted &&
                       copy->source != COPY_PEER_NONE && is_up(installed, copy->source);
        if (!listens) {
            detach(copy);
        }
        stage = COPY_ASKING;
    } else if (stage == COPY_FETCHING) {
        stage = COPY_ASKING; /* whoever was sending may be gone */
    } else if (stage == COPY_SERVING && !joined) {
        stage = COPY_JOINING;
    }
    forget_members(copy);
    copy->members = members;
    copy->member_count = (uint8_t)count;
    copy->role = COPY_PRIMARY;
    copy->stage = stage;
    copy->leader = COPY_PEER_NONE;
    copy->movable = is_movable(installed->view, copy->index);
    return TORC_OK;
}

static void install_follower(struct copy *copy, const struct copy_rim *rim,
                             const struct copy_view *installed, uint16_t leader)
{
    /* One that has not got further than asking has gone on listening all the time, to whoever may
     * lead again now. */
    bool listened = copy->stage == COPY_ASKING && copy->attached;
    bool was_primary = copy->role == COPY_PRIMARY && !listened;
    forget_members(copy);
    copy->role = COPY_FOLLOWER;
    if (leader != copy->leader || was_primary || installed->demoted) {
        stop_receiving(copy, rim);
    }
    /* Until the new primary attaches us we go on listening to the old one, so that what it had
     * under way is not refused: the new one serves only once the old one has stopped. Not to one
     * that is not up any more: it may not know. */
    bool deposed =
        copy->source != COPY_PEER_NONE && copy->source != leader && !is_up(installed, copy->source);
    if (was_primary || installed->demoted || deposed || copy->source == COPY_PEER_NONE) {
        detach(copy);
        copy->source = leader;
    }
    copy->leader = leader;
}

static void install_none(struct copy *copy, const struct copy_rim *rim,
                         const struct copy_view *installed, bool is_led)
{
    forget_members(copy);
    stop_receiving(copy, rim);
    if (copy->role != COPY_NONE) {
        copy->none_since = installed->view->epoch;
    }
    copy->role = COPY_NONE;
    detach(copy);
    copy->source = COPY_PEER_NONE;
    if (is_led && installed->view->settled_epoch >= copy->none_since) {
        forget_data(copy, rim);
    }
}

/* True if the view says of the slot what the one before said, and the copy is as that one would
 * have it: most slots of most views, while others move. */
static bool is_untouched(const struct copy *copy, const struct copy_rim *rim,
                         const struct copy_view *installed)
{
    const struct view *like = installed->like;
    if (like == NULL || installed->demoted || copy->epoch != like->epoch ||
        installed->view->epoch != like->epoch + 1 ||
        view_slot_moved(like, copy->index) != view_slot_moved(installed->view, copy->index)) {
        return false;
    }
    bool untouched = true;
    switch ((enum copy_role)copy->role) {
    case COPY_NONE:
        untouched = !copy->complete || like->settled_epoch == installed->view->settled_epoch;
        break;
    case COPY_FOLLOWER: untouched = copy->source != COPY_PEER_NONE; break;
    case COPY_PRIMARY:
        untouched = copy_serves(copy) && !copy->acting;
        for (size_t i = 0; i < copy->member_count && untouched; i++) {
            const struct copy_member *member = &copy->members[i];
            untouched =
                !member->syncing && /* or it is told again */
                (member->stream == NULL || !rim->stream_ended(rim->context, member->stream));
        }
    }
    return untouched;
}

int copy_install(struct copy *copy, const struct copy_rim *rim, const struct copy_view *installed)
{
    const struct view *view = installed->view;
    copy->untouched = is_untouched(copy, rim, installed);
    if (copy->untouched) {
        copy->epoch = view->epoch;
        return TORC_OK;
    }
    uint16_t owners[COPIES_MAX];
    uint16_t others[VIEW_LEARNERS_MAX];
    int self = installed->self;
    size_t owner_count = view_owners(view, copy->index, owners);
    bool owner = contains(owners, owner_count, self);
    bool leads = owner && owners[0] == self;
    bool learner = contains(others, view_learners(view, copy->index, others), self);
    bool placed = contains(others, view_owners_placed(view, copy->index, others), self);
    bool holds = contains(others, view_holders(view, copy->index, others), self);
    uint16_t leader = leads || owner_count == 0 ? COPY_PEER_NONE : installed->peers[owners[0]];
    if (copy->role == COPY_NONE && copy->complete && (leads || owner || learner || placed)) {
        forget_data(copy, rim); /* of a time when the slot was ours; others went on without us */
    }
    if (leads) {
        int result = install_primary(copy, rim, installed);
        if (result != TORC_OK) {
            return result;
        }
    } else if (may_act(copy, rim, installed, owners, owner_count)) {
        install_acting(copy, installed, owners, owner_count);
        copy->stays = owner || learner || placed;
        copy->leader = leader;
    } else if (owner || learner || placed) {
        install_follower(copy, rim, installed, leader);
    } else {
        install_none(copy, rim, installed, owner_count > 0);
        copy->leader = leader;
    }
    bool missed = view->epoch != copy->epoch + 1;
    copy->epoch = view->epoch;
    copy->demoted_at = installed->demoted ? view->epoch : copy->demoted_at;
    copy->owner = owner;
    copy->holds = holds;
    copy->needed = placed;
    copy->may_serve = self >= 0 && view->nodes[self].status == NODE_UP;
    copy_attach_again(copy, rim, missed);
    return TORC_OK;
}

bool copy_is_ready(const struct copy *copy)
{
    switch ((enum copy_role)copy->role) {
    case COPY_NONE: return true;
    case COPY_PRIMARY:
        return !copy->acting &&
               (copy->stage == COPY_SERVING || (copy->stage == COPY_JOINING && !copy->may_serve));
    case COPY_FOLLOWER: return !copy->needed || (copy->confirmed && copy->source == copy->leader);
    }
    return false;
}

/* ---- taking over ---- */

bool copy_resolve(struct copy *copy, const struct copy_rim *rim, const struct copy_answers *answers)
{
    if (copy->role != COPY_PRIMARY || copy->stage != COPY_ASKING) {
        return true;
    }
    if (!copy->holds) {
        forget_data(copy, rim); /* what we hold is older than what was lost */
    }
    struct standing ours = copy_standing(copy);
    /* The source has stopped, so its standing is final; what we, and others that follow it, lack of
     * it is on its way already. */
    const struct standing *source = &answers->source;
    bool comes =
        copy->attached && source->complete && standing_compare(&answers->best, source) <= 0;
    bool lacks = standing_compare(&ours, source) < 0 ||
                 (answers->least.complete && standing_compare(&answers->least, source) < 0);
    if (answers->may_wait && comes && lacks) {
        return false;
    }
    if (answers->best.complete && standing_compare(&ours, &answers->best) < 0) {
        copy->source = answers->best_peer;
        detach(copy);
        copy->stage = COPY_FETCHING;
        return true;
    }
    if (!copy->complete) {
        forget_data(copy, rim); /* nobody holds it: it begins empty */
        copy->complete = true;
    }
    stop_receiving(copy, rim);
    detach(copy);
    copy->source = COPY_PEER_NONE;
    copy->stage = COPY_JOINING;
    return true;
}

void copy_note_equal(struct copy *copy, uint16_t peer)
{
    struct copy_member *member = find_member(copy, peer);
    if (member != NULL && member->stage == MEMBER_WANTED) {
        member->equal = true;
    }
}

/* ---- follower ---- */

void copy_note_outcome(struct outcomes **outcomes, const struct once *once, struct bytes reply)
{
    if (*outcomes == NULL) {
        *outcomes = outcomes_create();
    }
    if (*outcomes == NULL || outcomes_note(*outcomes, once, reply) != TORC_OK) {
        abort(); /* a write that is asked for again would be made twice */
    }
}

/* Takes once and reply from the front of a payload. False: they are not lawful. */
static bool receive_outcome(struct outcomes **outcomes, struct bytes *payload)
{
    struct once once;
    struct reader reader;
    if (once_decode(payload, &once) != TORC_OK) {
        return false;
    }
    reader_init(&reader, *payload);
    struct bytes reply = read_bytes32(&reader, OUTCOME_REPLY_SIZE_MAX);
    if (reader.failed) {
        return false;
    }
    *payload = (struct bytes){(const char *)reader.at, reader_left(&reader)};
    copy_note_outcome(outcomes, &once, reply);
    return true;
}

static enum copy_verdict receive_effect(struct copy *copy, const struct copy_rim *rim,
                                        const struct op *op)
{
    if (op->sequence <= copy->sequence && op->epoch <= copy->effect_epoch) {
        return COPY_APPLIED; /* sent again after a reconnect */
    }
    if (op->sequence != copy->sequence + 1) {
        detach(copy); /* something is missing: the sender finds out and refills us */
        return COPY_SKIPPED;
    }
    struct bytes effects = op->payload;
    bool once = (op->flags & OP_FLAG_ONCE) != 0;
    if ((once && !receive_outcome(&copy->outcomes, &effects)) ||
        !rim->data_apply(rim->context, copy->index, effects)) {
        return COPY_BROKEN;
    }
    copy->sequence = op->sequence;
    copy->effect_epoch = op->epoch;
    return COPY_APPLIED;
}

static enum copy_verdict receive_key(const struct copy *copy, const struct copy_rim *rim,
                                     const struct op *op)
{
    struct copy_key key = {.dump = {NULL, 0}};
    if (op->kind == OP_REFILL_EFFECT) {
        return rim->incoming_apply(rim->context, copy->index, op->payload) ? COPY_APPLIED
                                                                           : COPY_BROKEN;
    }
    if (op->kind == OP_REFILL_DROP) {
        key.key = op->payload;
    } else if (op_decode_refill_key(op->payload, &key.key, &key.expire_at_ms, &key.dump) !=
               TORC_OK) {
        return COPY_BROKEN;
    }
    if (op->kind == OP_REFILL_PIECE) {
        bool first = (op->flags & OP_FLAG_FIRST) != 0;
        return rim->incoming_piece(rim->context, copy->index, &key, first) ? COPY_APPLIED
                                                                           : COPY_BROKEN;
    }
    return rim->incoming_key(rim->context, copy->index, &key) ? COPY_APPLIED : COPY_BROKEN;
}

/* What we hold is whole, and all that follows comes from the sender. */
static enum copy_verdict end_refill(struct copy *copy, uint16_t sender, uint64_t generation,
                                    bool confirmed)
{
    copy->source = sender;
    copy->generation = generation;
    if (copy->role == COPY_PRIMARY) {
        copy->source = COPY_PEER_NONE;
        copy->stage = COPY_JOINING;
    } else {
        copy->attached = true;
        copy->confirmed = confirmed;
    }
    return COPY_APPLIED;
}

static enum copy_verdict receive_end(struct copy *copy, const struct copy_rim *rim,
                                     const struct op *op, uint16_t sender, uint64_t generation)
{
    rim->incoming_end(rim->context, copy->index);
    forget_outcomes(&copy->outcomes);
    copy->outcomes = copy->incoming;
    copy->incoming = NULL;
    copy->receiving = false;
    copy->complete = true;
    copy->sequence = op->sequence;
    copy->effect_epoch = op->epoch;
    return end_refill(copy, sender, generation, (op->flags & OP_FLAG_CONFIRM) != 0);
}

/* The sender takes our copy to be equal to its own. */
static enum copy_verdict receive_keep(struct copy *copy, const struct copy_rim *rim,
                                      const struct op *op, uint16_t sender, uint64_t generation)
{
    struct standing ours = copy_standing(copy);
    struct standing theirs = {true, op->epoch, op->sequence};
    if (standing_compare(&ours, &theirs) != 0) {
        return COPY_SKIPPED;
    }
    stop_receiving(copy, rim);
    return end_refill(copy, sender, generation, (op->flags & OP_FLAG_CONFIRM) != 0);
}

/* Whether a refill from that sender is wanted. */
static bool may_refill(const struct copy *copy, uint16_t sender)
{
    return copy->role == COPY_FOLLOWER ? copy->leader == sender
                                       : copy->role == COPY_PRIMARY &&
                                             copy->stage == COPY_FETCHING && copy->source == sender;
}

/* From now on nothing is acknowledged without us. */
static enum copy_verdict receive_confirm(struct copy *copy, uint16_t sender, uint64_t generation)
{
    if (copy->role != COPY_FOLLOWER || !copy->attached || copy->source != sender ||
        copy->generation != generation) {
        return COPY_SKIPPED;
    }
    copy->confirmed = true;
    return COPY_APPLIED;
}

static enum copy_verdict receive_refill(struct copy *copy, const struct copy_rim *rim,
                                        const struct op *op, uint16_t sender, uint64_t generation)
{
    if (op->kind == OP_CONFIRM) {
        return receive_confirm(copy, sender, generation);
    }
    if (op->kind == OP_REFILL_BEGIN) {
        stop_receiving(copy, rim);
        rim->incoming_begin(rim->context, copy->index);
        copy->receiving = true;
        detach(copy);
        copy->source = sender;
        copy->generation = generation;
        return COPY_APPLIED;
    }
    bool keep = op->kind == OP_REFILL_END && (op->flags & OP_FLAG_KEEP) != 0;
    if (keep) {
        return receive_keep(copy, rim, op, sender, generation);
    }
    if (!copy->receiving || copy->generation != generation) {
        return COPY_SKIPPED;
    }
    if (op->kind == OP_REFILL_OUTCOME) {
        struct bytes payload = op->payload;
        bool lawful = receive_outcome(&copy->incoming, &payload) && payload.size == 0;
        return lawful ? COPY_APPLIED : COPY_BROKEN;
    }
    return op->kind == OP_REFILL_END ? receive_end(copy, rim, op, sender, generation)
                                     : receive_key(copy, rim, op);
}

enum copy_verdict copy_receive(struct copy *copy, const struct copy_rim *rim, const struct op *op,
                               uint16_t sender, uint64_t generation, uint64_t own_epoch)
{
    if (op->kind == OP_CHECK) {
        return copy_receive_check(copy, rim, op, sender, generation);
    }
    if (op->kind != OP_EFFECT) {
        /* Under a view that is not installed here it may be undone by that view; by one older than
         * the view that took our standing from us it may lack what others did without us. */
        if (op->view_epoch > copy->epoch) {
            return COPY_LATER;
        }
        return may_refill(copy, sender) && op->view_epoch >= copy->demoted_at
                   ? receive_refill(copy, rim, op, sender, generation)
                   : COPY_SKIPPED;
    }
    bool listens =
        copy->role == COPY_FOLLOWER || (copy->role == COPY_PRIMARY && copy->stage == COPY_ASKING);
    bool from_source = copy->attached && copy->source == sender && copy->generation == generation;
    if ((listens && from_source) || (rim->break_old_epoch && copy->complete)) {
        return receive_effect(copy, rim, op);
    }
    if (op->epoch > own_epoch) {
        return COPY_LATER; /* under that view the sender may be the one to listen to */
    }
    /* One that leads the slot by a newer view than its own, which does not count on us, need not
     * wait for us. The view of the slot: the node's own epoch follows when all slots have it. */
    bool older_view = copy->leader == sender && !copy->owner;
    /* One whose slot has moved away from us, and who does not know it yet: whom it has moved to is
     * waited for as well. */
    bool moved = copy->role == COPY_NONE;
    return (older_view || moved) && op->epoch < copy->epoch ? COPY_APPLIED : COPY_SKIPPED;
}
