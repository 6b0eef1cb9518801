/* TORC.RING: what an operator's tool asks of the ring. The voters decide; see ring/ring_wish.h. */
#include "base/error.h"
#include "node/call.h"
#include "node/commands/handlers.h"
#include "node/control.h"
#include "node/node.h"
#include "node/resp/number.h"
#include "ring/ring_wish.h"

#include <string.h>

static void refuse_wish(struct call *call, int error)
{
    switch (error) {
    case TORC_EAGAIN:
        reply_error(call->reply, "BUSY a ring change is under way: wait for its end, or cancel it");
        return;
    case TORC_ESTALE: reply_error(call->reply, "STALE the ring has changed meanwhile"); return;
    case TORC_EEXIST:
        reply_error(call->reply, "ERR the ring change is being turned back already");
        return;
    case TORC_ENOTFOUND: reply_error(call->reply, "ERR no ring change is under way"); return;
    case TORC_EINVAL:
        reply_error(call->reply, "ERR nobody who is there would be left with a weight");
        return;
    default: call_reply_no_memory(call); return;
    }
}

/* Passes the wish on, or says why not; frees it. */
static void make_wish(struct call *call, struct ring_wish *wish)
{
    struct node *node = worker_node(call->worker);
    const struct view *view = node_view(node);
    int result = view == NULL ? TORC_EAGAIN : ring_wish_check(wish, view);
    if (view == NULL) {
        reply_error(call->reply, CALL_NOT_JOINED);
    } else if (result != TORC_OK) {
        refuse_wish(call, result);
    } else {
        control_wish_ring(node->control, wish);
        reply_ok(call->reply);
    }
    view_release(view);
    ring_wish_deinit(wish);
}

static bool parse_tag(struct bytes text, uint64_t *tag)
{
    *tag = 0;
    for (size_t i = 0; i < text.size; i++) {
        const char *digits = "0123456789abcdef";
        const char *digit = text.data[i] == '\0' ? NULL : strchr(digits, text.data[i]);
        if (digit == NULL) {
            return false;
        }
        *tag = *tag << 4 | (uint64_t)(digit - digits);
    }
    return text.size == 16 && *tag != 0;
}

/* Reads ID WEIGHT or ID REMOVE. False: the error is replied. */
static bool parse_node(struct call *call, size_t at, struct ring_wish_node *node)
{
    struct bytes id = call->argv[at];
    struct bytes weight = call->argv[at + 1];
    uint64_t number = 0;
    *node = (struct ring_wish_node){.remove = call_argument_is(call, at + 1, "remove")};
    if (node_id_parse(&node->id, id) != TORC_OK) {
        reply_error(call->reply, "ERR '%.*s' is no node id", (int)(id.size < 128 ? id.size : 128),
                    id.data);
        return false;
    }
    if (!node->remove && (!parse_uint64(weight, &number) || number > WEIGHT_MAX)) {
        reply_error(call->reply, "ERR a weight is 0 to %d, in thousandths, or 'remove', not '%.*s'",
                    WEIGHT_MAX, (int)(weight.size < 32 ? weight.size : 32), weight.data);
        return false;
    }
    node->weight = (uint32_t)number;
    return true;
}

static bool is_member(struct call *call, const struct node_id *id)
{
    const struct view *view = node_view(worker_node(call->worker));
    bool member = view == NULL || view_find(view, id) >= 0;
    view_release(view);
    if (!member) {
        char text[NODE_ID_TEXT_SIZE];
        node_id_format(id, text);
        reply_error(call->reply, "ERR Unknown node %s", text);
    }
    return member;
}

/* TORC.RING CHANGE TAG ID WEIGHT|REMOVE [ID WEIGHT|REMOVE ...] */
void torc_ring_change_command(struct call *call)
{
    struct ring_wish wish = {0};
    if (call->argc < 5 || call->argc % 2 == 0 || !parse_tag(call->argv[2], &wish.tag)) {
        call_reply_syntax_error(call);
        return;
    }
    for (size_t at = 3; at < call->argc; at += 2) {
        struct ring_wish_node node;
        if (!parse_node(call, at, &node) || !is_member(call, &node.id)) {
            ring_wish_deinit(&wish);
            return;
        }
        int result = ring_wish_add(&wish, &node);
        if (result != TORC_OK) {
            ring_wish_deinit(&wish);
            call_reply_no_memory(call);
            return;
        }
    }
    make_wish(call, &wish);
}

/* TORC.RING CANCEL TAG */
void torc_ring_cancel_command(struct call *call)
{
    struct ring_wish wish = {.cancel = true};
    if (!parse_tag(call->argv[2], &wish.tag)) {
        call_reply_syntax_error(call);
        return;
    }
    make_wish(call, &wish);
}
