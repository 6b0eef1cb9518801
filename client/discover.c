#include "client/discover.h"

#include "base/error.h"
#include "client/answer.h"
#include "client/clock.h"
#include "client/dispatch.h"
#include "client/engine.h"
#include "client/reply.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define VIEW_COMMAND "TORC.VIEW"

static void ask_seed(struct torc *handle);
static void ask_candidate(struct torc *handle);

static bool begins(const redisReply *reply, const char *word)
{
    const size_t size = strlen(word);
    return reply->type == REDIS_REPLY_ERROR && reply->len >= size &&
           memcmp(reply->str, word, size) == 0;
}

/* Asks one node one thing; `finish` gets the answer. 0 or TORC_ENOMEM. */
static int ask(struct torc *handle, const struct endpoint *endpoint, const struct bytes *argv,
               size_t argc, uint64_t deadline_ms, call_finish *finish)
{
    struct node *node = nodes_get(&handle->nodes, endpoint, handle->options.connections_per_node);
    struct call *call = node == NULL ? NULL : call_create(argv, argc, 0);
    if (call == NULL) {
        return TORC_ENOMEM;
    }
    call->target = node;
    call->finish = finish;
    call->deadline_ms = deadline_ms;
    int result = engine_submit(handle, call);
    assert(result == TORC_OK); /* what is asked of one node is never too much */
    call_release(call);
    return TORC_OK;
}

static int ask_for_view(struct torc *handle, const struct endpoint *endpoint, uint64_t deadline_ms,
                        call_finish *finish)
{
    const struct bytes argv[] = {BYTES_LITERAL(VIEW_COMMAND)};
    return ask(handle, endpoint, argv, 1, deadline_ms, finish);
}

static int ask_for_slots(struct torc *handle, const struct endpoint *endpoint, uint64_t deadline_ms,
                         call_finish *finish)
{
    const struct bytes argv[] = {BYTES_LITERAL("CLUSTER"), BYTES_LITERAL("SLOTS")};
    return ask(handle, endpoint, argv, 2, deadline_ms, finish);
}

/* What a node's answer is as a topology; else the call has a note of what is wrong with it. 0;
 * TORC_EAGAIN: it has none yet; TORC_EVERSION: it does not know the question. */
static int read_topology(const struct torc *handle, struct call *call, struct topology **out)
{
    const struct topology *known = handle->routing.topology;
    const struct endpoint *endpoint = &call->target->endpoint;
    const redisReply *reply = call->reply;
    struct answer answer;
    char text[200];
    int result = call->error;
    if (result != TORC_OK) {
        return result;
    }
    answer_read(&answer, reply, endpoint->host);
    if (begins(reply, "ERR unknown command") ||
        begins(reply, "ERR This instance has cluster support disabled")) {
        return TORC_EVERSION;
    }
    if (answer.kind == ANSWER_LATER) {
        (void)snprintf(text, sizeof(text), "%.180s", reply->str);
        call_note(call, TORC_EAGAIN, endpoint, text);
        return TORC_EAGAIN;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        (void)snprintf(text, sizeof(text), "%.180s", reply->str);
        call_note(call, TORC_EREPLY, endpoint, text);
        return TORC_EREPLY;
    }
    if (reply->type == REDIS_REPLY_ARRAY) {
        result = topology_of_slots(out, reply, endpoint->host);
    } else if (reply->type == REDIS_REPLY_STRING) {
        struct view *view = NULL;
        result = view_decode(&view, reply_bytes(reply), known == NULL ? NULL : known->view);
        if (result == TORC_OK) {
            result = topology_of_view(out, view);
            view_release(view);
        }
    } else {
        result = TORC_EPROTOCOL;
    }
    if (result != TORC_OK) {
        (void)snprintf(text, sizeof(text), "the reply is no view: %s", torc_strerror(result));
        result = result == TORC_ENOMEM || result == TORC_EAGAIN ? result : TORC_EPROTOCOL;
        call_note(call, result, endpoint, text);
    }
    return result;
}

/* ------------------------------------------------------------------------------------- joining */

/* Ends the round with what the seeds have said. */
static void fail_join(struct torc *handle)
{
    struct discover *discover = &handle->discover;
    if (discover->forming && handle->unrouted.count > 0) {
        discover->state = DISCOVER_PAUSING;
        discover->pauses++;
        discover->due_ms = clock_now_ms() + 1 + prng_below(&handle->prng, RETRY_DELAY_MS_MAX);
        engine_due(handle, discover->due_ms);
        return;
    }
    discover->state = DISCOVER_IDLE;
    for (struct call *call; (call = call_list_take(&handle->unrouted)) != NULL;) {
        call->place = CALL_NOWHERE;
        discover_explain(handle, call);
        if (discover->error != TORC_OK) {
            call->error = discover->error;
        }
        engine_complete(handle, call);
    }
}

