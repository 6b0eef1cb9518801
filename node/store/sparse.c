#include "node/store/sparse.h"

#include "node/store/allocate.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

/* jemalloc's, there only if the program is linked with it. */
extern void *mallocx(size_t size, int flags) __attribute__((weak));
extern void dallocx(void *block, int flags) __attribute__((weak));
extern int mallctl(const char *name, void *old, size_t *old_size, void *new, size_t new_size)
    __attribute__((weak));

/* MALLOCX_TCACHE_NONE. What a thread's cache took in would be given out again at once, and blocks
 * would change places for nothing. */
#define PAST_THE_CACHE 0x100
/* A slab with more than so much of it free is sparse. Emptying fuller ones moves more than it
 * frees. */
#define FREE_SHARE_SPARSE 8 /* an eighth */

/* What experimental.utilization.batch_query tells of a block. */
struct utilization {
    size_t free_regions, regions; /* of its slab; 1 region if it has pages of its own */
    size_t slab_size;
};

bool sparse_is_known(void)
{
    return mallocx != NULL && dallocx != NULL && mallctl != NULL;
}

uint32_t sparse_blocks(void *const *blocks, unsigned count)
{
    assert(count <= SPARSE_BLOCKS_MAX);
    struct utilization out[SPARSE_BLOCKS_MAX];
    size_t out_size = count * sizeof(out[0]);
    if (count == 0 || !sparse_is_known() ||
        mallctl("experimental.utilization.batch_query", out, &out_size, (void *)(uintptr_t)blocks,
                count * sizeof(blocks[0])) != 0) {
        return 0;
    }
    uint32_t sparse = 0;
    for (unsigned i = 0; i < count; i++) {
        if (out[i].regions > 1 && out[i].free_regions * FREE_SHARE_SPARSE > out[i].regions) {
            sparse |= (uint32_t)1 << i;
        }
    }
    return sparse;
}

void *sparse_move(void *block)
{
    size_t size = store_allocated_size(block);
    void *moved = mallocx(size, PAST_THE_CACHE);
    if (moved == NULL) {
        return NULL;
    }
    memcpy(moved, block, size);
    dallocx(block, PAST_THE_CACHE);
    return moved;
}
