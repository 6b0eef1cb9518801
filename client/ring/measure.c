#include "client/ring/measure.h"

#include <string.h>

static bool is_text(const redisReply *reply, const char *text)
{
    return (reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS) &&
           strcmp(reply->str, text) == 0;
}

/* [slot, ["key-count", n, ...]]; names that are not known here are passed over. */
static bool read_slot(const redisReply *row, struct slot_measure *out, long long *slot)
{
    *out = (struct slot_measure){.known = true};
    if (row->type != REDIS_REPLY_ARRAY || row->elements != 2 ||
        row->element[0]->type != REDIS_REPLY_INTEGER ||
        row->element[1]->type != REDIS_REPLY_ARRAY || row->element[1]->elements % 2 != 0) {
        return false;
    }
    *slot = row->element[0]->integer;
    const redisReply *pairs = row->element[1];
    for (size_t i = 0; i < pairs->elements; i += 2) {
        const redisReply *value = pairs->element[i + 1];
        const uint64_t number =
            value->type == REDIS_REPLY_INTEGER && value->integer > 0 ? (uint64_t)value->integer : 0;
        if (is_text(pairs->element[i], "key-count")) {
            out->keys = number;
        } else if (is_text(pairs->element[i], "memory-bytes")) {
            out->bytes = number;
        } else if (is_text(pairs->element[i], "commands")) {
            out->commands = number;
        }
    }
    return *slot >= 0 && *slot < SLOT_COUNT;
}

void measure_read(struct measure *measure, const redisReply *reply)
{
    struct slot_measure row;
    long long slot;
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++) {
        if (read_slot(reply->element[i], &row, &slot)) {
            measure->slots[slot] = row;
        }
    }
}

void measure_set_ops(struct measure *measure, const struct measure *before, double seconds)
{
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        struct slot_measure *slot = &measure->slots[i];
        const struct slot_measure *was = &before->slots[i];
        const bool same = slot->known && was->known && slot->commands >= was->commands;
        slot->ops = same ? (double)(slot->commands - was->commands) / seconds : 0;
    }
    measure->has_ops = true;
}

uint32_t measure_unknown(const struct measure *measure)
{
    uint32_t count = 0;
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        count += !measure->slots[i].known;
    }
    return count;
}
