#include "ring/voters.h"

#include <string.h>

/* Not one that merely started anew, and lost its data by that: it will be back in a moment. */
static bool is_given_up(const struct view_node *node)
{
    if (node->removing && node->weight_current == 0 && node->weight_target == 0) {
        return true; /* it owns nothing any more */
    }
    return node->status == NODE_DOWN &&
           (node->removing || (node->lost && node->weight_target == 0));
}

/* May be made a voter. */
static bool is_candidate(const struct view *view, const struct view_node *node)
{
    return node->status == NODE_UP && !node->leaving && !node->removing &&
           !view_is_voter(view, &node->id);
}

/* Should be replaced as a voter as soon as somebody can. */
static bool is_weak(const struct view_node *node)
{
    return node->status == NODE_DOWN || node->leaving || node->removing;
}

static size_t wanted_count(const struct view *view)
{
    size_t population = 0;
    for (size_t i = 0; i < view->node_count; i++) {
        population += !is_given_up(&view->nodes[i]);
    }
    return population >= VOTERS_MAX ? VOTERS_MAX : population >= 3 ? 3 : 1;
}

/* Voters in the node's zone; nodes without a zone are in one of their own each. */
static size_t zone_load(const struct view *view, const char *zone)
{
    size_t count = 0;
    for (size_t i = 0; zone[0] != '\0' && i < view->voter_count; i++) {
        int index = view_find(view, &view->voters[i]);
        count += index >= 0 && strcmp(view->nodes[index].zone, zone) == 0;
    }
    return count;
}

/* The candidate in the zone with the fewest voters, the lowest id among those; NULL = there is
 * none. */
static const struct view_node *best_candidate(const struct view *view)
{
    const struct view_node *best = NULL;
    size_t best_load = 0;
    for (size_t i = 0; i < view->node_count; i++) {
        const struct view_node *node = &view->nodes[i];
        size_t load = zone_load(view, node->zone);
        if (is_candidate(view, node) && (best == NULL || load < best_load)) {
            best = node;
            best_load = load;
        }
    }
    return best;
}

static void remove_voter(struct view *view, size_t at)
{
    view->voter_count--;
    memmove(&view->voters[at], &view->voters[at + 1],
            (view->voter_count - at) * sizeof(view->voters[0]));
}

static void add_voter(struct view *view, const struct view_node *node)
{
    view->voters[view->voter_count++] = node->id;
}

/* The voter to do without first: one that is weak, else one of the fullest zone, else the last. */
static size_t worst_voter(const struct view *view)
{
    size_t worst = 0;
    size_t worst_cost = 0;
    for (size_t i = 0; i < view->voter_count; i++) {
        const struct view_node *node = &view->nodes[view_find(view, &view->voters[i])];
        size_t cost = (is_given_up(node) ? 100u : 0u) + (is_weak(node) ? 10u : 0u) +
                      zone_load(view, node->zone);
        if (i == 0 || cost >= worst_cost) {
            worst = i;
            worst_cost = cost;
        }
    }
    return worst;
}

/* Those that are down first: they cannot vote, the others still do. */
static void replace_weak(struct view *view, bool down)
{
    for (size_t i = view->voter_count; i > 0; i--) {
        const struct view_node *node = &view->nodes[view_find(view, &view->voters[i - 1])];
        bool due = is_weak(node) && (node->status == NODE_DOWN) == down;
        const struct view_node *better = due ? best_candidate(view) : NULL;
        if (better != NULL) {
            remove_voter(view, i - 1);
            add_voter(view, better);
        }
    }
}

/* One voter of a crowded zone gives way to one of an emptier zone. */
static void spread(struct view *view)
{
    const struct view_node *better = best_candidate(view);
    if (better == NULL || better->zone[0] == '\0' || view->voter_count == 0) {
        return;
    }
    size_t worst = worst_voter(view);
    const struct view_node *crowded = &view->nodes[view_find(view, &view->voters[worst])];
    if (zone_load(view, crowded->zone) >= zone_load(view, better->zone) + 2) {
        remove_voter(view, worst);
        add_voter(view, better);
    }
}

bool voters_choose(struct view *next)
{
    struct node_id before[VOTERS_MAX];
    size_t before_count = next->voter_count;
    size_t wanted = wanted_count(next);
    memcpy(before, next->voters, sizeof(before));
    replace_weak(next, true);
    replace_weak(next, false);
    while (next->voter_count < wanted) {
        const struct view_node *node = best_candidate(next);
        if (node == NULL) {
            break;
        }
        add_voter(next, node);
    }
    /* An even number in between is as good as the odd one below it, and no better. */
    if (next->voter_count > 1 && next->voter_count % 2 == 0) {
        wanted = next->voter_count - 1;
    }
    while (next->voter_count > wanted) {
        remove_voter(next, worst_voter(next));
    }
    spread(next);
    bool same = before_count == next->voter_count;
    for (size_t i = 0; same && i < before_count; i++) {
        same = view_is_voter(next, &before[i]);
    }
    return !same;
}
