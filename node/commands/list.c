/*
 * Commands on one list. The replicas are told the command as it was sent: what it does follows from
 * what the list holds, and that is the same there.
 */
#include "node/commands/list.h"

#include "base/error.h"
#include "node/command_errors.h"
#include "node/commands/common.h"
#include "node/commands/handlers.h"
#include "node/commands/pop_options.h"

#include <assert.h>

bool list_end_parse(struct call *call, size_t index, enum list_end *out)
{
    if (call_argument_is(call, index, "left")) {
        *out = LIST_HEAD;
    } else if (call_argument_is(call, index, "right")) {
        *out = LIST_TAIL;
    } else {
        call_reply_syntax_error(call);
        return false;
    }
    return true;
}

bool list_change_ok(struct call *call, int error)
{
    if (error == TORC_OK) {
        return true;
    }
    if (error == TORC_ETOOBIG) {
        reply_error(call->reply, "ERR list exceeds maximum allowed size");
    } else {
        call_reply_no_memory(call);
    }
    return false;
}

void list_reply_values(struct call *call, const struct object *list, size_t index, size_t count,
                       enum list_end to)
{
    reply_array(call->reply, count);
    struct list_cursor cursor;
    list_cursor_init(&cursor, list, index, to);
    for (size_t i = 0; i < count; i++) {
        struct bytes value = {0};
        bool found = list_next(&cursor, &value);
        assert(found);
        reply_bulk(call->reply, value);
    }
}

struct bytes list_value_at_end(const struct object *list, enum list_end end)
{
    struct list_cursor cursor;
    struct bytes value = {0};
    list_cursor_init(&cursor, list, end == LIST_HEAD ? 0 : list_count(list) - 1, LIST_TAIL);
    bool found = list_next(&cursor, &value);
    assert(found);
    return value;
}

/* Removes values at an end and notes the access. */
static void remove_at_end(struct call *call, struct bytes key, uint64_t hash, struct object *list,
                          enum list_end end, size_t count)
{
    keyspace_touch(call->keys, list, call->now_ms);
    size_t first = end == LIST_HEAD ? 0 : list_count(list) - count;
    keyspace_list_remove(call->keys, key, hash, first, count);
}

void list_pop_values(struct call *call, struct bytes key, uint64_t hash, struct object *list,
                     enum list_end end, size_t count)
{
    if (end == LIST_HEAD) {
        list_reply_values(call, list, 0, count, LIST_TAIL);
    } else {
        list_reply_values(call, list, list_count(list) - 1, count, LIST_HEAD);
    }
    remove_at_end(call, key, hash, list, end, count);
}

void list_pop_value(struct call *call, struct bytes key, uint64_t hash, struct object *list,
                    enum list_end end)
{
    reply_bulk(call->reply, list_value_at_end(list, end));
    remove_at_end(call, key, hash, list, end, 1);
}

/* The list of the first key, to be changed; *wrong after it has replied WRONGTYPE. */
static struct object *find_list(struct call *call, bool *wrong)
{
    return call_find_typed(call, call->argv[1], call->hash, OBJECT_LIST, wrong);
}

/* The same, to be read. */
static struct object *find_list_read(struct call *call, bool *wrong)
{
    return find_typed_read(call, call->argv[1], call->hash, OBJECT_LIST, wrong);
}

/* ---- adding ---- */

static void push(struct call *call, enum list_end end, bool create)
{
    bool wrong;
    struct object *list = find_list(call, &wrong);
    if (wrong) {
        return;
    }
    if (list == NULL && !create) {
        reply_integer(call->reply, 0);
        return;
    }
    if (!list_change_ok(call, keyspace_list_push(call->keys, call->argv[1], call->hash, end,
                                                 call->argv + 2, call->argc - 2, &list))) {
        return;
    }
    keyspace_touch(call->keys, list, call->now_ms);
    call_effect_verbatim(call);
    reply_integer(call->reply, (int64_t)list_count(list));
}

void lpush_command(struct call *call)
{
    push(call, LIST_HEAD, true);
}

