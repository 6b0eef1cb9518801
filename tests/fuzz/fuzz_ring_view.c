/*
 * Any bytes: decoded or refused, never worse. What decodes encodes to the same bytes, so that two
 * nodes never hold different bytes for one view, and its owners are distinct nodes that
 * are up, or one alone that is syncing.
 */
#include "base/error.h"
#include "ring/view.h"

#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool contains(const uint16_t *nodes, size_t count, uint16_t node)
{
    for (size_t i = 0; i < count; i++) {
        if (nodes[i] == node) {
            return true;
        }
    }
    return false;
}

static void check_distinct(const struct view *view, const uint16_t *nodes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert(nodes[i] < view->node_count);
        assert(view->nodes[nodes[i]].status != NODE_DOWN);
        assert(!contains(nodes, i, nodes[i]));
    }
}

static void check_owners(const struct view *view, uint16_t slot)
{
    uint16_t owners[COPIES_MAX];
    uint16_t holders[COPIES_MAX];
    uint16_t learners[VIEW_LEARNERS_MAX];
    size_t count = view_owners(view, slot, owners);
    size_t holder_count = view_holders(view, slot, holders);
    size_t learner_count = view_learners(view, slot, learners);
    assert(count <= view->copies);
    check_distinct(view, owners, count);
    check_distinct(view, holders, holder_count);
    check_distinct(view, learners, learner_count);
    bool served = count > 0 && view->nodes[owners[0]].status == NODE_UP;
    assert(served || count <= 1); /* one that is syncing leads alone */
    for (size_t i = 0; i < count && served; i++) {
        assert(view->nodes[owners[i]].status == NODE_UP);
        assert(contains(holders, holder_count, owners[i]));
    }
    for (size_t i = 0; i < learner_count; i++) {
        assert(count > 0 && !contains(owners, count, learners[i]));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = {(const char *)data, size};
    struct view *view;
    int error = view_decode(&view, input, NULL);
    if (error != 0) {
        assert(error == TORC_ECORRUPT || error == TORC_EVERSION);
        return 0;
    }
    struct buf again;
    buf_init(&again);
    view_encode(view, &again);
    assert(!again.failed);
    assert(bytes_equal(input, buf_bytes(&again)));
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        check_owners(view, (uint16_t)slot);
    }
    buf_deinit(&again);
    view_release(view);
    return 0;
}
