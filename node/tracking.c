#include "node/tracking.h"

#include "base/error.h"
#include "node/clock.h"
#include "node/command.h"
#include "node/connection.h"
#include "node/execute.h"
#include "node/far.h"
#include "node/invalidation.h"
#include "node/node.h"
#include "node/session.h"
#include "node/worker.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define TOLD_BY_KEY_MAX                                                                            \
    64 /* keys of a slot that is lost; of more, that everything may have changed */

struct tracker {
    /* any thread */
    _Atomic uint64_t id;         /* of the client; 0 = of none */
    _Atomic client_place told;   /* who is told */
    _Atomic client_place client; /* on whose behalf */
    _Atomic bool noloop;         /* not of what the client has changed itself */
    /* tracking lock; the prefixes are changed by the client's worker alone, which may read them */
    struct tracker *next, *previous;
    bool broadcast;
    struct bytes *prefixes; /* sorted; owned, and what they hold */
    size_t prefix_count;
};

void tracking_init(struct tracking *tracking)
{
    int failed = pthread_mutex_init(&tracking->telling, NULL);
    assert(failed == 0);
}

void tracking_deinit(struct tracking *tracking)
{
    assert(tracking->first == NULL);
    while (tracking->unused != NULL) {
        struct tracker *tracker = tracking->unused;
        tracking->unused = tracker->next;
        free(tracker);
    }
    pthread_mutex_destroy(&tracking->telling);
}

/* ---- the client's worker ---- */

static struct tracker *acquire_tracker(struct tracking *tracking)
{
    spin_lock(&tracking->lock);
    struct tracker *tracker = tracking->unused;
    if (tracker != NULL) {
        tracking->unused = tracker->next;
    }
    spin_unlock(&tracking->lock);
    return tracker != NULL ? tracker : calloc(1, sizeof(*tracker));
}

/* Behind the first `kept` of them. */
static void free_prefixes(struct bytes *prefixes, size_t kept, size_t count)
{
    for (size_t i = kept; i < count; i++) {
        free((void *)(uintptr_t)prefixes[i].data);
    }
    free(prefixes);
}

static int compare_prefixes(const void *a, const void *b)
{
    const struct bytes *left = a;
    const struct bytes *right = b;
    size_t size = left->size < right->size ? left->size : right->size;
    int order = size == 0 ? 0 : memcmp(left->data, right->data, size);
    return order != 0 ? order : (left->size > right->size) - (left->size < right->size);
}

/* The old ones and the new ones, sorted; none of the new ones is among the old. NULL without
 * memory. */
static struct bytes *join_prefixes(const struct tracker *tracker,
                                   const struct tracking_options *options, size_t *count)
{
    static const struct bytes any = {"", 0};
    size_t kept = tracker->prefix_count;
    const struct bytes *added = options->prefix_count > 0 ? options->prefixes : &any;
    size_t added_count = options->prefix_count > 0 ? options->prefix_count : 1;
    if (options->prefix_count == 0 && kept > 0 && tracker->prefixes[0].size == 0) {
        added_count = 0;
    }
    struct bytes *joined = malloc((kept + added_count + 1) * sizeof(*joined));
    if (joined == NULL) {
        return NULL;
    }
    *count = kept;
    if (kept > 0) {
        memcpy(joined, tracker->prefixes, kept * sizeof(*joined));
    }
    for (size_t i = 0; i < added_count; i++) {
        char *copy = malloc(added[i].size + 1);
        if (copy == NULL) {
            free_prefixes(joined, kept, *count);
            return NULL;
        }
        memcpy(copy, added[i].data, added[i].size);
        joined[(*count)++] = (struct bytes){copy, added[i].size};
    }
    qsort(joined, *count, sizeof(*joined), compare_prefixes);
    return joined;
}

