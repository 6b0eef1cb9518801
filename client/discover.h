/*
 * How a handle learns what the cluster looks like: views, from any node, and the table of commands.
 */
#ifndef TORC_CLIENT_DISCOVER_H
#define TORC_CLIENT_DISCOVER_H

#include "client/handle.h"

/* Makes the handle ready from the first seed that serves, asking again while seeds say that they
 * have not joined a cluster yet. The errors of torc_connect; the text names each seed. */
int discover_join(struct torc *handle, uint64_t deadline_ms) TORC_MUST_USE;

/* Looks for a newer view, once: from findings.newer first, findings.failed not at all, else from
 * one node after the other until one of them answers. Nothing found is no error. Leaves the
 * handle's error as it is. True if somebody answered for this cluster. */
bool discover_refresh(struct torc *handle, uint64_t deadline_ms);

#endif
