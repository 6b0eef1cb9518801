/* What goes wrong: several things at once, each for a while, all from the seed. */
#include "base/codec.h"
#include "base/error.h"
#include "tests/sim/cluster_node.h"

#include <stdlib.h>

enum fault_kind {
    FAULT_CRASH = 1, /* and start again, with the disk */
    FAULT_DISK_LOST, /* and another starts in its place */
    FAULT_PAUSE,     /* the process stands still, its clock does not */
    FAULT_CUT_ONE_WAY,
    FAULT_CUT,
    FAULT_ISOLATE,
    FAULT_SLOW,
    FAULT_LOSSY,
    FAULT_DISK_FULL,
    FAULT_DOOM, /* crashes between two steps, and starts again */
    FAULT_LAG,  /* one replica falls behind, its primary crashes, and then who follows it */
    FAULT_LASTING_COUNT,
    FAULT_TEAR = FAULT_LASTING_COUNT,
    FAULT_JOIN,
    FAULT_LEAVE,
    FAULT_PREFER,
    FAULT_WEIGHT,
    FAULT_CLOCK,  /* the wall clock jumps */
    FAULT_STRIKE, /* at the next view: see enum strike_kind */
    FAULT_RING,   /* an operator wants another ring, or not that one */
    FAULT_KIND_COUNT,
};

/* What befalls the nodes when a view is decided. */
enum strike_kind {
    STRIKE_FIRST = 1, /* the first to know crashes before it has told anybody */
    STRIKE_VOTERS,    /* and so does every voter, a little later, to start again at once */
    STRIKE_ANY,       /* some node crashes soon after, while the new primaries take over */
    STRIKE_JOINING,   /* a primary crashes whose owners are not all attached yet */
    STRIKE_WAKE,      /* who was taken down comes back before others know that it was */
    STRIKE_KIND_COUNT,
};

static struct sim_node *node_at(struct cluster *cluster, uint16_t index)
{
    return cluster->nodes[index];
}

static uint16_t any(struct cluster *cluster)
{
    return (uint16_t)network_random(&cluster->network, 0, cluster->node_count - 1);
}

static void next_fault(struct cluster *cluster)
{
    uint64_t gap_us = cluster->setup.fault_gap_ms * 1000;
    network_push(&cluster->network,
                 (struct event){.at_us = cluster->network.now_us +
                                         network_random(&cluster->network, gap_us / 10, 2 * gap_us),
                                .kind = EVENT_FAULT});
}

void cluster_faults_begin(struct cluster *cluster)
{
    cluster->faulty = true;
    next_fault(cluster);
}

/* Nodes that cannot be counted on now. */
static size_t troubled_count(const struct cluster *cluster, size_t *alive)
{
    size_t count = 0;
    bool troubled[NETWORK_NODES_MAX] = {0};
    const struct view *view = cluster->views[cluster->newest_epoch];
    *alive = 0;
    for (size_t i = 0; i < CLUSTER_FAULTS_MAX; i++) {
        uint8_t kind = cluster->faults[i].kind;
        if (kind == FAULT_ISOLATE || kind == FAULT_CUT || kind == FAULT_CUT_ONE_WAY ||
            kind == FAULT_DISK_FULL || kind == FAULT_DOOM) {
            troubled[cluster->faults[i].a] = true;
        }
    }
    for (size_t i = 0; i < cluster->node_count; i++) {
        const struct sim_node *node = cluster->nodes[i];
        int index = view == NULL ? -1 : view_find(view, &node->id);
        bool up = index >= 0 && view->nodes[index].status == NODE_UP &&
                  view->nodes[index].incarnation == node->incarnation;
        *alive += node->state == SIM_RUNNING && !node->leaving;
        count += (node->state == SIM_GONE
                      ? index >= 0
                      : troubled[i] || node->state != SIM_RUNNING || !up || node->leaving);
    }
    return count;
}

static bool voters_can_spare(const struct cluster *cluster, const struct view *view,
                             const struct sim_node *lost)
{
    size_t left = 0;
    for (size_t i = 0; i < view->voter_count; i++) {
        const struct sim_node *voter = cluster->nodes[view->voters[i].bytes[NODE_ID_SIZE - 1]];
        left += voter != lost && voter->state != SIM_GONE;
    }
    return left > view->voter_count / 2;
}

/* True if the voters can do without this one for ever: those of the newest view, and those of the
 * one before, which is the newest again if nobody is left who knows the decision. */