/* A seed is of no use; on to the next. */
static void pass_over(struct torc *handle, int error, const char *text)
{
    struct discover *discover = &handle->discover;
    const size_t size = strlen(discover->text);
    topology_destroy(discover->found);
    discover->found = NULL;
    discover->forming = discover->forming || error == TORC_EAGAIN;
    discover->error = error;
    (void)snprintf(discover->text + size, sizeof(discover->text) - size, "%s%s",
                   size == 0 ? "" : "; ", text != NULL ? text : torc_strerror(error));
    discover->index++;
    ask_seed(handle);
}

static void finish_join(struct torc *handle)
{
    struct discover *discover = &handle->discover;
    struct call_list unrouted = handle->unrouted;
    int result = dispatch_adopt(handle, discover->found);
    if (result != TORC_OK) {
        pass_over(handle, result, NULL);
        return;
    }
    discover->found = NULL;
    discover->state = DISCOVER_IDLE;
    handle->any_turn = (size_t)prng_next(&handle->prng);
    handle->unrouted = (struct call_list){0};
    for (struct call *call; (call = call_list_take(&unrouted)) != NULL;) {
        call->place = CALL_NOWHERE;
        dispatch_in_order(handle, call);
    }
}

static void got_commands(struct torc *handle, struct call *call)
{
    struct command_table table = {0};
    if (handle->closing) {
        return;
    }
    int result = call->error;
    if (result == TORC_OK && call->reply->type == REDIS_REPLY_ERROR) {
        char text[200];
        (void)snprintf(text, sizeof(text), "%.180s", call->reply->str);
        result = TORC_EREPLY;
        call_note(call, result, &call->target->endpoint, text);
    } else if (result == TORC_OK) {
        result = command_table_read(&table, call->reply);
        if (result != TORC_OK) {
            call_note(call, result, &call->target->endpoint, "not understood");
        }
    }
    if (result != TORC_OK) {
        pass_over(handle, result, call->text);
        return;
    }
    if (atomic_load_explicit(&handle->commands, memory_order_relaxed) == NULL) {
        handle->table = table;
        atomic_store_explicit(&handle->commands, &handle->table, memory_order_release);
    } else {
        command_table_deinit(&table);
    }
    finish_join(handle);
}

static void got_seed_topology(struct torc *handle, struct call *call)
{
    struct discover *discover = &handle->discover;
    const struct bytes argv[] = {BYTES_LITERAL("COMMAND")};
    const bool was_view = bytes_equal(call_name(call), BYTES_LITERAL(VIEW_COMMAND));
    const struct endpoint *seed = &call->target->endpoint;
    if (handle->closing) {
        return;
    }
    int result = read_topology(handle, call, &discover->found);
    if (result == TORC_EVERSION) {
        result = was_view ? ask_for_slots(handle, seed, call->deadline_ms, got_seed_topology)
                          : topology_of_single(&discover->found, seed);
        if (result == TORC_OK && was_view) {
            return;
        }
    }
    if (result == TORC_OK) {
        result = ask(handle, seed, argv, 1, call->deadline_ms, got_commands);
    }
    if (result != TORC_OK) {
        pass_over(handle, result, call->text);
    }
}

static void ask_seed(struct torc *handle)
{
    struct discover *discover = &handle->discover;
    const size_t count = handle->options.seed_count;
    if (discover->index == count || handle->closing) {
        fail_join(handle);
        return;
    }
    /* One that never answers must leave time for those behind it. */
    const uint64_t now_ms = clock_now_ms();
    const uint64_t left_ms = discover->deadline_ms > now_ms ? discover->deadline_ms - now_ms : 0;
    if (ask_for_view(handle, &handle->options.seeds[discover->index],
                     now_ms + left_ms / (count - discover->index), got_seed_topology) != TORC_OK) {
        pass_over(handle, TORC_ENOMEM, NULL);
    }
}

static void begin_join(struct torc *handle)
{
    struct discover *discover = &handle->discover;
    discover->state = DISCOVER_JOINING;
    discover->index = 0;
    discover->forming = false;
    discover->error = TORC_OK;
    discover->text[0] = '\0';
    /* A little less than a call has, so that the seeds are heard before it gives up. */
    discover->deadline_ms =
        clock_now_ms() + handle->options.timeout_ms - handle->options.timeout_ms / 16;
    ask_seed(handle);
}

void discover_join(struct torc *handle)
{
    if (handle->discover.state == DISCOVER_IDLE) {
        begin_join(handle);
    }
}

