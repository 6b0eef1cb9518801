/* The primary's side of a copy: telling its members, attaching them. */
#include "replication/copy.h"

#include "base/codec.h"
#include "base/error.h"
#include "replication/copy_internal.h"

#include <stdlib.h>

/* A key that is changed while its slot is refilled is sent whole. One of this size and more only
 * the first time; then what is done to it is told. So many keys are remembered for that. */
#ifndef COPY_TOLD_SIZE_MIN
#define COPY_TOLD_SIZE_MIN 4096u
#endif
#define COPY_TOLD_MAX 1024u

struct feed {
    const struct copy_rim *rim;
    const struct copy *copy;
    struct copy_member *member;
    struct buf payload;
    bool piece, first; /* what is sent is a piece, and the first one */
    bool sent;         /* something was */
    size_t size;       /* of what was sent last */
};

static void append(const struct copy_rim *rim, const struct copy *copy, struct copy_member *member,
                   struct op op)
{
    op.slot = copy->index;
    op.view_epoch = copy->epoch;
    rim->stream_append(rim->context, member->stream, &op, &member->position);
}

static void send_key(void *context, const struct copy_key *key)
{
    struct feed *feed = context;
    if (key->big) {
        pieces_add(&feed->member->pieces, key->key, PIECES_WAITING);
        return;
    }
    if (key->dump.data == NULL) {
        append(feed->rim, feed->copy, feed->member,
               (struct op){.kind = OP_REFILL_DROP, .payload = key->key});
        return;
    }
    buf_reset(&feed->payload, SIZE_MAX);
    op_encode_refill_key(&feed->payload, key->key, key->expire_at_ms, key->dump.size);
    if (feed->payload.failed) {
        abort(); /* a copy with a key missing would look whole */
    }
    append(feed->rim, feed->copy, feed->member,
           (struct op){.kind = feed->piece ? OP_REFILL_PIECE : OP_REFILL_KEY,
                       .flags = feed->first ? OP_FLAG_FIRST : 0,
                       .payload = buf_bytes(&feed->payload),
                       .more = key->dump});
    feed->sent = true;
    feed->size = key->dump.size;
}

/* Of one that was sent in pieces and is not big any more. */
static void send_whole_key(void *context, const struct copy_key *key)
{
    struct feed *feed = context;
    feed->piece = feed->first = false;
    send_key(context, key);
}

static void begin_refill(const struct copy_rim *rim, const struct copy *copy,
                         struct copy_member *member)
{
    append(rim, copy, member, (struct op){.kind = OP_REFILL_BEGIN});
    member->stage = MEMBER_REFILLING;
    member->cursor = 0;
    member->scanned = false;
    pieces_destroy(member->pieces);
    member->pieces = NULL;
}

static void attach(const struct copy_rim *rim, const struct copy *copy, struct copy_member *member,
                   bool equal)
{
    /* An owner is waited for in any case; one that is to be, once it has caught up. */
    bool confirm = member->owner || member->stage == MEMBER_ATTACHED;
    append(rim, copy, member,
           (struct op){.kind = OP_REFILL_END,
                       .flags =
                           (uint8_t)((equal ? OP_FLAG_KEEP : 0) | (confirm ? OP_FLAG_CONFIRM : 0)),
                       .epoch = copy->effect_epoch,
                       .sequence = copy->sequence});
    member->stage = confirm ? MEMBER_ATTACHED : MEMBER_FOLLOWING;
    member->attached_at = member->position;
    pieces_destroy(member->pieces);
    member->pieces = NULL;
}

/* It has caught up: it is waited for from here on, and told so. */
static void confirm(const struct copy_rim *rim, const struct copy *copy, struct copy_member *member)
{
    append(rim, copy, member, (struct op){.kind = OP_CONFIRM});
    member->stage = MEMBER_ATTACHED;
    member->attached_at = member->position;
}

void copy_attach_again(struct copy *copy, const struct copy_rim *rim, bool missed)
{
    for (size_t i = 0; i < copy->member_count; i++) {
        const struct copy_member *member = &copy->members[i];
        if (member->stage >= MEMBER_FOLLOWING && (missed || member->syncing)) {
            attach(rim, copy, &copy->members[i], true);
        }
    }
}

/* ---- effects ---- */

