#include "base/buf.h"
#include "base/limits.h"
#include "node/resp/request.h"

#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Input parsed in pieces, in memory that moves with each of them and is never larger than it must
 * be. What came out is written down as text: "SET|k|v;" for a request, "~;" for an empty one,
 * "!error" and "?" for the end. */
struct session {
    struct request_parser parser;
    struct argument_list list;
    struct buf record;
    char *unread;
    size_t size;
    bool failed;
};

static void session_init(struct session *session)
{
    memset(session, 0, sizeof(*session));
    argument_list_init(&session->list);
    request_parser_init(&session->parser);
    session->unread = malloc(1);
}

static void session_deinit(struct session *session)
{
    request_parser_deinit(&session->parser);
    argument_list_deinit(&session->list);
    buf_deinit(&session->record);
    free(session->unread);
}

static void record_request(struct session *session, const struct request *request)
{
    ck_assert_uint_ge(request->count, 1);
    ck_assert_uint_eq(request->first + request->count, session->list.count);
    for (size_t i = 0; i < request->count; i++) {
        struct bytes argument = session->list.items[request->first + i];
        buf_append(&session->record, i == 0 ? "" : "|", i == 0 ? 0 : 1);
        buf_append(&session->record, argument.data, argument.size);
    }
    buf_append_text(&session->record, ";");
}

static void session_feed(struct session *session, const char *data, size_t size)
{
    char *grown = malloc(session->size + size + 1);
    memcpy(grown, session->unread, session->size);
    memcpy(grown + session->size, data, size);
    free(session->unread);
    session->unread = realloc(grown, session->size + size == 0 ? 1 : session->size + size);
    session->size += size;
    size_t start = 0;
    struct request request;
    enum request_status status = REQUEST_COMPLETE;
    while (status == REQUEST_COMPLETE || status == REQUEST_EMPTY) {
        size_t left = session->size - start;
        status = request_parse(&session->parser, session->unread + start, left, &session->list,
                               &request);
        if (status == REQUEST_COMPLETE) {
            ck_assert_uint_gt(request.consumed, 0);
            record_request(session, &request);
        } else if (status == REQUEST_EMPTY) {
            ck_assert_uint_gt(request.consumed, 0);
            buf_append_text(&session->record, "~;");
        } else {
            ck_assert_uint_eq(request.consumed, 0);
        }
        if (status == REQUEST_MORE) {
            ck_assert_uint_gt(request.wanted, left);
        }
        start += request.consumed;
    }
    if (status == REQUEST_ERROR) {
        buf_append_format(&session->record, "!%s", request.error);
        session->failed = true;
    } else {
        ck_assert_int_eq(status, REQUEST_MORE);
    }
    session->size -= start;
    memmove(session->unread, session->unread + start, session->size);
}

static void session_check(struct session *session, struct bytes expected)
{
    if (!session->failed && session->size > 0) {
        buf_append_text(&session->record, "?");
    }
    struct bytes got = buf_bytes(&session->record);
    ck_assert_msg(bytes_equal(got, expected), "got '%.*s', expected '%.*s'", (int)got.size,
                  got.data, (int)expected.size, expected.data);
}

/* Whole, byte by byte, and cut in two and in three at every place. */
static void expect_bytes(struct bytes input, struct bytes expected)
{
    for (size_t first = 0; first <= input.size; first++) {
        for (size_t second = first; second <= input.size; second += 1 + input.size / 24) {
            struct session session;
            session_init(&session);
            size_t cuts[] = {0, first, second, input.size};
            for (int i = 0; i < 3 && !session.failed; i++) {
                session_feed(&session, input.data + cuts[i], cuts[i + 1] - cuts[i]);
            }
            session_check(&session, expected);
            session_deinit(&session);
        }
    }
    struct session session;
    session_init(&session);
    for (size_t i = 0; i < input.size && !session.failed; i++) {
        session_feed(&session, input.data + i, 1);
    }
    session_check(&session, expected);
    session_deinit(&session);
}

static void expect(const char *input, const char *expected)
{
    expect_bytes(bytes_of(input), bytes_of(expected));
}

