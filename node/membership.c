/*
 * From what gossip knows to the next view. The one voter decides alone for now: ring/agreement will
 * take its place with up to five voters; what is proposed, and when, stays here.
 */
#include "node/control.h"

#include "base/error.h"
#include "node/clock.h"
#include "node/member_meta.h"
#include "node/node.h"

/* What gossip says of one member, copied. */
struct rumour {
    bool known;
    bool alive;
    bool gone; /* left, or dead and silent for a lease */
    uint64_t incarnation;
    struct member_meta meta;
};

static struct rumour rumour_of(const struct node *node, const struct gossip_member *member)
{
    struct rumour rumour = {0};
    if (member == NULL) {
        return rumour;
    }
    bool silent = clock_monotonic_ms() - member->heard_ms >= node->config.lease_ms;
    rumour.gone = member->status == GOSSIP_LEFT || (member->status == GOSSIP_DEAD && silent);
    rumour.known = member_meta_decode(&rumour.meta, member->meta) == TORC_OK;
    rumour.alive = rumour.known && member->status != GOSSIP_LEFT && member->status != GOSSIP_DEAD;
    rumour.incarnation = member->incarnation;
    return rumour;
}

static void describe(struct view_node *node, const struct rumour *rumour)
{
    const struct member_meta *meta = &rumour->meta;
    node->incarnation = rumour->incarnation;
    memcpy(node->host, meta->host, sizeof(node->host));
    memcpy(node->zone, meta->zone, sizeof(node->zone));
    node->client_port = meta->client_port;
    node->direct_port = meta->direct_port;
    node->http_port = meta->http_port;
    node->bus_port = meta->bus_port;
}

/* The status a member of the view should have now. */
static enum node_status judge(const struct view_node *node, const struct rumour *rumour,
                              uint64_t epoch)
{
    if (rumour->gone && rumour->incarnation >= node->incarnation) {
        return NODE_DOWN;
    }
    if (!rumour->alive || rumour->incarnation < node->incarnation) {
        return node->status;
    }
    if (rumour->incarnation > node->incarnation || node->status == NODE_DOWN) {
        return NODE_SYNCING; /* whatever it remembers, it comes back empty */
    }
    if (node->status == NODE_SYNCING && rumour->meta.ready_epoch >= epoch) {
        return NODE_UP;
    }
    return node->status;
}

/* Updates the nodes that are in the view; true if anything changed. */
static bool update_nodes(struct node *node, struct view *next, uint64_t epoch)
{
    bool changed = false;
    for (size_t i = 0; i < next->node_count; i++) {
        struct view_node *at = &next->nodes[i];
        struct rumour rumour = rumour_of(node, gossip_find(node->gossip, &at->id));
        if (node_id_equal(&at->id, &node->id)) {
            rumour.alive = true;
            rumour.gone = false;
        }
        enum node_status status = judge(at, &rumour, epoch);
        if (status != at->status || (rumour.alive && rumour.incarnation > at->incarnation)) {
            if (rumour.alive) {
                describe(at, &rumour);
            }
            at->status = status;
            changed = true;
        }
    }
    return changed;
}

/* True if everybody that is up holds all it owns: only then may owners change again. */
static bool settled(struct node *node, const struct view *view)
{
    for (size_t i = 0; i < view->node_count; i++) {
        if (view->nodes[i].status == NODE_UP) {
            struct rumour rumour = rumour_of(node, gossip_find(node->gossip, &view->nodes[i].id));
            if (!rumour.alive || rumour.meta.ready_epoch != view->epoch) {
                return false;
            }
        }
    }
    return true;
}

/* Admits members that are not in the view yet; true if there were any. */
static bool admit_nodes(struct node *node, struct view *next)
{
    bool admitted = false;
    for (size_t i = 0; i < gossip_member_count(node->gossip); i++) {
        const struct gossip_member *member = gossip_member_at(node->gossip, i);
        struct rumour rumour = rumour_of(node, member);
        if (!rumour.alive || member->status != GOSSIP_ALIVE || view_find(next, &member->id) >= 0) {
            continue;
        }
        struct view_node joiner = {.id = member->id,
                                   .status = NODE_UP,
                                   .weight_current = rumour.meta.weight,
                                   .weight_target = rumour.meta.weight};
        describe(&joiner, &rumour);
        if (view_put_node(next, &joiner) != TORC_OK) {
            log_warning(&node->log, "a node cannot join: the cluster is full");
            return admitted;
        }
        admitted = true;
    }
    return admitted;
}

/* With nobody up there is nobody to be refilled from: those alive begin again as they are. */
static void revive(struct view *next)
{
    for (size_t i = 0; i < next->node_count; i++) {
        if (next->nodes[i].status == NODE_UP) {
            return;
        }
    }
    for (size_t i = 0; i < next->node_count; i++) {
        if (next->nodes[i].status == NODE_SYNCING) {
            next->nodes[i].status = NODE_UP;
        }
    }
}

void membership_tick(struct control *control, uint64_t now_ms)
{
    (void)now_ms;
    struct node *node = control->node;
    const struct view *view = node_view(node);
    if (view == NULL || !view_is_voter(view, &node->id)) {
        view_release(view);
        return;
    }
    struct view *next = view_clone(view);
    bool changed = false;
    if (next != NULL) {
        pthread_mutex_lock(&node->gossip_lock);
        changed = update_nodes(node, next, view->epoch);
        if (!changed && settled(node, view)) {
            changed = admit_nodes(node, next);
        }
        pthread_mutex_unlock(&node->gossip_lock);
    }
    if (changed) {
        revive(next);
        next->epoch = view->epoch + 1;
        if (view_seal(next) == TORC_OK) {
            control_adopt_view(control, next, true);
        } else {
            log_error(&node->log, "the next view is not lawful");
        }
    }
    view_release(next);
    view_release(view);
}
