/*
 * Questions asked of a server outside the measured traffic, over a blocking connection of their
 * own: does it answer, and who owns which slots. Called by the main thread only.
 */
#ifndef TORC_BENCH_TOPOLOGY_H
#define TORC_BENCH_TOPOLOGY_H

#include "base/attributes.h"
#include "bench/address.h"
#include "bench/slot_map.h"

#define TOPOLOGY_ERROR_SIZE 512

/* Connects and sends PING; any RESP answer will do. On success the host is replaced by the number
 * that answered, so that later connections need not resolve it.
 * 0, or TORC_ECONNECT or TORC_EPROTOCOL with a sentence in `error` that names the address. */
int topology_probe(struct address *address, char error[TOPOLOGY_ERROR_SIZE]) TORC_MUST_USE;

/* Fills the map by CLUSTER SLOTS. 0, or TORC_ECONNECT, TORC_EREPLY, TORC_EPROTOCOL, TORC_ENOMEM,
 * TORC_ETOOBIG with a sentence in `error`. */
int topology_slots(const struct address *address, struct slot_map *map,
                   char error[TOPOLOGY_ERROR_SIZE]) TORC_MUST_USE;

#endif
