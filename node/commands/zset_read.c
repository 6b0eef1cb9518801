/*
 * Single members of sorted sets: scores, ranks, random ones, and going through all of them.
 */
#include "node/command_errors.h"
#include "node/commands/handlers.h"
#include "node/commands/members.h"
#include "node/commands/zset.h"
#include "node/resp/number.h"

void zcard_command(struct call *call)
{
    bool wrong;
    const struct object *zset = zset_find_read(call, &wrong);
    if (!wrong) {
        reply_integer(call->reply, zset == NULL ? 0 : (int64_t)zset_count(zset));
    }
}

static void reply_score(struct call *call, const struct object *zset, struct bytes member)
{
    double score;
    if (zset != NULL && zset_score(zset, member, &score)) {
        reply_double(call->reply, score);
    } else {
        reply_null(call->reply);
    }
}

void zscore_command(struct call *call)
{
    bool wrong;
    const struct object *zset = zset_find_read(call, &wrong);
    if (!wrong) {
        reply_score(call, zset, call->argv[2]);
    }
}

void zmscore_command(struct call *call)
{
    bool wrong;
    const struct object *zset = zset_find_read(call, &wrong);
    if (wrong) {
        return;
    }
    reply_array(call->reply, call->argc - 2);
    for (size_t i = 2; i < call->argc; i++) {
        reply_score(call, zset, call->argv[i]);
    }
}

static void reply_rank(struct call *call, bool down)
{
    bool with_score = call->argc == 4;
    bool wrong;
    if (call->argc > 4) {
        reply_wrong_arity(call->reply, call->command);
        return;
    }
    if (with_score && !call_argument_is(call, 3, "withscore")) {
        call_reply_syntax_error(call);
        return;
    }
    const struct object *zset = zset_find_read(call, &wrong);
    if (wrong) {
        return;
    }
    size_t rank;
    double score;
    if (zset == NULL || !zset_rank(zset, call->argv[2], &rank, &score)) {
        with_score ? reply_null_array(call->reply) : reply_null(call->reply);
        return;
    }
    if (with_score) {
        reply_array(call->reply, 2);
    }
    reply_integer(call->reply, (int64_t)(down ? zset_count(zset) - 1 - rank : rank));
    if (with_score) {
        reply_double(call->reply, score);
    }
}

void zrank_command(struct call *call)
{
    reply_rank(call, false);
}

void zrevrank_command(struct call *call)
{
    reply_rank(call, true);
}

/* ---- any members ---- */

/* A scan that makes text of scores. */
struct text_scan {
    member_visitor *visit;
    void *context;
};

static void visit_text(void *context, struct bytes member, struct bytes score)
{
    const struct text_scan *scan = context;
    char text[NUMBER_DOUBLE_SIZE];
    size_t size = format_double(text, zset_held_score(score));
    scan->visit(scan->context, member, (struct bytes){text, size});
}

static uint64_t scan_texts(const struct object *zset, uint64_t cursor, size_t budget,
                           member_visitor *visit, void *context)
{
    struct text_scan scan = {visit, context};
    return zset_scan(zset, cursor, budget, visit_text, &scan);
}

static const struct member_source score_source = {
    .count = zset_count, .scan = zset_scan, .random = zset_random};
static const struct member_source text_source = {
    .count = zset_count, .scan = scan_texts, .random = zset_random};

static void reply_held_score(struct reply_writer *reply, struct bytes score)
{
    reply_double(reply, zset_held_score(score));
}

void zrandmember_command(struct call *call)
{
    bool wrong;
    struct draw draw;
    if (!draw_parse(call, "withscores", &draw)) {
        return;
    }
    const struct object *zset = zset_find_read(call, &wrong);
    if (!wrong) {
        draw.reply_value = reply_held_score;
        draw_reply(call, zset, &score_source, &draw);
    }
}

void zscan_command(struct call *call)
{
    /* In either protocol scores are texts. */
    members_scan_command(call, OBJECT_ZSET, &text_source, true);
}
