/*
 * Every limit of the system, with its reason. A build with -DTORC_TINY_LIMITS runs the tests with
 * limits so small that every one of them is hit.
 */
#ifndef TORC_BASE_LIMITS_H
#define TORC_BASE_LIMITS_H

#include <assert.h>

/* Cluster */
#ifndef SLOT_BITS
#define SLOT_BITS 14 /* the simulator of whole clusters is built with fewer slots */
#endif
#define SLOT_COUNT (1 << SLOT_BITS) /* 16384 as in Redis Cluster, whose clients route by them */
#define COPIES_MAX 4     /* owners of a slot; more copies cost more than they save in a cache */
#define NODES_MAX 4096   /* members of one view; a view stays under 2 MiB */
#define VOTERS_MAX 5     /* two may fail; more voters only slow a decision down */
#define LEASE_MS_MIN 100 /* shorter ones lapse whenever a machine is busy */
#define LEASE_MS_MAX 60000
#define REMOVED_MAX 256          /* removed nodes that a view remembers, so that they stay away */
#define NODE_ID_SIZE 20          /* bytes; 40 hex characters as in Redis Cluster */
#define HOST_SIZE_MAX 255        /* a DNS name, without the terminating zero */
#define ZONE_SIZE_MAX 31         /* without the terminating zero */
#define CLUSTER_NAME_SIZE_MAX 63 /* without the terminating zero */
#define WEIGHT_UNIT 1000         /* a weight of 1.0; weights are stored in thousandths */
#define WEIGHT_MAX (100 * WEIGHT_UNIT)

/* Requests, the same figures as Redis where a client could notice */
#ifdef TORC_TINY_LIMITS
#define REQUEST_BULK_SIZE_MAX (64u * 1024)
#define REQUEST_ARGUMENTS_MAX 256
#define REQUEST_INLINE_SIZE_MAX 1024
#define CONNECTION_BATCH_MAX 2
#define CONNECTION_PENDING_MAX 4
#define CONNECTION_PENDING_BYTES (16u * 1024)
#define CONNECTION_OUTPUT_PAUSE (4u * 1024)
#define CONNECTION_BLOCKED_INPUT (4u * 1024)
#define CONNECTION_TOLD_MAX (16u * 1024)
#define CONNECTION_READ_SIZE 512
#define CONNECTION_READ_TRUST 1024
#define CONNECTION_INPUT_MAX (1024u * 1024)
#define STREAM_BACKLOG_SIZE_MAX (64u * 1024)
#define CONTAINER_SIZE_MAX (4u * 1024 * 1024) /* what the tests of large ones need */
#else
#define REQUEST_BULK_SIZE_MAX (512u * 1024 * 1024) /* proto-max-bulk-len of Redis */
#define REQUEST_ARGUMENTS_MAX (1024 * 1024)        /* multibulk length limit of Redis */
#define REQUEST_INLINE_SIZE_MAX (64u * 1024)       /* inline request limit of Redis */
#define CONNECTION_BATCH_MAX 32 /* requests parsed, hashed and prefetched together */
#define CONNECTION_PENDING_MAX                                                                     \
    1024 /* replies a connection may wait for before it is read no further */
/* What the replies awaited may come to, by the size of late ones. */
#define CONNECTION_PENDING_BYTES (4u * 1024 * 1024)
#define CONNECTION_OUTPUT_PAUSE                                                                    \
    (1024u * 1024) /* unsent bytes at which a connection is read no further */
/* Unread requests of a client that waits for values; it is read so that its end is noticed. */
#define CONNECTION_BLOCKED_INPUT (1024u * 1024)
/* Unsent bytes at which a client that is told of changes, and does not read, is closed. */
#define CONNECTION_TOLD_MAX (64u * 1024 * 1024)
#define CONNECTION_READ_SIZE (16u * 1024)    /* bytes asked of the kernel at a time */
/* Unacknowledged bytes towards one replica. */
#define CONNECTION_READ_TRUST (1024u * 1024) /* of a bulk's claimed size, allocated ahead */
#define CONNECTION_INPUT_MAX                                                                       \
    (1024u * 1024 * 1024) /* of one request; Redis's query buffer limit                            \
                           */
#define STREAM_BACKLOG_SIZE_MAX (256u * 1024 * 1024)
/* Bytes of a container's values with their sizes: its dump, which is a few bytes more, is one
 * argument of RESTORE and one operation of a refill. */
#define CONTAINER_SIZE_MAX (REQUEST_BULK_SIZE_MAX - 1024u)
#endif

/* A command that waits is asked for again by a node that forwarded it after so long. The name under
 * which it is asked for is good for a minute; this leaves half of that for repeating. */
#ifdef TORC_TINY_LIMITS
#define BLOCKING_TURN_MS 50u
#else
#define BLOCKING_TURN_MS 30000u
#endif

/* Draws with repetition in one reply, which a client could ask for without end: SRANDMEMBER key -N.
 */
#define DRAW_COUNT_MAX (1024 * 1024)

/* Between nodes */
/* The largest request a client may send, and room for what is put around it. */
#define BUS_FRAME_SIZE_MAX (CONNECTION_INPUT_MAX + 1024u * 1024)
#define BUS_PROTOCOL_VERSION 2
#define BUS_OUTPUT_PAUSE                                                                           \
    (16u * 1024 * 1024) /* unsent replies at which a peer is read no further                       \
                         */
#define GOSSIP_DATAGRAM_SIZE_MAX                                                                   \
    1400 /* under the usual path MTU of 1500 with IP, UDP and tunnel headers */

static_assert(SLOT_COUNT % 8 == 0, "the moved bitmap is whole bytes");
static_assert(NODES_MAX <= 0xffff - 1, "placement tables hold node indexes in 16 bits");
static_assert(REQUEST_INLINE_SIZE_MAX < REQUEST_BULK_SIZE_MAX,
              "inline requests are the small ones");

#endif
