#include "node/store/allocate.h"

#include <malloc.h>
#include <stdlib.h>

void *store_allocate(size_t size)
{
    return malloc(size);
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
