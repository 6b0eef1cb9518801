#include "node/invalidation.h"

#include "base/limits.h"
#include "node/bus_server.h"
#include "node/clients.h"
#include "node/connection.h"
#include "node/mailbox.h"
#include "node/resp/reply.h"
#include "node/session.h"
#include "node/worker.h"

#include <stdlib.h>
#include <string.h>

#define TARGETS_MAX 64 /* of one message: its memory is asked for at once */

enum kind {
    KIND_KEY,
    KIND_ALL,
    KIND_BROKEN, /* whom the client wants told instead is gone */
};

struct target {
    client_place to, from;
};

struct invalidation {
    struct mail mail; /* first */
    enum kind kind;
    uint32_t count, capacity;
    size_t key_size;
    struct target targets[]; /* then the key */
};

static char *message_key(struct invalidation *message)
{
    return (char *)(message->targets + message->capacity);
}

/* ---- posting ---- */

static struct invalidation *make(struct node *node, enum kind kind, uint32_t capacity,
                                 struct bytes key)
{
    struct invalidation *message =
        malloc(sizeof(*message) + capacity * sizeof(struct target) + key.size);
    if (message == NULL) {
        log_error(&node->log, "out of memory for what clients have to be told: stopping");
        abort();
    }
    *message = (struct invalidation){.kind = kind, .capacity = capacity, .key_size = key.size};
    if (key.size > 0) {
        memcpy(message_key(message), key.data, key.size);
    }
    return message;
}

static void post(struct worker *worker, const struct worker *self, struct invalidation *message)
{
    mailbox_post(&worker->invalidations, &message->mail);
    if (worker != self) {
        worker_wake(worker);
    }
}

void posting_init(struct posting *posting, struct node *node, const struct worker *self,
                  struct bytes key)
{
    *posting = (struct posting){.node = node, .self = self, .key = key};
}

/* True if the message that is being filled has it already. Of everything, for which the same
 * client is named by many keys. */
static bool has_target(const struct invalidation *message, client_place to)
{
    for (uint32_t i = 0; i < message->count; i++) {
        if (message->targets[i].to == to) {
            return true;
        }
    }
    return false;
}

void posting_add(struct posting *posting, client_place to, client_place from)
{
    struct node *node = posting->node;
    unsigned index = client_place_worker(to);
    struct invalidation *message = posting->by[index];
    bool all = posting->key.data == NULL;
    if (all && message != NULL && has_target(message, to)) {
        return;
    }
    if (message != NULL && message->count == message->capacity) {
        post(node->workers[index], posting->self, message);
        message = NULL;
    }
    if (message == NULL) {
        /* Most keys are kept by one or two. */
        uint32_t capacity = posting->by[index] == NULL ? 2 : TARGETS_MAX;
        message = make(node, all ? KIND_ALL : KIND_KEY, capacity, posting->key);
        posting->by[index] = message;
    }
    message->targets[message->count++] = (struct target){to, from};
}

void posting_send(struct posting *posting)
{
    for (unsigned i = 0; i < posting->node->worker_count; i++) {
        if (posting->by[i] != NULL) {
            post(posting->node->workers[i], posting->self, posting->by[i]);
            posting->by[i] = NULL;
        }
    }
}

/* ---- telling ---- */

/* One that does not read is not told any more: it learns of that by its end. */
static void check_room(struct connection *connection)
{
    struct worker *worker = connection->worker;
    if (buf_size(&connection->out) > CONNECTION_TOLD_MAX &&
        !atomic_exchange(&connection->session.kill_wanted, true)) {
        log_warning(&worker->node->log, "%s does not read what it wants to be told: closing it",
                    connection->session.address);
        node_wake_worker(worker->node, worker->index);
    }
}

/* All that was appended so far, sent or not. */
static uint64_t appended(const struct connection *connection)
{
    return stat_read(&connection->session.bytes_out) + buf_size(&connection->out);
}

/* Everything once more, before it was sent the first time, is nothing new. */
static bool is_told_already(const struct connection *connection)
{
    return connection->first == NULL && buf_size(&connection->out) > 0 &&
           appended(connection) == connection->told_all_at;
}

static void tell_change(struct connection *connection, struct invalidation *message,
                        bool redirected)
{
    const struct session *session = &connection->session;
    unsigned tracking = atomic_load_explicit(&session->tracking, memory_order_relaxed);
    struct buf text = {0};
    struct reply_writer writer = {.out = &text, .protocol = session->protocol};
    bool all = message->kind == KIND_ALL;
    if (all && is_told_already(connection)) {
        return;
    }
    if (session->protocol == 3) {
        reply_push(&writer, 2);
        reply_bulk_text(&writer, "invalidate");
    } else if (redirected && (tracking & SESSION_SUBSCRIBED) != 0) {
        reply_array(&writer, 3);
        reply_bulk_text(&writer, "message");
        reply_bulk_text(&writer, INVALIDATION_CHANNEL);
    } else {
        return; /* as in Redis: there is no way to tell it */
    }
    if (all) {
        reply_null(&writer);
    } else {
        reply_array(&writer, 1);
        reply_bulk(&writer, (struct bytes){message_key(message), message->key_size});
    }
    connection_tell(connection, &text);
    if (all && connection->first == NULL) {
        connection->told_all_at = appended(connection);
    }
    check_room(connection);
}

/* Whom the client wanted told instead is gone: it has to know, for it keeps what it keeps. */
static void tell_broken(struct connection *connection, client_place gone)
{
    struct session *session = &connection->session;
    uint64_t redirect = atomic_load_explicit(&session->redirect, memory_order_relaxed);
    if (redirect != client_place_id(gone)) {
        return; /* it has found another one */
    }
    atomic_fetch_or(&session->tracking, SESSION_REDIRECT_BROKEN);
    if (session->protocol == 3) {
        struct buf text = {0};
        struct reply_writer writer = {.out = &text, .protocol = 3};
        reply_push(&writer, 2);
        reply_bulk_text(&writer, "tracking-redir-broken");
        reply_integer(&writer, (int64_t)redirect);
        connection_tell(connection, &text);
    }
}

static void tell(struct worker *worker, struct invalidation *message, const struct target *target)
{
    struct connection *connection = clients_find(&worker->clients, client_place_id(target->to));
    bool redirected = target->to != target->from;
    if (connection != NULL && message->kind == KIND_BROKEN) {
        tell_broken(connection, target->from);
    } else if (connection != NULL) {
        tell_change(connection, message, redirected);
    } else if (!redirected) {
        struct bytes key = {message_key(message), message->key_size};
        bool all = message->kind == KIND_ALL;
        (void)bus_tell(worker, client_place_id(target->to), all ? NULL : &key); /* or it is gone */
    } else if (message->kind != KIND_BROKEN) {
        struct invalidation *broken = make(worker->node, KIND_BROKEN, 1, (struct bytes){NULL, 0});
        broken->targets[broken->count++] = (struct target){target->from, target->to};
        post(worker->node->workers[client_place_worker(target->from)], worker, broken);
    }
}

void invalidation_collect(struct worker *worker)
{
    struct mail *mail = mailbox_take(&worker->invalidations);
    while (mail != NULL) {
        struct invalidation *message = (struct invalidation *)mail;
        mail = mail->next;
        for (uint32_t i = 0; i < message->count; i++) {
            tell(worker, message, &message->targets[i]);
        }
        free(message);
    }
}

void invalidation_discard(struct worker *worker)
{
    struct mail *mail = mailbox_take(&worker->invalidations);
    while (mail != NULL) {
        struct mail *next = mail->next;
        free(mail);
        mail = next;
    }
}
