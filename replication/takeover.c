#include "replication/takeover.h"

#include "base/codec.h"
#include "base/error.h"

#include <stdlib.h>
#include <string.h>

#define ASK_AGAIN_MS 2     /* after an answer that was no answer */
#define BEHIND_AGAIN_MS 1  /* after one that said that more was on its way */
#define SEND_AGAIN_MS 3000 /* a slot that was promised and did not come */
/* For what the old primary had under way, in a stream that lives; then the slot is sent for. */
#define CATCH_UP_MS 1000
#define STANDING_SIZE 17

enum request_kind { REQUEST_QUERY = 1, REQUEST_SEND = 2, REQUEST_STOP = 3 };
enum send_status { SEND_DONE, SEND_LATER };
enum standing_flag { STANDING_COMPLETE = 1, STANDING_ACTING = 2 };

struct ask {
    bool wanted;  /* its answer is waited for before anything is resolved */
    bool asked;   /* a request is under way */
    uint8_t kind; /* which is it; enum request_kind */
    bool acting;  /* by its answer it serves some of the slots */
    bool behind;  /* by its answer it is to get more from whoever led a slot before: ask again */
    uint64_t again_ms;
    size_t count;      /* of the send under way */
    uint16_t *slots;   /* the same; owned */
    struct buf answer; /* to the query, or the stop: a standing for each of takeover->slots */
};

struct takeover {
    const struct takeover_rim *rim;
    const struct view *view; /* retained; NULL before the first */
    int self;
    uint16_t *peers;    /* of view->nodes */
    uint16_t *slots;    /* asked about */
    uint64_t *sent_for; /* parallel to slots: when it was sent for; 0 = not */
    bool *resolved;     /* parallel to slots */
    size_t slot_count;
    size_t unresolved;
    uint64_t answered_ms; /* when the last answer came, and nobody acted; 0 = not yet */
    struct ask **asks;    /* by peer */
    size_t ask_count;
};

struct takeover *takeover_create(const struct takeover_rim *rim)
{
    struct takeover *takeover = calloc(1, sizeof(*takeover));
    if (takeover == NULL) {
        return NULL;
    }
    takeover->rim = rim;
    takeover->slots = calloc(SLOT_COUNT, sizeof(*takeover->slots));
    takeover->sent_for = calloc(SLOT_COUNT, sizeof(*takeover->sent_for));
    takeover->resolved = calloc(SLOT_COUNT, sizeof(*takeover->resolved));
    if (takeover->slots == NULL || takeover->sent_for == NULL || takeover->resolved == NULL) {
        takeover_destroy(takeover);
        return NULL;
    }
    return takeover;
}

void takeover_destroy(struct takeover *takeover)
{
    if (takeover == NULL) {
        return;
    }
    for (size_t i = 0; i < takeover->ask_count; i++) {
        if (takeover->asks[i] != NULL) {
            buf_deinit(&takeover->asks[i]->answer);
            free(takeover->asks[i]->slots);
            free(takeover->asks[i]);
        }
    }
    free(takeover->asks);
    free(takeover->peers);
    free(takeover->slots);
    free(takeover->sent_for);
    free(takeover->resolved);
    view_release(takeover->view);
    free(takeover);
}

/* ---- beginning ---- */

static struct ask *ask_of(struct takeover *takeover, uint16_t peer)
{
    if (peer >= takeover->ask_count) {
        size_t count = (size_t)peer + 16;
        struct ask **asks = realloc(takeover->asks, count * sizeof(*asks));
        if (asks == NULL) {
            return NULL;
        }
        memset(asks + takeover->ask_count, 0, (count - takeover->ask_count) * sizeof(*asks));
        takeover->asks = asks;
        takeover->ask_count = count;
    }
    if (takeover->asks[peer] == NULL) {
        takeover->asks[peer] = calloc(1, sizeof(struct ask));
    }
    return takeover->asks[peer];
}

