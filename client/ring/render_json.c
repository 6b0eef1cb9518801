#include "client/ring/render_json.h"

#include "client/ring/json_parts.h"
#include "ring/slot.h"

static json_t *node_json(const struct summary *summary, size_t index)
{
    const struct view_node *node = &summary->view->nodes[index];
    const struct node_summary *counted = &summary->nodes[index];
    const struct node_info *info = &counted->info;
    json_t *view =
        json_pack("{s:i, s:i, s:I, s:o, s:s, s:b, s:b, s:o, s:o, s:o, s:b, s:i, s:i, s:f}",
                  "http_port", node->http_port, "bus_port", node->bus_port, "incarnation",
                  (json_int_t)node->incarnation, "zone", json_parts_text(node->zone), "status",
                  summary_status_name(node->status), "leaving", node->leaving, "removing",
                  node->removing, "weight", json_parts_weight(node->weight_current),
                  "weight_target", json_parts_weight(node->weight_target), "weight_asked",
                  json_parts_weight(node->weight_asked), "voter",
                  view_is_voter(summary->view, &node->id), "primaries", (int)counted->primaries,
                  "replicas", (int)counted->replicas, "primaries_due", counted->due);
    json_t *asked = json_pack(
        "{s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "answers", info->answers, "version",
        info->version[0] == '\0' ? json_null() : json_parts_text(info->version), "epoch",
        json_parts_count(info->epoch), "lease_ms_left", json_parts_count(info->lease_ms_left),
        "keys", json_parts_count(info->keys), "memory_bytes", json_parts_count(info->memory_bytes),
        "ops_per_second", json_parts_count(info->ops_per_second), "lag_bytes",
        json_parts_count(counted->lag_bytes), "slots_waiting",
        json_parts_count(info->slots_waiting));
    return json_parts_join(json_parts_join(json_parts_identity(node), view), asked);
}

static json_t *imbalance_json(const struct imbalance *imbalance)
{
    return json_pack("{s:f, s:f, s:f, s:f}", "slots", imbalance->slots, "keys", imbalance->keys,
                     "bytes", imbalance->bytes, "ops", imbalance->ops);
}

json_t *render_status_json(const struct summary *summary)
{
    const struct view *view = summary->view;
    char cluster_id[NODE_ID_TEXT_SIZE];
    node_id_format(&view->cluster_id, cluster_id);
    json_t *nodes = json_array();
    for (size_t i = 0; i < view->node_count; i++) {
        nodes = json_parts_append(nodes, node_json(summary, i));
    }
    json_t *out = json_pack("{s:o, s:s, s:I, s:i, s:b, s:b, s:i, s:i}", "cluster",
                            json_parts_text(view->cluster_name), "cluster_id", cluster_id, "epoch",
                            (json_int_t)view->epoch, "copies", view->copies, "changing",
                            view->changing, "turned_back", view->turned_back, "slots_changing",
                            (int)summary->progress.slots_total, "slots_to_move",
                            (int)(summary->progress.slots_total - summary->progress.slots_moved));
    json_t *more = json_pack("{s:i, s:i, s:I, s:I, s:o, s:o, s:o, s:o}", "slots_without_owner",
                             (int)summary->slots_without_owner, "slots_short",
                             (int)summary->slots_short, "keys", (json_int_t)summary->keys,
                             "memory_bytes", (json_int_t)summary->memory_bytes, "ops_per_second",
                             json_parts_count(summary->ops_per_second), "imbalance",
                             imbalance_json(&summary->imbalance), "nodes", nodes, "warnings",
                             json_parts_lines(buf_bytes(&summary->warnings)));
    return json_parts_join(out, more);
}

static json_t *key_json(const struct view *view, const char *key)
{
    uint16_t owners[COPIES_MAX];
    const uint16_t slot = slot_of_key(bytes_of(key));
    size_t count = view_owners(view, slot, owners);
    json_t *replicas = json_array();
    for (size_t rank = 1; rank < count; rank++) {
        replicas = json_parts_append(replicas, json_parts_identity(&view->nodes[owners[rank]]));
    }
    return json_pack("{s:o, s:i, s:o, s:o}", "key", json_parts_text(key), "slot", slot, "primary",
                     count == 0 ? json_null() : json_parts_identity(&view->nodes[owners[0]]),
                     "replicas", replicas);
}

