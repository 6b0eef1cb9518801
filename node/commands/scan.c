#include "node/commands/scan.h"

#include "node/commands/handlers.h"
#include "node/commands/scan_cursor.h"
#include "node/node.h"
#include "node/resp/glob.h"
#include "node/resp/number.h"

bool scan_options_parse(struct call *call, size_t index, struct scan_options *out)
{
    *out = (struct scan_options){.count = SCAN_COUNT_DEFAULT};
    for (; index < call->argc; index += 2) {
        bool more = index + 1 < call->argc;
        if (more && call_argument_is(call, index, "count")) {
            int64_t count;
            if (!call_argument_int64(call, index + 1, &count)) {
                return false;
            }
            if (count < 1) {
                call_reply_syntax_error(call);
                return false;
            }
            out->count = (size_t)count;
        } else if (more && call_argument_is(call, index, "match")) {
            out->pattern = call->argv[index + 1];
            out->has_pattern = !bytes_equal(out->pattern, BYTES_LITERAL("*"));
        } else if (more && call_argument_is(call, index, "type")) {
            out->type = call->argv[index + 1];
            out->has_type = true;
        } else {
            call_reply_syntax_error(call);
            return false;
        }
    }
    return true;
}

bool scan_cursor_parse(struct call *call, size_t index, uint64_t *out)
{
    if (parse_uint64(call->argv[index], out)) {
        return true;
    }
    reply_error(call->reply, "ERR invalid cursor");
    return false;
}

/* One walk. The keys of the slot at hand are written to `keys` as bulks. */
struct scan_walk {
    const struct scan_options *options;
    uint64_t now_ms;
    size_t visited;
    struct keyspace *slot_keys; /* of the slot at hand */
    size_t returned;            /* of it */
    struct reply_writer keys;
};

static void scan_visit(void *context, const struct object *object)
{
    struct scan_walk *walk = context;
    const struct scan_options *options = walk->options;
    struct bytes key = object_key(object);
    walk->visited++;
    if (object_expired_at(keyspace_expire_at_ms(walk->slot_keys, object), walk->now_ms) ||
        (options->has_type && !bytes_equal_nocase(options->type, object_type_name(object))) ||
        (options->has_pattern && !glob_match(options->pattern, key, false))) {
        return;
    }
    reply_bulk(&walk->keys, key);
    walk->returned++;
}

/* Visits keys of one slot from *place on; true when the slot has no more. */
static bool scan_slot(struct scan_walk *walk, struct slot *slot, uint64_t *place)
{
    slot_lock(slot);
    uint64_t next = 0;
    walk->slot_keys = slot_keys(slot);
    if (slot_serves(slot) && keyspace_count(walk->slot_keys) > 0) {
        next = keyspace_scan(walk->slot_keys, *place, walk->options->count - walk->visited,
                             scan_visit, walk);
    }
    slot_unlock(slot);
    *place = next;
    return next == 0;
}

/* Called after each slot that had keys to return, with them in walk->keys. */
typedef void scan_slot_done(void *context, struct scan_walk *walk, uint32_t slot);

static struct scan_position scan_walk(struct call *call, struct scan_walk *walk,
                                      struct scan_position position, scan_slot_done *done,
                                      void *context)
{
    struct slot *slots = worker_node(call->worker)->slots;
    while (position.slot < SLOT_COUNT && walk->visited < walk->options->count) {
        walk->returned = 0;
        uint32_t slot = position.slot;
        if (scan_slot(walk, &slots[slot], &position.place)) {
            position.slot++;
        }
        if (walk->returned > 0) {
            done(context, walk, slot);
        }
    }
    return position;
}

/* What comes before the keys in a reply depends on them, so they wait in a buffer of their own. */
struct scan_result {
    struct buf out;
    size_t elements;
};

static void scan_collect(void *context, struct scan_walk *walk, uint32_t slot)
{
    (void)slot;
    struct scan_result *result = context;
    result->elements += walk->returned;
}

void scan_command(struct call *call)
{
    uint64_t cursor;
    struct scan_options options;
    if (!scan_cursor_parse(call, 1, &cursor) || !scan_options_parse(call, 2, &options)) {
        return;
    }
    struct scan_result result = {0};
    struct scan_walk walk = {.options = &options,
                             .now_ms = call->now_ms,
                             .keys = {.out = &result.out, .protocol = call->reply->protocol}};
    struct scan_position next =
        scan_walk(call, &walk, scan_cursor_decode(cursor), scan_collect, &result);
    if (result.out.failed) {
        call_reply_no_memory(call);
    } else {
        char text[NUMBER_INT64_SIZE];
        size_t size = format_uint64(text, scan_cursor_encode(next));
        reply_array(call->reply, 2);
        reply_bulk(call->reply, (struct bytes){text, size});
        reply_array(call->reply, result.elements);
        buf_append(call->reply->out, buf_head(&result.out), buf_size(&result.out));
    }
    buf_deinit(&result.out);
}

static void scan_collect_slot(void *context, struct scan_walk *walk, uint32_t slot)
{
    struct scan_result *result = context;
    struct reply_writer writer = {.out = &result->out, .protocol = walk->keys.protocol};
    reply_integer(&writer, slot);
    reply_array(&writer, walk->returned);
    buf_append(&result->out, buf_head(walk->keys.out), buf_size(walk->keys.out));
    if (walk->keys.out->failed) {
        result->out.failed = true;
    } else {
        buf_reset(walk->keys.out, SIZE_MAX);
    }
    result->elements += 2;
}

static bool scan_position_parse(struct call *call, struct scan_position *out, size_t *count)
{
    int64_t slot, place, wanted;
    if (!call_argument_int64(call, 1, &slot) || !call_argument_int64(call, 2, &place) ||
        !call_argument_int64(call, 3, &wanted)) {
        return false;
    }
    if (slot < 0 || slot >= SLOT_COUNT || place < 0 || place >> SCAN_PLACE_BITS != 0 ||
        wanted < 1) {
        call_reply_syntax_error(call);
        return false;
    }
    *out = (struct scan_position){(uint64_t)place, (uint32_t)slot};
    *count = (size_t)wanted;
    return true;
}

void torc_scan_command(struct call *call)
{
    struct scan_position position;
    struct scan_options options;
    size_t count;
    if (!scan_position_parse(call, &position, &count) || !scan_options_parse(call, 4, &options)) {
        return;
    }
    options.count = count;
    struct buf keys = {0};
    struct scan_result result = {0};
    struct scan_walk walk = {.options = &options,
                             .now_ms = call->now_ms,
                             .keys = {.out = &keys, .protocol = call->reply->protocol}};
    struct scan_position next = scan_walk(call, &walk, position, scan_collect_slot, &result);
    if (result.out.failed || keys.failed) {
        call_reply_no_memory(call);
    } else {
        reply_array(call->reply, 2 + result.elements);
        reply_integer(call->reply, next.slot);
        reply_integer(call->reply, (int64_t)next.place);
        buf_append(call->reply->out, buf_head(&result.out), buf_size(&result.out));
    }
    buf_deinit(&result.out);
    buf_deinit(&keys);
}
