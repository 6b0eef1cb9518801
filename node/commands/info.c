/* INFO: a text of "name:value" lines in sections. The names are Redis's where monitoring and client
 * libraries look for them; what is Torc's own is in the section "torc". */
#include "base/buf.h"
#include "base/error.h"
#include "node/call.h"
#include "node/clock.h"
#include "node/commands/cluster.h"
#include "node/commands/handlers.h"
#include "node/freeing.h"
#include "node/memory.h"
#include "node/node.h"
#include "node/peers.h"
#include "node/session.h"
#include "node/version.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

typedef void section_writer(struct buf *out, struct node *node, uint64_t now_ms);

#define STAT(node, field) ((unsigned long long)NODE_STAT(node, field))

static void write_server(struct buf *out, struct node *node, uint64_t now_ms)
{
    struct utsname system = {0};
    char id[NODE_ID_TEXT_SIZE];
    uint64_t uptime_s = now_ms > node->started_ms ? (now_ms - node->started_ms) / 1000 : 0;
    uname(&system);
    node_id_format(&node->id, id);
    buf_append_format(out,
                      "redis_version:" REDIS_COMPATIBLE_VERSION "\r\n"
                      "torc_version:" TORC_VERSION "\r\n"
                      "redis_mode:cluster\r\n"
                      "os:%s %s %s\r\n"
                      "arch_bits:%zu\r\n"
                      "process_id:%ld\r\n"
                      "run_id:%.24s%016llx\r\n"
                      "tcp_port:%u\r\n"
                      "server_time_usec:%llu\r\n"
                      "uptime_in_seconds:%llu\r\n"
                      "uptime_in_days:%llu\r\n"
                      "io_threads_active:%d\r\n"
                      "config_file:%s\r\n",
                      system.sysname, system.release, system.machine, 8 * sizeof(void *),
                      (long)getpid(), id, (unsigned long long)node->incarnation, node->config.port,
                      (unsigned long long)now_ms * 1000, (unsigned long long)uptime_s,
                      (unsigned long long)uptime_s / 86400, node->worker_count > 1 ? 1 : 0,
                      node->config.config_file);
}

static void write_clients(struct buf *out, struct node *node, uint64_t now_ms)
{
    (void)now_ms;
    buf_append_format(out,
                      "connected_clients:%zu\r\n"
                      "maxclients:%u\r\n"
                      "blocked_clients:%u\r\n"
                      "commands_waiting:%u\r\n"
                      "tracking_clients:%u\r\n",
                      session_count(&node->sessions),
                      atomic_load_explicit(&node->config.clients_max, memory_order_relaxed),
                      atomic_load_explicit(&node->blocked_clients, memory_order_relaxed),
                      atomic_load_explicit(&node->waiting_commands, memory_order_relaxed),
                      atomic_load_explicit(&node->tracking.clients, memory_order_relaxed));
}

/* "1.50M", as Redis shows sizes to people. */
static const char *human(char out[32], uint64_t bytes)
{
    static const char units[] = "BKMGTPE";
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1024 && unit + 2 < sizeof(units)) {
        value /= 1024;
        unit++;
    }
    snprintf(out, 32, unit == 0 ? "%.0f%c" : "%.2f%c", value, units[unit]);
    return out;
}

static void write_memory(struct buf *out, struct node *node, uint64_t now_ms)
{
    (void)now_ms;
    char used_text[32];
    char resident_text[32];
    char limit_text[32];
    uint64_t used = node_memory(node);
    unsigned long long freeing = node_freeing(node);
    uint64_t resident = memory_resident_bytes();
    uint64_t limit = stat_read(&node->config.memory_bytes_max);
    uint64_t overhead = atomic_load_explicit(&node->memory_overhead, memory_order_relaxed);
    const char *policy = config_redis_policy(&node->config);
    buf_append_format(out,
                      "used_memory:%llu\r\n"
                      "used_memory_human:%s\r\n"
                      "used_memory_rss:%llu\r\n"
                      "used_memory_rss_human:%s\r\n"
                      "used_memory_dataset:%llu\r\n"
                      "used_memory_overhead:%llu\r\n"
                      "lazyfree_pending_bytes:%llu\r\n"
                      "maxmemory:%llu\r\n"
                      "maxmemory_human:%s\r\n"
                      "maxmemory_policy:%s\r\n"
                      "mem_fragmentation_ratio:%.2f\r\n",
                      (unsigned long long)used, human(used_text, used),
                      (unsigned long long)resident, human(resident_text, resident),
                      (unsigned long long)used, (unsigned long long)overhead, freeing,
                      (unsigned long long)limit, human(limit_text, limit), policy,
                      used == 0 ? 0.0 : (double)resident / (double)used);
}

