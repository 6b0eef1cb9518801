/* The part of gossip_network.h that looks at a network without changing it. */
#include "tests/sim/gossip_network.h"

enum gossip_status network_status(const struct network *network, size_t observer, size_t node)
{
    const struct gossip_member *member =
        gossip_find(network->nodes[observer].gossip, &network->nodes[node].id);
    return member == NULL ? (enum gossip_status)0 : member->status;
}

/* Members that a node holds alive or suspect. */
static size_t live_count(const struct gossip *gossip)
{
    size_t count = 0;
    for (size_t i = 0; i < gossip_member_count(gossip); i++) {
        enum gossip_status status = gossip_member_at(gossip, i)->status;
        count += status == GOSSIP_ALIVE || status == GOSSIP_SUSPECT;
    }
    return count;
}

bool network_is_converged(const struct network *network)
{
    size_t running = 0;
    for (size_t i = 0; i < network->options.node_count; i++) {
        running += network->nodes[i].state == NETWORK_RUNNING;
    }
    for (size_t a = 0; a < network->options.node_count; a++) {
        if (network->nodes[a].state != NETWORK_RUNNING) {
            continue;
        }
        if (live_count(network->nodes[a].gossip) != running) {
            return false;
        }
        for (size_t b = 0; b < network->options.node_count; b++) {
            if (network->nodes[b].state == NETWORK_RUNNING &&
                network_status(network, a, b) != GOSSIP_ALIVE) {
                return false;
            }
        }
    }
    return true;
}

bool network_all_say(const struct network *network, size_t node, enum gossip_status status)
{
    for (size_t i = 0; i < network->options.node_count; i++) {
        if (i != node && network->nodes[i].state == NETWORK_RUNNING &&
            network_status(network, i, node) != status) {
            return false;
        }
    }
    return true;
}

void network_reset_bytes(struct network *network)
{
    for (size_t i = 0; i < network->options.node_count; i++) {
        network->nodes[i].bytes_sent = 0;
        network->nodes[i].bytes_received = 0;
    }
}

void network_byte_rates(const struct network *network, uint64_t duration_ms, double *mean,
                        double *worst)
{
    double sum = 0;
    size_t running = 0;
    *worst = 0;
    for (size_t i = 0; i < network->options.node_count; i++) {
        const struct network_node *node = &network->nodes[i];
        if (node->state != NETWORK_RUNNING) {
            continue;
        }
        double rate =
            (double)(node->bytes_sent + node->bytes_received) * 1000.0 / (double)duration_ms;
        sum += rate;
        running++;
        *worst = rate > *worst ? rate : *worst;
    }
    *mean = running == 0 ? 0 : sum / (double)running;
}
