#include "node/store/draw.h"

#include "base/error.h"
#include "node/store/members.h"
#include "node/store/small.h"

/* Where more than this share is wanted, a walk over all of them is quicker than draws of which more
 * and more have been drawn already. */
#define WALK_SHARE 3
/* Few enough that a walk is quick in any case; a draw from a small form is half of one. */
#define WALK_COUNT_MAX 512

static_assert(SMALL_HASH_FIELDS_MAX <= WALK_COUNT_MAX, "no draws from small forms");

struct selection {
    struct prng *prng;
    size_t wanted;
    size_t left; /* members still to come */
    member_visitor *visit;
    void *context;
};

/* Knuth, The Art of Computer Programming 3.4.2, algorithm S. */
static void select_member(void *context, struct bytes member, struct bytes value)
{
    struct selection *selection = context;
    if (prng_below(selection->prng, selection->left) < selection->wanted) {
        selection->visit(selection->context, member, value);
        selection->wanted--;
    }
    selection->left--;
}

static void visit_drawn(void *context, const struct object *object)
{
    const struct selection *selection = context;
    selection->visit(selection->context, object_key(object), object_value(object));
}

/* Draws until there are enough different ones, and visits those. */
static int draw_few(const struct object *object, const struct member_source *source,
                    struct selection *selection)
{
    struct gathering drawn = {.members = members_create()};
    if (drawn.members == NULL) {
        return TORC_ENOMEM;
    }
    while (drawn.result == 0 && members_count(drawn.members) < selection->wanted) {
        source->random(object, selection->prng, members_gather, &drawn);
    }
    if (drawn.result == 0) {
        members_scan(drawn.members, 0, SIZE_MAX, visit_drawn, selection);
    }
    members_destroy(drawn.members);
    return drawn.result;
}

int draw_distinct(const struct object *object, const struct member_source *source, size_t count,
                  struct prng *prng, member_visitor *visit, void *context)
{
    size_t total = source->count(object);
    struct selection selection = {
        .prng = prng,
        .wanted = count < total ? count : total,
        .left = total,
        .visit = visit,
        .context = context,
    };
    if (total > WALK_COUNT_MAX && selection.wanted < total / WALK_SHARE) {
        return draw_few(object, source, &selection);
    }
    source->scan(object, 0, SIZE_MAX, select_member, &selection);
    return 0;
}

void draw_repeated(const struct object *object, const struct member_source *source, size_t count,
                   struct prng *prng, member_visitor *visit, void *context)
{
    for (size_t i = 0; i < count; i++) {
        source->random(object, prng, visit, context);
    }
}