static bool can_spare(const struct cluster *cluster, const struct sim_node *lost)
{
    uint64_t epoch = cluster->newest_epoch;
    return voters_can_spare(cluster, cluster->views[epoch], lost) &&
           (epoch == 1 || voters_can_spare(cluster, cluster->views[epoch - 1], lost));
}

static void change_links(struct cluster *cluster, const struct cluster_fault *fault, int sign)
{
    for (uint16_t other = 0; other < NETWORK_NODES_MAX; other++) {
        struct link *out = &cluster->network.links[fault->a][other];
        struct link *in = &cluster->network.links[other][fault->a];
        bool both = fault->kind == FAULT_ISOLATE;
        if (fault->kind == FAULT_LAG) {
            out->slow_us = sign > 0 && other == fault->b ? 150000 : 0;
        } else if (fault->kind == FAULT_SLOW) {
            out->slow_us = in->slow_us = sign > 0 ? 40000 : 0;
        } else if (fault->kind == FAULT_LOSSY) {
            out->loss = in->loss = sign > 0 ? 0.3 : 0;
        } else if (both || ((fault->kind == FAULT_CUT || fault->kind == FAULT_CUT_ONE_WAY) &&
                            other == fault->b)) {
            out->cut += (unsigned)sign;
            in->cut += fault->kind == FAULT_CUT_ONE_WAY ? 0 : (unsigned)sign;
        }
    }
}

static void join(struct cluster *cluster)
{
    const struct view *view = NULL;
    for (size_t i = 0; i < cluster->node_count; i++) {
        const struct sim_node *node = cluster->nodes[i];
        if (node->view != NULL && (view == NULL || node->view->epoch > view->epoch)) {
            view = node->view;
        }
    }
    if (cluster->node_count == NETWORK_NODES_MAX || view == NULL) {
        return;
    }
    struct sim_node *node = sim_create(cluster);
    sim_write_first(node, view);
    sim_start(node);
}

static const char *fault_name(uint8_t kind)
{
    static const char *const names[] = {"none",   "crash",   "disk lost", "pause",  "cut one way",
                                        "cut",    "isolate", "slow",      "lossy",  "disk full",
                                        "doom",   "lag",     "tear",      "join",   "leave",
                                        "prefer", "weight",  "clock",     "strike", "ring"};
    return names[kind];
}

static void strike_later(struct cluster *cluster, uint16_t node, uint64_t delay_us, uint64_t left)
{
    network_push(&cluster->network, (struct event){.at_us = cluster->network.now_us + delay_us,
                                                   .kind = EVENT_STRIKE,
                                                   .index = node,
                                                   .number = left});
}

/* False: not now. */
static bool begin_lasting(struct cluster *cluster, struct cluster_fault *fault)
{
    struct sim_node *node = node_at(cluster, fault->a);
    bool running = node->state == SIM_RUNNING;
    switch ((enum fault_kind)fault->kind) {
    case FAULT_CRASH:
        if (!running || node->leaving) {
            return false;
        }
        sim_crash(node);
        return true;
    case FAULT_DISK_LOST:
        if (!running || node->leaving || cluster->node_count == NETWORK_NODES_MAX ||
            !can_spare(cluster, node)) {
            return false;
        }
        sim_crash(node);
        node->state = SIM_GONE;
        return true;
    case FAULT_PAUSE:
        if (!running) {
            return false;
        }
        sim_pause(node);
        return true;
    case FAULT_DISK_FULL: node->disk_full++; return true;
    case FAULT_DOOM:
        if (!running || node->doomed > 0) {
            return false;
        }
        node->doomed = 1 + (unsigned)network_random(&cluster->network, 0, 60);
        return true;
    case FAULT_LAG:
        if (!running || cluster->setup.copies < 3) {
            return false;
        }
        cluster->strike = STRIKE_JOINING;
        strike_later(cluster, fault->a, network_random(&cluster->network, 100000, 400000), 0);
        change_links(cluster, fault, 1);
        return true;
    default: change_links(cluster, fault, 1); return true;
    }
}

