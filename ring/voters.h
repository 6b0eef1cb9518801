/*
 * Who votes on the views: up to VOTERS_MAX nodes, an odd number, spread over the zones, changed as
 * little as possible. Pure.
 */
#ifndef TORC_RING_VOTERS_H
#define TORC_RING_VOTERS_H

#include "ring/view.h"

#include <stdbool.h>

/*
 * Sets the voters of a view that is not sealed yet; true if they changed. 5 of 5 nodes and more, 3
 * of 3 or 4, else 1: an even number can lose no more than the odd one below it, and waits for one
 * more answer. A voter that is down or leaving gives way as soon as another node can take its
 * place; without one it stays, until it is given up for good (removed, or replaced): fewer voters
 * that are all alive would be safe against fewer failures, not more.
 */
bool voters_choose(struct view *next);

#endif
