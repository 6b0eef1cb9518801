/*
 * CLIENT TRACKING and its kin: what a client wants to hear when what it has read changes. The
 * errors are Redis's, word for word.
 */
#include "node/tracking.h"

#include "base/error.h"
#include "node/call.h"
#include "node/commands/handlers.h"
#include "node/node.h"
#include "node/resp/number.h"
#include "node/session.h"

#include <stdlib.h>
#include <string.h>

static unsigned flags_of(const struct call *call)
{
    return atomic_load_explicit(&call->session->tracking, memory_order_relaxed);
}

static bool client_exists(struct call *call, int64_t id)
{
    struct session_registry *registry = &worker_node(call->worker)->sessions;
    bool found = false;
    pthread_mutex_lock(&registry->lock);
    for (const struct session *session = registry->first; session != NULL && !found;
         session = session->next) {
        found = id > 0 && session->id == (uint64_t)id && session->access != ACCESS_BUS;
    }
    pthread_mutex_unlock(&registry->lock);
    return found;
}

static void reply_nobody(struct call *call)
{
    reply_error(call->reply, "ERR The client ID you want redirect to does not exist");
}

static bool read_redirect(struct call *call, size_t index, struct tracking_options *options)
{
    int64_t id = 0;
    if (options->redirect != 0) {
        reply_error(call->reply, "ERR A client can only redirect to a single other client");
        return false;
    }
    if (!call_argument_int64(call, index, &id)) {
        return false;
    }
    if (!client_exists(call, id)) {
        reply_nobody(call);
        return false;
    }
    options->redirect = (uint64_t)id;
    return true;
}

/* The arguments behind ON or OFF; replies the error itself. `prefixes` has room for all of them. */
static bool read_options(struct call *call, struct tracking_options *options,
                         struct bytes *prefixes)
{
    options->prefixes = prefixes;
    for (size_t i = 3; i < call->argc; i++) {
        bool more = i + 1 < call->argc;
        if (call_argument_is(call, i, "redirect") && more) {
            if (!read_redirect(call, ++i, options)) {
                return false;
            }
        } else if (call_argument_is(call, i, "prefix") && more) {
            prefixes[options->prefix_count++] = call->argv[++i];
        } else if (call_argument_is(call, i, "bcast")) {
            options->flags |= SESSION_BCAST;
        } else if (call_argument_is(call, i, "optin")) {
            options->flags |= SESSION_OPTIN;
        } else if (call_argument_is(call, i, "optout")) {
            options->flags |= SESSION_OPTOUT;
        } else if (call_argument_is(call, i, "noloop")) {
            options->flags |= SESSION_NOLOOP;
        } else {
            call_reply_syntax_error(call);
            return false;
        }
    }
    return true;
}

/* What is wrong with the options, or with them after those before; NULL: nothing. */
static const char *find_fault(unsigned before, const struct tracking_options *options)
{
    const unsigned flags = options->flags;
    const unsigned either = SESSION_OPTIN | SESSION_OPTOUT;
    bool tracks = (before & SESSION_TRACKING) != 0;
    if ((flags & SESSION_BCAST) == 0 && options->prefix_count > 0) {
        return "PREFIX option requires BCAST mode to be enabled";
    }
    if (tracks && ((before ^ flags) & SESSION_BCAST) != 0) {
        return "You can't switch BCAST mode on/off before disabling tracking for this client, and "
               "then re-enabling it with a different mode.";
    }
    if ((flags & SESSION_BCAST) != 0 && (flags & either) != 0) {
        return "OPTIN and OPTOUT are not compatible with BCAST";
    }
    if ((flags & either) == either) {
        return "You can't specify both OPTIN mode and OPTOUT mode";
    }
    if (((flags | before) & either) == either) {
        return "You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and "
               "then re-enabling it with a different mode.";
    }
    return NULL;
}

static bool overlap(struct bytes a, struct bytes b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    return size == 0 || memcmp(a.data, b.data, size) == 0;
}

static int shown(struct bytes text)
{
    return (int)(text.size < 128 ? text.size : 128);
}

static bool prefixes_overlap(struct call *call, const struct tracking_options *options)
{
    size_t count = 0;
    const struct bytes *before = tracking_prefixes(call->session, &count);
    for (size_t i = 0; i < options->prefix_count; i++) {
        struct bytes prefix = options->prefixes[i];
        for (size_t j = 0; j < count; j++) {
            if (overlap(prefix, before[j])) {
                reply_error(call->reply,
                            "ERR Prefix '%.*s' overlaps with an existing prefix '%.*s'. Prefixes "
                            "for a single client must not overlap.",
                            shown(prefix), prefix.data, shown(before[j]), before[j].data);
                return true;
            }
        }
        for (size_t j = i + 1; j < options->prefix_count; j++) {
            struct bytes other = options->prefixes[j];
            if (overlap(prefix, other)) {
                reply_error(call->reply,
                            "ERR Prefix '%.*s' overlaps with another provided prefix '%.*s'. "
                            "Prefixes for a single client must not overlap.",
                            shown(prefix), prefix.data, shown(other), other.data);
                return true;
            }
        }
    }
    return false;
}

