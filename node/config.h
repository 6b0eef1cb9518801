/*
 * Everything an operator can set: by option, by config file, and for some of it by CONFIG SET while
 * the node runs. One table describes each: name, kind, default, accepted values, whether it may
 * change at run time, Redis's name for it.
 */
#ifndef TORC_NODE_CONFIG_H
#define TORC_NODE_CONFIG_H

#include "base/attributes.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/limits.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIG_PATH_SIZE_MAX 1023
#define CONFIG_JOIN_SIZE_MAX 4095

/* Where the other ports are when nothing else is said: that far from the client port. */
#define CONFIG_DIRECT_PORT_OFFSET 1000
#define CONFIG_HTTP_PORT_OFFSET 2000
#define CONFIG_BUS_PORT_OFFSET 10000

enum config_acks { ACKS_IN_SYNC, ACKS_PRIMARY };

struct config {
    /* constant after start */
    uint16_t port;                       /* client; default 7001 */
    uint16_t direct_port;                /* default port + 1000 */
    uint16_t http_port;                  /* default port + 2000 */
    uint16_t bus_port;                   /* default port + 10000 */
    char bind[HOST_SIZE_MAX + 1];        /* an address; default 127.0.0.1 */
    char announce[HOST_SIZE_MAX + 1];    /* "" = found out: bind, or the address others see */
    char join[CONFIG_JOIN_SIZE_MAX + 1]; /* HOST:PORT[,HOST:PORT...]; "" = found a cluster */
    unsigned threads;                    /* default: the machine's cores, at most 16 */
    unsigned copies;                     /* default 2; the founder's counts */
    uint32_t weight;                     /* thousandths; default WEIGHT_UNIT */
    char zone[ZONE_SIZE_MAX + 1];
    char cluster_name[CLUSTER_NAME_SIZE_MAX + 1]; /* default "torc" */
    char state_dir[CONFIG_PATH_SIZE_MAX + 1];     /* default ./torc-PORT */
    char config_file[CONFIG_PATH_SIZE_MAX + 1];
    uint32_t lease_ms;        /* default 2000; the founder's counts */
    uint32_t replace_after_s; /* default 600; 0 = never */
    uint32_t leave_timeout_s; /* default 30 */
    enum config_acks acks;
    bool auto_rebalance; /* takes its share of the slots when it joins; default yes */

    /* CONFIG SET may change these at any time: relaxed atomics, any thread */
    _Atomic uint64_t memory_bytes_max; /* 0 = no limit */
    _Atomic uint64_t migration_rate; /* bytes a second; 0 = no limit but what is left of the CPU */
    _Atomic int eviction;            /* enum eviction_policy; default EVICTION_S3FIFO */
    _Atomic int log_level;
    _Atomic uint32_t proxy_timeout_ms;  /* default 5000 */
    _Atomic uint32_t clients_max;       /* default 10000 */
    _Atomic uint32_t idle_timeout_s;    /* Redis's timeout; default 0 = never */
    _Atomic uint64_t tracking_keys_max; /* see tracking.h; 0 = no limit */
};

void config_defaults(struct config *config);

enum config_outcome { CONFIG_RUN, CONFIG_EXIT_OK, CONFIG_EXIT_USAGE };
/* Reads --config FILE first, then the options over it; fills the derived ports and directory.
 * Prints
 * --help, --version and errors itself (stdout, stdout, stderr). */
enum config_outcome config_parse(struct config *config, int argc, char **argv) TORC_MUST_USE;

/* Redis's name of the eviction policy as it is now; static storage. */
const char *config_redis_policy(const struct config *config);
/* CONFIG GET: calls `each` with name and value for every parameter that a glob matches, both Torc's
 * names and the Redis names that mean the same. */
void config_get(const struct config *config, struct bytes glob,
                void (*each)(void *context, const char *name, const char *value), void *context);
/* CONFIG SET: 0, TORC_ENOTFOUND, TORC_EINVAL (`error` says what is accepted), TORC_EEXIST (cannot
 * change while running). */
int config_set(struct config *config, struct bytes name, struct bytes value,
               struct buf *error) TORC_MUST_USE;
/* What config_set would answer; changes nothing. So that of several settings all are checked before
 * any is made. */
int config_check(struct bytes name, struct bytes value, struct buf *error) TORC_MUST_USE;

#endif
