/* A node without threads, with some sessions, to ask commands of. */
#ifndef TORC_TESTS_COMMAND_FIXTURE_H
#define TORC_TESTS_COMMAND_FIXTURE_H

#include "base/error.h"
#include "node/call.h"
#include "node/command.h"
#include "node/commands/cluster_text.h"
#include "node/control.h"
#include "node/node.h"
#include "node/peers.h"
#include "node/worker.h"
#include "ring/slot.h"
#include <check.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW_MS UINT64_C(1700000000000)
#define WORDS_MAX 16
#define SESSIONS 3
#define WORKERS 2

struct fixture {
    struct node node;
    struct worker workers[WORKERS];
    struct worker *worker_list[WORKERS];
    struct control control;
    struct session sessions[SESSIONS]; /* the first asks; the third is another node's */
    struct buf reply;
    int protocol;
};

/* ---- fixture ---- */

static inline void open_session(struct fixture *fixture, size_t index, enum session_access access)
{
    struct session *session = &fixture->sessions[index];
    session->access = access;
    session->fd = (int)index + 5;
    session->worker_index = (unsigned)index % WORKERS;
    session->created_ms = NOW_MS - 60000 * (index + 1);
    session->protocol = 2;
    atomic_store(&session->protocol_shown, 2);
    atomic_store(&session->last_active_ms, NOW_MS - 5000);
    snprintf(session->address, sizeof(session->address), "10.0.0.%zu:5000", index + 1);
    snprintf(session->local_address, sizeof(session->local_address), "10.0.0.9:7001");
    session_register(&fixture->node.sessions, session);
}

static inline void on_wake(struct ev_loop *loop, ev_async *watcher, int events)
{
    (void)loop;
    (void)watcher;
    (void)events;
}

static inline void make_threads(struct fixture *fixture)
{
    struct node *node = &fixture->node;
    for (unsigned i = 0; i < WORKERS; i++) {
        fixture->workers[i].node = node;
        fixture->workers[i].index = i;
        atomic_store(&fixture->workers[i].woken, true); /* so that nobody writes to a loop */
        fixture->worker_list[i] = &fixture->workers[i];
    }
    node->workers = fixture->worker_list;
    node->worker_count = WORKERS;
    fixture->control.node = node;
    pthread_mutex_init(&fixture->control.offer_lock, NULL);
    fixture->control.inbox_tail = &fixture->control.inbox;
    fixture->control.loop = ev_loop_new(EVFLAG_AUTO);
    ck_assert_ptr_nonnull(fixture->control.loop);
    ev_async_init(&fixture->control.wake, on_wake);
    ev_async_start(fixture->control.loop, &fixture->control.wake);
    node->control = &fixture->control;
}

static inline struct fixture *fixture_create(void)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    ck_assert_ptr_nonnull(fixture);
    struct node *node = &fixture->node;
    fixture->protocol = 2;
    config_defaults(&node->config);
    log_init(&node->log, -1, LOG_INFO, "test");
    memset(node->id.bytes, 1, NODE_ID_SIZE);
    make_threads(fixture);
    node->commands = command_table_create();
    node->store = store_create();
    node->incoming_store = store_create();
    node->cluster_text = cluster_text_create();
    node->slots = calloc(SLOT_COUNT, sizeof(*node->slots));
    ck_assert(node->commands != NULL && node->store != NULL && node->incoming_store != NULL &&
              node->cluster_text != NULL && node->slots != NULL);
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        copy_init(&node->slots[i].copy, (uint16_t)i);
        atomic_store(&node->slots[i].keys, store_keyspace(node->store, (uint16_t)i));
    }
    node->started_ms = NOW_MS - 90000;
    pthread_mutex_init(&node->view_lock, NULL);
    pthread_mutex_init(&node->gossip_lock, NULL);
    node->peers = peers_create();
    ck_assert_ptr_nonnull(node->peers);
    moves_init(&node->moves);
    check_init(&node->check);
    session_registry_init(&node->sessions);
    atomic_store(&node->sessions.last_id, 10);
    open_session(fixture, 0, ACCESS_ANY);
    open_session(fixture, 1, ACCESS_DIRECT);
    open_session(fixture, 2, ACCESS_BUS);
    return fixture;
}

