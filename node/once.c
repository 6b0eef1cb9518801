#include "node/once.h"

#include "node/call.h"
#include "node/command.h"
#include "node/command_errors.h"
#include "node/commands/handlers.h"
#include "node/node.h"
#include "node/operation.h"
#include "node/resp/number.h"

#include <assert.h>
#include <xxhash.h>

#define ORIGIN_DIGITS 32

static bool is_hexadecimal(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        const char c = text.data[i];
        const char lower = (char)(c | ('a' - 'A'));
        if ((c < '0' || c > '9') && (lower < 'a' || lower > 'f')) {
            return false;
        }
    }
    return true;
}

/* Of so many random bits as the origin has any 63 are as good: hashed, so that it does not matter
 * how well the client has drawn them. `argv` begins with TORC.ONCE. */
static bool read_name(const struct bytes *argv, struct once *out, uint64_t *age_ms)
{
    if (argv[1].size != ORIGIN_DIGITS || !is_hexadecimal(argv[1]) ||
        !parse_uint64(argv[2], &out->id) || !parse_uint64(argv[3], &out->settled) ||
        !parse_uint64(argv[4], age_ms)) {
        return false;
    }
    out->origin = XXH3_64bits(argv[1].data, argv[1].size) | ONCE_ORIGIN_CLIENT;
    return out->id > 0 && out->settled <= out->id;
}

static bool may_be_named(const struct command *command)
{
    return (command->flags & COMMAND_WRITE) != 0 && (command->flags & COMMAND_BLOCKING) == 0 &&
           command->first_key > 0;
}

void once_unwrap(const struct command_table *commands, struct prepared *prepared)
{
    struct once once;
    uint64_t age_ms;
    if (prepared->request.count <= ONCE_ARGUMENTS || !read_name(prepared->argv, &once, &age_ms) ||
        age_ms > OPERATION_REPEAT_LIMIT_MS) {
        return;
    }
    const struct command *command = command_find(commands, prepared->argv[ONCE_ARGUMENTS]);
    if (command != NULL && may_be_named(command)) {
        prepared->named = true;
        prepared->command = command;
        prepared->argv += ONCE_ARGUMENTS;
        prepared->request.first += ONCE_ARGUMENTS;
        prepared->request.count -= ONCE_ARGUMENTS;
    }
}

void once_read(const struct prepared *prepared, struct once *out, uint64_t *age_ms)
{
    const bool lawful = read_name(prepared->argv - ONCE_ARGUMENTS, out, age_ms);
    assert(lawful); /* it has been unwrapped */
}

/* What once_unwrap did not take. The arity has been checked. */
void torc_once_command(struct call *call)
{
    const struct bytes *argv = call->argv;
    struct once once;
    uint64_t age_ms;
    if (!read_name(argv, &once, &age_ms)) {
        reply_error(call->reply,
                    "ERR TORC.ONCE: a name is an origin of 32 hexadecimal digits, an id "
                    "above 0, settled up to the id, and an age in milliseconds");
        return;
    }
    if (age_ms > OPERATION_REPEAT_LIMIT_MS) {
        reply_error(call->reply,
                    "UNCERTAIN the write was first sent more than %d s ago, what "
                    "became of it may be forgotten",
                    OPERATION_REPEAT_LIMIT_MS / 1000);
        return;
    }
    const struct bytes name = argv[ONCE_ARGUMENTS];
    const struct command *command = command_find(worker_node(call->worker)->commands, name);
    if (command == NULL) {
        reply_unknown_command(call->reply, argv + ONCE_ARGUMENTS, call->argc - ONCE_ARGUMENTS);
    } else {
        reply_error(call->reply, "ERR TORC.ONCE: '%s' is no write with keys, or it may wait",
                    command->name);
    }
}
