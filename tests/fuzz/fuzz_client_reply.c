/*
 * Replies: whatever a peer sends is read or refused, at any split of the bytes alike, and what is
 * read has the shape that its users rely on. Then what a handle makes of it: answers, the command
 * table.
 */
#include "base/bytes.h"
#include "client/answer.h"
#include "client/command_table.h"
#include "client/reply.h"
#include "torc/torc.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct parsed {
    redisReply *reply; /* NULL: none yet, or refused */
    bool refused;
};

/* The first reply, from pieces of `step` bytes. */
static struct parsed parse(const uint8_t *data, size_t size, size_t step)
{
    struct parsed parsed = {.reply = NULL};
    redisReader *reader = reply_reader_create();
    assert(reader != NULL);
    for (size_t at = 0; at < size && parsed.reply == NULL && !parsed.refused; at += step) {
        void *reply = NULL;
        size_t piece = size - at < step ? size - at : step;
        int fed = redisReaderFeed(reader, (const char *)data + at, piece);
        assert(fed == REDIS_OK);
        parsed.refused = redisReaderGetReply(reader, &reply) != REDIS_OK;
        parsed.reply = reply;
    }
    redisReaderFree(reader);
    return parsed;
}

static void expect_same(const redisReply *a, const redisReply *b)
{
    assert(a->type == b->type);
    assert(a->integer == b->integer);
    assert(a->elements == b->elements);
    assert((a->str == NULL) == (b->str == NULL));
    assert(bytes_equal(reply_bytes(a), reply_bytes(b)));
    assert(a->str == NULL || a->str[a->len] == '\0');
    for (size_t i = 0; i < a->elements; i++) {
        expect_same(a->element[i], b->element[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct parsed whole = parse(data, size, size);
    struct parsed pieces = parse(data, size, 1 + data[size - 1] % 7u);
    /* A reader that has all bytes may refuse what comes behind the first reply no earlier. */
    assert((whole.reply == NULL) == (pieces.reply == NULL));
    assert(whole.refused == pieces.refused);
    if (whole.reply != NULL) {
        struct answer answer;
        struct command_table table;
        expect_same(whole.reply, pieces.reply);
        answer_read(&answer, whole.reply, "host");
        if (answer.kind == ANSWER_MOVED) {
            assert(answer.slot < SLOT_COUNT);
            assert(answer.owner.host[0] != '\0');
            assert(answer.owner.port != 0);
        }
        if (command_table_read(&table, whole.reply) == TORC_OK) {
            const struct bytes name = {table.rows[0].name, strlen(table.rows[0].name)};
            assert(command_table_find(&table, &name, 1) != NULL);
            command_table_deinit(&table);
        }
    }
    torc_reply_free(whole.reply);
    torc_reply_free(pieces.reply);
    return 0;
}
