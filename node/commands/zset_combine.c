/*
 * Unions, intersections and differences of sorted sets. The replicas are told the command as it was
 * sent: what it comes to follows from what the keys hold, and scores are added up in one order
 * everywhere.
 */
#include "base/error.h"
#include "node/commands/handlers.h"
#include "node/commands/zset.h"
#include "node/commands/zset_input.h"
#include "node/resp/number.h"

#include <math.h>
#include <stdlib.h>

enum operation { OPERATION_UNION, OPERATION_INTERSECTION, OPERATION_DIFFERENCE };
enum aggregate { AGGREGATE_SUM, AGGREGATE_MIN, AGGREGATE_MAX };

/* What a command wants of the result. */
enum purpose { PURPOSE_REPLY, PURPOSE_STORE, PURPOSE_COUNT };

struct combination {
    enum operation operation;
    enum purpose purpose;
    enum aggregate aggregate;
    bool with_scores;
    int64_t limit; /* of what is counted; 0 = none */
    struct zset_input *inputs;
    size_t count; /* at least 1 */
};

/* ---- options ---- */

static bool parse_weights(struct call *call, size_t index, struct combination *out)
{
    for (size_t i = 0; i < out->count; i++) {
        if (!parse_double(call->argv[index + i], &out->inputs[i].weight)) {
            reply_error(call->reply, "ERR weight value is not a float");
            return false;
        }
    }
    return true;
}

static bool parse_aggregate(struct call *call, size_t index, struct combination *out)
{
    if (call_argument_is(call, index, "sum")) {
        out->aggregate = AGGREGATE_SUM;
    } else if (call_argument_is(call, index, "min")) {
        out->aggregate = AGGREGATE_MIN;
    } else if (call_argument_is(call, index, "max")) {
        out->aggregate = AGGREGATE_MAX;
    } else {
        call_reply_syntax_error(call);
        return false;
    }
    return true;
}

static bool parse_limit(struct call *call, size_t index, struct combination *out)
{
    if (parse_int64(call->argv[index], &out->limit) && out->limit >= 0) {
        return true;
    }
    reply_error(call->reply, "ERR LIMIT can't be negative");
    return false;
}

/* The options behind the keys, from argument `index` on. */
static bool parse_options(struct call *call, size_t index, struct combination *out)
{
    bool counts = out->purpose == PURPOSE_COUNT;
    bool weighs = out->operation != OPERATION_DIFFERENCE && !counts;
    while (index < call->argc) {
        size_t rest = call->argc - index;
        bool ok;
        if (weighs && rest > out->count && call_argument_is(call, index, "weights")) {
            ok = parse_weights(call, index + 1, out);
            index += 1 + out->count;
        } else if (weighs && rest > 1 && call_argument_is(call, index, "aggregate")) {
            ok = parse_aggregate(call, index + 1, out);
            index += 2;
        } else if (out->purpose == PURPOSE_REPLY && call_argument_is(call, index, "withscores")) {
            out->with_scores = true;
            ok = true;
            index++;
        } else if (counts && rest > 1 && call_argument_is(call, index, "limit")) {
            ok = parse_limit(call, index + 1, out);
            index += 2;
        } else {
            call_reply_syntax_error(call);
            return false;
        }
        if (!ok) {
            return false;
        }
    }
    return true;
}

/* ---- combining ---- */

static double weighed(double score, double weight)
{
    double product = score * weight;
    return isnan(product) ? 0 : product; /* nothing of something infinite */
}

static double aggregated(enum aggregate aggregate, double a, double b)
{
    switch (aggregate) {
    case AGGREGATE_SUM: break;
    case AGGREGATE_MIN: return b < a ? b : a;
    case AGGREGATE_MAX: return b > a ? b : a;
    }
    double sum = a + b;
    return isnan(sum) ? 0 : sum; /* of both infinities */
}

/* From the smallest to the largest, the order in which scores are added up. As few as they are. */
static void sort_inputs(struct combination *combination)
{
    struct zset_input *inputs = combination->inputs;
    for (size_t i = 1; i < combination->count; i++) {
        struct zset_input moved = inputs[i];
        size_t to = i;
        for (; to > 0 && moved.count < inputs[to - 1].count; to--) {
            inputs[to] = inputs[to - 1];
        }
        inputs[to] = moved;
    }
}

/* What is visited, and what becomes of it. */
struct gathering {
    const struct combination *combination;
    const struct zset_input *input; /* that is being visited */
    struct zset_large *result;
    int64_t count; /* where that is all that is wanted */
    int error;     /* 0, TORC_ETOOBIG, TORC_ENOMEM */
};

static bool unite_member(void *context, struct zset_entry entry)
{
    struct gathering *gathering = context;
    double before;
    entry.score = weighed(entry.score, gathering->input->weight);
    if (zset_large_score(gathering->result, entry.member, &before)) {
        entry.score = aggregated(gathering->combination->aggregate, before, entry.score);
    }
    gathering->error = zset_large_put(gathering->result, entry);
    return gathering->error == 0;
}

static void unite(struct gathering *gathering)
{
    const struct combination *combination = gathering->combination;
    for (size_t i = 0; i < combination->count && gathering->error == 0; i++) {
        gathering->input = &combination->inputs[i];
        zset_input_visit(gathering->input, unite_member, gathering);
    }
}

