#include "node/commands/subscription.h"

#include "node/call.h"
#include "node/commands/handlers.h"
#include "node/invalidation.h"
#include "node/node.h"

bool session_is_subscribed(const struct session *session)
{
    return (atomic_load_explicit(&session->tracking, memory_order_relaxed) & SESSION_SUBSCRIBED) !=
           0;
}

bool subscription_refuses(const struct session *session, const struct command *command,
                          struct reply_writer *writer)
{
    if (TORC_LIKELY(!session_is_subscribed(session)) || session->protocol != 2 ||
        command->handler == ping_command || command->handler == subscribe_command ||
        command->handler == unsubscribe_command || command->handler == quit_command ||
        command->handler == reset_command) {
        return false;
    }
    reply_error(writer,
                "ERR Can't execute '%s': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / "
                "RESET are allowed in this context",
                command->name);
    return true;
}

static void reply_change(struct call *call, const char *kind, struct bytes channel)
{
    reply_push(call->reply, 3);
    reply_bulk_text(call->reply, kind);
    if (channel.data == NULL) {
        reply_null(call->reply);
    } else {
        reply_bulk(call->reply, channel);
    }
    reply_integer(call->reply, session_is_subscribed(call->session));
}

static bool is_the_channel(struct bytes channel)
{
    return bytes_equal(channel, BYTES_LITERAL(INVALIDATION_CHANNEL));
}

void subscribe_command(struct call *call)
{
    for (size_t i = 1; i < call->argc; i++) {
        if (!is_the_channel(call->argv[i])) {
            reply_error(call->reply, "ERR Torc has no channels but " INVALIDATION_CHANNEL
                                     ", on which CLIENT TRACKING tells of changes");
            return;
        }
    }
    atomic_fetch_or(&call->session->tracking, SESSION_SUBSCRIBED);
    for (size_t i = 1; i < call->argc; i++) {
        reply_change(call, "subscribe", call->argv[i]);
    }
    worker_expect_replies(call->worker, (unsigned)call->argc - 2);
}

/* One reply for each channel that is named, subscribed to or not; without any, for each that was
 * subscribed to, or one that says that there was none. */
void unsubscribe_command(struct call *call)
{
    bool subscribed = session_is_subscribed(call->session);
    if (call->argc == 1) {
        atomic_fetch_and(&call->session->tracking, ~(unsigned)SESSION_SUBSCRIBED);
        reply_change(call, "unsubscribe",
                     subscribed ? BYTES_LITERAL(INVALIDATION_CHANNEL) : (struct bytes){NULL, 0});
        return;
    }
    for (size_t i = 1; i < call->argc; i++) {
        if (is_the_channel(call->argv[i])) {
            atomic_fetch_and(&call->session->tracking, ~(unsigned)SESSION_SUBSCRIBED);
        }
        struct bytes named = {call->argv[i].size == 0 ? "" : call->argv[i].data,
                              call->argv[i].size};
        reply_change(call, "unsubscribe", named);
    }
    worker_expect_replies(call->worker, (unsigned)call->argc - 2);
}