static void begin(struct call *call, const struct tracking_options *options)
{
    const char *fault = find_fault(flags_of(call), options);
    if (fault != NULL) {
        reply_error(call->reply, "ERR %s", fault);
        return;
    }
    if (call->session->access != ACCESS_DIRECT && (options->flags & SESSION_BCAST) != 0) {
        reply_error(call->reply, "ERR CLIENT TRACKING with BCAST works on the direct port, of what "
                                 "changes at that node: this one does not hear of every change");
        return;
    }
    if (prefixes_overlap(call, options)) {
        return;
    }
    switch (tracking_begin(worker_node(call->worker), call->session, options)) {
    case TORC_OK: reply_ok(call->reply); return;
    case TORC_ENOTFOUND: reply_nobody(call); return; /* it has gone while we looked */
    default: call_reply_no_memory(call); return;
    }
}

void client_tracking_command(struct call *call)
{
    struct tracking_options options = {0};
    struct bytes *prefixes = malloc(call->argc * sizeof(*prefixes));
    if (prefixes == NULL) {
        call_reply_no_memory(call);
        return;
    }
    if (read_options(call, &options, prefixes)) {
        if (call_argument_is(call, 2, "on")) {
            begin(call, &options);
        } else if (call_argument_is(call, 2, "off")) {
            tracking_end(worker_node(call->worker), call->session);
            reply_ok(call->reply);
        } else {
            call_reply_syntax_error(call);
        }
    }
    free(prefixes);
}

void client_caching_command(struct call *call)
{
    unsigned flags = flags_of(call);
    bool yes = call_argument_is(call, 2, "yes");
    if ((flags & SESSION_TRACKING) == 0) {
        reply_error(call->reply, "ERR CLIENT CACHING can be called only when the client is in "
                                 "tracking mode with OPTIN or OPTOUT mode enabled");
    } else if (!yes && !call_argument_is(call, 2, "no")) {
        call_reply_syntax_error(call);
    } else if (yes && (flags & SESSION_OPTIN) == 0) {
        reply_error(call->reply,
                    "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.");
    } else if (!yes && (flags & SESSION_OPTOUT) == 0) {
        reply_error(call->reply,
                    "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.");
    } else {
        atomic_fetch_or(&call->session->tracking, SESSION_CACHING);
        reply_ok(call->reply);
    }
}

static int64_t redirect_of(const struct call *call)
{
    return (flags_of(call) & SESSION_TRACKING) == 0
               ? -1
               : (int64_t)atomic_load_explicit(&call->session->redirect, memory_order_relaxed);
}

void client_getredir_command(struct call *call)
{
    reply_integer(call->reply, redirect_of(call));
}

static void reply_flags(struct call *call)
{
    static const struct {
        unsigned all; /* of these flags */
        const char *name;
    } names[] = {
        {SESSION_BCAST, "bcast"},
        {SESSION_OPTIN, "optin"},
        {SESSION_OPTIN | SESSION_CACHING, "caching-yes"},
        {SESSION_OPTOUT, "optout"},
        {SESSION_OPTOUT | SESSION_CACHING, "caching-no"},
        {SESSION_NOLOOP, "noloop"},
        {SESSION_REDIRECT_BROKEN, "broken_redirect"},
    };
    unsigned flags = flags_of(call);
    const char *found[sizeof(names) / sizeof(names[0])];
    size_t count = 0;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if ((flags & names[i].all) == names[i].all) {
            found[count++] = names[i].name;
        }
    }
    reply_set(call->reply, 1 + count);
    reply_bulk_text(call->reply, (flags & SESSION_TRACKING) != 0 ? "on" : "off");
    for (size_t i = 0; i < count; i++) {
        reply_bulk_text(call->reply, found[i]);
    }
}

void client_trackinginfo_command(struct call *call)
{
    size_t count = 0;
    const struct bytes *prefixes = tracking_prefixes(call->session, &count);
    reply_map(call->reply, 3);
    reply_bulk_text(call->reply, "flags");
    reply_flags(call);
    reply_bulk_text(call->reply, "redirect");
    reply_integer(call->reply, redirect_of(call));
    reply_bulk_text(call->reply, "prefixes");
    reply_array(call->reply, count);
    for (size_t i = 0; i < count; i++) {
        reply_bulk(call->reply, prefixes[i]);
    }
}