static void collect_slots(struct takeover *takeover)
{
    const struct takeover_rim *rim = takeover->rim;
    takeover->slot_count = 0;
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        uint16_t owners[COPIES_MAX];
        if (view_owners(takeover->view, (uint16_t)slot, owners) == 0 ||
            owners[0] != takeover->self) {
            continue; /* not led by this node */
        }
        const struct copy *copy = rim->lock(rim->context, (uint16_t)slot);
        if (copy->role == COPY_PRIMARY && copy->stage == COPY_ASKING) {
            takeover->sent_for[takeover->slot_count] = 0;
            takeover->resolved[takeover->slot_count] = false;
            takeover->slots[takeover->slot_count++] = (uint16_t)slot;
        }
        rim->unlock(rim->context, (uint16_t)slot);
    }
    takeover->unresolved = takeover->slot_count;
}

/* Everybody that is up may have served a slot of ours under an earlier view; and those whose copies
 * count when nobody is up. */
static bool is_asked(const struct takeover *takeover, size_t node)
{
    const struct view *view = takeover->view;
    if ((int)node == takeover->self || view->nodes[node].status == NODE_DOWN) {
        return false;
    }
    if (view->nodes[node].status == NODE_UP) {
        return true;
    }
    for (size_t i = 0; i < takeover->slot_count; i++) {
        uint16_t holders[COPIES_MAX];
        size_t count = view_holders(view, takeover->slots[i], holders);
        for (size_t j = 0; j < count; j++) {
            if (holders[j] == node) {
                return true;
            }
        }
    }
    return false;
}

int takeover_begin(struct takeover *takeover, const struct copy_view *installed)
{
    const struct view *view = installed->view;
    uint16_t *peers = malloc((view->node_count + 1) * sizeof(*peers));
    if (peers == NULL) {
        return TORC_ENOMEM;
    }
    memcpy(peers, installed->peers, view->node_count * sizeof(*peers));
    free(takeover->peers);
    takeover->peers = peers;
    view_release(takeover->view);
    takeover->view = view_retain(view);
    takeover->self = installed->self;
    takeover->answered_ms = 0;
    collect_slots(takeover);
    for (size_t i = 0; i < takeover->ask_count; i++) {
        if (takeover->asks[i] != NULL) {
            takeover->asks[i]->wanted = false;
            takeover->asks[i]->acting = false;
            takeover->asks[i]->asked =
                false; /* an answer to an older request is not taken for one */
            takeover->asks[i]->again_ms = 0;
            takeover->asks[i]->count = 0;
            buf_reset(&takeover->asks[i]->answer, 0);
        }
    }
    for (size_t i = 0; i < view->node_count && takeover->slot_count > 0; i++) {
        struct ask *ask =
            is_asked(takeover, i) && peers[i] != COPY_PEER_NONE ? ask_of(takeover, peers[i]) : NULL;
        if (ask != NULL) {
            ask->wanted = !takeover->rim->break_ask_nobody;
        } else if (is_asked(takeover, i)) {
            return TORC_ENOMEM;
        }
    }
    return TORC_OK;
}

/* ---- asking ---- */

/* A query or a stop. */
static bool write_query(const struct takeover *takeover, enum request_kind kind, struct buf *out)
{
    write_u8(out, (uint8_t)kind);
    write_u64(out, takeover->view->epoch);
    for (size_t i = 0; i < takeover->slot_count; i++) {
        write_u16(out, takeover->slots[i]);
    }
    return !out->failed;
}

/* True if the slot is to be sent for from that peer now. */
static bool is_due(const struct takeover *takeover, size_t index, uint16_t peer, uint64_t now_ms)
{
    const struct takeover_rim *rim = takeover->rim;
    uint16_t slot = takeover->slots[index];
    if (!takeover->resolved[index] ||
        (takeover->sent_for[index] != 0 && now_ms < takeover->sent_for[index] + SEND_AGAIN_MS)) {
        return false;
    }
    const struct copy *copy = rim->lock(rim->context, slot);
    bool due = copy->role == COPY_PRIMARY && copy->stage == COPY_FETCHING && copy->source == peer;
    rim->unlock(rim->context, slot);
    return due;
}

