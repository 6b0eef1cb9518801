#include "node/http.h"

#include "base/error.h"
#include "node/control.h"
#include "node/net.h"
#include "node/node.h"
#include "ring/view.h"

#include <errno.h>
#include <jansson.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HTTP_CONNECTIONS_MAX 64 /* probes and people; more is somebody's mistake */
#define HTTP_IDLE_SECONDS 10

struct http {
    struct node *node;
    struct MHD_Daemon *daemon;
};

static const char *status_name(enum node_status status)
{
    switch (status) {
    case NODE_UP: return "up";
    case NODE_SYNCING: return "syncing";
    case NODE_DOWN: return "down";
    }
    return "unknown";
}

static json_t *node_json(const struct view *view, size_t index, const size_t primaries)
{
    const struct view_node *at = &view->nodes[index];
    char id[NODE_ID_TEXT_SIZE];
    node_id_format(&at->id, id);
    return json_pack(
        "{s:s, s:s, s:i, s:i, s:i, s:i, s:s, s:s, s:f, s:I}", "id", id, "host", at->host,
        "client_port", at->client_port, "direct_port", at->direct_port, "http_port", at->http_port,
        "bus_port", at->bus_port, "zone", at->zone, "status", status_name(at->status), "weight",
        (double)at->weight_current / WEIGHT_UNIT, "primary_slots", (json_int_t)primaries);
}

static char *view_json(struct node *node)
{
    const struct view *view = node_view(node);
    if (view == NULL) {
        return NULL;
    }
    size_t *primaries = calloc(view->node_count + 1, sizeof(*primaries));
    json_t *nodes = json_array();
    for (unsigned slot = 0; primaries != NULL && slot < SLOT_COUNT; slot++) {
        uint16_t owners[COPIES_MAX];
        if (view_owners(view, (uint16_t)slot, owners) > 0) {
            primaries[owners[0]]++;
        }
    }
    for (size_t i = 0; primaries != NULL && i < view->node_count; i++) {
        json_array_append_new(nodes, node_json(view, i, primaries[i]));
    }
    json_t *all = json_pack("{s:s, s:I, s:i, s:o}", "cluster", view->cluster_name, "epoch",
                            (json_int_t)view->epoch, "copies", view->copies, "nodes", nodes);
    char *text = all == NULL ? NULL : json_dumps(all, JSON_INDENT(2));
    json_decref(all);
    free(primaries);
    view_release(view);
    return text;
}

/* Everything this node owns under its present view is here, and it has a view. */
static bool is_ready(struct node *node)
{
    uint64_t epoch = atomic_load(&node->epoch);
    return epoch != 0 && atomic_load(&node->control->ready_epoch) == epoch;
}

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *type,
                              const char *text, enum MHD_ResponseMemoryMode mode)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text, mode);
    if (response == NULL) {
        return MHD_NO;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned status,
                                   const char *text)
{
    return answer(connection, status, "text/plain", text, MHD_RESPMEM_PERSISTENT);
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **request)
{
    (void)version;
    (void)upload;
    (void)request;
    struct http *http = context;
    if (*upload_size > 0) {
        *upload_size = 0; /* nothing here takes a body: read past it */
        return MHD_YES;
    }
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        return answer_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET is answered\n");
    }
    if (strcmp(url, "/healthz") == 0) {
        return answer_text(connection, MHD_HTTP_OK, "ok\n");
    }
    if (strcmp(url, "/readyz") == 0) {
        bool ready = is_ready(http->node);
        return answer_text(connection, ready ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE,
                           ready ? "ready\n" : "not ready\n");
    }
    if (strcmp(url, "/view") == 0) {
        char *text = view_json(http->node);
        if (text == NULL) {
            return answer_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE,
                               "the node has not joined a cluster yet\n");
        }
        return answer(connection, MHD_HTTP_OK, "application/json", text, MHD_RESPMEM_MUST_FREE);
    }
    return answer_text(connection, MHD_HTTP_NOT_FOUND,
                       "torc-node answers /healthz, /readyz and /view here\n");
}

struct http *http_start(struct node *node)
{
    const struct config *config = &node->config;
    struct http *http = calloc(1, sizeof(*http));
    int fd = -1;
    if (http == NULL) {
        return NULL;
    }
    http->node = node;
    int result = net_listen(config->bind, config->http_port, false, &fd);
    if (result == TORC_OK) {
        http->daemon =
            MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, on_request, http,
                             MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
                             (unsigned)HTTP_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
                             (unsigned)HTTP_IDLE_SECONDS, MHD_OPTION_END);
    }
    if (http->daemon == NULL) {
        log_error(&node->log, "cannot listen on %s port %u (--http-port): %s", config->bind,
                  config->http_port,
                  result == TORC_ERESOLVE ? torc_strerror(result) : strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        free(http);
        return NULL;
    }
    return http;
}

void http_stop(struct http *http)
{
    if (http != NULL) {
        MHD_stop_daemon(http->daemon);
        free(http);
    }
}
