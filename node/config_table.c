#include "node/config_options.h"
#include "node/peers.h"

#include "base/log.h"
#include "node/resp/number.h"
#include "node/store/store.h"

#include <arpa/inet.h>
#include <string.h>

#define THREADS_MAX WORKERS_MAX

static const struct config_choice acks_choices[] = {
    {"in-sync", ACKS_IN_SYNC},
    {"primary", ACKS_PRIMARY},
    {NULL, 0},
};

static const struct config_choice yes_choices[] = {{"yes", 1}, {"no", 0}, {NULL, 0}};

const struct config_choice config_eviction_choices[] = {
    {"none", EVICTION_NONE},
    {"s3fifo", EVICTION_S3FIFO},
    {"lru", EVICTION_LRU},
    {"lfu", EVICTION_LFU},
    {"ttl", EVICTION_TTL},
    {"random", EVICTION_RANDOM},
    /* CONFIG_OWN_POLICIES so far; Redis's, each policy by one name */
    {"noeviction", EVICTION_NONE},
    {"allkeys-s3fifo", EVICTION_S3FIFO},
    {"allkeys-lru", EVICTION_LRU},
    {"allkeys-lfu", EVICTION_LFU},
    {"allkeys-random", EVICTION_RANDOM},
    {"volatile-ttl", EVICTION_TTL},
    {"volatile-lru", EVICTION_VOLATILE_LRU},
    {"volatile-lfu", EVICTION_VOLATILE_LFU},
    {"volatile-random", EVICTION_VOLATILE_RANDOM},
    {NULL, 0},
};

static const struct config_choice log_level_choices[] = {
    {"debug", LOG_DEBUG}, {"info", LOG_INFO}, {"warning", LOG_WARNING},
    {"error", LOG_ERROR}, {NULL, 0},
};

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool check_address(struct bytes text)
{
    char copy[INET6_ADDRSTRLEN];
    struct in6_addr address;
    if (text.size >= sizeof(copy)) {
        return false;
    }
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    return inet_pton(AF_INET, copy, &address) == 1 || inet_pton(AF_INET6, copy, &address) == 1;
}

static bool check_host(struct bytes text)
{
    if (text.size == 0 || text.size > HOST_SIZE_MAX) {
        return false;
    }
    if (memchr(text.data, ':', text.size) != NULL) {
        return check_address(text);
    }
    for (size_t i = 0; i < text.size; i++) {
        if (!is_letter_or_digit(text.data[i]) && strchr("-._", text.data[i]) == NULL) {
            return false;
        }
    }
    return true;
}

/* The empty text is allowed: it means "find it out". */
static bool check_announce(struct bytes text)
{
    return text.size == 0 || check_host(text);
}

static bool check_word(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] <= ' ' || text.data[i] > '~') {
            return false;
        }
    }
    return true;
}

/* HOST:PORT, an IPv6 address in brackets. */
static bool check_host_port(struct bytes text)
{
    const char *colon = memrchr(text.data, ':', text.size);
    if (colon == NULL) {
        return false;
    }
    struct bytes host = {text.data, (size_t)(colon - text.data)};
    struct bytes digits = {colon + 1, text.size - host.size - 1};
    uint64_t port = 0;
    if (!parse_uint64(digits, &port) || port == 0 || port > UINT16_MAX) {
        return false;
    }
    if (host.size >= 2 && host.data[0] == '[' && host.data[host.size - 1] == ']') {
        return check_address((struct bytes){host.data + 1, host.size - 2});
    }
    return memchr(host.data, ':', host.size) == NULL && check_host(host);
}

static bool check_join(struct bytes text)
{
    while (text.size > 0) {
        const char *comma = memchr(text.data, ',', text.size);
        size_t size = comma == NULL ? text.size : (size_t)(comma - text.data);
        if (size == 0 || !check_host_port((struct bytes){text.data, size})) {
            return false;
        }
        if (comma == NULL) {
            return true;
        }
        text = (struct bytes){comma + 1, text.size - size - 1};
        if (text.size == 0) {
            return false;
        }
    }
    return true;
}

#define AT(member) .offset = offsetof(struct config, member)
#define PORT_NUMBER .kind = CONFIG_INTEGER, .storage = STORE_U16, .min = 1, .max = UINT16_MAX

