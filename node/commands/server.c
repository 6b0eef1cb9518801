#include "node/call.h"
#include "node/commands/command_docs.h"
#include "node/commands/handlers.h"
#include "node/node.h"
#include "node/resp/number.h"
#include "node/session.h"
#include "ring/slot.h"

#include <errno.h>
#include <math.h>
#include <time.h>

#define SLEEP_SECONDS_MAX 86400.0 /* a day: past that it is a slip of the finger */

/* The seconds as a string, then the microseconds within the second. */
void time_command(struct call *call)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    reply_array(call->reply, 2);
    reply_bulk_integer(call->reply, now.tv_sec);
    reply_bulk_integer(call->reply, now.tv_nsec / 1000);
}

/* Stops the worker that runs it, with all its connections: a node that does not answer, for tests.
 * The other workers go on. */
void debug_sleep_command(struct call *call)
{
    double seconds = 0;
    if (!parse_double(call->argv[2], &seconds) || seconds < 0 || seconds > SLEEP_SECONDS_MAX) {
        reply_error(call->reply, "ERR value is not a number of seconds from 0 to 86400");
        return;
    }
    double whole = floor(seconds);
    struct timespec left = {.tv_sec = (time_t)whole, .tv_nsec = (long)((seconds - whole) * 1e9)};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
    reply_ok(call->reply);
}

/* Deletes a key from a replica and tells nobody, so that what finds damaged copies can be tried. */
void debug_damage_command(struct call *call)
{
    struct bytes key = call->argv[2];
    struct slot *slot = &worker_node(call->worker)->slots[slot_of_key(key)];
    slot_lock(slot);
    bool follows = slot->copy.role == COPY_FOLLOWER;
    bool deleted = follows && keyspace_delete(slot_keys(slot), key, key_hash(key));
    slot_unlock(slot);
    if (deleted) {
        reply_ok(call->reply);
    } else {
        reply_error(call->reply, "%s",
                    follows ? "ERR no such key"
                            : "ERR the node does not hold a replica of the key's slot");
    }
}

void debug_help_command(struct call *call)
{
    command_reply_help(call);
}

void shutdown_command(struct call *call)
{
    struct node *node = worker_node(call->worker);
    bool abort_wanted = false;
    bool now = false;
    for (size_t i = 1; i < call->argc; i++) {
        if (call_argument_is(call, i, "abort")) {
            abort_wanted = true;
        } else if (call_argument_is(call, i, "now") || call_argument_is(call, i, "force")) {
            now = true;
        } else if (!call_argument_is(call, i, "nosave") && !call_argument_is(call, i, "save")) {
            call_reply_syntax_error(call);
            return;
        }
    }
    if (abort_wanted && call->argc != 2) {
        call_reply_syntax_error(call);
        return;
    }
    if (abort_wanted) {
        reply_error(call->reply, atomic_load(&node->stopping) || atomic_load(&node->leaving)
                                     ? "ERR The shutdown has begun and cannot be aborted"
                                     : "ERR No shutdown in progress.");
        return;
    }
    /* Clients take the end of the connection for success and a reply for failure. */
    call->session->reply_mode = REPLY_OFF;
    session_end(call->session);
    reply_ok(call->reply);
    if (now) {
        node_stop(node);
    } else {
        node_leave(node);
    }
}