/* Nothing is kept on disk; clients look here to see that the node is not busy loading. */
static void write_persistence(struct buf *out, struct node *node, uint64_t now_ms)
{
    (void)node;
    (void)now_ms;
    buf_append_text(out, "loading:0\r\n"
                         "async_loading:0\r\n"
                         "rdb_changes_since_last_save:0\r\n"
                         "rdb_bgsave_in_progress:0\r\n"
                         "aof_enabled:0\r\n"
                         "aof_rewrite_in_progress:0\r\n");
}

static void write_stats(struct buf *out, struct node *node, uint64_t now_ms)
{
    (void)now_ms;
    buf_append_format(out,
                      "total_connections_received:%llu\r\n"
                      "total_commands_processed:%llu\r\n"
                      "instantaneous_ops_per_sec:%u\r\n"
                      "total_net_input_bytes:%llu\r\n"
                      "total_net_output_bytes:%llu\r\n"
                      "rejected_connections:%llu\r\n"
                      "expired_keys:%llu\r\n"
                      "evicted_keys:%llu\r\n"
                      "active_defrag_key_hits:%llu\r\n"
                      "keyspace_hits:%llu\r\n"
                      "keyspace_misses:%llu\r\n"
                      "pubsub_channels:0\r\n"
                      "pubsub_patterns:0\r\n"
                      "tracking_total_keys:%llu\r\n"
                      "tracking_total_items:%llu\r\n"
                      "tracking_total_prefixes:%llu\r\n"
                      "total_error_replies:%llu\r\n",
                      STAT(node, connections_accepted), STAT(node, commands),
                      atomic_load(&node->operations_per_second), STAT(node, bytes_in),
                      STAT(node, bytes_out), STAT(node, connections_rejected), STAT(node, expired),
                      STAT(node, evicted), STAT(node, compacted), STAT(node, hits),
                      STAT(node, misses), (unsigned long long)stat_read(&node->tracking.keys),
                      (unsigned long long)stat_read(&node->tracking.items),
                      (unsigned long long)stat_read(&node->tracking.prefixes),
                      STAT(node, error_replies));
}

/* How many bytes of what this node sent each of the others it has not acknowledged. */
static void write_replicas(struct buf *out, struct node *node)
{
    size_t count = atomic_load_explicit(&node->peers->count, memory_order_acquire);
    unsigned written = 0;
    for (size_t i = 0; i < count; i++) {
        const struct peer *peer = peers_at(node->peers, (uint16_t)i);
        uint64_t lag = 0;
        bool open = false;
        for (unsigned shard = 0; shard < node->worker_count; shard++) {
            const struct replica_stream *stream = atomic_load(&peer->streams[shard]);
            if (stream != NULL && !atomic_load(&stream->closing)) {
                open = true;
                lag += stat_read(&stream->backlog_size);
            }
        }
        if (open) {
            char id[NODE_ID_TEXT_SIZE];
            node_id_format(&peer->id, id);
            buf_append_format(out, "replica%u:id=%s,lag_bytes=%llu\r\n", written++, id,
                              (unsigned long long)lag);
        }
    }
}

/* Every node is a primary of its own slots and a replica of others': for Redis's notion of a server
 * that is a master. The offset is a count of effects sent, which grows as Redis's does. */