static void end_lasting(struct cluster *cluster, struct cluster_fault *fault)
{
    struct sim_node *node = node_at(cluster, fault->a);
    switch ((enum fault_kind)fault->kind) {
    case FAULT_CRASH:
    case FAULT_DOOM:
        node->doomed = 0;
        if (node->state == SIM_STOPPED) {
            sim_start(node);
        }
        break;
    case FAULT_DISK_LOST: join(cluster); break;
    case FAULT_PAUSE:
        if (node->state == SIM_PAUSED) {
            sim_resume(node);
        }
        break;
    case FAULT_DISK_FULL: node->disk_full--; break;
    default: change_links(cluster, fault, -1); break;
    }
    cluster_note(cluster, "fault ends: %s %u %u", fault_name(fault->kind), fault->a, fault->b);
    fault->kind = 0;
}

static void wish_prefer(struct cluster *cluster, struct sim_node *by, uint16_t whom)
{
    if (by->state == SIM_RUNNING) {
        sim_wish(by, &(struct quorum_wish){.prefer = &node_at(cluster, whom)->id}, 2000);
    }
}

static void change_weight(struct cluster *cluster, struct sim_node *node)
{
    if (node->state == SIM_RUNNING) {
        struct buf meta = {0};
        node->weight = WEIGHT_UNIT * (uint32_t)network_random(&cluster->network, 1, 3);
        write_u32(&meta, node->weight);
        (void)!gossip_set_meta(node->gossip, buf_bytes(&meta));
        buf_deinit(&meta);
    }
}

/* What torc-ring asks for: another weight, none, to be removed, or that all be as it was. */
static void wish_ring(struct cluster *cluster, struct sim_node *by, uint16_t whom, size_t alive)
{
    uint64_t what = network_random(&cluster->network, 0, 5);
    if (by->state != SIM_RUNNING) {
        return;
    }
    struct ring_wish ring = {.tag = view_ring_tag(by->view), .cancel = by->view->changing};
    struct ring_wish_node node = {.id = node_at(cluster, whom)->id};
    if (what == 0 && alive > 3) {
        node.remove = true;
    } else if (what > 1 || alive <= 3) {
        node.weight = WEIGHT_UNIT * (uint32_t)network_random(&cluster->network, 1, 3);
    }
    if (!ring.cancel && ring_wish_add(&ring, &node) != TORC_OK) {
        abort();
    }
    if (ring_wish_check(&ring, by->view) == TORC_OK) {
        cluster_note(cluster, "wish: %s, weight %u%s", ring.cancel ? "turn back" : "change",
                     node.weight, node.remove ? ", remove" : "");
        sim_wish(by, &(struct quorum_wish){.ring = &ring}, 2000);
    }
    ring_wish_deinit(&ring);
}

static void happen(struct cluster *cluster, uint8_t kind, uint16_t a, uint16_t b, size_t alive)
{
    struct sim_node *node = node_at(cluster, a);
    cluster_note(cluster, "fault: %s %u %u", fault_name(kind), a, b);
    switch ((enum fault_kind)kind) {
    case FAULT_TEAR:
        if (node->quorum != NULL && a != b) {
            sim_stream_broken(node, b);
        }
        network_tear(&cluster->network, CHANNEL_CONTROL, a, b, prng_unit(&cluster->network.prng));
        break;
    case FAULT_JOIN:
        if (cluster->setup.churn && alive < 7) {
            join(cluster);
        }
        break;
    case FAULT_LEAVE:
        if (cluster->setup.churn && alive > 3 && node->state == SIM_RUNNING) {
            node->leaving = true;
        }
        break;
    case FAULT_PREFER: wish_prefer(cluster, node, b); break;
    case FAULT_WEIGHT:
        if (cluster->setup.churn) {
            change_weight(cluster, node);
        }
        break;
    case FAULT_STRIKE:
        cluster->strike = (uint8_t)network_random(&cluster->network, 1, STRIKE_KIND_COUNT);
        if (cluster->strike == STRIKE_KIND_COUNT) {
            cluster->strike = STRIKE_WAKE;
        }
        if (cluster->strike == STRIKE_VOTERS && !cluster->setup.wild) {
            cluster->strike = STRIKE_ANY;
        }
        break;
    case FAULT_RING:
        if (cluster->setup.churn) {
            wish_ring(cluster, node, b, alive);
        }
        break;
    case FAULT_CLOCK: node->wall_offset_ms = network_random(&cluster->network, 0, 3000); break;
    default: abort();
    }
}

static void mend_later(struct cluster *cluster, struct cluster_fault fault, uint64_t delay_us)
{
    uint32_t at = 0;
    while (cluster->faults[at].kind != 0) {
        if (++at == CLUSTER_FAULTS_MAX) {
            abort(); /* far fewer begin in the time of the longest */
        }
    }
    fault.until_us = cluster->network.now_us + delay_us;
    cluster->faults[at] = fault;
    network_push(&cluster->network, (struct event){.at_us = fault.until_us,
                                                   .kind = EVENT_MEND,
                                                   .index = at,
                                                   .number = fault.until_us});
}

