#include "node/store/allocate.h"

#include <malloc.h>
#include <stdlib.h>

/* jemalloc begins what is larger anywhere in the first of its pages, so that caches are used
 * evenly, and takes one page more for that: a value of 16 KiB lies in five pages. If it is to begin
 * with a page, the last one is never touched, and takes no memory. */
#define SMALL_SIZE_MAX 14336
#define PAGE_SIZE_LEAST 4096

void *store_allocate(size_t size)
{
    void *block = NULL;
    if (size <= SMALL_SIZE_MAX) {
        return malloc(size);
    }
    return posix_memalign(&block, PAGE_SIZE_LEAST, size) == 0 ? block : NULL;
}

void *store_reallocate(void *block, size_t size)
{
    return realloc(block, size);
}

void store_release(void *block)
{
    free(block);
}

size_t store_allocated_size(const void *block)
{
    /* The allocator's interface predates const; it only looks. */
    return malloc_usable_size((void *)(size_t)block);
}