static void write_replication(struct buf *out, struct node *node, uint64_t now_ms)
{
    (void)now_ms;
    char id[NODE_ID_TEXT_SIZE];
    node_id_format(&node->id, id);
    buf_append_format(out,
                      "role:master\r\n"
                      "connected_slaves:0\r\n"
                      "master_failover_state:no-failover\r\n"
                      "master_replid:%s\r\n"
                      "master_repl_offset:%llu\r\n",
                      id, STAT(node, effects_sent));
    write_replicas(out, node);
}

static void write_cpu(struct buf *out, struct node *node, uint64_t now_ms)
{
    (void)node;
    (void)now_ms;
    struct rusage self = {0};
    struct rusage children = {0};
    getrusage(RUSAGE_SELF, &self);
    getrusage(RUSAGE_CHILDREN, &children);
    buf_append_format(out,
                      "used_cpu_sys:%ld.%06ld\r\n"
                      "used_cpu_user:%ld.%06ld\r\n"
                      "used_cpu_sys_children:%ld.%06ld\r\n"
                      "used_cpu_user_children:%ld.%06ld\r\n",
                      (long)self.ru_stime.tv_sec, (long)self.ru_stime.tv_usec,
                      (long)self.ru_utime.tv_sec, (long)self.ru_utime.tv_usec,
                      (long)children.ru_stime.tv_sec, (long)children.ru_stime.tv_usec,
                      (long)children.ru_utime.tv_sec, (long)children.ru_utime.tv_usec);
}

static void write_cluster(struct buf *out, struct node *node, uint64_t now_ms)
{
    (void)node;
    (void)now_ms;
    buf_append_text(out, "cluster_enabled:1\r\n");
}

/* All keys the node holds, those it replicates for others included: telling them apart would mean
 * walking every slot under its lock. DBSIZE has the exact number of the whole cluster. */
static void write_keyspace(struct buf *out, struct node *node, uint64_t now_ms)
{
    (void)now_ms;
    size_t count = node_key_count(node);
    if (count > 0) {
        buf_append_format(out, "db0:keys=%zu,expires=%zu,avg_ttl=0\r\n", count,
                          node_expiry_count(node));
    }
}

static void write_torc_view(struct buf *out, struct node *node)
{
    struct cluster_summary summary = {0};
    const struct view *view = node_view(node);
    if (view != NULL &&
        cluster_text_summary(node->cluster_text, view, NULL, &node->id, &summary) != TORC_OK) {
        out->failed = true;
    }
    buf_append_format(out,
                      "cluster_name:%s\r\n"
                      "epoch:%llu\r\n"
                      "nodes:%zu\r\n"
                      "copies:%u\r\n"
                      "changing:%d\r\n"
                      "slots_assigned:%u\r\n"
                      "slots_primary:%u\r\n"
                      "slots_replica:%u\r\n",
                      view == NULL ? node->config.cluster_name : view->cluster_name,
                      view == NULL ? 0ull : (unsigned long long)view->epoch,
                      view == NULL ? (size_t)0 : view->node_count,
                      view == NULL ? node->config.copies : (unsigned)view->copies,
                      view != NULL && view->changing ? 1 : 0, summary.slots_assigned,
                      summary.slots_primary, summary.slots_replica);
    view_release(view);
}

static uint64_t lease_left_ms(const struct node *node)
{
    uint64_t now_ms = clock_lease_ms();
    uint64_t until_ms = atomic_load_explicit(&node->lease_until_ms, memory_order_acquire);
    return until_ms > now_ms ? until_ms - now_ms : 0;
}