static const struct config_option options[] = {
    {.name = "port",
     .argument = "PORT",
     PORT_NUMBER,
     AT(port),
     .initial = "7001",
     .help = "client port: any client reaches any key here (default 7001)"},
    {.name = "direct-port",
     .argument = "PORT",
     PORT_NUMBER,
     AT(direct_port),
     .help = "port for cluster-aware clients: answers MOVED for what is elsewhere (default port "
             "+ 1000)"},
    {.name = "http-port",
     .argument = "PORT",
     PORT_NUMBER,
     AT(http_port),
     .help = "admin HTTP port (default port + 2000)"},
    {.name = "bus-port",
     .argument = "PORT",
     PORT_NUMBER,
     AT(bus_port),
     .help = "port between nodes, TCP and UDP (default port + 10000)"},
    {.name = "bind",
     .argument = "ADDR",
     .kind = CONFIG_TEXT,
     .storage = STORE_CHARS,
     AT(bind),
     .min = 1,
     .max = HOST_SIZE_MAX,
     .check = check_address,
     .expected = "an IPv4 or IPv6 address",
     .initial = "127.0.0.1",
     .help = "address to listen on (default 127.0.0.1)"},
    {.name = "announce",
     .argument = "HOST",
     .kind = CONFIG_TEXT,
     .storage = STORE_CHARS,
     AT(announce),
     .max = HOST_SIZE_MAX,
     .check = check_announce,
     .expected = "an address or a DNS name",
     .initial = "",
     .help = "address or DNS name by which clients and other nodes reach this one (default: the "
             "bound address, or the one others see)"},
    {.name = "join",
     .argument = "HOST:PORT[,...]",
     .group = CONFIG_GROUP_CLUSTER,
     .kind = CONFIG_TEXT,
     .storage = STORE_CHARS,
     AT(join),
     .max = CONFIG_JOIN_SIZE_MAX,
     .check = check_join,
     .expected = "HOST:PORT[,HOST:PORT...]",
     .initial = "",
     .help = "client ports of any nodes of the cluster to join (default: found a new one)"},
    {.name = "cluster-name",
     .argument = "NAME",
     .group = CONFIG_GROUP_CLUSTER,
     .kind = CONFIG_TEXT,
     .storage = STORE_CHARS,
     AT(cluster_name),
     .min = 1,
     .max = CLUSTER_NAME_SIZE_MAX,
     .check = check_word,
     .expected = "a name of printable characters without spaces",
     .initial = "torc",
     .help = "a node joins only a cluster of this name (default torc)"},
    {.name = "copies",
     .argument = "N",
     .group = CONFIG_GROUP_CLUSTER,
     .kind = CONFIG_INTEGER,
     .storage = STORE_UNSIGNED,
     AT(copies),
     .min = 1,
     .max = COPIES_MAX,
     .initial = "2",
     .help = "owners of each key, 1 to 4; what the founding node says counts (default 2)"},
    {.name = "acks",
     .argument = "WHEN",
     .group = CONFIG_GROUP_CLUSTER,
     .kind = CONFIG_CHOICE,
     .storage = STORE_ACKS,
     AT(acks),
     .choices = acks_choices,
     .initial = "in-sync",
     .help = "when a write is answered: in-sync, after every in-sync copy has it, or primary, at "
             "once (default in-sync)"},
    {.name = "weight",
     .argument = "W",
     .group = CONFIG_GROUP_CLUSTER,
     .kind = CONFIG_WEIGHT,
     .storage = STORE_U32,
     AT(weight),
     .max = WEIGHT_MAX,
     .initial = "1",
     .help = "share of the keys relative to a node of weight 1, 0 to 100; 0 votes and holds "
             "nothing (default 1)"},
    {.name = "zone",
     .argument = "NAME",
     .group = CONFIG_GROUP_CLUSTER,
     .kind = CONFIG_TEXT,
     .storage = STORE_CHARS,
     AT(zone),
     .max = ZONE_SIZE_MAX,
     .check = check_word,
     .expected = "a name of printable characters without spaces",
     .initial = "",
     .help = "copies of a key are kept in different zones where there are enough (default none)"},
    {.name = "lease-ms",
     .argument = "MS",
     .group = CONFIG_GROUP_CLUSTER,
     .kind = CONFIG_INTEGER,
     .storage = STORE_U32,
     AT(lease_ms),
     .min = 100,
     .max = 60000,
     .initial = "2000",
     .help = "silence after which a node has failed and its replicas take over; what the founding "
             "node says counts (default 2000)"},
    {.name = "replace-after",
     .argument = "SECONDS",
     .group = CONFIG_GROUP_CLUSTER,
     .kind = CONFIG_INTEGER,
     .storage = STORE_U32,
     AT(replace_after_s),
     .max = 31536000,
     .initial = "600",
     .help = "a node down for so long is given up, and the others make its copies anew; 0 is never "
             "(default 600)"},
    {.name = "leave-timeout",
     .argument = "SECONDS",
     .group = CONFIG_GROUP_CLUSTER,
     .kind = CONFIG_INTEGER,
     .storage = STORE_U32,
     AT(leave_timeout_s),
     .max = 86400,
     .initial = "30",
     .help = "how long a node that is told to stop takes to hand its slots over (default 30)"},
    {.name = "auto-rebalance",
     .argument = "YES",
     .group = CONFIG_GROUP_CLUSTER,
     .kind = CONFIG_CHOICE,
     .storage = STORE_BOOL,
     AT(auto_rebalance),
     .choices = yes_choices,
     .initial = "yes",
     .help = "yes: the node takes its share of the keys when it joins; no: it waits for "
             "torc-ring add (default yes)"},
    {.name = "threads",
     .argument = "N",
     .group = CONFIG_GROUP_RESOURCE,
     .kind = CONFIG_INTEGER,
     .storage = STORE_UNSIGNED,
     AT(threads),
     .min = 1,
     .max = THREADS_MAX,
     .help = "worker threads (default: the cores, at most 16)"},
    {.name = "memory",
     .argument = "BYTES",
     .group = CONFIG_GROUP_RESOURCE,
     .kind = CONFIG_SIZE,
     .storage = STORE_ATOMIC_U64,
     AT(memory_bytes_max),
     .max = INT64_MAX,
     .changeable = true,
     .initial = "0",
     .help = "most memory for keys and values, e.g. 512mb or 4gb; 0 is no limit (default 0)"},
    {.name = "eviction",
     .argument = "POLICY",
     .group = CONFIG_GROUP_RESOURCE,
     .kind = CONFIG_CHOICE,
     .storage = STORE_ATOMIC_INT,
     AT(eviction),
     .choices = config_eviction_choices,
     .changeable = true,
     .initial = "s3fifo",
     .help =
         "what makes room at the limit: none, s3fifo, lru, lfu, ttl or random, or one of Redis's "
         "names such as volatile-lru (default s3fifo)"},
    {.name = "migration-rate",
     .argument = "BYTES",
     .group = CONFIG_GROUP_RESOURCE,
     .kind = CONFIG_SIZE,
     .storage = STORE_ATOMIC_U64,
     AT(migration_rate),
     .max = INT64_MAX,
     .changeable = true,
     .initial = "0",
     .help = "most bytes a second that the node sends of slots that move or are refilled; 0 is no "
             "limit (default 0)"},
    {.name = "clients-max",
     .argument = "N",
     .group = CONFIG_GROUP_RESOURCE,
     .kind = CONFIG_INTEGER,
     .storage = STORE_ATOMIC_U32,
     AT(clients_max),
     .min = 1,
     .max = 10000000,
     .changeable = true,
     .initial = "10000",
     .help = "most client connections (default 10000)"},
    {.name = "idle-timeout",
     .argument = "SECONDS",
     .group = CONFIG_GROUP_RESOURCE,
     .kind = CONFIG_INTEGER,
     .storage = STORE_ATOMIC_U32,
     AT(idle_timeout_s),
     .max = INT32_MAX,
     .changeable = true,
     .initial = "0",
     .help = "a client idle for so long is disconnected; 0 is never (default 0)"},
    {.name = "tracking-table-max-keys",
     .argument = "N",
     .group = CONFIG_GROUP_RESOURCE,
     .kind = CONFIG_INTEGER,
     .storage = STORE_ATOMIC_U64,
     AT(tracking_keys_max),
     .max = INT64_MAX,
     .changeable = true,
     .initial = "1000000",
     .help = "most keys that are noted for clients with CLIENT TRACKING; of more, some are told to "
             "have changed; 0 is no limit (default 1000000)"},
    {.name = "proxy-timeout-ms",
     .argument = "MS",
     .group = CONFIG_GROUP_RESOURCE,
     .kind = CONFIG_INTEGER,
     .storage = STORE_ATOMIC_U32,
     AT(proxy_timeout_ms),
     .min = 1,
     .max = 600000,
     .changeable = true,
     .initial = "5000",
     .help = "how long a request may wait for another node (default 5000)"},
    {.name = "state-dir",
     .argument = "DIR",
     .group = CONFIG_GROUP_OPERATION,
     .kind = CONFIG_TEXT,
     .storage = STORE_CHARS,
     AT(state_dir),
     .min = 1,
     .max = CONFIG_PATH_SIZE_MAX,
     .help = "directory for the node's identity and its votes (default ./torc-PORT)"},
    {.name = "log-level",
     .argument = "LEVEL",
     .group = CONFIG_GROUP_OPERATION,
     .kind = CONFIG_CHOICE,
     .storage = STORE_ATOMIC_INT,
     AT(log_level),
     .choices = log_level_choices,
     .changeable = true,
     .initial = "info",
     .help = "debug, info, warning or error (default info)"},
};

const struct config_option *config_option_at(size_t index)
{
    return index < sizeof(options) / sizeof(options[0]) ? &options[index] : NULL;
}

const struct config_option *config_option_find(struct bytes name)
{
    const struct config_option *option = NULL;
    for (size_t i = 0; (option = config_option_at(i)) != NULL; i++) {
        if (bytes_equal_nocase(name, option->name)) {
            return option;
        }
    }
    return NULL;
}
