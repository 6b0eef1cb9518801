#include "client/ring/node_name.h"

#include "base/error.h"
#include "client/endpoint.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static int find_address(const struct view *view, const char *name, size_t *index,
                        char error[RING_ERROR_SIZE])
{
    struct endpoint endpoint;
    if (endpoint_parse(&endpoint, bytes_of(name), NULL) != TORC_OK) {
        (void)snprintf(error, RING_ERROR_SIZE, "'%.100s' is no host:port", name);
        return TORC_EINVAL;
    }
    for (size_t i = 0; i < view->node_count; i++) {
        const struct view_node *node = &view->nodes[i];
        if (strcasecmp(node->host, endpoint.host) == 0 &&
            (endpoint.port == node->client_port || endpoint.port == node->direct_port ||
             endpoint.port == node->http_port || endpoint.port == node->bus_port)) {
            *index = i;
            return TORC_OK;
        }
    }
    (void)snprintf(error, RING_ERROR_SIZE,
                   "no node of the ring listens at '%.100s'; `status` shows those that there are",
                   name);
    return TORC_ENOTFOUND;
}

int node_name_find(const struct view *view, const char *name, size_t *index,
                   char error[RING_ERROR_SIZE])
{
    const size_t size = strlen(name);
    size_t found = 0;
    if (strchr(name, ':') != NULL) {
        return find_address(view, name, index, error);
    }
    if (size < NODE_PREFIX_MIN || size > NODE_ID_TEXT_SIZE - 1 ||
        strspn(name, "0123456789abcdefABCDEF") != size) {
        (void)snprintf(error, RING_ERROR_SIZE,
                       "'%.100s' is no node; accepted: an id, its first %d or more characters, or "
                       "host:port",
                       name, NODE_PREFIX_MIN);
        return TORC_EINVAL;
    }
    for (size_t i = 0; i < view->node_count; i++) {
        char id[NODE_ID_TEXT_SIZE];
        node_id_format(&view->nodes[i].id, id);
        if (strncasecmp(id, name, size) == 0) {
            *index = i;
            found++;
        }
    }
    if (found == 1) {
        return TORC_OK;
    }
    if (found == 0) {
        (void)snprintf(error, RING_ERROR_SIZE,
                       "no node of the ring has an id that begins with '%.100s'", name);
    } else {
        (void)snprintf(error, RING_ERROR_SIZE,
                       "%zu nodes have an id that begins with '%.100s': give more of it", found,
                       name);
    }
    return TORC_ENOTFOUND;
}