START_TEST(arrays)
{
    expect("*1\r\n$4\r\nPING\r\n", "PING;");
    expect("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nvalue\r\n", "SET|k|value;");
    expect("*2\r\n$4\r\nECHO\r\n$0\r\n\r\n", "ECHO|;");
    expect("*1\r\n$0\r\n\r\n", ";");
    expect("*12\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nd\r\n$1\r\ne\r\n$1\r\nf\r\n$1\r\ng\r\n"
           "$1\r\nh\r\n$1\r\ni\r\n$1\r\nj\r\n$1\r\nk\r\n$12\r\nabcdefghijkl\r\n",
           "a|b|c|d|e|f|g|h|i|j|k|abcdefghijkl;");
}
END_TEST

START_TEST(bulks_of_every_size)
{
    char value[1100];
    memset(value, 'v', sizeof(value));
    for (size_t size = 0; size < sizeof(value); size++) {
        struct session session;
        struct buf input = {0};
        buf_append_format(&input, "*2\r\n$3\r\nGET\r\n$%zu\r\n%.*s\r\n", size, (int)size, value);
        session_init(&session);
        session_feed(&session, buf_head(&input), buf_size(&input));
        ck_assert_uint_eq(session.size, 0);
        ck_assert_uint_eq(session.list.count, 2);
        ck_assert_uint_eq(session.list.items[1].size, size);
        ck_assert_mem_eq(session.list.items[0].data, "GET", 3);
        buf_deinit(&input);
        session_deinit(&session);
    }
}
END_TEST

START_TEST(arguments_borrow_from_the_input)
{
    char input[] = "*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n";
    struct request_parser parser = {0};
    struct argument_list list = {0};
    struct request request;
    ck_assert_int_eq(request_parse(&parser, input, sizeof(input) - 1, &list, &request),
                     REQUEST_COMPLETE);
    ck_assert_uint_eq(request.first, 0);
    ck_assert_uint_eq(request.count, 2);
    ck_assert_uint_eq(request.consumed, sizeof(input) - 1);
    ck_assert_ptr_eq(list.items[0].data, input + 8);
    ck_assert_ptr_eq(list.items[1].data, input + 17);
    /* The next one is put behind it. */
    ck_assert_int_eq(request_parse(&parser, input, sizeof(input) - 1, &list, &request),
                     REQUEST_COMPLETE);
    ck_assert_uint_eq(request.first, 2);
    ck_assert_uint_eq(list.count, 4);
    argument_list_deinit(&list);
    request_parser_deinit(&parser);
}
END_TEST

START_TEST(pipelines)
{
    expect("*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\nPING\r\n*1\r\n$4\r\nQUIT\r\n",
           "PING;GET|k;PING;QUIT;");
    expect("GET a\nGET b\r\n*1\r\n$1\r\nx\r\n*1\r\n$4\r\nPI", "GET|a;GET|b;x;?");
}
END_TEST

START_TEST(empty_and_null_arrays)
{
    expect("*0\r\n", "~;");
    expect("*-1\r\n", "~;");
    expect("*-1000\r\n*1\r\n$4\r\nPING\r\n", "~;PING;");
    expect("*0\r\n*0\r\nPING\r\n\r\n", "~;~;PING;~;");
}
END_TEST

START_TEST(binary_arguments)
{
    struct bytes input = BYTES_LITERAL("*2\r\n$6\r\n\0\r\n$1\xff\r\n$4\r\n*1\r\n\r\n");
    expect_bytes(input, BYTES_LITERAL("\0\r\n$1\xff|*1\r\n;"));
}
END_TEST

START_TEST(line_ends_as_in_redis)
{
    /* The byte behind CR, and the two behind a bulk, are not looked at. */
    expect("*1\rx$4\ryPINGzz*1\r\n$1\r\na\r\n", "PING;a;");
}
END_TEST

START_TEST(malformed_counts)
{
    const char *invalid = "!Protocol error: invalid multibulk length";
    static const char *const counts[] = {"",   "x",  "01", "-0",         "+1",
                                         " 1", "1 ", "-",  "2147483648", "99999999999999999999",
                                         "$1", "1x"};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        char input[64];
        snprintf(input, sizeof(input), "*%s\r\n$1\r\na\r\n", counts[i]);
        expect(input, invalid);
    }
    char input[64];
    snprintf(input, sizeof(input), "*%d\r\n", REQUEST_ARGUMENTS_MAX + 1);
    expect(input, invalid);
    snprintf(input, sizeof(input), "*%d\r\n", REQUEST_ARGUMENTS_MAX);
    expect(input, "?");
}
END_TEST