/* The client to redirect to: is noted to be told for others. 0, TORC_ENOTFOUND. */
static int find_redirect(struct node *node, uint64_t id, client_place *out)
{
    struct session_registry *registry = &node->sessions;
    int result = TORC_ENOTFOUND;
    pthread_mutex_lock(&registry->lock);
    for (struct session *session = registry->first; session != NULL; session = session->next) {
        if (session->id == id && session->access != ACCESS_BUS) {
            atomic_fetch_or(&session->tracking, SESSION_REDIRECTED_TO);
            *out = client_place_of(session->worker_index, id);
            result = TORC_OK;
            break;
        }
    }
    pthread_mutex_unlock(&registry->lock);
    return result;
}

/* Which of the two counts it is one of. */
static _Atomic uint32_t *count_for(struct tracking *tracking, const struct session *session)
{
    return session->access == ACCESS_BUS ? &tracking->peers : &tracking->clients;
}

static bool is_anybody_there(struct tracking *tracking)
{
    return atomic_load(&tracking->clients) > 0 || atomic_load(&tracking->peers) > 0;
}

static void list_tracker(struct tracking *tracking, struct tracker *tracker)
{
    tracker->previous = NULL;
    tracker->next = tracking->first;
    if (tracking->first != NULL) {
        tracking->first->previous = tracker;
    }
    tracking->first = tracker;
}

int tracking_begin(struct node *node, struct session *session,
                   const struct tracking_options *options)
{
    struct tracking *tracking = &node->tracking;
    client_place self = client_place_of(session->worker_index, session->id);
    client_place told = self;
    if (options->redirect != 0 && find_redirect(node, options->redirect, &told) != TORC_OK) {
        return TORC_ENOTFOUND;
    }
    bool listed = session->tracker != NULL;
    struct tracker *tracker = listed ? session->tracker : acquire_tracker(tracking);
    if (tracker == NULL) {
        return TORC_ENOMEM;
    }
    bool broadcast = (options->flags & SESSION_BCAST) != 0;
    struct bytes *prefixes = NULL;
    size_t prefix_count = 0;
    if (broadcast) {
        prefixes = join_prefixes(tracker, options, &prefix_count);
        if (prefixes == NULL) {
            if (!listed) {
                free(tracker);
            }
            return TORC_ENOMEM;
        }
    }
    spin_lock(&tracking->lock);
    atomic_store(&tracker->told, told);
    atomic_store(&tracker->client, self);
    atomic_store(&tracker->noloop, (options->flags & SESSION_NOLOOP) != 0);
    atomic_store(&tracker->id, session->id);
    if (!listed) {
        list_tracker(tracking, tracker);
        atomic_fetch_add(count_for(tracking, session), 1);
        atomic_fetch_add(&tracking->broadcasting, broadcast);
    }
    struct bytes *before = tracker->prefixes;
    atomic_fetch_add(&tracking->prefixes, prefix_count - tracker->prefix_count);
    tracker->broadcast = broadcast;
    tracker->prefixes = prefixes;
    tracker->prefix_count = prefix_count;
    spin_unlock(&tracking->lock);
    free(before); /* what they hold has moved */
    session->tracker = tracker;
    unsigned others =
        atomic_load(&session->tracking) & (SESSION_SUBSCRIBED | SESSION_REDIRECTED_TO);
    atomic_store(&session->redirect, options->redirect);
    atomic_store(&session->tracking, others | SESSION_TRACKING | options->flags);
    return TORC_OK;
}

void tracking_end(struct node *node, struct session *session)
{
    struct tracking *tracking = &node->tracking;
    struct tracker *tracker = session->tracker;
    if (tracker == NULL) {
        return;
    }
    session->tracker = NULL;
    atomic_fetch_and(&session->tracking, SESSION_SUBSCRIBED | SESSION_REDIRECTED_TO);
    atomic_store(&session->redirect, 0);
    spin_lock(&tracking->lock);
    atomic_store(&tracker->id, 0);
    if (tracker->previous != NULL) {
        tracker->previous->next = tracker->next;
    } else {
        tracking->first = tracker->next;
    }
    if (tracker->next != NULL) {
        tracker->next->previous = tracker->previous;
    }
    atomic_fetch_sub(count_for(tracking, session), 1);
    atomic_fetch_sub(&tracking->broadcasting, tracker->broadcast);
    atomic_fetch_sub(&tracking->prefixes, tracker->prefix_count);
    struct bytes *prefixes = tracker->prefixes;
    size_t prefix_count = tracker->prefix_count;
    tracker->prefixes = NULL;
    tracker->prefix_count = 0;
    tracker->broadcast = false;
    tracker->next = tracking->unused;
    tracking->unused = tracker;
    spin_unlock(&tracking->lock);
    free_prefixes(prefixes, 0, prefix_count);
}

