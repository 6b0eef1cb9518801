/*
 * Which blocks lie where so much is free that moving them would give pages back, as far as the
 * allocator can say (jemalloc can). Internal to the store. Any thread.
 */
#ifndef TORC_NODE_STORE_SPARSE_H
#define TORC_NODE_STORE_SPARSE_H

#include <stdbool.h>
#include <stdint.h>

#define SPARSE_BLOCKS_MAX 32u /* asked about at once; a bit each in the answer */

/* False: nothing is ever sparse. */
bool sparse_is_known(void);
/* Bit i: blocks[i] should be moved. */
uint32_t sparse_blocks(void *const *blocks, unsigned count);
/* Moves a block to where the allocator's pages are fullest; NULL: it stays where it is. */
void *sparse_move(void *block);

#endif