void rpush_command(struct call *call)
{
    push(call, LIST_TAIL, true);
}

void lpushx_command(struct call *call)
{
    push(call, LIST_HEAD, false);
}

void rpushx_command(struct call *call)
{
    push(call, LIST_TAIL, false);
}

/* True if the value is in the list, first at *index. */
static bool find_value(const struct object *list, struct bytes wanted, size_t *index)
{
    struct list_cursor cursor;
    struct bytes value;
    list_cursor_init(&cursor, list, 0, LIST_TAIL);
    for (*index = 0; list_next(&cursor, &value); ++*index) {
        if (bytes_equal(value, wanted)) {
            return true;
        }
    }
    return false;
}

void linsert_command(struct call *call)
{
    bool behind = call_argument_is(call, 2, "after");
    if (!behind && !call_argument_is(call, 2, "before")) {
        call_reply_syntax_error(call);
        return;
    }
    bool wrong;
    struct object *list = find_list(call, &wrong);
    if (list == NULL) {
        if (!wrong) {
            reply_integer(call->reply, 0);
        }
        return;
    }
    size_t index;
    if (!find_value(list, call->argv[3], &index)) {
        reply_integer(call->reply, -1);
        return;
    }
    size_t count = list_count(list) + 1;
    keyspace_touch(call->keys, list, call->now_ms);
    if (list_change_ok(call, keyspace_list_insert(call->keys, call->argv[1], call->hash,
                                                  index + (behind ? 1 : 0), call->argv[4]))) {
        call_effect_verbatim(call);
        reply_integer(call->reply, (int64_t)count);
    }
}

/* ---- removing ---- */

static void pop_one(struct call *call, struct object *list, enum list_end end)
{
    list_pop_value(call, call->argv[1], call->hash, list, end);
    call_effect_verbatim(call);
}

static void pop_several(struct call *call, struct object *list, enum list_end end, int64_t limit)
{
    size_t count = list_count(list);
    count = (uint64_t)limit < count ? (size_t)limit : count;
    if (count == 0) {
        reply_array(call->reply, 0);
        return;
    }
    list_pop_values(call, call->argv[1], call->hash, list, end, count);
    call_effect_verbatim(call);
}

static void pop(struct call *call, enum list_end end)
{
    bool several = call->argc == 3;
    int64_t limit = 1;
    if (call->argc > 3) {
        reply_wrong_arity(call->reply, call->command);
        return;
    }
    if (several && !pop_limit_parse(call, &limit)) {
        return;
    }
    bool wrong;
    struct object *list = find_list(call, &wrong);
    if (wrong) {
        return;
    }
    if (list == NULL) {
        several ? reply_null_array(call->reply) : reply_null(call->reply);
    } else if (several) {
        pop_several(call, list, end, limit);
    } else {
        pop_one(call, list, end);
    }
}

void lpop_command(struct call *call)
{
    pop(call, LIST_HEAD);
}

void rpop_command(struct call *call)
{
    pop(call, LIST_TAIL);
}

void lrem_command(struct call *call)
{
    int64_t count;
    if (!call_argument_int64(call, 2, &count)) {
        return;
    }
    if (count == INT64_MIN) {
        reply_error(call->reply,
                    "ERR value is out of range, value must between -9223372036854775807 and "
                    "9223372036854775807");
        return;
    }
    bool wrong;
    struct object *list = find_list(call, &wrong);
    if (wrong) {
        return;
    }
    size_t removed = 0;
    if (list != NULL) {
        size_t limit = count == 0 ? SIZE_MAX : (size_t)(count < 0 ? -count : count);
        keyspace_touch(call->keys, list, call->now_ms);
        removed = keyspace_list_remove_equal(call->keys, call->argv[1], call->hash, call->argv[3],
                                             count < 0 ? LIST_TAIL : LIST_HEAD, limit);
    }
    if (removed > 0) {
        call_effect_verbatim(call);
    }
    reply_integer(call->reply, (int64_t)removed);
}

/* ---- indexes ---- */

struct range {
    size_t first;
    size_t count; /* 0 = nothing of the list */
};