const struct bytes *tracking_prefixes(const struct session *session, size_t *count)
{
    const struct tracker *tracker = session->tracker;
    *count = tracker == NULL ? 0 : tracker->prefix_count;
    return tracker == NULL ? NULL : tracker->prefixes;
}

bool tracking_wants(unsigned flags, const struct command *command)
{
    if ((flags & SESSION_TRACKING) == 0 || (command->flags & COMMAND_READONLY) == 0 ||
        command->first_key == 0) {
        return false;
    }
    bool caching = (flags & SESSION_CACHING) != 0;
    return !((flags & SESSION_OPTIN) != 0 && !caching) &&
           !((flags & SESSION_OPTOUT) != 0 && caching);
}

void tracking_settle(struct connection *connection)
{
    struct worker *worker = connection->worker;
    connection_seal(connection);
    if (!worker->has_lease) {
        tracking_follow_lease(worker->node, worker);
    }
    if (!mailbox_is_empty(&worker->invalidations)) {
        invalidation_collect(worker);
    }
}

/* ---- posting ---- */

/* Whom to tell for a tracker; false if it is not (any more) that client's, or is not to be told of
 * what this one has changed. */
static bool resolve(const struct tracker *tracker, uint64_t id, uint64_t writer, client_place *told,
                    client_place *client)
{
    *told = atomic_load(&tracker->told);
    *client = atomic_load(&tracker->client);
    return atomic_load(&tracker->id) == id && id != 0 &&
           !(writer == id && atomic_load(&tracker->noloop));
}

static void add_watchers(struct posting *posting, const struct tracked_key *key, uint64_t writer)
{
    for (uint32_t i = 0; i < key->count; i++) {
        client_place told = 0;
        client_place client = 0;
        if (resolve(key->watchers[i].place, key->watchers[i].id, writer, &told, &client)) {
            posting_add(posting, told, client);
        }
    }
}

/* Whether a key is one of those of which all changes are told; that of everything is. */
static bool has_prefix(const struct tracker *tracker, struct bytes key)
{
    for (size_t i = 0; i < tracker->prefix_count; i++) {
        struct bytes prefix = tracker->prefixes[i];
        if (key.data == NULL ||
            (prefix.size <= key.size &&
             (prefix.size == 0 || memcmp(prefix.data, key.data, prefix.size) == 0))) {
            return true;
        }
    }
    return false;
}

static void add_broadcast(struct tracking *tracking, struct posting *posting, uint64_t writer)
{
    if (atomic_load_explicit(&tracking->broadcasting, memory_order_relaxed) == 0) {
        return;
    }
    spin_lock(&tracking->lock);
    for (const struct tracker *tracker = tracking->first; tracker != NULL;
         tracker = tracker->next) {
        client_place told = 0;
        client_place client = 0;
        if (tracker->broadcast && has_prefix(tracker, posting->key) &&
            resolve(tracker, atomic_load(&tracker->id), writer, &told, &client)) {
            posting_add(posting, told, client);
        }
    }
    spin_unlock(&tracking->lock);
}

/* Of a key that was taken out. */
static void forget_key(struct tracking *tracking, struct tracked_key *key)
{
    atomic_fetch_sub_explicit(&tracking->keys, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&tracking->items, key->count, memory_order_relaxed);
    tracked_key_free(key);
}

/* ---- slot lock held ---- */

static void key_changed(struct node *node, const struct worker *self, struct slot *slot,
                        struct bytes key, uint64_t hash, uint64_t writer)
{
    struct posting posting;
    struct bytes named = {key.size == 0 ? "" : key.data, key.size}; /* NULL were everything */
    posting_init(&posting, node, self, named);
    struct tracked_key *taken = tracked_take(&slot->tracked, key, hash);
    if (taken != NULL) {
        add_watchers(&posting, taken, writer);
        forget_key(&node->tracking, taken);
    }
    add_broadcast(&node->tracking, &posting, writer);
    posting_send(&posting);
}

