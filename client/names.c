#include "client/names.h"

#include "base/error.h"
#include "client/clock.h"
#include "client/handle.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

int name_draw(char out[NAME_ORIGIN_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char drawn[NAME_ORIGIN_SIZE / 2];
    if (getrandom(drawn, sizeof(drawn), 0) != (ssize_t)sizeof(drawn)) {
        return TORC_EIO;
    }
    for (size_t i = 0; i < sizeof(drawn); i++) {
        out[2 * i] = digits[drawn[i] >> 4];
        out[2 * i + 1] = digits[drawn[i] & 15];
    }
    return TORC_OK;
}

int names_init(struct names *names)
{
    *names = (struct names){0};
    return name_draw(names->origin);
}

bool names_wanted(const struct torc *handle, const struct call *call)
{
    return handle->table.once && !handle->options.unnamed_writes && call->room > 0 &&
           call->target == NULL && call->route.slot != REQUEST_NO_SLOT && !call->route.readonly &&
           !call->route.blocking && !call->repeatable && !call->nameless;
}

static void begin(struct names *names, struct call *call)
{
    call->once_id = ++names->last;
    call->first_sent_ms = clock_now_ms();
    call->once_next = NULL;
    call->once_previous = names->newest;
    if (names->newest != NULL) {
        names->newest->once_next = call;
    } else {
        names->oldest = call;
    }
    names->newest = call;
}

/* "$<size>\r\n<number>\r\n" */
static char *write_number(char *out, uint64_t number)
{
    char text[24];
    size_t size = 0;
    do {
        text[sizeof(text) - ++size] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    *out++ = '$';
    if (size >= 10) {
        *out++ = (char)('0' + size / 10);
    }
    *out++ = (char)('0' + size % 10);
    *out++ = '\r';
    *out++ = '\n';
    memcpy(out, text + sizeof(text) - size, size);
    out += size;
    *out++ = '\r';
    *out++ = '\n';
    return out;
}

void names_write_head(struct torc *handle, struct call *call)
{
    struct names *names = &handle->names;
    uint64_t age_ms = 0;
    assert(call->named && call->room >= NAME_HEAD_SIZE_MAX);
    if (call->once_id == 0) {
        begin(names, call);
    } else {
        age_ms = clock_now_ms() - call->first_sent_ms;
    }
    /* "*<count>\r\n" of the command gives way to a count that is five higher. */
    const char *count_end = memchr(call->request, '\n', call->size);
    const unsigned long count = strtoul(call->request + 1, NULL, 10);
    char *head = call_head(call);
    char *out = head + snprintf(head, call->room, "*%lu\r\n$9\r\nTORC.ONCE\r\n$%d\r\n", count + 5,
                                NAME_ORIGIN_SIZE);
    memcpy(out, names->origin, NAME_ORIGIN_SIZE);
    out += NAME_ORIGIN_SIZE;
    *out++ = '\r';
    *out++ = '\n';
    out = write_number(out, call->once_id);
    out = write_number(out, names->oldest->once_id);
    out = write_number(out, age_ms);
    call->head_size = (uint16_t)(out - head);
    call->head_replaces = (uint16_t)(count_end + 1 - call->request);
    assert(call->head_size <= NAME_HEAD_SIZE_MAX);
}

void names_settle(struct torc *handle, struct call *call)
{
    struct names *names = &handle->names;
    if (call->once_id == 0) {
        return;
    }
    if (call->once_previous != NULL) {
        call->once_previous->once_next = call->once_next;
    } else {
        names->oldest = call->once_next;
    }
    if (call->once_next != NULL) {
        call->once_next->once_previous = call->once_previous;
    } else {
        names->newest = call->once_previous;
    }
    call->once_id = 0;
}

void names_refused(struct torc *handle, struct call *call)
{
    names_settle(handle, call);
    call->named = false;
    call->nameless = true;
}

bool names_protect(const struct call *call, uint64_t now_ms)
{
    return call->named && (call->once_id == 0 || now_ms < call->first_sent_ms + NAME_REPEAT_MS);
}