static bool write_send(struct takeover *takeover, struct ask *ask, uint16_t peer, uint64_t now_ms,
                       struct buf *out)
{
    if (ask->slots == NULL) {
        ask->slots = malloc(SLOT_COUNT * sizeof(*ask->slots));
    }
    ask->count = 0;
    write_u8(out, REQUEST_SEND);
    write_u64(out, takeover->view->epoch);
    for (size_t i = 0; i < takeover->slot_count && ask->slots != NULL; i++) {
        if (is_due(takeover, i, peer, now_ms)) {
            write_u16(out, takeover->slots[i]);
            ask->slots[ask->count++] = (uint16_t)i;
            takeover->sent_for[i] = now_ms;
        }
    }
    return ask->count > 0 && !out->failed;
}

static bool is_answered(const struct ask *ask)
{
    return !ask->wanted || buf_size(&ask->answer) > 0;
}

static bool all_answered(const struct takeover *takeover)
{
    for (size_t i = 0; i < takeover->ask_count; i++) {
        if (takeover->asks[i] != NULL && !is_answered(takeover->asks[i])) {
            return false;
        }
    }
    return true;
}

enum takeover_request takeover_request(struct takeover *takeover, uint16_t peer, uint64_t now_ms,
                                       struct buf *out)
{
    struct ask *ask = peer < takeover->ask_count ? takeover->asks[peer] : NULL;
    if (ask == NULL || ask->asked || now_ms < ask->again_ms || takeover->slot_count == 0) {
        return TAKEOVER_NOTHING;
    }
    const size_t before = buf_size(out);
    if (!is_answered(ask)) {
        ask->kind = REQUEST_QUERY;
        ask->asked = write_query(takeover, REQUEST_QUERY, out);
    } else if (ask->acting && all_answered(takeover)) {
        ask->kind = REQUEST_STOP;
        ask->asked = write_query(takeover, REQUEST_STOP, out);
    } else if (takeover->unresolved == 0) {
        ask->kind = REQUEST_SEND;
        ask->asked = write_send(takeover, ask, peer, now_ms, out);
    }
    if (!ask->asked) {
        out->end = out->start + before;
        return TAKEOVER_NOTHING;
    }
    return ask->kind == REQUEST_STOP ? TAKEOVER_STOP : TAKEOVER_QUESTION;
}

uint64_t takeover_epoch(const struct takeover *takeover)
{
    return takeover->view == NULL ? 0 : takeover->view->epoch;
}

/* True if whoever gave these standings serves the slot at that index. */
static bool says_acting(const char *standings, size_t index)
{
    return ((uint8_t)standings[index * STANDING_SIZE] & STANDING_ACTING) != 0;
}

void takeover_answered(struct takeover *takeover, uint16_t peer, uint64_t epoch,
                       struct bytes answer, uint64_t now_ms)
{
    struct ask *ask = peer < takeover->ask_count ? takeover->asks[peer] : NULL;
    if (ask == NULL || !ask->asked || epoch != takeover_epoch(takeover)) {
        return;
    }
    ask->asked = false;
    ask->again_ms = now_ms + ASK_AGAIN_MS;
    if (ask->kind != REQUEST_SEND) {
        if (answer.data != NULL && answer.size == takeover->slot_count * STANDING_SIZE) {
            buf_reset(&ask->answer, SIZE_MAX);
            buf_append(&ask->answer, answer.data, answer.size);
            ask->acting = false;
            for (size_t i = 0; i < takeover->slot_count && !ask->acting; i++) {
                ask->acting = says_acting(answer.data, i);
            }
            ask->again_ms = 0;
        }
        return;
    }
    for (size_t i = 0; i < ask->count; i++) {
        if (answer.data == NULL || answer.size != ask->count || answer.data[i] != SEND_DONE) {
            takeover->sent_for[ask->slots[i]] = 0;
        }
    }
    ask->count = 0;
}

bool takeover_waits_for(const struct takeover *takeover, uint16_t peer)
{
    const struct ask *ask = peer < takeover->ask_count ? takeover->asks[peer] : NULL;
    return ask != NULL && takeover->unresolved > 0 && (!is_answered(ask) || ask->acting);
}

