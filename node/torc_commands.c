/* What nodes, and client libraries that know Torc, say to a node: views and gossip. */
#include "base/error.h"
#include "node/call.h"
#include "node/clock.h"
#include "node/commands/handlers.h"
#include "node/control.h"
#include "node/node.h"
#include "node/quorum_driver.h"

/* TORC.VIEW: the view as its bytes. */
void torc_view_command(struct call *call)
{
    struct node *node = worker_node(call->worker);
    if (call->argc != 1) {
        call_reply_syntax_error(call);
        return;
    }
    const struct view *view = node_view(node);
    if (view == NULL) {
        reply_error(call->reply, CALL_NOT_JOINED);
        return;
    }
    struct buf encoded = {0};
    view_encode(view, &encoded);
    view_release(view);
    if (encoded.failed) {
        call_reply_no_memory(call);
    } else {
        reply_bulk(call->reply, buf_bytes(&encoded));
    }
    buf_deinit(&encoded);
}

/* torc.quorum MESSAGE: for the control thread, which answers with messages of its own. */
void torc_quorum_command(struct call *call)
{
    if (call->argc != 2) {
        call_reply_syntax_error(call);
        return;
    }
    int result = quorum_driver_post(worker_node(call->worker)->control, call->argv[1]);
    if (result != TORC_OK) {
        reply_error(call->reply, "ERR the message is dropped: %s", torc_strerror(result));
    } else {
        reply_ok(call->reply);
    }
}

/* torc.gossip STATE: merges the sender's state and answers with ours. */
void torc_gossip_command(struct call *call)
{
    struct node *node = worker_node(call->worker);
    struct buf state = {0};
    if (call->argc != 2) {
        call_reply_syntax_error(call);
        return;
    }
    int result = TORC_EAGAIN;
    pthread_mutex_lock(&node->gossip_lock);
    if (node->gossip != NULL) {
        result = gossip_merge_state(node->gossip, call->argv[1], clock_monotonic_ms());
        gossip_encode_state(node->gossip, &state);
    }
    pthread_mutex_unlock(&node->gossip_lock);
    if (result != TORC_OK || state.failed) {
        reply_error(call->reply, "ERR the state is refused: %s",
                    torc_strerror(state.failed ? TORC_ENOMEM : result));
    } else {
        reply_bulk(call->reply, buf_bytes(&state));
    }
    buf_deinit(&state);
}
