#include "client/call.h"

#include "base/error.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define NAME_SHOWN_MAX 32
#define TEXT_SIZE_MAX 400

static struct call *create(size_t size, size_t room)
{
    struct call *call = malloc(sizeof(*call) + size + room);
    if (call != NULL) {
        memset(call, 0, sizeof(*call));
        atomic_init(&call->references, 1);
        call->size = size;
        call->room = room;
        call->route.slot = REQUEST_NO_SLOT;
    }
    return call;
}

struct call *call_create(const struct bytes *argv, size_t argc, size_t room)
{
    struct call *call = create(request_size(argv, argc), room);
    if (call != NULL) {
        request_write(call->request, argv, argc);
    }
    return call;
}

struct call *call_create_encoded(struct bytes request, size_t room)
{
    struct call *call = create(request.size, room);
    if (call != NULL && request.size > 0) {
        memcpy(call->request, request.data, request.size);
    }
    return call;
}

void call_retain(struct call *call)
{
    atomic_fetch_add_explicit(&call->references, 1, memory_order_relaxed);
}

void call_release(struct call *call)
{
    if (atomic_fetch_sub_explicit(&call->references, 1, memory_order_acq_rel) == 1) {
        torc_reply_free(call->reply);
        free(call->text);
        free(call);
    }
}

void call_let_go(struct call *call)
{
    if (call->completed && call->place == CALL_NOWHERE && call->pins == 0 && call->engaged) {
        call->engaged = false;
        call_release(call);
    }
}

void call_unpin(struct call *call)
{
    assert(call->pins > 0);
    call->pins--;
    call_let_go(call);
}

struct bytes call_name(const struct call *call)
{
    /* "*<count>\r\n$<size>\r\n<name>\r\n"; a name is not empty. */
    const char *name = memchr(call->request, '$', call->size);
    if (name == NULL) {
        return BYTES_LITERAL("connect");
    }
    name = (const char *)memchr(name, '\n', call->size - (size_t)(name - call->request)) + 1;
    const char *end = memchr(name, '\r', call->size - (size_t)(name - call->request));
    return (struct bytes){name, (size_t)(end - name)};
}

void call_forget(struct call *call)
{
    torc_reply_free(call->reply);
    call->reply = NULL;
    free(call->text);
    call->text = NULL;
    call->error = TORC_OK;
}

void call_note(struct call *call, int error, const struct endpoint *endpoint, const char *reason)
{
    char where[ENDPOINT_TEXT_SIZE] = "no node";
    const struct bytes name = call_name(call);
    call_forget(call);
    call->error = error;
    call->text = malloc(TEXT_SIZE_MAX);
    if (call->text == NULL) {
        return;
    }
    if (endpoint != NULL) {
        endpoint_format(endpoint, where);
    }
    (void)snprintf(call->text, TEXT_SIZE_MAX, "%.270s: %.*s: %s", where,
                   name.size < NAME_SHOWN_MAX ? (int)name.size : NAME_SHOWN_MAX, name.data, reason);
}

void call_list_append(struct call_list *list, struct call *call)
{
    call->next = NULL;
    call->previous = list->last;
    if (list->last != NULL) {
        list->last->next = call;
    } else {
        list->first = call;
    }
    list->last = call;
    list->count++;
}

void call_list_remove(struct call_list *list, struct call *call)
{
    assert(list->count > 0);
    if (call->previous != NULL) {
        call->previous->next = call->next;
    } else {
        list->first = call->next;
    }
    if (call->next != NULL) {
        call->next->previous = call->previous;
    } else {
        list->last = call->previous;
    }
    call->next = NULL;
    call->previous = NULL;
    list->count--;
}

void call_list_insert(struct call_list *list, struct call *call)
{
    struct call *after = list->last;
    while (after != NULL && after->sequence > call->sequence) {
        after = after->previous;
    }
    if (after == list->last) {
        call_list_append(list, call);
        return;
    }
    call->previous = after;
    call->next = after == NULL ? list->first : after->next;
    call->next->previous = call;
    if (after == NULL) {
        list->first = call;
    } else {
        after->next = call;
    }
    list->count++;
}

struct call *call_list_take(struct call_list *list)
{
    struct call *call = list->first;
    if (call != NULL) {
        call_list_remove(list, call);
    }
    return call;
}
