#include "node/commands/connection.h"
#include "node/call.h"

#include "node/commands/handlers.h"
#include "node/commands/subscription.h"
#include "node/node.h"
#include "node/resp/number.h"
#include "node/session.h"
#include "node/version.h"

#include <assert.h>
#include <string.h>

void ping_command(struct call *call)
{
    if (call->argc > 2) {
        reply_error(call->reply, "ERR wrong number of arguments for 'ping' command");
    } else if (call->session != NULL && call->session->protocol == 2 &&
               session_is_subscribed(call->session)) {
        reply_array(call->reply, 2);
        reply_bulk_text(call->reply, "pong");
        reply_bulk(call->reply, call->argc == 2 ? call->argv[1] : (struct bytes){"", 0});
    } else if (call->argc == 2) {
        reply_bulk(call->reply, call->argv[1]);
    } else {
        reply_simple(call->reply, "PONG");
    }
}

void echo_command(struct call *call)
{
    reply_bulk(call->reply, call->argv[1]);
}

void quit_command(struct call *call)
{
    session_end(call->session);
    reply_ok(call->reply);
}

void asking_command(struct call *call)
{
    /* A slot that is being handed over is served by its old owner until the very view that names
     * the new one, so there is nothing that an ASK would have to allow. */
    reply_ok(call->reply);
}

/* On the direct port reads are then answered by replicas too, perhaps from a moment ago; on the
 * client port the primary answers in either mode. */
void readonly_command(struct call *call)
{
    call->session->readonly = true;
    reply_ok(call->reply);
}

void readwrite_command(struct call *call)
{
    call->session->readonly = false;
    reply_ok(call->reply);
}

void select_command(struct call *call)
{
    int64_t database = 0;
    if (!call_argument_int64(call, 1, &database)) {
        return;
    }
    if (database != 0) {
        reply_error(call->reply, "ERR SELECT is not allowed in cluster mode");
        return;
    }
    reply_ok(call->reply);
}

bool connection_text_is_plain(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '!' || text.data[i] > '~') {
            return false;
        }
    }
    return true;
}

static bool name_is_lawful(struct call *call, struct bytes name)
{
    if (!connection_text_is_plain(name)) {
        reply_error(call->reply, "ERR Client names cannot contain spaces, newlines or special "
                                 "characters.");
        return false;
    }
    if (name.size > SESSION_NAME_SIZE_MAX) {
        reply_error(call->reply, "ERR Client names cannot be longer than %d bytes",
                    SESSION_NAME_SIZE_MAX);
        return false;
    }
    return true;
}

static void put_name(struct call *call, struct bytes name)
{
    struct session *session = call->session;
    struct session_registry *registry = &worker_node(call->worker)->sessions;
    pthread_mutex_lock(&registry->lock);
    if (name.size > 0) {
        memcpy(session->name, name.data, name.size);
    }
    session->name[name.size] = '\0';
    pthread_mutex_unlock(&registry->lock);
}

bool connection_set_name(struct call *call, struct bytes name)
{
    if (!name_is_lawful(call, name)) {
        return false;
    }
    put_name(call, name);
    return true;
}

static void set_protocol(struct call *call, int protocol)
{
    call->session->protocol = protocol;
    atomic_store_explicit(&call->session->protocol_shown, protocol, memory_order_relaxed);
    call->reply->protocol = protocol;
}

void reset_command(struct call *call)
{
    struct session *session = call->session;
    set_protocol(call, 2);
    put_name(call, (struct bytes){NULL, 0});
    session->reply_mode = REPLY_ON;
    session->no_touch = false;
    session->readonly = false;
    tracking_end(worker_node(call->worker), session);
    atomic_fetch_and(&session->tracking, ~(unsigned)SESSION_SUBSCRIBED);
    atomic_store_explicit(&session->no_evict, false, memory_order_relaxed);
    reply_simple(call->reply, "RESET");
}

/* There is one user, "default", without a password: as in Redis it may give any. */
static bool user_is_known(struct call *call, struct bytes user)
{
    if (bytes_equal(user, BYTES_LITERAL("default"))) {
        return true;
    }
    reply_error(call->reply, "WRONGPASS invalid username-password pair or user is disabled.");
    return false;
}

void auth_command(struct call *call)
{
    if (call->argc == 2) {
        reply_error(call->reply, "ERR AUTH <password> called without any password configured for "
                                 "the default user. Are you sure your configuration is correct?");
    } else if (call->argc > 3) {
        call_reply_syntax_error(call);
    } else if (user_is_known(call, call->argv[1])) {
        reply_ok(call->reply);
    }
}

static void reply_hello(struct call *call)
{
    struct reply_writer *reply = call->reply;
    reply_map(reply, 8);
    reply_bulk_text(reply, "server");
    reply_bulk_text(reply, "torc");
    reply_bulk_text(reply, "version");
    reply_bulk_text(reply, REDIS_COMPATIBLE_VERSION);
    reply_bulk_text(reply, "proto");
    reply_integer(reply, call->session->protocol);
    reply_bulk_text(reply, "id");
    reply_integer(reply, (int64_t)call->session->id);
    reply_bulk_text(reply, "mode");
    reply_bulk_text(reply, "cluster");
    reply_bulk_text(reply, "role");
    reply_bulk_text(reply, "master");
    reply_bulk_text(reply, "modules");
    reply_array(reply, 0);
    reply_bulk_text(reply, "torc_version");
    reply_bulk_text(reply, TORC_VERSION);
}

/* HELLO [protocol [AUTH user password] [SETNAME name]]. Everything is checked before anything is
 * changed. */
void hello_command(struct call *call)
{
    int64_t protocol = call->session->protocol;
    if (call->argc >= 2 && !parse_int64(call->argv[1], &protocol)) {
        reply_error(call->reply, "ERR Protocol version is not an integer or out of range");
        return;
    }
    if (protocol != 2 && protocol != 3) {
        reply_error(call->reply, "NOPROTO unsupported protocol version");
        return;
    }
    const struct bytes *name = NULL;
    for (size_t i = 2; i < call->argc; i++) {
        size_t left = call->argc - 1 - i;
        if (call_argument_is(call, i, "auth") && left >= 2) {
            if (!user_is_known(call, call->argv[i + 1])) {
                return;
            }
            i += 2;
        } else if (call_argument_is(call, i, "setname") && left >= 1) {
            name = &call->argv[i + 1];
            if (!name_is_lawful(call, *name)) {
                return;
            }
            i += 1;
        } else {
            reply_error(call->reply, "ERR Syntax error in HELLO option '%.*s'",
                        (int)(call->argv[i].size < 128 ? call->argv[i].size : 128),
                        call->argv[i].data);
            return;
        }
    }
    if (name != NULL) {
        put_name(call, *name);
    }
    set_protocol(call, (int)protocol);
    reply_hello(call);
}