void tracking_changed(struct worker *worker, struct slot *slot, const struct execution *execution)
{
    const struct command *command = execution->command;
    size_t first = (size_t)command->first_key;
    size_t end = command_keys_end(command, execution->argv, execution->argc);
    for (size_t i = first; i < end; i = command_key_next(command, i)) {
        uint64_t hash = i == first ? execution->hash : key_hash(execution->argv[i]);
        key_changed(worker->node, worker, slot, execution->argv[i], hash, execution->session->id);
    }
}

void tracking_key_gone(struct worker *worker, struct slot *slot, struct bytes key, uint64_t hash)
{
    key_changed(worker->node, worker, slot, key, hash, 0);
}

void tracking_note_keys(struct worker *worker, struct tracked **tracked,
                        const struct session *session, const struct command *command,
                        const struct bytes *argv, size_t argc)
{
    struct node *node = worker->node;
    struct tracker *tracker = session->tracker;
    if (tracker == NULL || tracker->broadcast) {
        return; /* it has gone off meanwhile, or is told of all changes */
    }
    struct watcher watcher = {tracker, session->id};
    size_t end = command_keys_end(command, argv, argc);
    for (size_t i = (size_t)command->first_key; i < end; i = command_key_next(command, i)) {
        struct tracked_growth growth;
        if (tracked_note(tracked, argv[i], key_hash(argv[i]), watcher, &growth) != TORC_OK) {
            log_error(&node->log, "out of memory for what clients keep: stopping");
            abort(); /* it would keep it and not be told */
        }
        if (growth.item) {
            atomic_fetch_add_explicit(&node->tracking.items, 1, memory_order_relaxed);
        }
        if (growth.key) {
            uint64_t keys =
                atomic_fetch_add_explicit(&node->tracking.keys, 1, memory_order_relaxed) + 1;
            uint64_t limit = stat_read(&node->config.tracking_keys_max);
            worker->tracks_too_much = worker->tracks_too_much || (limit != 0 && keys > limit);
        }
    }
}

void tracking_note(struct worker *worker, struct slot *slot, const struct execution *execution)
{
    tracking_note_keys(worker, &slot->tracked, execution->session, execution->command,
                       execution->argv, execution->argc);
}

/* What is told of the keys that are taken out of a slot. */
enum telling { TELL_NOTHING, TELL_KEYS, TELL_ALL };

static void empty_slot(struct node *node, const struct worker *self, struct slot *slot,
                       enum telling telling)
{
    struct posting all;
    posting_init(&all, node, self, (struct bytes){NULL, 0});
    struct tracked_key *key;
    while ((key = tracked_take_any(&slot->tracked, 0)) != NULL) {
        if (telling == TELL_ALL) {
            add_watchers(&all, key, 0);
        } else if (telling == TELL_KEYS) {
            struct posting one;
            posting_init(&one, node, self, tracked_key_bytes(key));
            add_watchers(&one, key, 0);
            posting_send(&one);
        }
        forget_key(&node->tracking, key);
    }
    if (telling != TELL_NOTHING) {
        add_broadcast(&node->tracking, &all, 0);
        posting_send(&all);
    }
}

void tracking_slot_flushed(struct node *node, struct slot *slot, const struct worker *self)
{
    empty_slot(node, self, slot, TELL_ALL);
}

void tracking_slot_lost(struct node *node, struct slot *slot)
{
    bool few = tracked_count(slot->tracked) <= TOLD_BY_KEY_MAX;
    empty_slot(node, NULL, slot, few ? TELL_KEYS : TELL_ALL);
}

void tracking_drop(struct node *node, struct slot *slot)
{
    empty_slot(node, NULL, slot, TELL_NOTHING);
}

/* ---- no lock held ---- */

