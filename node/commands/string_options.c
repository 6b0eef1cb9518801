#include "node/commands/string_options.h"

#include "node/command.h"

struct option_rule {
    const char *word;
    unsigned flag;
    unsigned excludes; /* options given before that it cannot be combined with */
    bool has_time;
};

/* An option may be repeated, and the last one counts, as in Redis. */
static const struct option_rule option_rules[] = {
    {"nx", STRING_IF_ABSENT, STRING_IF_PRESENT, false},
    {"xx", STRING_IF_PRESENT, STRING_IF_ABSENT, false},
    {"get", STRING_RETURN_OLD, 0, false},
    {"keepttl", STRING_KEEP_EXPIRY, STRING_REMOVE_EXPIRY | STRING_EXPIRY, false},
    {"persist", STRING_REMOVE_EXPIRY, STRING_KEEP_EXPIRY | STRING_EXPIRY, false},
    {"ex", STRING_EX,
     STRING_KEEP_EXPIRY | STRING_REMOVE_EXPIRY | (STRING_EXPIRY & ~(unsigned)STRING_EX), true},
    {"px", STRING_PX,
     STRING_KEEP_EXPIRY | STRING_REMOVE_EXPIRY | (STRING_EXPIRY & ~(unsigned)STRING_PX), true},
    {"exat", STRING_EXAT,
     STRING_KEEP_EXPIRY | STRING_REMOVE_EXPIRY | (STRING_EXPIRY & ~(unsigned)STRING_EXAT), true},
    {"pxat", STRING_PXAT,
     STRING_KEEP_EXPIRY | STRING_REMOVE_EXPIRY | (STRING_EXPIRY & ~(unsigned)STRING_PXAT), true},
};

static const struct option_rule *option_find(struct bytes word)
{
    for (size_t i = 0; i < sizeof(option_rules) / sizeof(option_rules[0]); i++) {
        if (bytes_equal_nocase(word, option_rules[i].word)) {
            return &option_rules[i];
        }
    }
    return NULL;
}

bool string_options_parse(struct call *call, size_t index, unsigned allowed,
                          struct string_options *out)
{
    *out = (struct string_options){0};
    while (index < call->argc) {
        const struct option_rule *rule = option_find(call->argv[index++]);
        if (rule == NULL || (rule->flag & allowed) == 0 || (rule->excludes & out->flags) != 0 ||
            (rule->has_time && index == call->argc)) {
            call_reply_syntax_error(call);
            return false;
        }
        out->flags |= rule->flag;
        if (rule->has_time) {
            out->expiry_index = index++;
        }
    }
    return true;
}

bool string_expiry_parse(struct call *call, size_t index, unsigned flag, uint64_t *out)
{
    int64_t time;
    if (!call_argument_int64(call, index, &time)) {
        return false;
    }
    bool seconds = (flag & (STRING_EX | STRING_EXAT)) != 0;
    bool relative = (flag & STRING_EXPIRY_RELATIVE) != 0;
    bool lawful = time > 0 && !(seconds && time > INT64_MAX / 1000);
    if (lawful && seconds) {
        time *= 1000;
    }
    if (!lawful || (relative && time > INT64_MAX - (int64_t)call->now_ms)) {
        reply_error(call->reply, "ERR invalid expire time in '%s' command", call->command->name);
        return false;
    }
    *out = (uint64_t)time + (relative ? call->now_ms : 0);
    return true;
}
