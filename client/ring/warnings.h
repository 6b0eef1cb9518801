/*
 * What is wrong with a cluster, in sentences. Part of summary; pure.
 */
#ifndef TORC_CLIENT_RING_WARNINGS_H
#define TORC_CLIENT_RING_WARNINGS_H

#include "base/attributes.h"
#include "client/ring/summary.h"

/* Fills summary->warnings and warning_count from all the rest of it. 0 or TORC_ENOMEM. */
int warnings_collect(struct summary *summary) TORC_MUST_USE;

#endif
