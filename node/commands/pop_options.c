#include "node/commands/pop_options.h"

#include "node/command.h"
#include "node/resp/number.h"

/* Parses a number of at least 1; else replies that it should be. */
static bool parse_at_least_one(struct call *call, size_t index, const char *name, int64_t *out)
{
    if (parse_int64(call->argv[index], out) && *out >= 1) {
        return true;
    }
    reply_error(call->reply, "ERR %s should be greater than 0", name);
    return false;
}

bool pop_options_parse(struct call *call, const char *first_end, const char *other_end,
                       struct pop_options *out)
{
    int64_t keys;
    size_t first = (size_t)call->command->first_key;
    if (!parse_at_least_one(call, first - 1, "numkeys", &keys)) {
        return false;
    }
    if ((uint64_t)keys >= call->argc - first) {
        call_reply_syntax_error(call);
        return false;
    }
    *out = (struct pop_options){.keys = first, .keys_end = first + (size_t)keys, .limit = 1};
    out->other_end = call_argument_is(call, out->keys_end, other_end);
    if (!out->other_end && !call_argument_is(call, out->keys_end, first_end)) {
        call_reply_syntax_error(call);
        return false;
    }
    size_t rest = out->keys_end + 1;
    if (rest == call->argc) {
        return true;
    }
    if (!call_argument_is(call, rest, "count") || rest + 1 == call->argc) {
        call_reply_syntax_error(call);
        return false;
    }
    if (!parse_at_least_one(call, rest + 1, "count", &out->limit)) {
        return false;
    }
    if (rest + 2 < call->argc) {
        call_reply_syntax_error(call);
        return false;
    }
    return true;
}

bool pop_limit_parse(struct call *call, int64_t *limit)
{
    if (parse_int64(call->argv[2], limit) && *limit >= 0) {
        return true;
    }
    reply_error(call->reply, "ERR value is out of range, must be positive");
    return false;
}
