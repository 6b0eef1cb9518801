#include "node/commands/timeout.h"

#include "node/command.h"
#include "node/resp/number.h"

#include <math.h>

const char *timeout_read(struct bytes text, uint64_t now_ms, uint64_t *timeout_ms)
{
    long double seconds;
    *timeout_ms = 0;
    if (!parse_long_double(text, &seconds)) {
        return "timeout is not a float or out of range";
    }
    long double ms = ceill(seconds * 1000.0L);
    if (ms < 0) {
        return "timeout is negative";
    }
    if (ms > (long double)INT64_MAX - (long double)now_ms) {
        return "timeout is out of range";
    }
    *timeout_ms = (uint64_t)ms;
    return NULL;
}

size_t timeout_index(const struct command *command, size_t argc)
{
    return (command->flags & COMMAND_KEY_COUNT) != 0 ? 1 : argc - 1;
}

bool timeout_ok(struct call *call)
{
    uint64_t timeout_ms;
    const char *wrong = timeout_read(call->argv[timeout_index(call->command, call->argc)],
                                     call->now_ms, &timeout_ms);
    if (wrong != NULL) {
        reply_error(call->reply, "ERR %s", wrong);
    }
    return wrong == NULL;
}