START_TEST(malformed_bulks)
{
    const char *invalid = "!Protocol error: invalid bulk length";
    static const char *const sizes[] = {"",   "x",  "01", "-0",         "-1",
                                        "+1", " 1", "1 ", "4294967297", "99999999999999999999",
                                        "1x", "12x"};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        char input[64];
        snprintf(input, sizeof(input), "*2\r\n$1\r\na\r\n$%s\r\na\r\n", sizes[i]);
        expect(input, invalid);
    }
    char input[64];
    snprintf(input, sizeof(input), "*1\r\n$%u\r\n", REQUEST_BULK_SIZE_MAX + 1);
    expect(input, invalid);
}
END_TEST

START_TEST(wrong_type_of_element)
{
    expect("*1\r\n:1\r\n", "!Protocol error: expected '$', got ':'");
    expect("*2\r\n$1\r\na\r\n*1\r\n", "!Protocol error: expected '$', got '*'");
    expect("*1\r\n\r\n", "!Protocol error: expected '$', got ' '");
    expect("*1\r\n\n\r\n", "!Protocol error: expected '$', got ' '");
    expect("*1\r\n\x80\r\n", "!Protocol error: expected '$', got '\x80'");
    /* As in Redis, only when the line is there. */
    expect("*1\r\n:1", "?");
    /* At the start of a request it is an inline one. */
    expect("*1\r\n$1\r\na\r\n:1\r\n", "a;:1;");
}
END_TEST

START_TEST(error_comes_after_what_was_good)
{
    expect("*1\r\n$4\r\nPING\r\n*x\r\n", "PING;!Protocol error: invalid multibulk length");
    expect("PING\r\nECHO \"\r\n", "PING;!Protocol error: unbalanced quotes in request");
}
END_TEST

START_TEST(inline_requests)
{
    expect("PING\r\n", "PING;");
    expect("PING\n", "PING;");
    expect("  SET \t key   value \r\n", "SET|key|value;");
    expect("\r\n\n   \r\n", "~;~;~;");
    expect("SET k \"a b\" 'c d'\r\n", "SET|k|a b|c d;");
    expect("PING\r\r\n", "PING;");
    expect("ECHO \"\" ''\n", "ECHO||;");
    expect("ECHO a", "?");
    expect("ECHO \"a\r\n", "!Protocol error: unbalanced quotes in request");
    expect_bytes(BYTES_LITERAL("ECHO a\0b\r\n"), BYTES_LITERAL("ECHO|a\0b;"));
}
END_TEST

static void check_line_limit(const char *start, const char *error)
{
    /* The line in question begins behind the last LF. */
    const char *line_end = strrchr(start, '\n');
    size_t line_size = strlen(line_end == NULL ? start : line_end + 1);
    for (size_t over = 0; over < 2; over++) {
        struct buf input = {0};
        buf_append_text(&input, start);
        size_t fill = REQUEST_INLINE_SIZE_MAX - line_size + over;
        for (size_t i = 0; i < fill; i++) {
            buf_append(&input, "1", 1);
        }
        struct session session;
        session_init(&session);
        for (size_t at = 0; at < buf_size(&input); at += 1000) {
            size_t left = buf_size(&input) - at;
            ck_assert(!session.failed);
            session_feed(&session, buf_head(&input) + at, left < 1000 ? left : 1000);
        }
        session_check(&session, over == 0 ? BYTES_LITERAL("?") : bytes_of(error));
        session_deinit(&session);
        buf_deinit(&input);
    }
}

START_TEST(lines_without_end)
{
    check_line_limit("*", "!Protocol error: too big mbulk count string");
    check_line_limit("*1\r\n$", "!Protocol error: too big bulk count string");
    check_line_limit("a", "!Protocol error: too big inline request");
}
END_TEST

/* The largest line is accepted, one more byte is not, even if its end is in sight at once. */
START_TEST(longest_inline_request)
{
    for (size_t over = 0; over < 2; over++) {
        size_t size = REQUEST_INLINE_SIZE_MAX + over;
        char *input = malloc(size + 1);
        memset(input, 'a', size);
        input[size] = '\n';
        struct request_parser parser = {0};
        struct argument_list list = {0};
        struct request request;
        enum request_status status = request_parse(&parser, input, size + 1, &list, &request);
        ck_assert_int_eq(status, over == 0 ? REQUEST_COMPLETE : REQUEST_ERROR);
        if (over == 0) {
            ck_assert_uint_eq(list.items[0].size, size);
        }
        argument_list_deinit(&list);
        request_parser_deinit(&parser);
        free(input);
    }
}
END_TEST