static inline void fixture_destroy(struct fixture *fixture)
{
    struct node *node = &fixture->node;
    for (size_t i = 0; i < SESSIONS; i++) {
        session_unregister(&node->sessions, &fixture->sessions[i]);
    }
    session_registry_deinit(&node->sessions);
    pthread_mutex_destroy(&node->gossip_lock);
    pthread_mutex_destroy(&node->view_lock);
    pthread_mutex_destroy(&fixture->control.offer_lock);
    ev_async_stop(fixture->control.loop, &fixture->control.wake);
    ev_loop_destroy(fixture->control.loop);
    cluster_text_destroy(node->cluster_text);
    command_table_destroy(node->commands);
    store_destroy(node->store);
    store_destroy(node->incoming_store);
    view_release(node->view);
    peers_destroy(node->peers);
    moves_deinit(&node->moves);
    check_deinit(&node->check);
    free(node->slots);
    buf_deinit(&fixture->reply);
    free(fixture);
}

/* A view of the asking node and of `peers` others, the last of which has that status. */
static inline void join_with(struct fixture *fixture, size_t peers, enum node_status last)
{
    struct view *view = view_create();
    view->epoch = 3;
    view->copies = 2;
    memset(view->cluster_id.bytes, 9, NODE_ID_SIZE);
    snprintf(view->cluster_name, sizeof(view->cluster_name), "torc");
    for (size_t i = 0; i <= peers; i++) {
        struct view_node node = {.client_port = 7001,
                                 .direct_port = 8001,
                                 .http_port = 9001,
                                 .bus_port = 17001,
                                 .status = i > 0 && i == peers ? last : NODE_UP,
                                 .weight_asked = WEIGHT_UNIT,
                                 .weight_current = WEIGHT_UNIT,
                                 .weight_target = WEIGHT_UNIT};
        memset(node.id.bytes, (int)i + 1, NODE_ID_SIZE);
        snprintf(node.host, sizeof(node.host), "10.0.0.%zu", i + 1);
        ck_assert_int_eq(view_put_node(view, &node), TORC_OK);
    }
    view->voters[0] = view->nodes[0].id;
    view->voter_count = 1;
    ck_assert_int_eq(view_seal(view), TORC_OK);
    fixture->node.view = view;
}

static inline void join(struct fixture *fixture, size_t peers)
{
    join_with(fixture, peers, NODE_UP);
}

/* Runs a command written as words; ~ in a word stands for a space. Returns the reply. */
static inline const char *ask(struct fixture *fixture, const char *line)
{
    static char copy[1024];
    struct bytes argv[WORDS_MAX] = {0};
    size_t argc = 0;
    ck_assert_uint_lt(strlen(line), sizeof(copy));
    snprintf(copy, sizeof(copy), "%s", line);
    char *save = NULL;
    for (char *word = strtok_r(copy, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save)) {
        for (char *c = strchr(word, '~'); c != NULL; c = strchr(c, '~')) {
            *c = ' ';
        }
        ck_assert_uint_lt(argc, WORDS_MAX);
        argv[argc++] = bytes_of(word);
    }
    const struct command *command = command_find(fixture->node.commands, argv[0]);
    ck_assert_msg(command != NULL, "%s", line);
    command = command_resolve(command, argv, argc);
    ck_assert_msg(command != NULL, "%s", line);
    ck_assert_msg(command_arity_ok(command, argc), "%s", line);
    buf_reset(&fixture->reply, SIZE_MAX);
    struct reply_writer reply = {.out = &fixture->reply, .protocol = fixture->protocol};
    struct call call = {.command = command,
                        .argv = argv,
                        .argc = argc,
                        .now_ms = NOW_MS,
                        .reply = &reply,
                        .session = &fixture->sessions[0],
                        .worker = &fixture->workers[0]};
    command->handler(&call);
    fixture->protocol = reply.protocol;
    buf_append(&fixture->reply, "", 1);
    ck_assert(!fixture->reply.failed);
    return buf_head(&fixture->reply);
}

#define EXPECT(line, reply) ck_assert_str_eq(ask(fixture, (line)), (reply))

static inline void expect_part(struct fixture *fixture, const char *line, const char *part)
{
    const char *reply = ask(fixture, line);
    ck_assert_msg(strstr(reply, part) != NULL, "%s: no '%s' in\n%s", line, part, reply);
}

#endif
