/* What is wrong with a cluster that was looked at, in sentences. Part of audit. */
#include "base/error.h"
#include "client/ring/audit.h"
#include "client/ring/cells.h"

#include <stdlib.h>

#define LINE_WIDTH (RENDER_WIDTH - 9) /* behind "problem: " */

/* ---- words ---- */

/* "node 1f3ab2c4 (10.0.0.1:7001)" */
static void append_node(struct buf *out, const struct view *view, size_t index)
{
    char id[ID_WIDTH + 1];
    char address[CELL_SIZE];
    cells_id(id, &view->nodes[index].id);
    cells_address(address, &view->nodes[index], ADDRESS_WIDTH_MAX);
    buf_append_format(out, "node %s (%s)", id, address);
}

static void end_problem(struct audit *audit)
{
    buf_append_text(&audit->problems, "\n");
    audit->problem_count++;
}

static void add_node_problem(struct audit *audit, size_t index, const char *what)
{
    append_node(&audit->problems, audit->view, index);
    buf_append_format(&audit->problems, " %s", what);
    end_problem(audit);
}

/* "3 slots are led by nobody: 5 7-8", of the slots that are marked. */
static void add_slots_problem(struct audit *audit, const bool *marked, const char *one,
                              const char *several)
{
    struct buf *out = &audit->problems;
    unsigned count = 0;
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        count += marked[slot];
    }
    if (count == 0) {
        return;
    }
    const size_t before = buf_size(out);
    buf_append_format(out, "%u %s:", count, count == 1 ? one : several);
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        unsigned last = slot;
        if (!marked[slot]) {
            continue;
        }
        while (last + 1 < SLOT_COUNT && marked[last + 1]) {
            last++;
        }
        if (buf_size(out) - before + sizeof(" 12345-12345 ...") > LINE_WIDTH) {
            buf_append_text(out, " ...");
            break;
        }
        buf_append_format(out, last > slot ? " %u-%u" : " %u", slot, last);
        slot = last;
    }
    end_problem(audit);
}

/* ---- one look ---- */

static void judge_nodes(struct audit *audit, uint64_t since_epoch)
{
    for (size_t i = 0; i < audit->view->node_count; i++) {
        const struct audit_node *node = &audit->nodes[i];
        if (audit->view->nodes[i].status == NODE_DOWN) {
            add_node_problem(audit, i, "is down");
        } else if (!node->answers) {
            add_node_problem(audit, i, "does not answer");
        } else if (node->epoch == 0) {
            add_node_problem(audit, i, "does not say what view it has");
        } else if (!node->same_view &&
                   (since_epoch == audit->view->epoch || node->epoch < since_epoch)) {
            append_node(&audit->problems, audit->view, i);
            if (node->epoch == audit->view->epoch) {
                buf_append_format(&audit->problems, " has another view %llu",
                                  (unsigned long long)node->epoch);
            } else {
                buf_append_format(&audit->problems, " has view %llu, others %llu",
                                  (unsigned long long)node->epoch,
                                  (unsigned long long)audit->view->epoch);
            }
            end_problem(audit);
        }
    }
}

/* Of the nodes that answer. */
static int judge_leaders(struct audit *audit)
{
    bool *marked = calloc((size_t)3 * SLOT_COUNT, sizeof(*marked));
    if (marked == NULL) {
        return TORC_ENOMEM;
    }
    bool *nobody = marked;
    bool *several = marked + SLOT_COUNT;
    bool *another = several + SLOT_COUNT;
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        uint16_t owners[COPIES_MAX];
        const size_t count = view_owners(audit->view, (uint16_t)slot, owners);
        const unsigned led = audit->leader_count[slot];
        nobody[slot] = count > 0 && led == 0 && audit->nodes[owners[0]].answers;
        several[slot] = led > 1;
        another[slot] = led == 1 && (count == 0 || audit->leader[slot] != owners[0]);
    }
    add_slots_problem(audit, nobody, "slot is led by nobody", "slots are led by nobody");
    add_slots_problem(audit, several, "slot is led by several nodes",
                      "slots are led by several nodes");
    add_slots_problem(audit, another, "slot is led by another node than the view says",
                      "slots are led by other nodes than the view says");
    free(marked);
    return TORC_OK;
}

static int judge_owners(struct audit *audit)
{
    bool *marked = calloc((size_t)2 * SLOT_COUNT, sizeof(*marked));
    if (marked == NULL) {
        return TORC_ENOMEM;
    }
    bool *waiting = marked;
    bool *lacking = marked + SLOT_COUNT;
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        uint16_t owners[COPIES_MAX];
        const size_t count = view_owners(audit->view, (uint16_t)slot, owners);
        waiting[slot] = count == 0;
        lacking[slot] = count > 0 && count < audit->view->copies;
    }
    add_slots_problem(audit, waiting, "slot has no owner that is up",
                      "slots have no owner that is up");
    add_slots_problem(audit, lacking, "slot has fewer copies than agreed",
                      "slots have fewer copies than agreed");
    free(marked);
    return TORC_OK;
}

int audit_judge_look(struct audit *audit, uint64_t since_epoch)
{
    const bool moving = since_epoch != audit->view->epoch;
    judge_nodes(audit, since_epoch);
    int result = judge_owners(audit);
    if (result == TORC_OK && !moving) {
        result = judge_leaders(audit);
    }
    if (moving) {
        buf_append_text(&audit->notes, "slots changed hands all the time: who leads which was not "
                                       "looked at\n");
    }
    return result == TORC_OK && (audit->problems.failed || audit->notes.failed) ? TORC_ENOMEM
                                                                                : result;
}