START_TEST(inline_of_many_arguments)
{
    size_t count = REQUEST_INLINE_SIZE_MAX / 2;
    struct buf input = {0};
    for (size_t i = 0; i < count; i++) {
        buf_append_text(&input, "a ");
    }
    buf_append_text(&input, "\n");
    struct session session;
    session_init(&session);
    session_feed(&session, buf_head(&input), buf_size(&input));
    /* With tiny limits there is room for more arguments in a line than a request may have. */
    ck_assert_int_eq(session.failed, count > REQUEST_ARGUMENTS_MAX);
    ck_assert_uint_eq(session.list.count, session.failed ? 0 : count);
    session_deinit(&session);
    buf_deinit(&input);
}
END_TEST

/* The most arguments there may be, in pieces as they come from a socket. After each piece the
 * parser must stand near its end: that is what makes the whole linear. */
START_TEST(largest_array_in_pieces)
{
    const size_t piece = 16 * 1024;
    struct buf input = {0};
    buf_append_format(&input, "*%d\r\n", REQUEST_ARGUMENTS_MAX);
    for (int i = 0; i < REQUEST_ARGUMENTS_MAX; i++) {
        buf_append_format(&input, "$3\r\n%03d\r\n", i % 1000);
    }
    struct request_parser parser = {0};
    struct argument_list list = {0};
    struct request request;
    for (size_t size = piece; size < buf_size(&input); size += piece) {
        ck_assert_int_eq(request_parse(&parser, buf_head(&input), size, &list, &request),
                         REQUEST_MORE);
        ck_assert_uint_lt(size - parser.offset, 16);
        ck_assert_uint_eq(list.count, 0);
    }
    ck_assert_int_eq(request_parse(&parser, buf_head(&input), buf_size(&input), &list, &request),
                     REQUEST_COMPLETE);
    ck_assert_uint_eq(request.consumed, buf_size(&input));
    ck_assert_uint_eq(request.count, REQUEST_ARGUMENTS_MAX);
    for (size_t i = 0; i < request.count; i++) {
        char expected[8];
        snprintf(expected, sizeof(expected), "%03zu", i % 1000);
        ck_assert(bytes_equal(list.items[i], bytes_of(expected)));
    }
    /* What a parser at rest keeps does not depend on what it once saw. */
    ck_assert_uint_le(parser.span_capacity, 64);
    argument_list_deinit(&list);
    request_parser_deinit(&parser);
    buf_deinit(&input);
}
END_TEST

START_TEST(wanted_tells_the_size_of_a_large_bulk)
{
    char input[64];
    size_t size = (size_t)snprintf(input, sizeof(input), "*2\r\n$3\r\nGET\r\n$%u\r\nab",
                                   REQUEST_BULK_SIZE_MAX);
    struct request_parser parser = {0};
    struct argument_list list = {0};
    struct request request;
    ck_assert_int_eq(request_parse(&parser, input, size, &list, &request), REQUEST_MORE);
    ck_assert_uint_eq(request.wanted, size - 2 + REQUEST_BULK_SIZE_MAX + 2);
    ck_assert_int_eq(request_parse(&parser, input, size, &list, &request), REQUEST_MORE);
    ck_assert_uint_eq(request.wanted, size - 2 + REQUEST_BULK_SIZE_MAX + 2);
    ck_assert_int_eq(request_parse(&parser, input, 0, &list, &request), REQUEST_MORE);
    ck_assert_uint_eq(request.wanted, 1);
    request_parser_deinit(&parser);
    argument_list_deinit(&list);
}
END_TEST

