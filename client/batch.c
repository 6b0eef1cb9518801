#include "client/batch.h"

#include "base/error.h"
#include "torc/torc.h"

#include <assert.h>
#include <stdlib.h>

#define BATCH_CAPACITY_MIN 8

static void free_replies(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        torc_reply_free(batch->calls[i].reply);
    }
    batch->count = 0;
}

void batch_deinit(struct batch *batch)
{
    free_replies(batch);
    free(batch->calls);
    buf_deinit(&batch->encoded);
    *batch = (struct batch){0};
}

void batch_reset(struct batch *batch)
{
    free_replies(batch);
    buf_reset(&batch->encoded, BUFFER_KEPT);
    if (batch->capacity > ARGUMENTS_KEPT) {
        free(batch->calls);
        batch->calls = NULL;
        batch->capacity = 0;
    }
}

int batch_add(struct batch *batch, const struct bytes *argv, size_t argc)
{
    int result = request_check(argv, argc);
    if (result != TORC_OK) {
        return result;
    }
    if (request_is_connection_bound(argv, argc)) {
        return TORC_EINVAL;
    }
    if (batch->count == PIPELINE_COMMANDS_MAX) {
        return TORC_ETOOBIG;
    }
    if (batch->count == batch->capacity) {
        size_t capacity = batch->capacity == 0 ? BATCH_CAPACITY_MIN : 2 * batch->capacity;
        struct call *calls = realloc(batch->calls, capacity * sizeof(*calls));
        if (calls == NULL) {
            return TORC_ENOMEM;
        }
        batch->calls = calls;
        batch->capacity = capacity;
    }
    size_t start = buf_size(&batch->encoded);
    result = request_encode(&batch->encoded, argv, argc);
    if (result != TORC_OK) {
        return result;
    }
    size_t size = buf_size(&batch->encoded) - start;
    /* A single command may be larger than that: its own limits were looked at above. */
    if (start > 0 && start + size > PIPELINE_SIZE_MAX) {
        batch->encoded.end -= size;
        return TORC_ETOOBIG;
    }
    batch->calls[batch->count++] = (struct call){.start = start, .size = size};
    return TORC_OK;
}

struct bytes batch_request(const struct batch *batch, size_t index)
{
    assert(index < batch->count);
    const struct call *call = &batch->calls[index];
    return (struct bytes){buf_head(&batch->encoded) + call->start, call->size};
}

struct bytes batch_name(const struct batch *batch, size_t index)
{
    /* "*<count>\r\n$<size>\r\n<name>\r\n"; a name is not empty. */
    struct bytes request = batch_request(batch, index);
    const char *name = memchr(request.data, '$', request.size);
    assert(name != NULL);
    name = strchr(name, '\n') + 1;
    const char *end = memchr(name, '\r', request.size - (size_t)(name - request.data));
    assert(end != NULL);
    return (struct bytes){name, (size_t)(end - name)};
}

struct slot_set {
    uint8_t bits[SLOT_COUNT / 8];
};

static bool slot_set_has(const struct slot_set *set, uint16_t slot)
{
    return (set->bits[slot / 8] >> (slot % 8) & 1) != 0;
}

static void slot_set_add(struct slot_set *set, uint16_t slot)
{
    set->bits[slot / 8] |= (uint8_t)(1u << (slot % 8));
}

static void free_reply(struct call *call)
{
    torc_reply_free(call->reply);
    call->reply = NULL;
}

size_t batch_judge(struct batch *batch, bool *only_moved)
{
    struct slot_set executed = {{0}}; /* slots with a later call that has been executed ... */
    struct slot_set written = {{0}};  /* ... and it writes */
    size_t again = 0;
    *only_moved = true;
    for (size_t i = batch->count; i-- > 0;) {
        struct call *call = &batch->calls[i];
        const uint16_t slot = call->route.slot;
        if (call->state == CALL_DONE && slot != REQUEST_NO_SLOT) {
            slot_set_add(&executed, slot);
            if (!call->route.readonly) {
                slot_set_add(&written, slot);
            }
        }
        if (call->state != CALL_AGAIN) {
            continue;
        }
        const struct slot_set *forbidden = call->route.readonly ? &written : &executed;
        if (slot != REQUEST_NO_SLOT && slot_set_has(forbidden, slot)) {
            free_reply(call);
            call->state = CALL_DONE;
            call->error = TORC_EAGAIN;
            continue;
        }
        again++;
        *only_moved = *only_moved && call->redirected;
    }
    return again;
}

void batch_renew(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct call *call = &batch->calls[i];
        if (call->state == CALL_AGAIN) {
            free_reply(call);
            call->state = CALL_WAITING;
            call->error = TORC_OK;
            call->redirected = false;
        }
    }
}

void batch_give_up(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct call *call = &batch->calls[i];
        if (call->state == CALL_AGAIN) {
            assert((call->reply == NULL) == (call->error != TORC_OK));
            call->state = CALL_DONE;
        }
    }
}

size_t batch_first_error(const struct batch *batch)
{
    size_t index = 0;
    while (index < batch->count && batch->calls[index].error == TORC_OK) {
        assert(batch->calls[index].state == CALL_DONE);
        index++;
    }
    return index;
}