void discover_explain(struct torc *handle, struct call *call)
{
    const struct discover *discover = &handle->discover;
    call_note(call, TORC_ETIMEOUT, NULL, "no seed has answered yet");
    if (discover->text[0] != '\0' && call->text != NULL) {
        char *text = strdup(discover->text);
        free(call->text);
        call->text = text;
    }
}

/* ---------------------------------------------------------------------------------- refreshing */

static void finish_refresh(struct torc *handle, bool answered)
{
    struct discover *discover = &handle->discover;
    if (!answered && discover->foreign != NULL && !handle->closing) {
        /* Nobody of the old cluster answers, and the seeds lead to a new one: it was built anew. */
        if (dispatch_adopt(handle, discover->foreign) == TORC_OK) {
            discover->foreign = NULL;
            answered = true;
        }
    }
    topology_destroy(discover->foreign);
    discover->foreign = NULL;
    discover->answered = answered;
    discover->refreshes++;
    discover->state = DISCOVER_IDLE;
    refresh_done(&handle->refresh, clock_now_ms(), &handle->prng);
    engine_due(handle, refresh_due(&handle->refresh));
}

static void got_topology(struct torc *handle, struct call *call)
{
    struct discover *discover = &handle->discover;
    struct topology *topology = NULL;
    const size_t nodes = handle->routing.topology->node_count;
    if (handle->closing) {
        finish_refresh(handle, false);
        return;
    }
    if (read_topology(handle, call, &topology) == TORC_OK) {
        const enum routing_verdict verdict = routing_judge(&handle->routing, topology);
        if (verdict == ROUTING_NEWER && dispatch_adopt(handle, topology) == TORC_OK) {
            finish_refresh(handle, true);
            return;
        }
        if (verdict == ROUTING_FOREIGN && discover->index > nodes && discover->foreign == NULL) {
            discover->foreign = topology;
        } else {
            topology_destroy(topology);
        }
        if (verdict == ROUTING_SAME) {
            finish_refresh(handle, true);
            return;
        }
    }
    ask_candidate(handle);
}

static bool has_failed(const struct torc *handle, const struct endpoint *endpoint)
{
    const struct node *node = nodes_find(&handle->nodes, endpoint);
    return node != NULL && node->breaker.failures > 0;
}

/* Asks the next candidate: the nodes that are known, in a circle, then the seeds. */
static void ask_candidate(struct torc *handle)
{
    struct discover *discover = &handle->discover;
    const struct topology *topology = handle->routing.topology;
    const size_t count = topology->node_count + handle->options.seed_count;
    while (discover->index < count) {
        const size_t i = discover->index++;
        const struct endpoint *endpoint;
        if (i < topology->node_count && discover->asked < REFRESH_NODES_MAX) {
            const struct topology_node *node =
                &topology->nodes[(discover->start + i) % topology->node_count];
            endpoint = &node->any;
            if (!node->serves_any || has_failed(handle, &node->any) ||
                has_failed(handle, &node->direct)) {
                continue;
            }
            discover->asked++;
        } else if (i < topology->node_count) {
            continue;
        } else {
            endpoint = &handle->options.seeds[i - topology->node_count];
        }
        const uint64_t deadline_ms = clock_now_ms() + handle->options.connect_timeout_ms;
        const int result = topology->kind == TOPOLOGY_TORC
                               ? ask_for_view(handle, endpoint, deadline_ms, got_topology)
                               : ask_for_slots(handle, endpoint, deadline_ms, got_topology);
        if (result == TORC_OK) {
            return;
        }
    }
    finish_refresh(handle, false);
}

void discover_run(struct torc *handle, uint64_t now_ms)
{
    struct discover *discover = &handle->discover;
    if (discover->state == DISCOVER_PAUSING) {
        if (now_ms < discover->due_ms) {
            engine_due(handle, discover->due_ms);
        } else if (handle->unrouted.count == 0) {
            discover->state = DISCOVER_IDLE;
        } else {
            begin_join(handle);
        }
    }
    if (discover->state != DISCOVER_IDLE || handle->routing.topology == NULL) {
        return;
    }
    if (handle->routing.topology->kind == TOPOLOGY_SINGLE) {
        handle->refresh.wanted = false; /* it has everything, always */
        return;
    }
    if (refresh_begin(&handle->refresh, now_ms)) {
        const size_t nodes = handle->routing.topology->node_count;
        discover->state = DISCOVER_REFRESHING;
        discover->index = 0;
        discover->asked = 0;
        discover->start = (size_t)prng_below(&handle->prng, nodes);
        ask_candidate(handle);
    } else {
        engine_due(handle, refresh_due(&handle->refresh));
    }
}

void discover_deinit(struct discover *discover)
{
    topology_destroy(discover->found);
    topology_destroy(discover->foreign);
}
