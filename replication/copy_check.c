/* Whether the copies of a slot are equal: both sides of OP_CHECK. */
#include "replication/copy.h"

#include "base/error.h"
#include "replication/copy_internal.h"

#include <stdlib.h>

/* ---- primary ---- */

static bool gets_every_effect(const struct copy_rim *rim, const struct copy_member *member)
{
    return member->stage >= MEMBER_FOLLOWING && !rim->stream_ended(rim->context, member->stream);
}

static bool has_room(const struct copy_rim *rim, const struct copy_member *member)
{
    return rim->stream_has_room(rim->context, member->stream);
}

/* The end of the operation is not noted as the member's position: no reply is to wait for it, and
 * what the member says of the last effect is not to be mistaken for what it says of this. */
static void send_range(const struct copy *copy, const struct copy_rim *rim,
                       struct copy_check *check, const struct op_range *range)
{
    struct buf payload = {0};
    op_encode_check(&payload, check->run, range);
    if (payload.failed) {
        abort(); /* as wherever there is no memory for replication */
    }
    const struct op op = {.kind = OP_CHECK,
                          .slot = copy->index,
                          .view_epoch = copy->epoch,
                          .epoch = copy->effect_epoch,
                          .sequence = copy->sequence,
                          .payload = buf_bytes(&payload)};
    for (size_t i = 0; i < copy->member_count; i++) {
        uint64_t position;
        const struct copy_member *member = &copy->members[i];
        if (gets_every_effect(rim, member) && has_room(rim, member)) {
            rim->stream_append(rim->context, member->stream, &op, &position);
            check->sent++;
        } else {
            check->unsent++;
        }
    }
    buf_deinit(&payload);
}

enum copy_check_result copy_check(const struct copy *copy, const struct copy_rim *rim,
                                  struct copy_check *check, size_t budget)
{
    if (copy->role != COPY_PRIMARY || copy->stage < COPY_JOINING) {
        return COPY_CHECK_GONE;
    }
    bool any = false;
    for (size_t i = 0; i < copy->member_count; i++) {
        const struct copy_member *member = &copy->members[i];
        if (gets_every_effect(rim, member)) {
            any = true;
            /* One that is not waited for may be out of reach for good. */
            if (member->stage == MEMBER_ATTACHED && !has_room(rim, member)) {
                return COPY_CHECK_LATER;
            }
        }
    }
    struct op_range range = {.from = check->place};
    if (any) {
        range.to = rim->data_range_end(rim->context, copy->index, range.from, budget);
        rim->data_digest(rim->context, copy->index, &range);
    }
    send_range(copy, rim, check, &range);
    check->place = range.to;
    return op_place_is_end(range.to) ? COPY_CHECK_DONE : COPY_CHECK_MORE;
}

/* ---- follower ---- */

enum copy_verdict copy_receive_check(const struct copy *copy, const struct copy_rim *rim,
                                     const struct op *op, uint16_t sender, uint64_t generation)
{
    uint64_t run;
    struct op_range theirs;
    if (op_decode_check(op->payload, &run, &theirs) != TORC_OK) {
        return COPY_BROKEN;
    }
    struct standing standing = copy_standing(copy);
    struct standing checked = {true, op->epoch, op->sequence};
    int further = standing_compare(&standing, &checked);
    if (copy->role != COPY_FOLLOWER || !copy->attached || copy->source != sender ||
        copy->generation != generation || further > 0) {
        return COPY_PASSED; /* further: it came before, and was sent again after a reconnect */
    }
    struct op_range ours = {.from = theirs.from, .to = theirs.to};
    rim->data_digest(rim->context, copy->index, &ours);
    return further == 0 && ours.count == theirs.count && ours.digest == theirs.digest
               ? COPY_APPLIED
               : COPY_DIFFERS;
}