/* An effect on one big key alone that is being sent, or has been. */
static void tell_piece(const struct copy_rim *rim, const struct copy *copy,
                       struct copy_member *member, struct piece_key *item, struct bytes effects)
{
    enum piece_verdict verdict = PIECE_TELL;
    if (item->stage == PIECES_ACTIVE) {
        verdict = rim->piece_effect(rim->context, copy->index, effects, &item->cursor);
    }
    if (item->stage == PIECES_WAITING || verdict == PIECE_SKIP) {
        return;
    }
    if (verdict == PIECE_BEGIN) {
        item->stage = PIECES_WAITING;
        return;
    }
    append(rim, copy, member, (struct op){.kind = OP_REFILL_EFFECT, .payload = effects});
}

/* A key that has changed and is not among the member's pieces. */
static void send_changed_key(struct feed *feed, struct bytes key)
{
    struct pieces **pieces = &feed->member->pieces;
    feed->size = 0;
    feed->rim->data_key(feed->rim->context, feed->copy->index, key, send_key, feed);
    if (feed->size >= COPY_TOLD_SIZE_MIN && (*pieces == NULL || (*pieces)->count < COPY_TOLD_MAX)) {
        pieces_add(pieces, key, PIECES_DONE);
    }
}

/* Whatever side of the cursor they are on: a key is sent as it is now, so twice does no harm. Of
 * one that is not small that would be too much again and again. */
static void send_changed(const struct copy_rim *rim, const struct copy *copy,
                         struct copy_member *member, struct bytes effects, const struct bytes *keys,
                         size_t key_count)
{
    if (rim->break_wrong_cursor_side) {
        return;
    }
    if (keys == NULL) {
        begin_refill(rim, copy, member);
        return;
    }
    /* Of a command on one key nothing else that it names can have changed. */
    bool single = key_count > 0 && rim->effect_is_on(rim->context, effects, keys[0]);
    struct feed feed = {.rim = rim, .copy = copy, .member = member};
    for (size_t i = 0; i < (single ? 1 : key_count); i++) {
        struct piece_key *item = pieces_find(member->pieces, keys[i]);
        if (item == NULL) {
            send_changed_key(&feed, keys[i]);
        } else if (single) {
            tell_piece(rim, copy, member, item, effects);
        } else {
            item->stage = PIECES_WAITING;
        }
    }
    buf_deinit(&feed.payload);
}

static void encode_outcome(struct buf *out, const struct once *once, struct bytes reply)
{
    once_encode(out, once);
    write_bytes32(out, reply.size > OUTCOME_REPLY_SIZE_MAX ? (struct bytes){NULL, 0} : reply);
    if (out->failed) {
        abort(); /* the copies would differ */
    }
}

static void send_outcome(void *context, const struct once *once, struct bytes reply)
{
    struct feed *feed = context;
    buf_reset(&feed->payload, SIZE_MAX);
    encode_outcome(&feed->payload, once, reply);
    append(feed->rim, feed->copy, feed->member,
           (struct op){.kind = OP_REFILL_OUTCOME, .payload = buf_bytes(&feed->payload)});
}

void copy_publish(struct copy *copy, const struct copy_rim *rim, struct bytes effects,
                  const struct bytes *keys, size_t key_count)
{
    copy_publish_once(copy, rim, effects, keys, key_count, NULL, (struct bytes){NULL, 0});
}

void copy_age(struct copy *copy)
{
    if (copy->outcomes != NULL) {
        outcomes_age(copy->outcomes);
    }
}

void copy_publish_once(struct copy *copy, const struct copy_rim *rim, struct bytes effects,
                       const struct bytes *keys, size_t key_count, const struct once *once,
                       struct bytes reply)
{
    copy_count_effect(copy);
    struct op op = {
        .kind = OP_EFFECT, .epoch = copy->epoch, .sequence = copy->sequence, .payload = effects};
    struct buf payload = {0};
    if (once != NULL) {
        copy_note_outcome(&copy->outcomes, once, reply);
    }
    if (once != NULL && copy->member_count > 0) {
        encode_outcome(&payload, once, reply);
        op.flags = OP_FLAG_ONCE;
        op.payload = buf_bytes(&payload);
        op.more = effects;
    }
    for (size_t i = 0; i < copy->member_count; i++) {
        struct copy_member *member = &copy->members[i];
        if (member->stage == MEMBER_FOLLOWING &&
            !rim->stream_has_room(rim->context, member->stream)) {
            member->stage = MEMBER_WANTED; /* out of reach: it is refilled when it is not */
            member->equal = false;
        } else if (member->stage >= MEMBER_FOLLOWING) {
            append(rim, copy, member, op);
        } else if (member->stage == MEMBER_REFILLING) {
            send_changed(rim, copy, member, effects, keys, key_count);
        } else {
            member->equal = false;
        }
    }
    buf_deinit(&payload);
}

