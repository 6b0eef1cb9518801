/*
 * Where the store's memory comes from. One seam, for two reasons: slabs can take its place, and a
 * test can put a failing allocator there (it defines these four functions itself, so that the
 * linker leaves the ones of the library out). Any thread.
 */
#ifndef TORC_NODE_STORE_ALLOCATE_H
#define TORC_NODE_STORE_ALLOCATE_H

#include <stddef.h>

/* At least `size` bytes (> 0), aligned to 8 or more, uninitialised; NULL without memory. */
void *store_allocate(size_t size);
/* As realloc: the contents move along; NULL without memory, and then `block` is as it was. */
void *store_reallocate(void *block, size_t size);
void store_release(void *block); /* NULL is allowed */
/* Bytes that may be used, and are accounted for; 0 for NULL. Never less than was asked for. */
size_t store_allocated_size(const void *block);

#endif
