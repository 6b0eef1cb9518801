/*
 * The slot of a key: CRC16 (XMODEM: polynomial 0x1021, start 0) of the hash tag, or of the whole
 * key without one, modulo 16384. Source: Redis Cluster specification, "Key distribution model" and
 * "Hash tags".
 */
#ifndef TORC_RING_SLOT_H
#define TORC_RING_SLOT_H

#include "base/bytes.h"
#include "base/limits.h"

#include <stdint.h>

uint16_t crc16(struct bytes bytes);

/* The part of the key between the first '{' and the first '}' after it, when not empty; else all.
 */
struct bytes slot_hash_tag(struct bytes key);

/* 0 .. SLOT_COUNT - 1. */
uint16_t slot_of_key(struct bytes key);

#endif
