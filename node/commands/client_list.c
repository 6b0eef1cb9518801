/* The commands that look at other connections than their own: CLIENT LIST, INFO and KILL. They walk
 * the registry under its lock, which opening and closing connections wait for; with ten thousand
 * clients that is some milliseconds. */
#include "node/call.h"
#include "node/commands/handlers.h"
#include "node/commands/subscription.h"
#include "node/node.h"
#include "node/resp/number.h"
#include "node/session.h"

#include <stdlib.h>
#include <string.h>

/* Redis's kinds of clients. Other nodes show as replicas. */
enum client_type {
    TYPE_ANY,
    TYPE_NORMAL,
    TYPE_REPLICA,
    TYPE_PUBSUB,
    TYPE_ABSENT, /* MASTER: lawful to ask for */
};

static enum client_type type_of(const struct session *session)
{
    if (session->access == ACCESS_BUS) {
        return TYPE_REPLICA;
    }
    return session_is_subscribed(session) ? TYPE_PUBSUB : TYPE_NORMAL;
}

/* Argument `index` as a type; replies the error itself. */
static bool read_type(struct call *call, size_t index, enum client_type *out)
{
    if (call_argument_is(call, index, "normal")) {
        *out = TYPE_NORMAL;
    } else if (call_argument_is(call, index, "replica") || call_argument_is(call, index, "slave")) {
        *out = TYPE_REPLICA;
    } else if (call_argument_is(call, index, "pubsub")) {
        *out = TYPE_PUBSUB;
    } else if (call_argument_is(call, index, "master")) {
        *out = TYPE_ABSENT;
    } else {
        struct bytes type = call->argv[index];
        reply_error(call->reply, "ERR Unknown client type '%.*s'",
                    (int)(type.size < 128 ? type.size : 128), type.data);
        return false;
    }
    return true;
}

static uint64_t seconds_since(uint64_t now_ms, uint64_t then_ms)
{
    return now_ms > then_ms ? (now_ms - then_ms) / 1000 : 0;
}

/* Registry lock held. One line as in Redis; what Torc has no notion of has Redis's idle value. */
static void describe(struct buf *out, struct session *session, uint64_t now_ms)
{
    const struct command *command =
        atomic_load_explicit(&session->last_command, memory_order_relaxed);
    int protocol = atomic_load_explicit(&session->protocol_shown, memory_order_relaxed);
    bool no_evict = atomic_load_explicit(&session->no_evict, memory_order_relaxed);
    bool blocked = atomic_load_explicit(&session->blocking, memory_order_relaxed) != SESSION_FREE;
    uint64_t unsent = stat_read(&session->output_bytes);
    unsigned tracking = atomic_load_explicit(&session->tracking, memory_order_relaxed);
    bool tracks = (tracking & SESSION_TRACKING) != 0;
    bool subscribed = (tracking & SESSION_SUBSCRIBED) != 0;
    char flags[8] = "";
    strcat(flags, session->access == ACCESS_BUS ? "S" : "");
    strcat(flags, subscribed ? "P" : "");
    strcat(flags, blocked ? "b" : "");
    strcat(flags, tracks ? "t" : "");
    strcat(flags, (tracking & SESSION_REDIRECT_BROKEN) != 0 ? "R" : "");
    strcat(flags, (tracking & SESSION_BCAST) != 0 ? "B" : "");
    strcat(flags, no_evict ? "e" : "");
    strcat(flags, flags[0] == '\0' ? "N" : "");
    buf_append_format(
        out,
        "id=%llu addr=%s laddr=%s fd=%d name=%s age=%llu idle=%llu flags=%s db=0 sub=%d psub=0 "
        "ssub=0 multi=-1 qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 "
        "omem=%llu tot-mem=%llu events=%s cmd=%s user=default redir=%lld resp=%d lib-name=%s "
        "lib-ver=%s tot-net-in=%llu tot-net-out=%llu tot-cmds=%llu\n",
        (unsigned long long)session->id, session->address, session->local_address, session->fd,
        session->name, (unsigned long long)seconds_since(now_ms, session->created_ms),
        (unsigned long long)seconds_since(now_ms, stat_read(&session->last_active_ms)), flags,
        subscribed, (unsigned long long)unsent, (unsigned long long)(unsent + sizeof(*session)),
        unsent > 0 ? "rw" : "r", command == NULL ? "NULL" : command->name,
        tracks ? (long long)stat_read(&session->redirect) : -1LL, protocol == 3 ? 3 : 2,
        session->library_name, session->library_version,
        (unsigned long long)stat_read(&session->bytes_in),
        (unsigned long long)stat_read(&session->bytes_out),
        (unsigned long long)stat_read(&session->command_count));
}

static void reply_lines(struct call *call, struct buf *lines)
{
    if (lines->failed) {
        call_reply_no_memory(call);
    } else {
        reply_verbatim(call->reply, "txt", buf_bytes(lines));
    }
    buf_deinit(lines);
}

void client_info_command(struct call *call)
{
    struct session_registry *registry = &worker_node(call->worker)->sessions;
    struct buf line = {0};
    pthread_mutex_lock(&registry->lock);
    describe(&line, call->session, call->now_ms);
    pthread_mutex_unlock(&registry->lock);
    reply_lines(call, &line);
}

/* Ids asked for, sorted, so that a long list of them costs little under the lock. */
struct id_set {
    uint64_t *ids;
    size_t count;
};