/* ---- attaching ---- */

/* The next piece of a big key. */
static void refill_piece(const struct copy_rim *rim, const struct copy *copy,
                         struct copy_member *member, struct piece_key *item, size_t budget)
{
    struct feed feed = {.rim = rim,
                        .copy = copy,
                        .member = member,
                        .piece = true,
                        .first = item->stage == PIECES_WAITING};
    uint64_t cursor = feed.first ? 0 : item->cursor;
    item->cursor = rim->data_piece(rim->context, copy->index, piece_key_bytes(item), cursor, budget,
                                   send_key, &feed);
    item->stage = item->cursor == 0 ? PIECES_DONE : PIECES_ACTIVE;
    if (!feed.sent) { /* it is gone, or has become small */
        struct piece_key was = *item;
        *item = (struct piece_key){0};
        pieces_forget(member->pieces, item);
        rim->data_key(rim->context, copy->index, piece_key_bytes(&was), send_whole_key, &feed);
        free(was.key);
    }
    buf_deinit(&feed.payload);
}

static void refill(const struct copy_rim *rim, const struct copy *copy, struct copy_member *member,
                   size_t budget)
{
    struct feed feed = {.rim = rim, .copy = copy, .member = member};
    struct piece_key *item = pieces_next(member->pieces);
    if (rim->break_attach_early && member->cursor != 0) {
        attach(rim, copy, member, false);
        return;
    }
    if (item != NULL) {
        refill_piece(rim, copy, member, item, budget);
    } else if (!member->scanned) {
        member->cursor =
            rim->data_scan(rim->context, copy->index, member->cursor, budget, send_key, &feed);
        member->scanned = member->cursor == 0;
    }
    if (member->scanned && pieces_next(member->pieces) == NULL) {
        outcomes_each(copy->outcomes, send_outcome, &feed);
        attach(rim, copy, member, false);
    }
    buf_deinit(&feed.payload);
}

/* What the member has acknowledged of what attached it and of the last that it was sent. */
static enum member_acks look(const struct copy_rim *rim, const struct copy_member *member)
{
    enum member_acks attached =
        rim->stream_acks(rim->context, member->stream, member->attached_at, member->attached_at);
    bool skipped = attached == MEMBER_ACKS_SKIPPED ||
                   rim->stream_acks(rim->context, member->stream, member->position,
                                    member->position) == MEMBER_ACKS_SKIPPED;
    return skipped ? MEMBER_ACKS_SKIPPED : attached;
}

/* Whoever loses an owner does not serve; who acts cannot attach it again. */
static void step_acting(const struct copy_rim *rim, struct copy *copy)
{
    for (size_t i = 0; i < copy->member_count; i++) {
        const struct copy_member *member = &copy->members[i];
        if (rim->stream_ended(rim->context, member->stream) ||
            look(rim, member) == MEMBER_ACKS_SKIPPED) {
            copy->stage = COPY_JOINING;
        }
    }
}