/* ---- resolving ---- */

static struct standing standing_at(const struct ask *ask, size_t index)
{
    struct reader reader;
    reader_init(&reader,
                (struct bytes){buf_head(&ask->answer) + index * STANDING_SIZE, STANDING_SIZE});
    struct standing standing = {.complete = (read_u8(&reader) & STANDING_COMPLETE) != 0};
    standing.effect_epoch = read_u64(&reader);
    standing.sequence = read_u64(&reader);
    return standing;
}

/* What a peer has answered about one slot; false = it was not asked. */
static bool answer_of_peer(const struct takeover *takeover, uint16_t peer, size_t index,
                           struct standing *out)
{
    const struct ask *ask = peer < takeover->ask_count ? takeover->asks[peer] : NULL;
    if (ask == NULL || buf_size(&ask->answer) == 0) {
        return false;
    }
    *out = standing_at(ask, index);
    return true;
}

/* The same of one node of the view. */
static bool answer_of(const struct takeover *takeover, uint16_t node, size_t index,
                      struct standing *out)
{
    return answer_of_peer(takeover, takeover->peers[node], index, out);
}

/* The answers of those whose copies count. */
static void collect_answers(const struct takeover *takeover, size_t index,
                            const uint16_t holders[COPIES_MAX], size_t count,
                            struct copy_answers *out)
{
    for (size_t i = 0; i < count; i++) {
        struct standing theirs;
        if (!answer_of(takeover, holders[i], index, &theirs)) {
            continue;
        }
        if (standing_compare(&theirs, &out->best) > 0) {
            out->best = theirs;
            out->best_peer = takeover->peers[holders[i]];
        }
        if (theirs.complete &&
            (!out->least.complete || standing_compare(&theirs, &out->least) < 0)) {
            out->least = theirs;
        }
    }
}

/* Those who lack something of what the source has are asked again. */
static void ask_again(struct takeover *takeover, size_t index, const uint16_t holders[COPIES_MAX],
                      size_t count, const struct standing *source)
{
    for (size_t i = 0; i < count; i++) {
        struct standing theirs;
        if (answer_of(takeover, holders[i], index, &theirs) &&
            standing_compare(&theirs, source) < 0) {
            takeover->asks[takeover->peers[holders[i]]]->behind = true;
        }
    }
}

static bool resolve(struct takeover *takeover, size_t index, bool may_wait)
{
    const struct takeover_rim *rim = takeover->rim;
    uint16_t slot = takeover->slots[index];
    uint16_t holders[COPIES_MAX];
    size_t count = view_holders(takeover->view, slot, holders);
    struct copy_answers answers = {.best_peer = COPY_PEER_NONE, .may_wait = may_wait};
    collect_answers(takeover, index, holders, count, &answers);
    struct copy *copy = rim->lock(rim->context, slot);
    (void)answer_of_peer(takeover, copy->source, index, &answers.source);
    bool resolved = copy_resolve(copy, rim->copies, &answers);
    struct standing ours = copy_standing(copy);
    if (resolved && copy->stage == COPY_FETCHING) {
        ours = answers.best; /* as it will be */
    }
    for (size_t i = 0; i < count && resolved; i++) {
        struct standing theirs;
        if (answer_of(takeover, holders[i], index, &theirs) &&
            standing_compare(&theirs, &ours) == 0) {
            copy_note_equal(copy, takeover->peers[holders[i]]);
        }
    }
    if (resolved && rim->resolved != NULL) {
        rim->resolved(rim->context, slot);
    }
    rim->unlock(rim->context, slot);
    if (!resolved) {
        ask_again(takeover, index, holders, count, &answers.source);
    }
    return resolved;
}

/* All have answered. True if somebody serves the slot. */
static bool is_served(const struct takeover *takeover, size_t index)
{
    for (size_t i = 0; i < takeover->ask_count; i++) {
        const struct ask *ask = takeover->asks[i];
        if (ask != NULL && ask->acting && says_acting(buf_head(&ask->answer), index)) {
            return true;
        }
    }
    return false;
}

