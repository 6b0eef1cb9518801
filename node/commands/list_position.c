/*
 * LPOS: where in a list a value is.
 */
#include "node/commands/common.h"
#include "node/commands/handlers.h"
#include "node/commands/list.h"
#include "node/resp/number.h"

struct position_options {
    bool backward;    /* a negative rank counts from the end */
    uint64_t rank;    /* of the first match that is wanted; 1 = the first one there is */
    int64_t limit;    /* of matches; 0 = none, -1 = one, and the reply is no array */
    int64_t look_max; /* values to look at; 0 = all */
};

static bool parse_rank(struct call *call, size_t index, struct position_options *out)
{
    int64_t rank;
    if (!call_argument_int64(call, index, &rank)) {
        return false;
    }
    if (rank == INT64_MIN) {
        reply_error(call->reply,
                    "ERR value is out of range, value must between -9223372036854775807 and "
                    "9223372036854775807");
        return false;
    }
    if (rank == 0) {
        reply_error(call->reply,
                    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the "
                    "second ... or use negative to start from the end of the list");
        return false;
    }
    out->backward = rank < 0;
    out->rank = (uint64_t)(rank < 0 ? -rank : rank);
    return true;
}

static bool parse_limit(struct call *call, size_t index, const char *name, int64_t *out)
{
    if (parse_int64(call->argv[index], out) && *out >= 0) {
        return true;
    }
    reply_error(call->reply, "ERR %s can't be negative", name);
    return false;
}

static bool position_options_parse(struct call *call, struct position_options *out)
{
    *out = (struct position_options){.rank = 1, .limit = -1};
    for (size_t i = 3; i < call->argc; i += 2) {
        bool more = i + 1 < call->argc;
        bool ok = false;
        if (more && call_argument_is(call, i, "rank")) {
            ok = parse_rank(call, i + 1, out);
        } else if (more && call_argument_is(call, i, "count")) {
            ok = parse_limit(call, i + 1, "COUNT", &out->limit);
        } else if (more && call_argument_is(call, i, "maxlen")) {
            ok = parse_limit(call, i + 1, "MAXLEN", &out->look_max);
        } else {
            call_reply_syntax_error(call);
        }
        if (!ok) {
            return false;
        }
    }
    return true;
}

/* Writes the indexes of the matches; returns how many. */
static uint64_t search(const struct object *list, struct bytes wanted,
                       const struct position_options *options, struct reply_writer *out)
{
    size_t count = list_count(list);
    size_t look_max = options->look_max == 0 || (uint64_t)options->look_max > count
                          ? count
                          : (size_t)options->look_max;
    uint64_t limit = options->limit == 0  ? UINT64_MAX
                     : options->limit < 0 ? 1
                                          : (uint64_t)options->limit;
    uint64_t matches = 0;
    uint64_t found = 0;
    struct list_cursor cursor;
    struct bytes value;
    list_cursor_init(&cursor, list, options->backward ? count - 1 : 0,
                     options->backward ? LIST_HEAD : LIST_TAIL);
    for (size_t i = 0; i < look_max && found < limit && list_next(&cursor, &value); i++) {
        if (bytes_equal(value, wanted) && ++matches >= options->rank) {
            reply_integer(out, (int64_t)(options->backward ? count - 1 - i : i));
            found++;
        }
    }
    return found;
}

void lpos_command(struct call *call)
{
    struct position_options options;
    bool wrong;
    if (!position_options_parse(call, &options)) {
        return;
    }
    const struct object *list =
        find_typed_read(call, call->argv[1], call->hash, OBJECT_LIST, &wrong);
    if (wrong) {
        return;
    }
    /* How many there are is known only behind them. */
    struct buf matches = {0};
    struct reply_writer writer = {.out = &matches, .protocol = call->reply->protocol};
    uint64_t found = list == NULL ? 0 : search(list, call->argv[2], &options, &writer);
    if (matches.failed) {
        call_reply_no_memory(call);
    } else if (options.limit < 0 && found == 0) {
        reply_null(call->reply);
    } else {
        if (options.limit >= 0) {
            reply_array(call->reply, (size_t)found);
        }
        buf_append(call->reply->out, buf_head(&matches), buf_size(&matches));
    }
    buf_deinit(&matches);
}