/* ---- copies ---- */

static bool holds(const struct view *view, uint16_t slot, const struct node_id *id)
{
    uint16_t owners[COPIES_MAX];
    uint16_t learners[VIEW_LEARNERS_MAX];
    const size_t owner_count = view_owners(view, slot, owners);
    const size_t learner_count = view_learners(view, slot, learners);
    bool found = false;
    for (size_t i = 0; i < owner_count + learner_count; i++) {
        const uint16_t node = i < owner_count ? owners[i] : learners[i - owner_count];
        found = found || node_id_equal(&view->nodes[node].id, id);
    }
    return found;
}

/* True if both are still what they were when the copies were compared. */
static bool is_still_so(const struct audit *audit, const struct audit_difference *difference,
                        const struct view *now)
{
    uint16_t owners[COPIES_MAX];
    const struct node_id *primary = &audit->view->nodes[difference->primary].id;
    const struct node_id *replica = &audit->view->nodes[difference->replica].id;
    return view_owners(now, difference->slot, owners) > 0 &&
           node_id_equal(&now->nodes[owners[0]].id, primary) &&
           holds(now, difference->slot, replica);
}

static int compare_differences(const void *a, const void *b)
{
    const struct audit_difference *one = a;
    const struct audit_difference *two = b;
    return one->slot != two->slot ? (one->slot > two->slot) - (one->slot < two->slot)
                                  : (one->replica > two->replica) - (one->replica < two->replica);
}

static void judge_differences(struct audit *audit, const struct view *now)
{
    size_t kept = 0;
    for (size_t i = 0; i < audit->differing_count; i++) {
        if (is_still_so(audit, &audit->differing[i], now)) {
            audit->differing[kept++] = audit->differing[i];
        }
    }
    audit->slots_changed = (uint32_t)(audit->differing_count - kept);
    audit->differing_count = kept;
    if (kept > 0) {
        qsort(audit->differing, kept, sizeof(audit->differing[0]), compare_differences);
    }
    for (size_t i = 0; i < kept && i < AUDIT_NAMED_MAX; i++) {
        const struct audit_difference *difference = &audit->differing[i];
        char primary[ID_WIDTH + 1];
        char replica[ID_WIDTH + 1];
        cells_id(primary, &audit->view->nodes[difference->primary].id);
        cells_id(replica, &audit->view->nodes[difference->replica].id);
        buf_append_format(&audit->problems, "slot %u: the replica at %s is not what %s has",
                          difference->slot, replica, primary);
        end_problem(audit);
    }
    if (kept > AUDIT_NAMED_MAX) {
        buf_append_format(&audit->problems, "replicas that differ besides these: %zu",
                          kept - AUDIT_NAMED_MAX);
        end_problem(audit);
    }
}

static bool somebody_joined(const struct view *before, const struct view *now)
{
    bool joined = false;
    for (size_t i = 0; i < now->node_count; i++) {
        joined = joined || view_find(before, &now->nodes[i].id) < 0;
    }
    return joined;
}

/* What was sent and reached nobody who said so: a node that has joined meanwhile is asked nothing.
 */
static void judge_uncompared(struct audit *audit, const struct view *now)
{
    const bool joined = somebody_joined(audit->view, now);
    uint64_t unheard = 0;
    for (size_t i = 0; i < audit->view->node_count; i++) {
        const struct audit_node *node = &audit->nodes[i];
        const uint64_t arrived = node->ranges_compared + node->ranges_passed;
        if (node->trouble[0] != '\0') {
            add_node_problem(audit, i, node->trouble);
        } else if (arrived < node->ranges_sent && joined) {
            unheard += node->ranges_sent - arrived;
        } else if (arrived < node->ranges_sent) {
            append_node(&audit->problems, audit->view, i);
            buf_append_format(&audit->problems, ": ranges not compared: %llu",
                              (unsigned long long)(node->ranges_sent - arrived));
            end_problem(audit);
        }
    }
    if (unheard > 0) {
        buf_append_format(&audit->notes,
                          "ranges not compared, or by a node that has joined since: %llu\n",
                          (unsigned long long)unheard);
    }
}

/* That some replicas compare nothing is as it must be while slots move or are filled. */
static void judge_left_out(struct audit *audit, const struct view *now)
{
    const struct audit_totals totals = audit_totals(audit);
    const bool quiet = !audit->view->changing && now->epoch == audit->view->epoch;
    const uint64_t ranges = totals.ranges_unsent + totals.ranges_passed;
    struct buf *out = quiet ? &audit->problems : &audit->notes;
    if (ranges > 0) {
        buf_append_format(out, "ranges not compared, for copies were being filled: %llu\n",
                          (unsigned long long)ranges);
        audit->problem_count += quiet;
    }
    if (totals.slots_gone > 0) {
        buf_append_format(&audit->notes, "slots not compared, for they changed hands: %llu\n",
                          (unsigned long long)totals.slots_gone);
    }
    if (audit->slots_changed > 0) {
        buf_append_format(&audit->notes,
                          "replicas that differed, and have been given up since: %u\n",
                          audit->slots_changed);
    }
}

int audit_judge_copies(struct audit *audit, const struct view *now)
{
    judge_uncompared(audit, now);
    judge_differences(audit, now);
    judge_left_out(audit, now);
    return audit->problems.failed || audit->notes.failed ? TORC_ENOMEM : TORC_OK;
}
