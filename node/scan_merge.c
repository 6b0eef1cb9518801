#include "node/scan_merge.h"

#include "node/commands/scan.h"
#include "node/commands/scan_cursor.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

static struct bytes int64_text(char out[NUMBER_INT64_SIZE], int64_t value)
{
    return (struct bytes){out, format_int64(out, value)};
}

bool scan_request_build(struct scan_request *request, const struct command_table *commands,
                        const struct execution *scan, struct execution *out,
                        struct reply_writer *writer)
{
    struct call call = {.argv = scan->argv, .argc = scan->argc, .reply = writer};
    struct scan_options options;
    uint64_t cursor = 0;
    if (!scan_cursor_parse(&call, 1, &cursor) || !scan_options_parse(&call, 2, &options)) {
        return false;
    }
    struct scan_position from = scan_cursor_decode(cursor);
    if (from.slot == SLOT_COUNT) {
        from = (struct scan_position){0, SLOT_COUNT - 1};
    }
    size_t argc = 0;
    request->argv[argc++] = BYTES_LITERAL("torc.scan");
    request->argv[argc++] = int64_text(request->slot, from.slot);
    request->argv[argc++] = int64_text(request->place, (int64_t)from.place);
    request->argv[argc++] = int64_text(request->count, (int64_t)options.count);
    if (options.has_pattern) {
        request->argv[argc++] = BYTES_LITERAL("MATCH");
        request->argv[argc++] = options.pattern;
    }
    if (options.has_type) {
        request->argv[argc++] = BYTES_LITERAL("TYPE");
        request->argv[argc++] = options.type;
    }
    *out = *scan;
    /* The route stays the client's command's: how the answers are put together. */
    out->command = command_find(commands, request->argv[0]);
    out->argv = request->argv;
    out->argc = argc;
    return true;
}

static redisReply *read_part(const struct buf *part)
{
    redisReader *reader = redisReaderCreate();
    void *reply = NULL;
    if (reader != NULL) {
        if (redisReaderFeed(reader, buf_head(part), buf_size(part)) != REDIS_OK ||
            redisReaderGetReply(reader, &reply) != REDIS_OK) {
            reply = NULL;
        }
        redisReaderFree(reader);
    }
    return reply;
}

static bool in_range(const redisReply *reply, int64_t end)
{
    return reply->type == REDIS_REPLY_INTEGER && reply->integer >= 0 && reply->integer < end;
}

static bool keys_lawful(const redisReply *keys)
{
    if (keys->type != REDIS_REPLY_ARRAY) {
        return false;
    }
    for (size_t i = 0; i < keys->elements; i++) {
        if (keys->element[i]->type != REDIS_REPLY_STRING) {
            return false;
        }
    }
    return true;
}

static struct scan_position part_position(const redisReply *part)
{
    return (struct scan_position){(uint64_t)part->element[1]->integer,
                                  (uint32_t)part->element[0]->integer};
}

/* True if the answer has the agreed form. */
static bool part_lawful(const redisReply *part)
{
    if (part == NULL || part->type != REDIS_REPLY_ARRAY || part->elements < 2 ||
        part->elements % 2 != 0 || !in_range(part->element[0], SLOT_COUNT + 1) ||
        !in_range(part->element[1], INT64_MAX) || !scan_position_lawful(part_position(part))) {
        return false;
    }
    for (size_t i = 2; i < part->elements; i += 2) {
        if (!in_range(part->element[i], SLOT_COUNT) || !keys_lawful(part->element[i + 1])) {
            return false;
        }
    }
    return true;
}

/* Keys of this slot in this part are behind the position where the walk goes on. */
static bool slot_counts(const redisReply *part, size_t index, struct scan_position least)
{
    return scan_position_compare(part_position(part), least) == 0 ||
           part->element[index]->integer < (int64_t)least.slot;
}

static void write_merged(redisReply *const *parts, size_t part_count, struct reply_writer *writer)
{
    struct scan_position least = SCAN_END;
    size_t keys = 0;
    for (size_t i = 0; i < part_count; i++) {
        struct scan_position position = part_position(parts[i]);
        least = scan_position_compare(position, least) < 0 ? position : least;
    }
    for (size_t i = 0; i < part_count; i++) {
        for (size_t j = 2; j < parts[i]->elements; j += 2) {
            keys += slot_counts(parts[i], j, least) ? parts[i]->element[j + 1]->elements : 0;
        }
    }
    char cursor[NUMBER_INT64_SIZE];
    reply_array(writer, 2);
    reply_bulk(writer, int64_text(cursor, (int64_t)scan_cursor_encode(least)));
    reply_array(writer, keys);
    for (size_t i = 0; i < part_count; i++) {
        for (size_t j = 2; j < parts[i]->elements; j += 2) {
            const redisReply *list = parts[i]->element[j + 1];
            for (size_t k = 0; slot_counts(parts[i], j, least) && k < list->elements; k++) {
                reply_bulk(writer, (struct bytes){list->element[k]->str, list->element[k]->len});
            }
        }
    }
}

void scan_merge(const struct buf *parts, size_t part_count, struct reply_writer *writer)
{
    redisReply **replies = calloc(part_count, sizeof(redisReply *));
    bool lawful = replies != NULL && part_count > 0;
    for (size_t i = 0; lawful && i < part_count; i++) {
        replies[i] = read_part(&parts[i]);
        lawful = part_lawful(replies[i]);
    }
    if (lawful) {
        write_merged(replies, part_count, writer);
    } else {
        reply_error(writer, "ERR the nodes' answers to SCAN could not be put together");
    }
    for (size_t i = 0; replies != NULL && i < part_count; i++) {
        freeReplyObject(replies[i]);
    }
    free(replies);
}
