/*
 * Freeing what is large a step at a time: what a step may do yet, and what it has done. Everything
 * that consists of many blocks has a function ..._free_some that takes one of these, goes on where
 * the step before has stopped, and returns true while something is left; what is being freed is of
 * no other use from the first step on. Internal to the store.
 */
#ifndef TORC_NODE_STORE_FREEING_H
#define TORC_NODE_STORE_FREEING_H

#include "node/store/allocate.h"

#include <stddef.h>
#include <stdint.h>

/* Giving pages back to the system takes its time for each of them: they count as blocks. */
#define FREEING_PAGE_SIZE 4096u
#define FREEING_ALL ((struct freeing){.budget = SIZE_MAX})

struct freeing {
    size_t budget; /* blocks and pages that may still be freed; the last block may take more */
    size_t bytes;  /* that were freed */
};

/* NULL is allowed. */
static inline void freeing_release(struct freeing *freeing, void *block)
{
    size_t size = store_allocated_size(block);
    size_t cost = 1 + size / FREEING_PAGE_SIZE;
    freeing->bytes += size;
    freeing->budget -= cost < freeing->budget ? cost : freeing->budget;
    store_release(block);
}

#endif
