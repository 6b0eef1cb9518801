#include "node/commands/zset_input.h"

#include "node/commands/common.h"
#include "node/store/set.h"

#define SET_SCORE 1.0
#define VISIT_STEP 1000 /* members visited before it is asked whether there are enough */

static bool open_one(struct call *call, size_t index, struct zset_input *input)
{
    struct bytes key = call->argv[index];
    const struct object *object = call_find_read(call, key, key_hash(key));
    *input = (struct zset_input){.object = object, .weight = 1};
    if (object == NULL) {
        return true;
    }
    switch (object_type(object)) {
    case OBJECT_ZSET: input->count = zset_count(object); return true;
    case OBJECT_SET: input->count = set_count(object); return true;
    case OBJECT_STRING:
    case OBJECT_LIST:
    case OBJECT_HASH: break;
    }
    call_reply_wrong_type(call);
    return false;
}

bool zset_inputs_open(struct call *call, size_t first, size_t count, struct zset_input *inputs)
{
    /* Finding one may delete it, which ends what was found before: only what is found the second
     * time stays. */
    for (size_t i = 0; i < count; i++) {
        struct bytes key = call->argv[first + i];
        call_find(call, key, key_hash(key));
    }
    for (size_t i = 0; i < count; i++) {
        if (!open_one(call, first + i, &inputs[i])) {
            return false;
        }
    }
    return true;
}

bool zset_input_score(const struct zset_input *input, struct bytes member, double *score)
{
    if (input->object == NULL) {
        return false;
    }
    if (object_type(input->object) == OBJECT_ZSET) {
        return zset_score(input->object, member, score);
    }
    *score = SET_SCORE;
    return set_has(input->object, member);
}

struct visit {
    zset_input_visitor *visit;
    void *context;
    bool enough;
};

/* The value is the score as a sorted set holds it; a set's members have none. */
static void visit_member(void *context, struct bytes member, struct bytes value)
{
    struct visit *visit = context;
    if (!visit->enough) {
        double score = value.size == 0 ? SET_SCORE : zset_held_score(value);
        visit->enough = !visit->visit(visit->context, (struct zset_entry){member, score});
    }
}

void zset_input_visit(const struct zset_input *input, zset_input_visitor *visit, void *context)
{
    struct visit visiting = {.visit = visit, .context = context};
    uint64_t cursor = 0;
    if (input->object == NULL) {
        return;
    }
    do {
        cursor = object_type(input->object) == OBJECT_ZSET
                     ? zset_scan(input->object, cursor, VISIT_STEP, visit_member, &visiting)
                     : set_scan(input->object, cursor, VISIT_STEP, visit_member, &visiting);
    } while (cursor != 0 && !visiting.enough);
}