static uint64_t duration_us(struct cluster *cluster)
{
    uint64_t lease_us = cluster->setup.lease_ms * 1000u;
    bool brief = network_chance(&cluster->network, 0.4);
    if (!brief && network_chance(&cluster->network, 0.4)) { /* hardly longer than a lease */
        return lease_us + network_random(&cluster->network, 100000, 900000);
    }
    return network_random(&cluster->network, 5000, brief ? lease_us / 2 : 4 * lease_us);
}

void cluster_fault_event(struct cluster *cluster)
{
    static const uint8_t kinds[] = {
        FAULT_CRASH,   FAULT_CRASH,   FAULT_DISK_LOST, FAULT_PAUSE,       FAULT_PAUSE,
        FAULT_PAUSE,   FAULT_CUT,     FAULT_CUT,       FAULT_CUT_ONE_WAY, FAULT_CUT_ONE_WAY,
        FAULT_ISOLATE, FAULT_ISOLATE, FAULT_SLOW,      FAULT_LOSSY,       FAULT_DISK_FULL,
        FAULT_DOOM,    FAULT_DOOM,    FAULT_TEAR,      FAULT_TEAR,        FAULT_JOIN,
        FAULT_LEAVE,   FAULT_PREFER,  FAULT_PREFER,    FAULT_WEIGHT,      FAULT_CLOCK,
        FAULT_STRIKE,  FAULT_STRIKE,  FAULT_STRIKE,    FAULT_LAG,         FAULT_LAG,
        FAULT_LAG,     FAULT_LAG,     FAULT_RING,      FAULT_RING,        FAULT_RING};
    if (!cluster->faulty) {
        return;
    }
    next_fault(cluster);
    struct cluster_fault fault = {
        .kind = kinds[network_random(&cluster->network, 0, sizeof(kinds) - 1)],
        .a = any(cluster),
        .b = any(cluster)};
    size_t alive = 0;
    size_t troubled = troubled_count(cluster, &alive);
    bool gentle =
        fault.kind == FAULT_SLOW || fault.kind == FAULT_LOSSY || fault.kind >= FAULT_LASTING_COUNT;
    size_t limit = cluster->setup.wild ? 3 : cluster->setup.copies - 1;
    if ((!gentle && troubled >= limit) || fault.a == fault.b) {
        return;
    }
    if (fault.kind >= FAULT_LASTING_COUNT) {
        bool grave =
            fault.kind == FAULT_LEAVE || fault.kind == FAULT_STRIKE || fault.kind == FAULT_RING;
        if (!grave || troubled < limit) {
            happen(cluster, fault.kind, fault.a, fault.b, alive);
        }
        return;
    }
    cluster_note(cluster, "fault: %s %u %u", fault_name(fault.kind), fault.a, fault.b);
    if (begin_lasting(cluster, &fault)) {
        mend_later(cluster, fault, duration_us(cluster));
    }
}

/* A primary whose owners are not all attached; NETWORK_NODES_MAX = there is none. */
static uint16_t find_joining(const struct cluster *cluster)
{
    for (uint16_t i = 0; i < (uint16_t)cluster->node_count; i++) {
        const struct sim_node *node = cluster->nodes[i];
        for (size_t slot = 0; slot < SLOT_COUNT && node->state == SIM_RUNNING; slot++) {
            const struct copy *copy = &node->copies[slot];
            for (size_t j = 0; j < copy->member_count && copy->stage >= COPY_JOINING; j++) {
                if (copy->members[j].owner && copy->members[j].stage == MEMBER_REFILLING) {
                    return i;
                }
            }
        }
    }
    return NETWORK_NODES_MAX;
}

/* Looks for one until it is there, then lets it serve for a while. */
static void await_joining(struct cluster *cluster, uint64_t left)
{
    uint16_t node = find_joining(cluster);
    if (node != NETWORK_NODES_MAX) {
        strike_later(cluster, node, network_random(&cluster->network, 0, 30000), 0);
    } else if (left > 0) {
        strike_later(cluster, NETWORK_NODES_MAX, 2000, left - 1);
    }
}