void tracking_tell_all(struct node *node, const struct worker *self)
{
    struct tracking *tracking = &node->tracking;
    if (!is_anybody_there(tracking)) {
        return;
    }
    struct posting all;
    posting_init(&all, node, self, (struct bytes){NULL, 0});
    spin_lock(&tracking->lock);
    for (const struct tracker *tracker = tracking->first; tracker != NULL;
         tracker = tracker->next) {
        posting_add(&all, atomic_load(&tracker->told), atomic_load(&tracker->client));
    }
    spin_unlock(&tracking->lock);
    posting_send(&all);
}

static bool has_lease(const struct node *node)
{
    return clock_lease_ms() < atomic_load_explicit(&node->lease_until_ms, memory_order_acquire);
}

void tracking_follow_lease(struct node *node, const struct worker *self)
{
    struct tracking *tracking = &node->tracking;
    bool told = atomic_load(&tracking->told_lease_lost);
    if (has_lease(node)) {
        if (told) {
            atomic_store(&tracking->told_lease_lost, false);
        }
        return;
    }
    if (told || !is_anybody_there(tracking)) {
        return;
    }
    pthread_mutex_lock(&tracking->telling); /* whoever comes second waits until it is done */
    if (!atomic_load(&tracking->told_lease_lost)) {
        for (uint32_t i = 0; i < SLOT_COUNT; i++) {
            slot_lock(&node->slots[i]);
            empty_slot(node, self, &node->slots[i], TELL_NOTHING);
            slot_unlock(&node->slots[i]);
        }
        tracking_tell_all(node, self);
        atomic_store(&tracking->told_lease_lost, true);
    }
    pthread_mutex_unlock(&tracking->telling);
}

void tracking_forget_at_once(struct worker *worker, const struct session *session,
                             const struct command *command, const struct bytes *argv, size_t argc)
{
    const struct tracker *tracker = session->tracker;
    size_t end = command_keys_end(command, argv, argc);
    if (tracker == NULL) {
        return;
    }
    for (size_t i = (size_t)command->first_key; i < end; i = command_key_next(command, i)) {
        struct posting posting;
        struct bytes named = {argv[i].size == 0 ? "" : argv[i].data, argv[i].size};
        posting_init(&posting, worker->node, worker, named);
        posting_add(&posting, atomic_load(&tracker->told), atomic_load(&tracker->client));
        posting_send(&posting);
    }
}

void tracking_tell_taken(struct worker *worker, struct tracked_key *taken)
{
    struct node *node = worker->node;
    size_t count = 0;
    for (const struct tracked_key *at = taken; at != NULL; at = at->next) {
        count++;
    }
    struct posting all;
    posting_init(&all, node, worker, (struct bytes){NULL, 0});
    while (taken != NULL) {
        struct tracked_key *next = taken->next;
        if (count > TOLD_BY_KEY_MAX) {
            add_watchers(&all, taken, 0);
        } else {
            struct posting one;
            posting_init(&one, node, worker, tracked_key_bytes(taken));
            add_watchers(&one, taken, 0);
            posting_send(&one);
        }
        forget_key(&node->tracking, taken);
        taken = next;
    }
    posting_send(&all);
}

static bool is_over(const struct node *node)
{
    uint64_t limit = stat_read(&node->config.tracking_keys_max);
    return limit != 0 && stat_read(&node->tracking.keys) > limit;
}

/* Takes keys out, of those read elsewhere and of one slot after the other, until there are no more
 * than there may be. Whoever keeps one of them is told that it has changed, which does no harm. */
void tracking_trim(struct worker *worker)
{
    struct node *node = worker->node;
    for (uint32_t i = 0; i < SLOT_COUNT && is_over(node); i++) {
        struct slot *slot = &node->slots[worker->trim_slot];
        worker->trim_slot = (worker->trim_slot + 1) % SLOT_COUNT;
        slot_lock(slot);
        struct tracked_key *key = tracked_take_any(&slot->tracked, prng_next(&worker->prng));
        tracking_tell_taken(worker, key);
        slot_unlock(slot);
        if (key == NULL && is_over(node)) {
            (void)far_forget_any(worker);
        }
    }
    worker->tracks_too_much = false; /* a round was enough, or there is nothing of ours to take */
}
