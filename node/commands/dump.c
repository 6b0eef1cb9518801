/*
 * DUMP and RESTORE: a value as bytes that another node takes.
 */
#include "base/error.h"
#include "node/command.h"
#include "node/commands/common.h"
#include "node/commands/handlers.h"
#include "node/resp/number.h"

#include <assert.h>

void dump_command(struct call *call)
{
    struct object *object = find_unnoticed(call, call->argv[1], call->hash);
    if (object == NULL) {
        reply_null(call->reply);
        return;
    }
    struct buf dump = {0};
    object_dump(object, &dump);
    if (dump.failed) {
        call_reply_no_memory(call);
    } else {
        reply_bulk(call->reply, buf_bytes(&dump));
    }
    buf_deinit(&dump);
}

struct restore_options {
    bool replace;
    bool absolute;     /* the time is when it expires, not how long from now */
    int64_t idle_s;    /* since the last access; -1: not said */
    int64_t frequency; /* of accesses, as OBJECT FREQ has it; -1: not said */
};

/* IDLETIME and FREQ are checked, and let go where the eviction policy does not note such a thing.
 */
static bool restore_options_parse(struct call *call, struct restore_options *out)
{
    int64_t idle = -1;
    int64_t frequency = -1;
    *out = (struct restore_options){.idle_s = -1, .frequency = -1};
    for (size_t i = 4; i < call->argc; i++) {
        bool more = i + 1 < call->argc;
        if (call_argument_is(call, i, "replace")) {
            out->replace = true;
        } else if (call_argument_is(call, i, "absttl")) {
            out->absolute = true;
        } else if (call_argument_is(call, i, "idletime") && more && frequency == -1) {
            if (!call_argument_int64(call, ++i, &idle)) {
                return false;
            }
            if (idle < 0) {
                reply_error(call->reply, "ERR Invalid IDLETIME value, must be >= 0");
                return false;
            }
        } else if (call_argument_is(call, i, "freq") && more && idle == -1) {
            if (!call_argument_int64(call, ++i, &frequency)) {
                return false;
            }
            if (frequency < 0 || frequency > 255) {
                reply_error(call->reply, "ERR Invalid FREQ value, must be >= 0 and <= 255");
                return false;
            }
        } else {
            call_reply_syntax_error(call);
            return false;
        }
    }
    out->idle_s = idle;
    out->frequency = frequency;
    return true;
}

static void effect_restore(struct call *call, uint64_t expire_at_ms)
{
    char text[NUMBER_INT64_SIZE];
    const struct bytes argv[] = {BYTES_LITERAL("RESTORE"),
                                 call->argv[1],
                                 {text, format_uint64(text, expire_at_ms)},
                                 call->argv[3],
                                 BYTES_LITERAL("ABSTTL"),
                                 BYTES_LITERAL("REPLACE")};
    call_effect(call, 6, argv);
}

/* Notes when and how often it was used, as far as that was said. */
static void note_use(struct call *call, const struct restore_options *options)
{
    struct object *object = keyspace_find(call->keys, call->argv[1], call->hash);
    keyspace_touch(call->keys, object, call->now_ms);
    if (options->idle_s >= 0) {
        uint64_t idle_s = (uint64_t)options->idle_s;
        uint64_t idle_ms = idle_s > call->now_ms / 1000 ? call->now_ms : idle_s * 1000;
        keyspace_set_idle(call->keys, object, call->now_ms - idle_ms);
    }
    if (options->frequency >= 0) {
        keyspace_set_frequency(call->keys, object, (unsigned)options->frequency, call->now_ms);
    }
}

/* Creates or replaces the first key from argument 3 and replies. */
static void restore_value(struct call *call, uint64_t expire_at_ms,
                          const struct restore_options *options)
{
    struct bytes key = call->argv[1];
    int error = keyspace_restore(call->keys, key, call->hash, call->argv[3], expire_at_ms);
    if (error == TORC_ENOMEM) {
        call_reply_no_memory(call);
        return;
    }
    if (error != TORC_OK) {
        reply_error(call->reply, "ERR DUMP payload version or checksum are wrong");
        return;
    }
    if (!call->applying && object_expired_at(expire_at_ms, call->now_ms)) {
        /* It was wanted and is over at once: only what it replaced is gone. */
        bool deleted = keyspace_delete(call->keys, key, call->hash);
        assert(deleted);
        call_effect_delete(call, key);
    } else {
        note_use(call, options);
        effect_restore(call, expire_at_ms);
    }
    reply_ok(call->reply);
}

void restore_command(struct call *call)
{
    struct restore_options options;
    if (!restore_options_parse(call, &options)) {
        return;
    }
    if (call_find(call, call->argv[1], call->hash) != NULL && !options.replace) {
        reply_error(call->reply, "BUSYKEY Target key name already exists.");
        return;
    }
    int64_t time;
    if (!call_argument_int64(call, 2, &time)) {
        return;
    }
    if (time < 0) {
        reply_error(call->reply, "ERR Invalid TTL value, must be >= 0");
        return;
    }
    uint64_t expire_at_ms = (uint64_t)time;
    if (time != 0 && !options.absolute) {
        if (time > INT64_MAX - (int64_t)call->now_ms) {
            reply_error(call->reply, "ERR invalid expire time in '%s' command",
                        call->command->name);
            return;
        }
        expire_at_ms += call->now_ms;
    }
    restore_value(call, expire_at_ms, &options);
}