static bool anybody_acts(const struct takeover *takeover)
{
    for (size_t i = 0; i < takeover->ask_count; i++) {
        if (takeover->asks[i] != NULL && takeover->asks[i]->acting) {
            return true;
        }
    }
    return false;
}

static void forget_behind(struct takeover *takeover, uint64_t now_ms)
{
    for (size_t i = 0; i < takeover->ask_count; i++) {
        struct ask *ask = takeover->asks[i];
        if (ask != NULL && ask->behind && !ask->asked) {
            buf_reset(&ask->answer, 0);
            ask->again_ms = now_ms + BEHIND_AGAIN_MS;
        }
        if (ask != NULL) {
            ask->behind = false;
        }
    }
}

size_t takeover_unresolved(const struct takeover *takeover)
{
    return takeover->unresolved;
}

size_t takeover_tick(struct takeover *takeover, uint64_t now_ms)
{
    if (takeover->view == NULL || takeover->unresolved == 0) {
        return 0;
    }
    if (!all_answered(takeover)) {
        return takeover->unresolved;
    }
    const bool acted = anybody_acts(takeover);
    if (takeover->answered_ms == 0 && !acted) {
        takeover->answered_ms = now_ms;
    }
    const bool may_wait =
        takeover->answered_ms == 0 || now_ms < takeover->answered_ms + CATCH_UP_MS;
    for (size_t i = 0; i < takeover->slot_count; i++) {
        if (!takeover->resolved[i] && !(acted && is_served(takeover, i)) &&
            resolve(takeover, i, may_wait)) {
            takeover->resolved[i] = true;
            takeover->unresolved--;
        }
    }
    forget_behind(takeover, now_ms);
    return takeover->unresolved;
}

/* ---- answering ---- */

static void write_standing(struct buf *out, const struct copy *copy, bool acting)
{
    const struct standing standing = copy_standing(copy);
    write_u8(out, (uint8_t)((standing.complete ? STANDING_COMPLETE : 0) |
                            (acting ? STANDING_ACTING : 0)));
    write_u64(out, standing.effect_epoch);
    write_u64(out, standing.sequence);
}

static void stop(const struct takeover_rim *rim, struct copy *copy)
{
    if (copy_yield(copy) && rim->stopped != NULL) {
        rim->stopped(rim->context, copy->index);
    }
}

int takeover_serve(const struct takeover_rim *rim, uint16_t asker, uint64_t own_epoch,
                   struct bytes request, struct buf *answer)
{
    struct reader reader;
    reader_init(&reader, request);
    uint8_t kind = read_u8(&reader);
    uint64_t epoch = read_u64(&reader);
    if (reader.failed || kind < REQUEST_QUERY || kind > REQUEST_STOP ||
        reader_left(&reader) % sizeof(uint16_t) != 0) {
        return TORC_ECORRUPT;
    }
    if (epoch != own_epoch) {
        return TORC_ESTALE;
    }
    bool same = true; /* a view may be on its way into the copies */
    while (reader_left(&reader) > 0) {
        uint16_t slot = read_u16(&reader);
        if (slot >= SLOT_COUNT) {
            return TORC_ECORRUPT;
        }
        struct copy *copy = rim->lock(rim->context, slot);
        same = same && copy->epoch == epoch;
        if (!same) {
            rim->unlock(rim->context, slot);
            break;
        }
        if (kind == REQUEST_SEND) {
            write_u8(answer, copy_send_whole(copy, rim->copies, asker) ? SEND_DONE : SEND_LATER);
        } else {
            const bool stops = kind == REQUEST_STOP && copy->leader == asker;
            if (stops && !rim->break_go_on) {
                stop(rim, copy);
            }
            write_standing(answer, copy, copy->acting && !stops);
        }
        rim->unlock(rim->context, slot);
    }
    if (answer->failed) {
        return TORC_ENOMEM;
    }
    return same ? TORC_OK : TORC_ESTALE;
}
