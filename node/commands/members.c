#include "node/commands/members.h"

#include "base/error.h"
#include "base/limits.h"
#include "node/commands/common.h"
#include "node/commands/scan.h"
#include "node/resp/glob.h"
#include "node/resp/number.h"

bool member_change_ok(struct call *call, const char *name, int error)
{
    if (error == TORC_OK) {
        return true;
    }
    if (error == TORC_ETOOBIG) {
        reply_error(call->reply, "ERR %s exceeds maximum allowed size", name);
    } else {
        call_reply_no_memory(call);
    }
    return false;
}

/* ---- scanning ---- */

/* What comes before the members in a reply depends on them, so they wait in a buffer of their own.
 */
struct member_scan {
    const struct scan_options *options;
    bool values;
    struct buf out;
    struct reply_writer writer; /* to `out` */
    size_t elements;
};

static void scan_member(void *context, struct bytes member, struct bytes value)
{
    struct member_scan *scan = context;
    if (scan->options->has_pattern && !glob_match(scan->options->pattern, member, false)) {
        return;
    }
    reply_bulk(&scan->writer, member);
    if (scan->values) {
        reply_bulk(&scan->writer, value);
    }
    scan->elements += scan->values ? 2 : 1;
}

static void reply_scan(struct call *call, uint64_t cursor, const struct member_scan *scan)
{
    char text[NUMBER_INT64_SIZE];
    reply_array(call->reply, 2);
    reply_bulk(call->reply, (struct bytes){text, format_uint64(text, cursor)});
    reply_array(call->reply, scan->elements);
    buf_append(call->reply->out, buf_head(&scan->out), buf_size(&scan->out));
}

void members_scan_command(struct call *call, enum object_type type,
                          const struct member_source *source, bool values)
{
    uint64_t cursor;
    bool wrong;
    struct scan_options options;
    if (!scan_cursor_parse(call, 2, &cursor)) {
        return;
    }
    const struct object *object = find_typed_read(call, call->argv[1], call->hash, type, &wrong);
    if (wrong) {
        return;
    }
    struct member_scan scan = {.options = &options, .values = values};
    scan.writer = (struct reply_writer){.out = &scan.out, .protocol = call->reply->protocol};
    if (object == NULL) {
        reply_scan(call, 0, &scan); /* whatever else it was told */
        return;
    }
    if (!scan_options_parse(call, 3, &options)) {
        return;
    }
    if (options.has_type) {
        call_reply_syntax_error(call); /* that is SCAN's alone */
        return;
    }
    uint64_t next = source->scan(object, cursor, options.count, scan_member, &scan);
    if (scan.out.failed) {
        call_reply_no_memory(call);
    } else {
        reply_scan(call, next, &scan);
    }
    buf_deinit(&scan.out);
}

/* ---- drawing ---- */

/* Redis's bounds of a count: its negative must be a number too. */
static bool parse_count(struct call *call, int64_t *out)
{
    if (!call_argument_int64(call, 2, out)) {
        return false;
    }
    if (*out == INT64_MIN) {
        reply_error(call->reply,
                    "ERR value is out of range, value must between -9223372036854775807 and "
                    "9223372036854775807");
        return false;
    }
    return true;
}

bool draw_parse(struct call *call, const char *values_word, struct draw *out)
{
    *out = (struct draw){.one = call->argc == 2, .reply_value = reply_bulk};
    int64_t count;
    if (out->one) {
        return true;
    }
    if (values_word == NULL && call->argc > 3) {
        call_reply_syntax_error(call);
        return false;
    }
    if (!parse_count(call, &count)) {
        return false;
    }
    out->values = call->argc > 3;
    if (out->values && (call->argc > 4 || !call_argument_is(call, 3, values_word))) {
        call_reply_syntax_error(call);
        return false;
    }
    if (count < -(int64_t)DRAW_COUNT_MAX || (out->values && count > INT64_MAX / 2)) {
        reply_error(call->reply, "ERR value is out of range");
        return false;
    }
    out->repeated = count < 0;
    out->count = (size_t)(count < 0 ? -count : count);
    return true;
}

struct draw_writer {
    struct reply_writer *reply;
    const struct draw *draw;
};

static void reply_drawn(void *context, struct bytes member, struct bytes value)
{
    const struct draw_writer *writer = context;
    if (writer->draw->values && writer->reply->protocol >= 3) {
        reply_array(writer->reply, 2);
    }
    reply_bulk(writer->reply, member);
    if (writer->draw->values) {
        writer->draw->reply_value(writer->reply, value);
    }
}

static void reply_several(struct call *call, const struct object *object,
                          const struct member_source *source, const struct draw *draw)
{
    struct draw_writer writer = {call->reply, draw};
    size_t total = source->count(object);
    size_t count = draw->repeated || draw->count < total ? draw->count : total;
    size_t mark = reply_mark(call);
    reply_array(call->reply, draw->values && call->reply->protocol < 3 ? 2 * count : count);
    if (draw->repeated) {
        draw_repeated(object, source, count, call->prng, reply_drawn, &writer);
    } else if (draw_distinct(object, source, count, call->prng, reply_drawn, &writer) != 0) {
        reply_undo(call, mark);
        call_reply_no_memory(call);
    }
}

void draw_reply(struct call *call, const struct object *object, const struct member_source *source,
                const struct draw *draw)
{
    if (object != NULL && !draw->one) {
        reply_several(call, object, source, draw);
    } else if (object != NULL) {
        struct draw_writer writer = {call->reply, draw};
        source->random(object, call->prng, reply_drawn, &writer);
    } else if (draw->one) {
        reply_null(call->reply);
    } else {
        reply_array(call->reply, 0);
    }
}
