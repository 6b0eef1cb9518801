/* torc-node: starts the parts in order, waits, stops them in reverse. */
#include "base/error.h"
#include "node/clock.h"
#include "node/commands/cluster_text.h"
#include "node/control.h"
#include "node/gossip_driver.h"
#include "node/http.h"
#include "node/memory.h"
#include "node/net.h"
#include "node/node.h"
#include "node/peers.h"
#include "node/quorum_driver.h"
#include "node/version.h"
#include "node/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#define FILES_BESIDE_CLIENTS 256 /* listeners, the bus, the state file, libraries */

/* jemalloc reads this when it begins. Pages that are free go back to the system after a second (ten
 * are usual), so that the resident size is what is in use, and a thread of its own gives them back:
 * madvise of a large run takes longer than a command may wait. Figures: docs/architecture.md. */
extern const char *malloc_conf;
const char *malloc_conf = "background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0";

enum exit_code { EXIT_RUNTIME_FAILURE = 1, EXIT_BAD_USAGE = 2 };

static int create_parts(struct node *node)
{
    node->commands = command_table_create();
    node->store = store_create();
    node->incoming_store = node->store == NULL ? NULL : store_create_beside(node->store);
    node->peers = peers_create();
    moves_init(&node->moves);
    tracking_init(&node->tracking);
    check_init(&node->check);
    node->cluster_text = cluster_text_create();
    node->slots = calloc(SLOT_COUNT, sizeof(*node->slots));
    node->workers = calloc(node->config.threads, sizeof(struct worker *));
    if (node->commands == NULL || node->store == NULL || node->incoming_store == NULL ||
        node->peers == NULL || node->cluster_text == NULL || node->slots == NULL ||
        node->workers == NULL) {
        return TORC_ENOMEM;
    }
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        copy_init(&node->slots[i].copy, (uint16_t)i);
        node->slots[i].keys = store_keyspace(node->store, (uint16_t)i);
        node->slots[i].incoming = store_keyspace(node->incoming_store, (uint16_t)i);
    }
    memory_follow_config(node);
    node->control = control_create(node);
    if (node->control == NULL) {
        return TORC_ENOMEM;
    }
    for (unsigned i = 0; i < node->config.threads; i++) {
        node->workers[i] = worker_create(node, i);
        if (node->workers[i] == NULL) {
            return TORC_ENOMEM;
        }
        node->worker_count = i + 1;
    }
    return TORC_OK;
}

static void destroy_parts(struct node *node)
{
    for (unsigned i = 0; i < node->worker_count; i++) {
        worker_destroy(node->workers[i]);
    }
    control_destroy(node->control);
    view_release(node->view);
    peers_destroy(node->peers);
    cluster_text_destroy(node->cluster_text);
    for (unsigned i = 0; i < SLOT_COUNT && node->slots != NULL; i++) {
        copy_deinit(&node->slots[i].copy);
        tracking_drop(node, &node->slots[i]);
    }
    tracking_deinit(&node->tracking);
    store_destroy(node->incoming_store);
    store_destroy(node->store);
    moves_deinit(&node->moves);
    check_deinit(&node->check);
    command_table_destroy(node->commands);
    free(node->slots);
    free(node->workers);
}

/* Room for --clients-max connections; says what to raise when there is none. */
static void raise_file_limit(struct node *node)
{
    rlim_t wanted = node->config.clients_max + FILES_BESIDE_CLIENTS;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) {
        return;
    }
    struct rlimit raised = {wanted, limit.rlim_max > wanted ? limit.rlim_max : wanted};
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) {
        return;
    }
    raised = (struct rlimit){limit.rlim_max, limit.rlim_max};
    setrlimit(RLIMIT_NOFILE, &raised);
    uint32_t possible = limit.rlim_max > FILES_BESIDE_CLIENTS
                            ? (uint32_t)(limit.rlim_max - FILES_BESIDE_CLIENTS)
                            : 1;
    if (possible < node->config.clients_max) {
        log_warning(&node->log,
                    "the limit on open files (%llu) leaves room for %u clients, not %u: raise it "
                    "with 'ulimit -n %llu' or LimitNOFILE=",
                    (unsigned long long)limit.rlim_max, possible, node->config.clients_max,
                    (unsigned long long)wanted);
        node->config.clients_max = possible;
    }
}

/* Who we are: remembered, or new. */
static int identify(struct node *node, struct node_state *state)
{
    struct control *control = node->control;
    int result = state_file_open(&control->state_file, node->config.state_dir, &node->log, state);
    if (result == TORC_ENOTFOUND) {
        uint64_t seed = 0;
        if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed)) {
            log_error(&node->log, "no randomness for a node id: %s", strerror(errno));
            return TORC_EIO;
        }
        prng_init(&control->prng, seed);
        node_id_generate(&state->id, &control->prng);
        state->incarnation = 0;
        state->view = NULL;
    } else if (result != TORC_OK) {
        return result;
    }
    /* A run that was never written down must not look like the one before it. */
    state->incarnation++;
    node->id = state->id;
    node->incarnation = state->incarnation;
    return state_file_write(&control->state_file, &node->log, state);
}

