/*
 * What a node tells of itself: the bytes that gossip carries as a member's opaque meta. Pure; any
 * thread. Bytes: docs/protocol.md, "Member".
 *
 *      u8 version | host | client direct http bus ports (u16) | zone | u32 weight | u8 flags |
 * software
 *
 * with host, zone and software as u16 length and bytes.
 */
#ifndef TORC_NODE_MEMBER_META_H
#define TORC_NODE_MEMBER_META_H

#include "base/attributes.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/limits.h"

#include <stdbool.h>
#include <stdint.h>

#define MEMBER_META_VERSION 3
#define MEMBER_SOFTWARE_SIZE_MAX 31

struct member_meta {
    char host[HOST_SIZE_MAX + 1]; /* announced: an address or a DNS name; never empty */
    uint16_t client_port;
    uint16_t direct_port;
    uint16_t http_port;
    uint16_t bus_port;            /* TCP and UDP */
    char zone[ZONE_SIZE_MAX + 1]; /* "" = none */
    uint32_t weight;              /* thousandths; what its operator asked for */
    bool waits;                   /* does not take its share by itself: --auto-rebalance no */
    char software[MEMBER_SOFTWARE_SIZE_MAX + 1]; /* its version, e.g. "0.1.0" */
};

/* Appends the encoding, at most GOSSIP_META_SIZE_MAX bytes. 0, TORC_EINVAL (what decoding would
 * refuse; nothing appended), TORC_ETOOBIG (a text without end), TORC_ENOMEM. */
int member_meta_encode(const struct member_meta *meta, struct buf *out) TORC_MUST_USE;
/* 0, TORC_EVERSION, or TORC_ECORRUPT: cut short, bytes left over, an empty host, a port 0, a weight
 * over WEIGHT_MAX, a text too long or with a zero byte. On failure *out is undefined. */
int member_meta_decode(struct member_meta *out, struct bytes input) TORC_MUST_USE;

#endif