/* Arguments 2 and 3, first and last index, where a negative one counts from the end. */
static bool range_parse(struct call *call, int64_t *first, int64_t *last)
{
    return call_argument_int64(call, 2, first) && call_argument_int64(call, 3, last);
}

static struct range range_in(int64_t first, int64_t last, size_t count)
{
    int64_t length = (int64_t)count;
    first = first < 0 ? first + length : first;
    last = last < 0 ? last + length : last;
    first = first < 0 ? 0 : first;
    last = last >= length ? length - 1 : last;
    if (first > last) {
        return (struct range){0, 0};
    }
    return (struct range){(size_t)first, (size_t)(last - first) + 1};
}

/* True if the list has a value with that index, which may count from the end. */
static bool index_in(const struct object *list, int64_t index, size_t *out)
{
    int64_t count = (int64_t)list_count(list);
    index = index < 0 ? index + count : index;
    *out = (size_t)index;
    return index >= 0 && index < count;
}

void llen_command(struct call *call)
{
    bool wrong;
    struct object *list = find_list_read(call, &wrong);
    if (!wrong) {
        reply_integer(call->reply, list == NULL ? 0 : (int64_t)list_count(list));
    }
}

void lindex_command(struct call *call)
{
    bool wrong;
    struct object *list = find_list_read(call, &wrong);
    int64_t wanted;
    if (wrong) {
        return;
    }
    if (list == NULL) {
        reply_null(call->reply);
        return;
    }
    if (!call_argument_int64(call, 2, &wanted)) {
        return;
    }
    size_t index;
    struct list_cursor cursor;
    struct bytes value;
    if (!index_in(list, wanted, &index)) {
        reply_null(call->reply);
        return;
    }
    list_cursor_init(&cursor, list, index, LIST_TAIL);
    bool found = list_next(&cursor, &value);
    assert(found);
    reply_bulk(call->reply, value);
}

void lrange_command(struct call *call)
{
    int64_t first, last;
    bool wrong;
    if (!range_parse(call, &first, &last)) {
        return;
    }
    struct object *list = find_list_read(call, &wrong);
    if (wrong) {
        return;
    }
    struct range range = range_in(first, last, list == NULL ? 0 : list_count(list));
    if (range.count == 0) {
        reply_array(call->reply, 0);
    } else {
        list_reply_values(call, list, range.first, range.count, LIST_TAIL);
    }
}

void lset_command(struct call *call)
{
    bool wrong;
    struct object *list = find_list(call, &wrong);
    int64_t wanted;
    if (wrong) {
        return;
    }
    if (list == NULL) {
        reply_error(call->reply, "ERR no such key");
        return;
    }
    if (!call_argument_int64(call, 2, &wanted)) {
        return;
    }
    size_t index;
    if (!index_in(list, wanted, &index)) {
        reply_error(call->reply, "ERR index out of range");
        return;
    }
    keyspace_touch(call->keys, list, call->now_ms);
    if (list_change_ok(call, keyspace_list_replace(call->keys, call->argv[1], call->hash, index,
                                                   call->argv[3]))) {
        call_effect_verbatim(call);
        reply_ok(call->reply);
    }
}

void ltrim_command(struct call *call)
{
    int64_t first, last;
    bool wrong;
    if (!range_parse(call, &first, &last)) {
        return;
    }
    struct object *list = find_list(call, &wrong);
    if (wrong) {
        return;
    }
    size_t count = list == NULL ? 0 : list_count(list);
    struct range kept = range_in(first, last, count);
    if (kept.count < count) {
        keyspace_touch(call->keys, list, call->now_ms);
        /* With nothing kept the second one removes all. */
        size_t behind = count - kept.first - kept.count;
        if (kept.first > 0) {
            keyspace_list_remove(call->keys, call->argv[1], call->hash, 0, kept.first);
        }
        if (behind > 0) {
            keyspace_list_remove(call->keys, call->argv[1], call->hash, kept.count, behind);
        }
        call_effect_verbatim(call);
    }
    reply_ok(call->reply);
}