/* What slots that move, or are refilled, have cost since the node started. */
static void write_migration(struct buf *out, struct node *node, uint64_t now_ms)
{
    (void)now_ms;
    struct moves_summary moves = moves_summarize(&node->moves);
    buf_append_format(out,
                      "migration_rate_limit:%llu\r\n"
                      "migration_slots_waiting:%u\r\n"
                      "migration_bytes_sent:%llu\r\n"
                      "migration_keys_sent:%llu\r\n"
                      "migration_pauses:%llu\r\n"
                      "migration_pause_us_p99:%llu\r\n"
                      "migration_pause_us_max:%llu\r\n",

                      (unsigned long long)stat_read(&node->config.migration_rate),
                      atomic_load(&node->moves.slots_waiting), STAT(node, refill_bytes),
                      STAT(node, refill_keys), (unsigned long long)moves.pauses,
                      (unsigned long long)moves.pause_us_p99,
                      (unsigned long long)moves.pause_us_max);
}

static void write_torc(struct buf *out, struct node *node, uint64_t now_ms)
{
    (void)now_ms;
    const struct config *config = &node->config;
    char id[NODE_ID_TEXT_SIZE];
    node_id_format(&node->id, id);
    buf_append_format(out, "node_id:%s\r\nincarnation:%llu\r\nannounce:%s\r\n", id,
                      (unsigned long long)node->incarnation, node->announce);
    write_torc_view(out, node);
    buf_append_format(out,
                      "port:%u\r\n"
                      "direct_port:%u\r\n"
                      "http_port:%u\r\n"
                      "bus_port:%u\r\n"
                      "zone:%s\r\n"
                      "threads:%u\r\n"
                      "acks:%s\r\n"
                      "lease_ms:%u\r\n"
                      "lease_ms_left:%llu\r\n",
                      config->port, config->direct_port, config->http_port, config->bus_port,
                      config->zone, node->worker_count,
                      config->acks == ACKS_PRIMARY ? "primary" : "in-sync", config->lease_ms,
                      (unsigned long long)lease_left_ms(node));
    buf_append_format(out,
                      "commands_proxied:%llu\r\n"
                      "commands_from_peers:%llu\r\n"
                      "moved_replies:%llu\r\n"
                      "protocol_errors:%llu\r\n"
                      "effects_sent:%llu\r\n"
                      "effects_applied:%llu\r\n"
                      "effects_refused:%llu\r\n"
                      "check_ranges_sent:%llu\r\n"
                      "check_ranges_compared:%llu\r\n"
                      "check_ranges_differing:%llu\r\n",
                      STAT(node, commands_proxied), STAT(node, commands_from_peers),
                      STAT(node, moved_replies), STAT(node, protocol_errors),
                      STAT(node, effects_sent), STAT(node, effects_applied),
                      STAT(node, effects_refused), STAT(node, check_ranges_sent),
                      STAT(node, check_ranges_compared), STAT(node, check_ranges_differing));
}

static const struct {
    const char *name;  /* as asked for */
    const char *title; /* as shown */
    section_writer *write;
} sections[] = {
    {"server", "Server", write_server},
    {"clients", "Clients", write_clients},
    {"memory", "Memory", write_memory},
    {"persistence", "Persistence", write_persistence},
    {"stats", "Stats", write_stats},
    {"replication", "Replication", write_replication},
    {"cpu", "CPU", write_cpu},
    {"cluster", "Cluster", write_cluster},
    {"torc", "Torc", write_torc},
    {"migration", "Migration", write_migration},
    {"keyspace", "Keyspace", write_keyspace},
};

static bool section_wanted(const struct call *call, const char *name)
{
    for (size_t i = 1; i < call->argc; i++) {
        if (call_argument_is(call, i, name) || call_argument_is(call, i, "default") ||
            call_argument_is(call, i, "all") || call_argument_is(call, i, "everything")) {
            return true;
        }
    }
    return call->argc == 1;
}

void info_command(struct call *call)
{
    struct buf text = {0};
    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
        if (section_wanted(call, sections[i].name)) {
            buf_append_format(&text, "%s# %s\r\n", buf_size(&text) == 0 ? "" : "\r\n",
                              sections[i].title);
            sections[i].write(&text, worker_node(call->worker), call->now_ms);
        }
    }
    if (text.failed) {
        call_reply_no_memory(call);
    } else {
        reply_verbatim(call->reply, "txt", buf_bytes(&text));
    }
    buf_deinit(&text);
}
