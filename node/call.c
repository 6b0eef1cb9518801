#include "node/call.h"

#include "base/error.h"
#include "node/resp/number.h"
#include "node/session.h"

#include <assert.h>

struct object *call_find(struct call *call, struct bytes key, uint64_t hash)
{
    uint64_t expire_at_ms;
    struct object *object = keyspace_find_with_expiry(call->keys, key, hash, &expire_at_ms);
    if (TORC_LIKELY(!object_expired_at(expire_at_ms, call->now_ms)) || call->applying) {
        return object;
    }
    if (call->from_replica) {
        return NULL; /* gone for the client; the primary deletes it */
    }
    bool deleted = keyspace_delete(call->keys, key, hash);
    assert(deleted);
    call->expired++;
    call_effect_delete(call, key);
    return NULL;
}

struct object *call_find_read(struct call *call, struct bytes key, uint64_t hash)
{
    struct object *object = call_find(call, key, hash);
    if (object == NULL) {
        call->misses++;
        return NULL;
    }
    call->hits++;
    if (call->session == NULL || !call->session->no_touch) {
        keyspace_touch(call->keys, object, call->now_ms);
    }
    return object;
}

struct object *call_find_typed(struct call *call, struct bytes key, uint64_t hash,
                               enum object_type type, bool *wrong)
{
    *wrong = false;
    struct object *object = call_find(call, key, hash);
    if (object != NULL && object_type(object) != type) {
        *wrong = true;
        call_reply_wrong_type(call);
        return NULL;
    }
    return object;
}

/* "<sign><number>\r\n" at `out`, which has room for it; returns the size. */
static size_t put_header(char *out, char sign, size_t number)
{
    out[0] = sign;
    size_t size = 1 + format_uint64(out + 1, number);
    out[size++] = '\r';
    out[size++] = '\n';
    return size;
}

#define EFFECT_HEADER_SIZE (1 + NUMBER_INT64_SIZE + 2)

void call_effect(struct call *call, size_t argc, const struct bytes *argv)
{
    assert(argc > 0);
    call->changes++;
    if (call->effects == NULL) {
        return;
    }
    size_t room = EFFECT_HEADER_SIZE;
    for (size_t i = 0; i < argc; i++) {
        room += EFFECT_HEADER_SIZE + argv[i].size + 2;
    }
    if (buf_reserve(call->effects, room) != TORC_OK) {
        return; /* the buffer remembers: whoever sends it sees that it is incomplete */
    }
    char *out = buf_tail(call->effects);
    size_t size = put_header(out, '*', argc);
    for (size_t i = 0; i < argc; i++) {
        size += put_header(out + size, '$', argv[i].size);
        if (argv[i].size > 0) {
            memcpy(out + size, argv[i].data, argv[i].size);
            size += argv[i].size;
        }
        out[size++] = '\r';
        out[size++] = '\n';
    }
    buf_commit(call->effects, size);
}

void call_effect_verbatim(struct call *call)
{
    call_effect(call, call->argc, call->argv);
}

void call_effect_delete(struct call *call, struct bytes key)
{
    const struct bytes argv[] = {BYTES_LITERAL("DEL"), key};
    call_effect(call, 2, argv);
}

void call_wait(struct call *call, size_t first, size_t count, enum object_type type)
{
    assert(count > 0);
    assert(call->wait != NULL);
    *call->wait = (struct call_wait){.count = count, .first = first, .type = type};
}

void call_reply_syntax_error(struct call *call)
{
    reply_error(call->reply, "ERR syntax error");
}

void call_reply_wrong_type(struct call *call)
{
    reply_error(call->reply, "WRONGTYPE Operation against a key holding the wrong kind of value");
}

void call_reply_not_integer(struct call *call)
{
    reply_error(call->reply, "ERR value is not an integer or out of range");
}

void call_reply_no_memory(struct call *call)
{
    reply_error(call->reply, "OOM command not allowed when used memory > 'maxmemory'.");
}

bool call_argument_is(const struct call *call, size_t index, const char *word)
{
    assert(index < call->argc);
    return bytes_equal_nocase(call->argv[index], word);
}

bool call_argument_int64(struct call *call, size_t index, int64_t *out)
{
    assert(index < call->argc);
    if (parse_int64(call->argv[index], out)) {
        return true;
    }
    call_reply_not_integer(call);
    return false;
}
