/*
 * The admin port: small read-only answers over HTTP for probes, scripts and people. libmicrohttpd
 * runs it in a thread of its own; it only reads what any thread may read.
 *
 *      GET /healthz   200 while the process runs
 *      GET /readyz    200 once this node serves all it owns, else 503
 *      GET /view      the view, JSON
 */
#ifndef TORC_NODE_HTTP_H
#define TORC_NODE_HTTP_H

#include "base/attributes.h"

struct http;
struct node;

/* Listens on --bind and --http-port. NULL after the reason was logged. */
struct http *http_start(struct node *node) TORC_MUST_USE;
void http_stop(struct http *http); /* NULL is allowed */

#endif