static void find_announce(struct node *node)
{
    const struct config *config = &node->config;
    bool wildcard = strcmp(config->bind, "0.0.0.0") == 0 || strcmp(config->bind, "::") == 0;
    if (config->announce[0] != '\0') {
        snprintf(node->announce, sizeof(node->announce), "%s", config->announce);
    } else if (!wildcard || !net_own_address(node->announce, sizeof(node->announce))) {
        snprintf(node->announce, sizeof(node->announce), "%s",
                 wildcard ? "127.0.0.1" : config->bind);
    }
}

static int listen_everywhere(struct node *node)
{
    int result = TORC_OK;
    for (unsigned i = 0; i < node->worker_count && result == TORC_OK; i++) {
        result = worker_listen(node->workers[i]);
    }
    return result == TORC_OK ? control_listen(node->control) : result;
}

static int start_workers(struct node *node)
{
    for (unsigned i = 0; i < node->worker_count; i++) {
        int error = pthread_create(&node->workers[i]->thread, NULL, worker_run, node->workers[i]);
        if (error != 0) {
            log_error(&node->log, "cannot start a thread: %s", strerror(error));
            node_stop(node);
            for (unsigned j = 0; j < i; j++) {
                pthread_join(node->workers[j]->thread, NULL);
            }
            return TORC_EIO;
        }
    }
    return TORC_OK;
}

/* Joins or founds; then the control thread's work is done here, in the main thread. */
static int run_control(struct node *node, const struct node_state *remembered)
{
    struct control *control = node->control;
    struct view *view = join_cluster(control, remembered->view);
    if (view == NULL) {
        return atomic_load(&node->stopping) ? TORC_OK : TORC_EIO;
    }
    int result = gossip_driver_start(control, view);
    if (result == TORC_OK) {
        result = quorum_driver_start(control, view, buf_bytes(&remembered->quorum));
    }
    view_release(view);
    if (result == TORC_OK) {
        log_info(&node->log, "ready: clients on port %u, direct %u", node->config.port,
                 node->config.direct_port);
        control_run(control);
        result = control->exit_code;
    }
    return result;
}

/* Signals end the node in an orderly way: a thread of their own takes them. */
static void *wait_for_signal(void *context)
{
    struct node *node = context;
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    int signal_number = 0;
    sigwait(&signals, &signal_number);
    if (!atomic_load(&node->stopping)) {
        log_info(&node->log, "stopping; once more to stop at once");
        node_leave(node);
        sigwait(&signals, &signal_number);
        node_stop(node);
    }
    return NULL;
}

static int block_signals(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    signal(SIGPIPE, SIG_IGN);
    return pthread_sigmask(SIG_BLOCK, &signals, NULL);
}

static int run_node(struct node *node)
{
    struct node_state state = {0};
    pthread_t signal_thread;
    int result = identify(node, &state);
    if (result != TORC_OK) {
        return result;
    }
    find_announce(node);
    struct http *http = NULL;
    result = listen_everywhere(node);
    if (result == TORC_OK) {
        http = http_start(node);
        result = http != NULL ? start_workers(node) : TORC_EIO;
    }
    if (result != TORC_OK) {
        http_stop(http);
        node_state_deinit(&state);
        return result;
    }
    if (pthread_create(&signal_thread, NULL, wait_for_signal, node) != 0) {
        log_error(&node->log, "cannot start a thread");
        result = TORC_EIO;
    } else {
        result = run_control(node, &state);
        node_stop(node);
        pthread_kill(signal_thread, SIGTERM);
        pthread_join(signal_thread, NULL);
    }
    node_stop(node);
    http_stop(http);
    for (unsigned i = 0; i < node->worker_count; i++) {
        pthread_join(node->workers[i]->thread, NULL);
    }
    node_state_deinit(&state);
    return result;
}

int main(int argc, char **argv)
{
    static struct node node;
    config_defaults(&node.config);
    enum config_outcome outcome = config_parse(&node.config, argc, argv);
    if (outcome != CONFIG_RUN) {
        return outcome == CONFIG_EXIT_OK ? 0 : EXIT_BAD_USAGE;
    }
    char name[32];
    snprintf(name, sizeof(name), "torc-node %u", node.config.port);
    log_init(&node.log, STDERR_FILENO, (enum log_level)node.config.log_level, name);
    if (block_signals() != 0) {
        return EXIT_RUNTIME_FAILURE;
    }
    pthread_mutex_init(&node.view_lock, NULL);
    pthread_mutex_init(&node.gossip_lock, NULL);
    session_registry_init(&node.sessions);
    node.started_ms = clock_wall_ms();
    node.led_share_permille = 1000;
    raise_file_limit(&node);
    int result = create_parts(&node);
    if (result == TORC_OK) {
        result = run_node(&node);
    } else {
        log_error(&node.log, "cannot start: %s", torc_strerror(result));
    }
    destroy_parts(&node);
    session_registry_deinit(&node.sessions);
    return result == TORC_OK ? 0 : EXIT_RUNTIME_FAILURE;
}