/* True if there is more to do for the member. */
static bool step_member(const struct copy_rim *rim, struct copy *copy, struct copy_member *member,
                        size_t budget)
{
    if (member->stream != NULL && rim->stream_ended(rim->context, member->stream)) {
        member->stream = NULL;
        member->stage = MEMBER_WANTED;
        member->equal = false;
    }
    if (member->stage >= MEMBER_FOLLOWING) {
        enum member_acks acks = look(rim, member);
        if (acks == MEMBER_ACKS_DONE && member->stage == MEMBER_FOLLOWING) {
            confirm(rim, copy, member);
        }
        if (acks != MEMBER_ACKS_SKIPPED) {
            return member->stage == MEMBER_FOLLOWING;
        }
        member->owner = member->owner || member->stage == MEMBER_ATTACHED;
        member->stage = MEMBER_WANTED; /* it lost its place, and says so */
        member->equal = false;
    }
    if (member->stage == MEMBER_WANTED) {
        member->stream = rim->stream_to(rim->context, member->peer, copy->index);
        if (member->stream == NULL) {
            return true;
        }
        if (member->equal) {
            attach(rim, copy, member, true);
            return member->stage == MEMBER_FOLLOWING;
        }
        if (budget == 0 || !rim->stream_has_room(rim->context, member->stream)) {
            return true;
        }
        begin_refill(rim, copy, member);
    }
    if (member->stage == MEMBER_REFILLING && budget > 0 &&
        rim->stream_has_room(rim->context, member->stream)) {
        refill(rim, copy, member, budget);
    }
    return member->stage != MEMBER_ATTACHED;
}

bool copy_is_urgent(const struct copy *copy)
{
    if (copy->role != COPY_PRIMARY || copy->stage < COPY_JOINING) {
        return false;
    }
    bool refilling = false;
    for (size_t i = 0; i < copy->member_count; i++) {
        refilling = refilling || copy->members[i].stage == MEMBER_REFILLING;
    }
    return refilling || copy->stage == COPY_JOINING;
}

bool copy_awaits(const struct copy *copy)
{
    bool awaits = copy->role == COPY_PRIMARY && copy->stage == COPY_JOINING;
    for (size_t i = 0; i < copy->member_count; i++) {
        const struct copy_member *member = &copy->members[i];
        awaits = awaits || member->stage == MEMBER_FOLLOWING ||
                 (member->stage == MEMBER_WANTED && (member->equal || member->stream == NULL));
    }
    return awaits;
}

uint16_t copy_lacking(const struct copy *copy)
{
    uint16_t peer = COPY_PEER_NONE;
    for (size_t i = 0; i < copy->member_count; i++) {
        const struct copy_member *member = &copy->members[i];
        if (member->stage == MEMBER_REFILLING ||
            (member->stage == MEMBER_WANTED && !member->equal)) {
            if (peer != COPY_PEER_NONE) {
                return COPY_PEER_NONE;
            }
            peer = member->peer;
        }
    }
    return peer;
}

bool copy_step(struct copy *copy, const struct copy_rim *rim, size_t budget)
{
    if (copy->role != COPY_PRIMARY || copy->stage < COPY_JOINING) {
        return false; /* what comes next is the takeover's to do */
    }
    bool more = false;
    bool joined = true;
    if (copy->acting) {
        step_acting(rim, copy);
        return false;
    }
    for (size_t i = 0; i < copy->member_count; i++) {
        more = step_member(rim, copy, &copy->members[i], budget) || more;
        joined = joined && (!copy->members[i].owner || copy->members[i].stage == MEMBER_ATTACHED);
    }
    joined = joined || rim->break_serve_before_joined;
    copy->stage = joined && copy->may_serve ? COPY_SERVING : COPY_JOINING;
    return more;
}

/* ---- moving ---- */

bool copy_can_move(const struct copy *copy, const struct copy_rim *rim)
{
    bool can = copy->movable && copy_serves(copy);
    for (size_t i = 0; i < copy->member_count && can && !rim->break_move_early; i++) {
        const struct copy_member *member = &copy->members[i];
        can =
            !member->target || (member->stage == MEMBER_ATTACHED &&
                                rim->stream_acks(rim->context, member->stream, member->attached_at,
                                                 member->attached_at) == MEMBER_ACKS_DONE);
    }
    return can;
}

/* ---- the whole at once, to a new primary that holds less ---- */

bool copy_send_whole(struct copy *copy, const struct copy_rim *rim, uint16_t peer)
{
    struct copy_member receiver = {.peer = peer,
                                   .stream = rim->stream_to(rim->context, peer, copy->index)};
    if (receiver.stream == NULL || !copy->complete || copy->role == COPY_PRIMARY ||
        !rim->stream_has_room(rim->context, receiver.stream)) {
        return false;
    }
    begin_refill(rim, copy, &receiver);
    while (receiver.stage == MEMBER_REFILLING) {
        refill(rim, copy, &receiver, SIZE_MAX);
    }
    return true;
}
