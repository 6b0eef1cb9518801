/* How a node comes to its first view: through a seed, from what it remembers, or as a founder. */
#include "node/control.h"

#include "base/error.h"
#include "node/clock.h"
#include "node/node.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SEED_LIMIT_MS 2000
#define RETRY_MS 500
#define COMPLAIN_MS 10000 /* between lines about the same trouble */

enum seed_outcome {
    SEED_VIEW,
    SEED_LATER,   /* not there, or has no view yet */
    SEED_FOREIGN, /* answers, and is no Torc node */
};

static struct view *describe_founder(struct control *control)
{
    struct node *node = control->node;
    const struct config *config = &node->config;
    struct view *view = view_create();
    if (view == NULL) {
        return NULL;
    }
    struct view_node self = {.id = node->id,
                             .incarnation = node->incarnation,
                             .client_port = config->port,
                             .direct_port = config->direct_port,
                             .http_port = config->http_port,
                             .bus_port = config->bus_port,
                             .status = NODE_UP,
                             .weight_asked = config->weight,
                             .weight_current = config->weight,
                             .weight_target = config->weight};
    snprintf(self.host, sizeof(self.host), "%s", node->announce);
    snprintf(self.zone, sizeof(self.zone), "%s", config->zone);
    snprintf(view->cluster_name, sizeof(view->cluster_name), "%s", config->cluster_name);
    node_id_generate(&view->cluster_id, &control->prng);
    view->epoch = 1;
    view->copies = (uint8_t)config->copies;
    view->lease_ms = config->lease_ms;
    view->voters[0] = node->id;
    view->voter_count = 1;
    if (view_put_node(view, &self) != TORC_OK || view_seal(view) != TORC_OK) {
        view_release(view);
        return NULL;
    }
    return view;
}

/* Asks one seed. `why` gets what an operator should read when there is no view. */
static enum seed_outcome ask_seed(const char *host, int port, struct view **view, char *why,
                                  size_t why_size)
{
    struct timeval limit = {.tv_sec = SEED_LIMIT_MS / 1000};
    redisContext *context = redisConnectWithTimeout(host, port, limit);
    if (context == NULL || context->err != 0) {
        snprintf(why, why_size, "cannot connect: %s",
                 context == NULL ? "out of memory" : context->errstr);
        if (context != NULL) {
            redisFree(context);
        }
        return SEED_LATER;
    }
    redisSetTimeout(context, limit);
    redisReply *reply = redisCommand(context, "TORC.VIEW");
    enum seed_outcome outcome = SEED_FOREIGN;
    if (reply == NULL) {
        snprintf(why, why_size, "no answer that a Torc node would give (%s)",
                 context->err == REDIS_ERR_IO ? "timed out or closed" : context->errstr);
        outcome = context->err == REDIS_ERR_PROTOCOL ? SEED_FOREIGN : SEED_LATER;
    } else if (reply->type == REDIS_REPLY_STRING &&
               view_decode(view, (struct bytes){reply->str, reply->len}, NULL) == TORC_OK) {
        outcome = SEED_VIEW;
    } else if (reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "CLUSTERDOWN", 11) == 0) {
        snprintf(why, why_size, "it has not joined a cluster itself yet");
        outcome = SEED_LATER;
    } else {
        snprintf(why, why_size, "this is not the client port of a Torc node (it says: %.60s)",
                 reply->type == REDIS_REPLY_ERROR ? reply->str : "something else");
    }
    freeReplyObject(reply);
    redisFree(context);
    return outcome;
}

static bool split_seed(const char *text, size_t size, char *host, size_t host_size, int *port)
{
    const char *colon = memrchr(text, ':', size);
    if (colon == NULL) {
        return false;
    }
    size_t host_length = (size_t)(colon - text);
    if (host_length > 1 && text[0] == '[' && text[host_length - 1] == ']') {
        text++;
        host_length -= 2;
    }
    snprintf(host, host_size, "%.*s", (int)host_length, text);
    *port = atoi(colon + 1);
    return host_length > 0 && *port > 0;
}

/* Goes through the seeds once. */
static enum seed_outcome ask_seeds(struct control *control, struct view **view, bool complain)
{
    const struct log *log = &control->node->log;
    const char *at = control->node->config.join;
    enum seed_outcome outcome = SEED_FOREIGN;
    while (*at != '\0') {
        size_t size = strcspn(at, ",");
        char host[HOST_SIZE_MAX + 1];
        char why[256] = "malformed, HOST:PORT is expected";
        int port = 0;
        enum seed_outcome one = SEED_FOREIGN;
        if (split_seed(at, size, host, sizeof(host), &port)) {
            one = ask_seed(host, port, view, why, sizeof(why));
        }
        if (one == SEED_VIEW) {
            return one;
        }
        if (complain || one == SEED_FOREIGN) {
            log_warning(log, "--join %.*s: %s", (int)size, at, why);
        }
        outcome = one == SEED_LATER ? SEED_LATER : outcome;
        at += size + (at[size] == ',');
    }
    return outcome;
}

static bool fits(const struct control *control, const struct view *view,
                 const struct view *remembered)
{
    const struct node *node = control->node;
    if (strcmp(view->cluster_name, node->config.cluster_name) != 0) {
        log_error(&node->log,
                  "the cluster to join is named '%s', this node wants '%s' "
                  "(--cluster-name)",
                  view->cluster_name, node->config.cluster_name);
        return false;
    }
    if (remembered != NULL && !node_id_equal(&view->cluster_id, &remembered->cluster_id)) {
        log_error(&node->log,
                  "the state directory %s belongs to another cluster than the one to "
                  "join; use another --state-dir",
                  node->config.state_dir);
        return false;
    }
    if (view->copies != node->config.copies) {
        log_info(&node->log, "the cluster keeps %u copies; --copies %u is the founder's to say",
                 view->copies, node->config.copies);
    }
    if (view->lease_ms != node->config.lease_ms) {
        log_info(&node->log, "the cluster's lease is %u ms; --lease-ms %u is the founder's to say",
                 view->lease_ms, node->config.lease_ms);
    }
    if (view_was_removed(view, &node->id)) {
        log_error(&node->log,
                  "this node was removed from the cluster; to have the machine join anew, empty "
                  "its state directory %s",
                  node->config.state_dir);
        return false;
    }
    return true;
}

struct view *join_cluster(struct control *control, const struct view *remembered)
{
    struct node *node = control->node;
    if (remembered != NULL) {
        /* It knows the members: gossip finds out what happened meanwhile. */
        return fits(control, remembered, NULL) ? view_retain(remembered) : NULL;
    }
    if (node->config.join[0] == '\0') {
        log_info(&node->log, "founding the cluster '%s'", node->config.cluster_name);
        return describe_founder(control);
    }
    uint64_t complained_ms = 0;
    while (!atomic_load(&node->stopping)) {
        uint64_t now_ms = clock_monotonic_ms();
        bool complain = complained_ms == 0 || now_ms - complained_ms > COMPLAIN_MS;
        complained_ms = complain ? now_ms : complained_ms;
        struct view *view = NULL;
        enum seed_outcome outcome = ask_seeds(control, &view, complain);
        if (outcome == SEED_VIEW) {
            if (fits(control, view, remembered)) {
                return view;
            }
            view_release(view);
            return NULL;
        }
        if (outcome == SEED_FOREIGN) {
            log_error(&node->log, "none of the nodes to --join is a Torc node");
            return NULL;
        }
        usleep(RETRY_MS * 1000);
    }
    return NULL;
}