static int compare_ids(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

/* The arguments from `first` on; replies the error itself. */
static bool read_ids(struct call *call, size_t first, struct id_set *out)
{
    out->count = call->argc - first;
    out->ids = malloc(out->count * sizeof(*out->ids));
    if (out->ids == NULL) {
        call_reply_no_memory(call);
        return false;
    }
    for (size_t i = 0; i < out->count; i++) {
        if (!parse_uint64(call->argv[first + i], &out->ids[i])) {
            reply_error(call->reply, "ERR Invalid client ID");
            free(out->ids);
            return false;
        }
    }
    qsort(out->ids, out->count, sizeof(*out->ids), compare_ids);
    return true;
}

static bool id_wanted(const struct id_set *set, uint64_t id)
{
    return set->ids == NULL ||
           bsearch(&id, set->ids, set->count, sizeof(*set->ids), compare_ids) != NULL;
}

void client_list_command(struct call *call)
{
    enum client_type type = TYPE_ANY;
    struct id_set set = {0};
    if (call->argc == 4 && call_argument_is(call, 2, "type")) {
        if (!read_type(call, 3, &type)) {
            return;
        }
    } else if (call->argc >= 4 && call_argument_is(call, 2, "id")) {
        if (!read_ids(call, 3, &set)) {
            return;
        }
    } else if (call->argc != 2) {
        call_reply_syntax_error(call);
        return;
    }
    struct session_registry *registry = &worker_node(call->worker)->sessions;
    struct buf lines = {0};
    pthread_mutex_lock(&registry->lock);
    for (struct session *session = registry->first; session != NULL; session = session->next) {
        if ((type == TYPE_ANY || type == type_of(session)) && id_wanted(&set, session->id)) {
            describe(&lines, session, call->now_ms);
        }
    }
    pthread_mutex_unlock(&registry->lock);
    free(set.ids);
    reply_lines(call, &lines);
}

/* What all must hold of a client to be killed. */
struct kill_filter {
    uint64_t id;                         /* 0 = any */
    struct bytes address, local_address; /* size 0 = any */
    enum client_type type;
    uint64_t age_s_min;
    bool skip_me;
};

static bool matches(const struct kill_filter *filter, const struct session *session,
                    uint64_t now_ms)
{
    return (filter->id == 0 || filter->id == session->id) &&
           (filter->address.size == 0 ||
            bytes_equal(filter->address, bytes_of(session->address))) &&
           (filter->local_address.size == 0 ||
            bytes_equal(filter->local_address, bytes_of(session->local_address))) &&
           (filter->type == TYPE_ANY || filter->type == type_of(session)) &&
           seconds_since(now_ms, session->created_ms) >= filter->age_s_min;
}

static size_t kill_matching(struct call *call, const struct kill_filter *filter)
{
    struct node *node = worker_node(call->worker);
    struct session_registry *registry = &node->sessions;
    size_t killed = 0;
    pthread_mutex_lock(&registry->lock);
    for (struct session *session = registry->first; session != NULL; session = session->next) {
        if (!matches(filter, session, call->now_ms)) {
            continue;
        }
        if (session == call->session) {
            if (filter->skip_me) {
                continue;
            }
            session_end(session); /* it may still learn that it was killed */
        } else {
            atomic_store(&session->kill_wanted, true);
            node_wake_worker(node, session->worker_index);
        }
        killed++;
    }
    pthread_mutex_unlock(&registry->lock);
    return killed;
}

/* One filter, at arguments `index` and `index + 1`; replies the error itself. */
static bool read_filter(struct call *call, size_t index, struct kill_filter *filter)
{
    struct bytes value = call->argv[index + 1];
    if (call_argument_is(call, index, "id")) {
        if (!parse_uint64(value, &filter->id) || filter->id == 0) {
            reply_error(call->reply, "ERR client-id should be greater than 0");
            return false;
        }
    } else if (call_argument_is(call, index, "addr")) {
        filter->address = value;
    } else if (call_argument_is(call, index, "laddr")) {
        filter->local_address = value;
    } else if (call_argument_is(call, index, "type")) {
        return read_type(call, index + 1, &filter->type);
    } else if (call_argument_is(call, index, "user")) {
        if (!bytes_equal(value, BYTES_LITERAL("default"))) {
            reply_error(call->reply, "ERR No such user '%.*s'",
                        (int)(value.size < 128 ? value.size : 128), value.data);
            return false;
        }
    } else if (call_argument_is(call, index, "maxage")) {
        if (!parse_uint64(value, &filter->age_s_min) || filter->age_s_min == 0) {
            reply_error(call->reply, "ERR maxage should be greater than 0");
            return false;
        }
    } else if (call_argument_is(call, index, "skipme")) {
        filter->skip_me = call_argument_is(call, index + 1, "yes");
        if (!filter->skip_me && !call_argument_is(call, index + 1, "no")) {
            call_reply_syntax_error(call);
            return false;
        }
    } else {
        call_reply_syntax_error(call);
        return false;
    }
    return true;
}

void client_kill_command(struct call *call)
{
    if (call->argc == 3) {
        struct kill_filter one = {.address = call->argv[2]};
        if (one.address.size > 0 && kill_matching(call, &one) > 0) {
            reply_ok(call->reply);
        } else {
            reply_error(call->reply, "ERR No such client");
        }
        return;
    }
    if (call->argc % 2 != 0) {
        call_reply_syntax_error(call);
        return;
    }
    struct kill_filter filter = {.skip_me = true};
    for (size_t i = 2; i < call->argc; i += 2) {
        if (!read_filter(call, i, &filter)) {
            return;
        }
    }
    reply_integer(call->reply, (int64_t)kill_matching(call, &filter));
}