json_t *render_slots_json(const struct view *view, char *const *keys, int count)
{
    json_t *out = json_array();
    for (int i = 0; i < count; i++) {
        out = json_parts_append(out, key_json(view, keys[i]));
    }
    return out;
}

static json_t *load_json(const struct load *load, uint32_t weight, bool has_ops)
{
    return json_pack("{s:o, s:I, s:I, s:I, s:o}", "weight", json_parts_weight(weight), "slots",
                     (json_int_t)load->slots, "keys", (json_int_t)load->keys, "bytes",
                     (json_int_t)load->bytes, "ops_per_second",
                     has_ops ? json_real(load->ops) : json_null());
}

static json_t *plan_node_json(const struct proposal *proposal, size_t index)
{
    const struct forecast *forecast = &proposal->forecast;
    const struct view_node *node = &proposal->view->nodes[index];
    bool remove = false;
    for (size_t i = 0; i < proposal->change.step_count; i++) {
        const struct change_step *step = &proposal->change.steps[i];
        remove = remove || (step->remove && node_id_equal(&step->id, &node->id));
    }
    json_t *loads = json_pack(
        "{s:b, s:o, s:o}", "remove", remove, "before",
        load_json(&forecast->before[index], node->weight_current, forecast->has_ops), "after",
        load_json(&forecast->after[index], proposal->next->nodes[index].weight_target,
                  forecast->has_ops));
    return json_parts_join(json_parts_identity(node), loads);
}

json_t *render_plan_json(const struct proposal *proposal, const char *outcome)
{
    const struct forecast *forecast = &proposal->forecast;
    json_t *out = json_pack("{s:s, s:s, s:b}", "change", ring_change_name(proposal->request.kind),
                            "outcome", outcome, "nothing_to_do", proposal->next == NULL);
    if (proposal->request.kind == CHANGE_REBALANCE) {
        out = json_parts_join(out, json_pack("{s:s, s:f, s:f}", "by",
                                             ring_balance_name(proposal->request.by),
                                             "imbalance_now", proposal->rebalance.imbalance_now,
                                             "imbalance_best", proposal->rebalance.imbalance_best));
    }
    if (proposal->next == NULL) {
        return out;
    }
    json_t *nodes = json_array();
    for (size_t i = 0; i < proposal->view->node_count; i++) {
        nodes = json_parts_append(nodes, plan_node_json(proposal, i));
    }
    json_t *moves = json_pack(
        "{s:i, s:i, s:i, s:i, s:I, s:I, s:i}", "primaries_moved",
        (int)forecast->plan->primaries_moved, "primaries_least", (int)forecast->primaries_least,
        "copies_moved", (int)forecast->plan->copies_moved, "copies_least",
        (int)forecast->copies_least, "keys_moved", (json_int_t)forecast->keys_moved, "bytes_moved",
        (json_int_t)forecast->bytes_moved, "slots_unknown", (int)forecast->slots_unknown);
    json_t *more = json_pack("{s:f, s:I, s:b, s:o, s:o, s:o}", "seconds", forecast->seconds,
                             "bytes_per_second", (json_int_t)forecast->rate, "rate_assumed",
                             forecast->rate_assumed, "imbalance_before",
                             imbalance_json(&forecast->imbalance_before), "imbalance_after",
                             imbalance_json(&forecast->imbalance_after), "nodes", nodes);
    return json_parts_join(json_parts_join(out, moves), more);
}

json_t *render_progress_json(const struct progress *progress)
{
    const bool known = progress->bytes_known;
    json_t *slots =
        json_pack("{s:I, s:b, s:b, s:i, s:i, s:f}", "epoch", (json_int_t)progress->epoch,
                  "changing", progress->changing, "turned_back", progress->turned_back,
                  "slots_changing", (int)progress->slots.slots_total, "slots_moved",
                  (int)progress->slots.slots_moved, "fraction", progress->fraction);
    json_t *bytes = json_pack(
        "{s:o, s:o, s:f, s:o, s:o, s:o}", "bytes_total",
        known ? json_integer((json_int_t)progress->bytes_total) : json_null(), "bytes_done",
        known ? json_integer((json_int_t)progress->bytes_done) : json_null(), "bytes_per_second",
        progress->bytes_per_second, "seconds_left",
        progress->seconds_left < 0 ? json_null() : json_real(progress->seconds_left),
        "pause_us_p99", json_parts_count(progress->pause_us_p99), "pause_us_max",
        json_parts_count(progress->pause_us_max));
    return json_parts_join(slots, bytes);
}