/* True if every input but the first has the member; the scores are put together. */
static bool is_everywhere(const struct combination *combination, struct zset_entry *entry)
{
    entry->score = weighed(entry->score, combination->inputs[0].weight);
    for (size_t i = 1; i < combination->count; i++) {
        const struct zset_input *input = &combination->inputs[i];
        double score;
        if (!zset_input_score(input, entry->member, &score)) {
            return false;
        }
        /* Not `weighed`: what is no number counts as nothing only in the sum. */
        entry->score = aggregated(combination->aggregate, entry->score, score * input->weight);
    }
    return true;
}

static bool is_elsewhere(const struct combination *combination, struct bytes member)
{
    for (size_t i = 1; i < combination->count; i++) {
        double score;
        if (zset_input_score(&combination->inputs[i], member, &score)) {
            return true;
        }
    }
    return false;
}

/* A member of the first input that is in all others, or in none. */
static bool pick_member(void *context, struct zset_entry entry)
{
    struct gathering *gathering = context;
    const struct combination *combination = gathering->combination;
    bool picked = combination->operation == OPERATION_INTERSECTION
                      ? is_everywhere(combination, &entry)
                      : !is_elsewhere(combination, entry.member);
    gathering->error = picked ? zset_large_put(gathering->result, entry) : 0;
    return gathering->error == 0;
}

static bool count_member(void *context, struct zset_entry entry)
{
    struct gathering *gathering = context;
    const struct combination *combination = gathering->combination;
    gathering->count += is_everywhere(combination, &entry) ? 1 : 0;
    return combination->limit == 0 || gathering->count < combination->limit;
}

static void reply_intersection_count(struct call *call, const struct combination *combination)
{
    struct gathering gathering = {.combination = combination};
    zset_input_visit(&combination->inputs[0], count_member, &gathering);
    reply_integer(call->reply, gathering.count);
}

/* 0, TORC_ETOOBIG, TORC_ENOMEM. */
static int gather(const struct combination *combination, struct zset_large *result)
{
    struct gathering gathering = {.combination = combination, .result = result};
    if (combination->operation == OPERATION_UNION) {
        unite(&gathering);
    } else {
        zset_input_visit(&combination->inputs[0], pick_member, &gathering);
    }
    return gathering.error;
}

static void reply_result(struct call *call, const struct combination *combination)
{
    struct zset_large *result = zset_large_create();
    int error = result == NULL ? TORC_ENOMEM : gather(combination, result);
    if (error == TORC_OK && combination->purpose == PURPOSE_STORE) {
        zset_reply_stored(call, result);
        return;
    }
    error = error == TORC_OK ? zset_large_arrange(result) : error;
    if (zset_change_ok(call, error)) {
        zset_reply_large(call, result, zset_reply_scored(call, combination->with_scores));
    }
    zset_large_destroy(result);
}

/* The number of keys stands at argument `index`. */
static void combine_inputs(struct call *call, size_t index, struct combination *combination)
{
    size_t first = index + 1;
    if (!zset_inputs_open(call, first, combination->count, combination->inputs) ||
        !parse_options(call, first + combination->count, combination)) {
        return;
    }
    if (combination->operation != OPERATION_DIFFERENCE) {
        sort_inputs(combination);
    }
    if (combination->purpose == PURPOSE_COUNT) {
        reply_intersection_count(call, combination);
    } else {
        reply_result(call, combination);
    }
}

static void combine(struct call *call, enum operation operation, enum purpose purpose)
{
    struct combination combination = {.operation = operation, .purpose = purpose};
    size_t index = purpose == PURPOSE_STORE ? 2 : 1;
    int64_t count;
    if (!call_argument_int64(call, index, &count)) {
        return;
    }
    if (count < 1) {
        reply_error(call->reply, "ERR at least 1 input key is needed for '%s' command",
                    call->command->name);
        return;
    }
    if ((uint64_t)count > call->argc - index - 1) {
        call_reply_syntax_error(call);
        return;
    }
    combination.count = (size_t)count;
    combination.inputs = calloc(combination.count, sizeof(*combination.inputs));
    if (combination.inputs == NULL) {
        call_reply_no_memory(call);
        return;
    }
    combine_inputs(call, index, &combination);
    free(combination.inputs);
}

void zdiff_command(struct call *call)
{
    combine(call, OPERATION_DIFFERENCE, PURPOSE_REPLY);
}

void zdiffstore_command(struct call *call)
{
    combine(call, OPERATION_DIFFERENCE, PURPOSE_STORE);
}

void zinter_command(struct call *call)
{
    combine(call, OPERATION_INTERSECTION, PURPOSE_REPLY);
}

void zintercard_command(struct call *call)
{
    combine(call, OPERATION_INTERSECTION, PURPOSE_COUNT);
}

void zinterstore_command(struct call *call)
{
    combine(call, OPERATION_INTERSECTION, PURPOSE_STORE);
}

void zunion_command(struct call *call)
{
    combine(call, OPERATION_UNION, PURPOSE_REPLY);
}

void zunionstore_command(struct call *call)
{
    combine(call, OPERATION_UNION, PURPOSE_STORE);
}
