/*
 * The request parser against two judges:
 *
 *   itself    the input parsed in one piece, byte by byte, and in pieces whose sizes follow from
 * the input, must give the same requests and the same error, wherever the buffer moves; hiredis
 * whose reader knows arrays of bulk strings too: where a request is one in its grammar, both must
 * agree on complete or incomplete, on the arguments and on the bytes taken.
 *
 * The canary proves that this can fail: built with -DFUZZ_CANARY (CFLAGS=-DFUZZ_CANARY cmake ...)
 * one byte of what was recorded is changed before it is compared, and the first seed must abort.
 */
#include "base/buf.h"
#include "base/codec.h"
#include "base/limits.h"
#include "base/prng.h"
#include "node/resp/request.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECES_MAX 1024 /* of the byte-wise run; a larger input is cut coarser to stay fast */

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *copy_exactly(const char *data, size_t size)
{
    char *copy = malloc(size == 0 ? 1 : size);
    CHECK(copy != NULL);
    if (size > 0) {
        memcpy(copy, data, size);
    }
    return copy;
}

static void record_arguments(struct buf *record, const struct bytes *items, size_t count)
{
    write_u8(record, 'R');
    write_u64(record, count);
    for (size_t i = 0; i < count; i++) {
        write_bytes32(record, items[i]);
    }
}

/* A connection in miniature: unread bytes that move with every piece, and a record of what came. */
struct session {
    struct request_parser parser;
    struct argument_list list;
    struct buf record;
    char *unread;
    size_t unread_size;
    size_t promised; /* what the last REQUEST_MORE asked for */
    bool failed;
};

static void session_init(struct session *session)
{
    memset(session, 0, sizeof(*session));
    request_parser_init(&session->parser);
    argument_list_init(&session->list);
    session->unread = copy_exactly(NULL, 0);
}

static void session_deinit(struct session *session)
{
    request_parser_deinit(&session->parser);
    argument_list_deinit(&session->list);
    buf_deinit(&session->record);
    free(session->unread);
}

static void session_parse(struct session *session)
{
    size_t start = 0;
    bool done = false;
    while (!done) {
        size_t left = session->unread_size - start;
        struct request request;
        session->list.count = 0;
        enum request_status status = request_parse(&session->parser, session->unread + start, left,
                                                   &session->list, &request);
        CHECK(status == REQUEST_MORE || left >= session->promised);
        session->promised = 0;
        switch (status) {
        case REQUEST_COMPLETE:
            CHECK(request.first == 0);
            CHECK(request.count >= 1);
            CHECK(request.count == session->list.count);
            record_arguments(&session->record, session->list.items, request.count);
            break;
        case REQUEST_EMPTY: write_u8(&session->record, 'Z'); break;
        case REQUEST_MORE:
            CHECK(request.wanted > left);
            session->promised = request.wanted;
            done = true;
            break;
        case REQUEST_ERROR:
            write_u8(&session->record, 'E');
            buf_append_text(&session->record, request.error);
            session->failed = true;
            done = true;
            break;
        case REQUEST_NO_MEMORY: CHECK(status != REQUEST_NO_MEMORY);
        }
        CHECK(done == (request.consumed == 0));
        CHECK(request.consumed <= left);
        start += request.consumed;
    }
    char *moved = copy_exactly(session->unread + start, session->unread_size - start);
    free(session->unread);
    session->unread = moved;
    session->unread_size -= start;
}

static void session_feed(struct session *session, const char *data, size_t size)
{
    char *grown = malloc(session->unread_size + size);
    CHECK(grown != NULL);
    memcpy(grown, session->unread, session->unread_size);
    memcpy(grown + session->unread_size, data, size);
    free(session->unread);
    session->unread = grown;
    session->unread_size += size;
    session_parse(session);
}

/* Cuts as it likes: `random` NULL cuts as finely as PIECES_MAX allows. */
static void check_pieces(const char *data, size_t size, struct prng *random,
                         const struct session *whole)
{
    struct session session;
    session_init(&session);
    size_t fed = 0;
    while (fed < size && !session.failed) {
        size_t piece = 1 + size / PIECES_MAX;
        if (random != NULL) {
            piece = 1 + (size_t)prng_below(random, prng_below(random, 4) == 0 ? size : 16);
        }
        piece = piece < size - fed ? piece : size - fed;
        session_feed(&session, data + fed, piece);
        fed += piece;
    }
#ifdef FUZZ_CANARY
    if (buf_size(&session.record) > 0) {
        buf_head(&session.record)[0] ^= 1;
    }
#endif
    CHECK(session.failed == whole->failed);
    CHECK(bytes_equal(buf_bytes(&session.record), buf_bytes(&whole->record)));
    CHECK(session.failed || session.unread_size == whole->unread_size);
    session_deinit(&session);
}

#if HIREDIS_MAJOR >= 1
typedef size_t array_size;
#else
typedef int array_size;
#endif

/* What hiredis saw: callbacks instead of its own objects, which it would allocate by the count that
 * the input claims. */
struct judge {
    struct buf arguments; /* bytes32 each */
    size_t count;
    long long claimed; /* elements of the outermost array, -1 = none came */
    bool foreign;      /* something that is no array of bulk strings */
};

static struct judge *judge_of(const redisReadTask *task)
{
    return task->privdata;
}

static void *judge_string(const redisReadTask *task, char *data, size_t size)
{
    struct judge *judge = judge_of(task);
    judge->foreign |= task->type != REDIS_REPLY_STRING || task->parent == NULL;
    write_bytes32(&judge->arguments, (struct bytes){data, size});
    judge->count++;
    return judge;
}

