/*
 * What a node says of itself: the fields of INFO that torc-ring shows. Pure.
 */
#ifndef TORC_CLIENT_RING_INFO_H
#define TORC_CLIENT_RING_INFO_H

#include "base/bytes.h"
#include "ring/node_id.h"

#include <stdbool.h>
#include <stdint.h>

#define INFO_UNKNOWN UINT64_MAX /* the node does not say it */
#define INFO_VERSION_SIZE 32

struct node_info {
    bool answers;                    /* the rest is known: at least memory_bytes */
    char version[INFO_VERSION_SIZE]; /* "" = unknown */
    uint64_t epoch;                  /* of the view that it knows */
    uint64_t lease_ms_left;          /* 0 = it has none */
    uint64_t clock_us;               /* Unix time */
    uint64_t keys;                   /* replicas' included; never unknown */
    uint64_t memory_bytes;           /* never unknown */
    uint64_t ops_per_second;
    uint64_t sent_bytes;    /* by migrations, since the node began */
    uint64_t sent_keys;     /* likewise */
    uint64_t slots_waiting; /* it still has to give away */
    uint64_t pause_us_p99;  /* of writes to a slot that changes hands */
    uint64_t pause_us_max;
    uint64_t rate_limit; /* bytes a second of its migrations; 0 = none */
};

/* Reads a reply to INFO. All is unknown, and `answers` false, if it is none. */
void info_read(struct node_info *out, struct bytes text);

/* One replica of the node that answered, and how many bytes it is behind. */
struct replica_lag {
    struct node_id id;
    uint64_t bytes;
};

/* Takes the next line about a replica out of *text; false when there is none left. */
bool info_next_replica(struct bytes *text, struct replica_lag *out);

#endif
