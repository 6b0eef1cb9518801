/*
 * OBJECT and MEMORY: how a value is held. They look at keys without counting as use of them.
 */
#include "node/allocator.h"
#include "node/commands/common.h"
#include "node/commands/handlers.h"

/* The object of argument 2; without one it replies null. */
static struct object *find_inspected(struct call *call)
{
    struct object *object = find_unnoticed(call, call->argv[2], call->hash);
    if (object == NULL) {
        reply_null(call->reply);
    }
    return object;
}

static void reply_lines(struct call *call, const char *const *lines, size_t count)
{
    reply_array(call->reply, count);
    for (size_t i = 0; i < count; i++) {
        reply_simple(call->reply, lines[i]);
    }
}

void object_encoding_command(struct call *call)
{
    struct object *object = find_inspected(call);
    if (object != NULL) {
        reply_bulk_text(call->reply, object_encoding_name(object));
    }
}

/* Values are never shared between keys. */
void object_refcount_command(struct call *call)
{
    if (find_inspected(call) != NULL) {
        reply_integer(call->reply, 1);
    }
}

void object_idletime_command(struct call *call)
{
    struct object *object = find_inspected(call);
    uint64_t idle_ms;
    if (object == NULL) {
        return;
    }
    if (keyspace_idle_ms(call->keys, object, call->now_ms, &idle_ms)) {
        reply_integer(call->reply, (int64_t)(idle_ms / 1000));
    } else {
        reply_error(
            call->reply,
            "ERR An eviction policy by hits is selected, idle time not tracked. Please note "
            "that when switching between policies at runtime it will take some time to "
            "adjust.");
    }
}

void object_freq_command(struct call *call)
{
    struct object *object = find_inspected(call);
    unsigned frequency;
    if (object == NULL) {
        return;
    }
    if (keyspace_frequency(call->keys, object, call->now_ms, &frequency)) {
        reply_integer(call->reply, frequency);
    } else {
        reply_error(call->reply,
                    "ERR An LFU maxmemory policy is not selected, access frequency not tracked. "
                    "Please note that when switching between policies at runtime LRU and LFU data "
                    "will take some time to adjust.");
    }
}

void object_help_command(struct call *call)
{
    static const char *const lines[] = {
        "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "ENCODING <key>",
        "    How the value of the key is held in memory.",
        "FREQ <key>",
        "    The logarithm of how often the key is used, 0 to 255: with an LFU policy.",
        "IDLETIME <key>",
        "    Seconds since the key was last used; not with an S3-FIFO or LFU policy.",
        "REFCOUNT <key>",
        "    References to the value of the key.",
        "HELP",
        "    These lines.",
    };
    reply_lines(call, lines, sizeof(lines) / sizeof(lines[0]));
}

void memory_usage_command(struct call *call)
{
    for (size_t i = 3; i < call->argc; i += 2) {
        int64_t samples;
        if (!call_argument_is(call, i, "samples") || i + 1 == call->argc) {
            call_reply_syntax_error(call);
            return;
        }
        if (!call_argument_int64(call, i + 1, &samples)) {
            return;
        }
        if (samples < 0) {
            call_reply_syntax_error(call);
            return;
        }
    }
    struct object *object = find_inspected(call);
    if (object != NULL) {
        reply_integer(call->reply, (int64_t)object_memory(object));
    }
}

void memory_purge_command(struct call *call)
{
    allocator_purge();
    reply_ok(call->reply);
}

void memory_help_command(struct call *call)
{
    static const char *const lines[] = {
        "MEMORY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "PURGE",
        "    Asks the allocator to give unused memory back.",
        "USAGE <key> [SAMPLES <count>]",
        "    Bytes that the key and its value take; every part of a value is counted.",
        "HELP",
        "    These lines.",
    };
    reply_lines(call, lines, sizeof(lines) / sizeof(lines[0]));
}