/* Ends what kept nodes from being heard, and keeps the first from telling the others at once. */
static void wake_all(struct cluster *cluster, uint16_t first)
{
    for (size_t i = 0; i < CLUSTER_FAULTS_MAX; i++) {
        struct cluster_fault *fault = &cluster->faults[i];
        if (fault->kind == FAULT_PAUSE || fault->kind == FAULT_ISOLATE) {
            fault->until_us = cluster->network.now_us + 10 + i;
            network_push(&cluster->network, (struct event){.at_us = fault->until_us,
                                                           .kind = EVENT_MEND,
                                                           .index = (uint32_t)i,
                                                           .number = fault->until_us});
        }
    }
    uint64_t delay_us = network_random(&cluster->network, 5000, 60000);
    for (uint16_t other = 0; other < (uint16_t)cluster->node_count; other++) {
        struct cluster_fault fault = {.kind = FAULT_CUT_ONE_WAY, .a = first, .b = other};
        if (other != first) {
            change_links(cluster, &fault, 1);
            mend_later(cluster, fault, delay_us);
        }
    }
}

void cluster_strike_event(struct cluster *cluster, uint16_t index, uint64_t left)
{
    if (index == NETWORK_NODES_MAX) {
        await_joining(cluster, left);
        return;
    }
    struct sim_node *node = node_at(cluster, index);
    if (cluster->faulty && node->state == SIM_RUNNING) {
        sim_crash(node);
        mend_later(cluster, (struct cluster_fault){.kind = FAULT_CRASH, .a = index},
                   network_random(&cluster->network, 5000, 200000));
    }
}

void cluster_strike(struct cluster *cluster, uint16_t first)
{
    struct network *network = &cluster->network;
    uint8_t kind = cluster->faulty ? cluster->strike : 0;
    cluster->strike = 0;
    if (kind == STRIKE_FIRST || kind == STRIKE_VOTERS) {
        node_at(cluster, first)->dying = true; /* gone at the end of this event */
        mend_later(cluster, (struct cluster_fault){.kind = FAULT_CRASH, .a = first},
                   network_random(network, 5000, 200000));
    }
    if (kind == STRIKE_JOINING) {
        await_joining(cluster, 100);
    } else if (kind == STRIKE_WAKE) {
        wake_all(cluster, first);
    }
    const struct view *view = cluster->views[cluster->newest_epoch];
    for (size_t i = 0; i < view->node_count; i++) {
        uint16_t node = view->nodes[i].id.bytes[NODE_ID_SIZE - 1];
        bool chosen = kind == STRIKE_VOTERS
                          ? node != first && view_is_voter(view, &view->nodes[i].id)
                          : kind == STRIKE_ANY && network_chance(network, 0.3);
        if (chosen) {
            uint64_t delay_us = network_random(network, 0, kind == STRIKE_ANY ? 80000 : 2000);
            strike_later(cluster, node, delay_us, 0);
            kind = kind == STRIKE_ANY ? 0 : kind;
        }
    }
}

void cluster_mend_event(struct cluster *cluster, uint32_t index, uint64_t until_us)
{
    struct cluster_fault *fault = &cluster->faults[index];
    if (fault->kind != 0 && fault->until_us == until_us) {
        end_lasting(cluster, fault);
    }
}

void cluster_heal(struct cluster *cluster)
{
    cluster->faulty = false;
    for (size_t i = 0; i < CLUSTER_FAULTS_MAX; i++) {
        if (cluster->faults[i].kind != 0) {
            end_lasting(cluster, &cluster->faults[i]);
        }
    }
    for (size_t i = 0; i < cluster->node_count; i++) {
        cluster->nodes[i]->doomed = 0;
        if (cluster->nodes[i]->state == SIM_STOPPED) {
            sim_start(cluster->nodes[i]);
        }
    }
}

void cluster_forget_gone(struct cluster *cluster)
{
    const struct view *view = cluster->views[cluster->newest_epoch];
    for (size_t i = 0; i < cluster->node_count; i++) {
        const struct sim_node *gone = cluster->nodes[i];
        int index = view_find(view, &gone->id);
        bool known = index >= 0 && view_node_is_given_up(&view->nodes[index]);
        if (gone->state != SIM_GONE || index < 0 || known) {
            continue;
        }
        uint16_t by = any(cluster);
        struct sim_node *node = node_at(cluster, by);
        if (node->state == SIM_RUNNING) {
            sim_wish(node, &(struct quorum_wish){.forget = &gone->id}, 1000);
        }
        return;
    }
}