static void *judge_array(const redisReadTask *task, array_size count)
{
    struct judge *judge = judge_of(task);
    judge->foreign |= task->type != REDIS_REPLY_ARRAY || task->parent != NULL;
    judge->claimed = (long long)count;
    return judge;
}

static void *judge_integer(const redisReadTask *task, long long value)
{
    (void)value;
    judge_of(task)->foreign = true;
    return judge_of(task);
}

static void *judge_nil(const redisReadTask *task)
{
    judge_of(task)->foreign = true;
    return judge_of(task);
}

static void judge_free(void *object)
{
    (void)object;
}

/* hiredis wants LF behind every CR of a line, the parser as little as Redis: where a CR stands
 * alone, they may differ. */
static bool has_lone_cr(const char *data, size_t size)
{
    for (size_t i = 0; i + 1 < size; i++) {
        if (data[i] == '\r' && data[i + 1] != '\n') {
            return true;
        }
    }
    return false;
}

/* The number behind the type byte of the line at `offset`; 0 when there is none. */
static long long number_at(const char *data, size_t size, size_t offset)
{
    char text[24] = "";
    if (offset + 1 < size) {
        size_t left = size - offset - 1;
        memcpy(text, data + offset + 1, left < sizeof(text) - 1 ? left : sizeof(text) - 1);
    }
    return atoll(text);
}

/* hiredis knows neither limit, nor a limit to the length of a line. */
static bool over_limit(const struct request_parser *parser, const char *data, size_t size,
                       const struct judge *judge, const char *error)
{
    if (strstr(error, "too big") != NULL || judge->claimed > REQUEST_ARGUMENTS_MAX) {
        return true;
    }
    if (strcmp(error, "Protocol error: invalid multibulk length") == 0) {
        return number_at(data, size, 0) > REQUEST_ARGUMENTS_MAX;
    }
    return strcmp(error, "Protocol error: invalid bulk length") == 0 &&
           number_at(data, size, parser->offset) > (long long)REQUEST_BULK_SIZE_MAX;
}

/* A kind of reply that hiredis reads since 1.0, and has no callback for above. */
static bool is_newer_kind(const char *error)
{
    const char text[] = "Protocol error: expected '$', got '";
    return strncmp(error, text, sizeof(text) - 1) == 0 &&
           strchr("_#,(=%~>", error[sizeof(text) - 1]) != NULL;
}

/* The array request at the start of the input through both. Returns the bytes it took, 0 = stop. */
static size_t check_against_hiredis(const char *data, size_t size)
{
    redisReplyObjectFunctions functions = {.createString = judge_string,
                                           .createArray = judge_array,
                                           .createInteger = judge_integer,
                                           .createNil = judge_nil,
                                           .freeObject = judge_free};
    struct judge judge = {.claimed = -1};
    redisReader *reader = redisReaderCreateWithFunctions(&functions);
    CHECK(reader != NULL);
    reader->privdata = &judge;
    void *reply = NULL;
    CHECK(redisReaderFeed(reader, data, size) == REDIS_OK);
    bool error = redisReaderGetReply(reader, &reply) != REDIS_OK;
    size_t taken = size - (reader->len - reader->pos);
    redisReaderFree(reader);

    struct request_parser parser;
    struct argument_list list;
    struct request request;
    request_parser_init(&parser);
    argument_list_init(&list);
    char *input = copy_exactly(data, size);
    enum request_status status = request_parse(&parser, input, size, &list, &request);
    size_t consumed = request.consumed;

    bool comparable =
        !judge.foreign && !has_lone_cr(data, size) &&
        !(status == REQUEST_ERROR &&
          (is_newer_kind(request.error) || over_limit(&parser, data, size, &judge, request.error)));
    if (comparable && reply != NULL && judge.claimed > 0) {
        CHECK(status == REQUEST_COMPLETE);
        CHECK(consumed == taken);
        CHECK(request.count == judge.count);
        struct buf ours = {0};
        for (size_t i = 0; i < request.count; i++) {
            write_bytes32(&ours, list.items[request.first + i]);
        }
        CHECK(bytes_equal(buf_bytes(&ours), buf_bytes(&judge.arguments)));
        buf_deinit(&ours);
    } else if (comparable && reply != NULL) {
        CHECK(status == REQUEST_EMPTY);
        CHECK(consumed == taken);
    } else if (comparable && error) {
        /* A negative count is an empty request here; a wrong type is reported when its line ends.
         */
        CHECK(status != REQUEST_COMPLETE);
        CHECK(status != REQUEST_EMPTY || number_at(data, size, 0) < -1);
    } else if (comparable) {
        CHECK(status == REQUEST_MORE);
    }
    free(input);
    argument_list_deinit(&list);
    request_parser_deinit(&parser);
    buf_deinit(&judge.arguments);
    return consumed;
}

static void check_all_against_hiredis(const char *data, size_t size)
{
    while (size > 0 && data[0] == '*') {
        size_t consumed = check_against_hiredis(data, size);
        if (consumed == 0) {
            return;
        }
        data += consumed;
        size -= consumed;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *input = (const char *)data;
    struct session whole;
    session_init(&whole);
    if (size > 0) {
        session_feed(&whole, input, size);
        check_pieces(input, size, NULL, &whole);
        uint64_t seed = size;
        for (size_t i = 0; i < size; i++) {
            seed = seed * 31 + data[i];
        }
        struct prng random;
        prng_init(&random, seed);
        check_pieces(input, size, &random, &whole);
        check_all_against_hiredis(input, size);
    }
    session_deinit(&whole);
    return 0;
}