/* Whole in the buffer at once, so that no resumption is needed: the largest, and one byte more. */
START_TEST(largest_bulk)
{
    for (size_t over = 0; over < 2; over++) {
        size_t bulk_size = REQUEST_BULK_SIZE_MAX + over;
        struct buf input = {0};
        buf_append_format(&input, "*1\r\n$%zu\r\n", bulk_size);
        size_t header = buf_size(&input);
        ck_assert_int_eq(buf_reserve(&input, bulk_size + 2), 0);
        /* What is in it does not matter; untouched pages cost nothing. */
        buf_commit(&input, bulk_size + 2);
        struct request_parser parser = {0};
        struct argument_list list = {0};
        struct request request;
        enum request_status status =
            request_parse(&parser, buf_head(&input), buf_size(&input), &list, &request);
        if (over == 0) {
            ck_assert_int_eq(status, REQUEST_COMPLETE);
            ck_assert_uint_eq(list.items[0].size, bulk_size);
            ck_assert_ptr_eq(list.items[0].data, buf_head(&input) + header);
            ck_assert_int_eq(
                request_parse(&parser, buf_head(&input), buf_size(&input) - 1, &list, &request),
                REQUEST_MORE);
            ck_assert_uint_eq(request.wanted, buf_size(&input));
        } else {
            ck_assert_int_eq(status, REQUEST_ERROR);
            ck_assert_str_eq(request.error, "Protocol error: invalid bulk length");
        }
        request_parser_deinit(&parser);
        argument_list_deinit(&list);
        buf_deinit(&input);
    }
}
END_TEST

START_TEST(one_argument_too_many)
{
    struct buf input = {0};
    buf_append_format(&input, "*%d\r\n", REQUEST_ARGUMENTS_MAX + 1);
    for (int i = 0; i < REQUEST_ARGUMENTS_MAX + 1; i++) {
        buf_append_text(&input, "$1\r\na\r\n");
    }
    struct request_parser parser = {0};
    struct argument_list list = {0};
    struct request request;
    ck_assert_int_eq(request_parse(&parser, buf_head(&input), buf_size(&input), &list, &request),
                     REQUEST_ERROR);
    ck_assert_str_eq(request.error, "Protocol error: invalid multibulk length");
    ck_assert_uint_eq(list.count, 0);
    request_parser_deinit(&parser);
    argument_list_deinit(&list);
    buf_deinit(&input);
}
END_TEST

/* The count is a claim: memory follows what has come, not what is said to come. */
START_TEST(memory_follows_what_has_come)
{
    char input[64];
    size_t size =
        (size_t)snprintf(input, sizeof(input), "*%d\r\n$1\r\na\r\n", REQUEST_ARGUMENTS_MAX);
    struct request_parser parser = {0};
    struct argument_list list = {0};
    struct request request;
    ck_assert_int_eq(request_parse(&parser, input, size, &list, &request), REQUEST_MORE);
    ck_assert_uint_eq(list.capacity, 0);
    ck_assert_uint_le(parser.span_capacity, 16);
    request_parser_deinit(&parser);
    argument_list_deinit(&list);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("request");
    TCase *arrays_case = tcase_create("arrays");
    tcase_add_test(arrays_case, arrays);
    tcase_add_test(arrays_case, bulks_of_every_size);
    tcase_add_test(arrays_case, arguments_borrow_from_the_input);
    tcase_add_test(arrays_case, pipelines);
    tcase_add_test(arrays_case, empty_and_null_arrays);
    tcase_add_test(arrays_case, binary_arguments);
    tcase_add_test(arrays_case, line_ends_as_in_redis);
    suite_add_tcase(suite, arrays_case);
    TCase *errors_case = tcase_create("errors");
    tcase_add_test(errors_case, malformed_counts);
    tcase_add_test(errors_case, malformed_bulks);
    tcase_add_test(errors_case, wrong_type_of_element);
    tcase_add_test(errors_case, error_comes_after_what_was_good);
    suite_add_tcase(suite, errors_case);
    TCase *inline_case = tcase_create("inline");
    tcase_add_test(inline_case, inline_requests);
    tcase_add_test(inline_case, longest_inline_request);
    tcase_add_test(inline_case, inline_of_many_arguments);
    suite_add_tcase(suite, inline_case);
    TCase *limits_case = tcase_create("limits");
    tcase_set_timeout(limits_case, 60);
    tcase_add_test(limits_case, lines_without_end);
    tcase_add_test(limits_case, largest_array_in_pieces);
    tcase_add_test(limits_case, wanted_tells_the_size_of_a_large_bulk);
    tcase_add_test(limits_case, largest_bulk);
    tcase_add_test(limits_case, one_argument_too_many);
    tcase_add_test(limits_case, memory_follows_what_has_come);
    suite_add_tcase(suite, limits_case);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
