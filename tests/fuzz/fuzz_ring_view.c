/*
 * Any bytes: decoded or refused, never worse. What decodes encodes to the same bytes, so that two
 * nodes never hold different bytes for one view, and its owners are distinct nodes that are up.
 */
#include "base/error.h"
#include "ring/view.h"

#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_owners(const struct view *view, uint16_t slot)
{
    uint16_t owners[COPIES_MAX];
    size_t count = view_owners(view, slot, owners);
    assert(count <= view->copies);
    for (size_t i = 0; i < count; i++) {
        assert(owners[i] < view->node_count);
        assert(view->nodes[owners[i]].status == NODE_UP);
        for (size_t j = 0; j < i; j++) {
            assert(owners[i] != owners[j]);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = {(const char *)data, size};
    struct view *view;
    int error = view_decode(&view, input);
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
