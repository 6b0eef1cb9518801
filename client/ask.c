#include "client/ask.h"

#include "base/error.h"
#include "client/clock.h"
#include "client/engine.h"

#include <assert.h>
#include <stdlib.h>

int ask_each(struct torc *handle, const struct endpoint *endpoints, size_t count,
             const struct bytes *argv, size_t argc, unsigned timeout_ms, redisReply **replies,
             int *errors)
{
    struct waiter waiter = {.remaining = 0};
    struct call **calls = calloc(count + 1, sizeof(struct call *));
    if (calls == NULL) {
        return TORC_ENOMEM;
    }
    handle_lock(handle);
    for (size_t i = 0; i < count; i++) {
        struct node *node =
            nodes_get(&handle->nodes, &endpoints[i], handle->options.connections_per_node);
        calls[i] = node == NULL ? NULL : call_create(argv, argc, 0);
        if (calls[i] == NULL) {
            continue;
        }
        calls[i]->target = node;
        calls[i]->waiter = &waiter;
        calls[i]->deadline_ms = clock_now_ms() + timeout_ms;
        waiter.remaining++;
        int result = engine_submit(handle, calls[i]);
        assert(result == TORC_OK); /* what is asked of one node is never too much */
    }
    engine_flush_now(handle);
    (void)waiter_wait(handle, &waiter, UINT64_MAX);
    for (size_t i = 0; i < count; i++) {
        errors[i] = calls[i] == NULL ? TORC_ENOMEM : calls[i]->error;
        replies[i] = NULL;
        if (calls[i] != NULL) {
            replies[i] = calls[i]->reply;
            calls[i]->reply = NULL;
            call_release(calls[i]);
        }
    }
    free(calls);
    return TORC_OK;
}

int ask_one(struct torc *handle, const struct endpoint *endpoint, const struct bytes *argv,
            size_t argc, unsigned timeout_ms, redisReply **reply)
{
    int error = TORC_OK;
    int result = ask_each(handle, endpoint, 1, argv, argc, timeout_ms, reply, &error);
    return result == TORC_OK ? error : result;
}

bool ask_for_newer(struct torc *handle, unsigned timeout_ms)
{
    const uint64_t until_ms = clock_now_ms() + timeout_ms;
    handle_lock(handle);
    struct discover *discover = &handle->discover;
    const uint64_t before = discover->refreshes;
    while (discover->refreshes == before && clock_now_ms() < until_ms) {
        handle->refresh.wanted = true;
        handle->refresh.due_ms = 0;
        handle->due_ms = 0;
        if (role_take(handle)) {
            engine_step(handle, NULL, until_ms);
            role_pass(handle);
        }
    }
    const bool answered = discover->refreshes != before && discover->answered;
    handle->refresh.wanted = false;
    handle_unlock(handle);
    return answered;
}

const struct view *ask_view(struct torc *handle)
{
    handle_lock(handle);
    const struct topology *topology = handle->routing.topology;
    const struct view *view =
        topology == NULL || topology->view == NULL ? NULL : view_retain(topology->view);
    handle_unlock(handle);
    return view;
}
