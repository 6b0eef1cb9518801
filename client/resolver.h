/*
 * Host names become addresses on a thread of their own, because getaddrinfo blocks and knows no
 * deadline, and everybody's calls would wait for it. Addresses written as numbers need none of
 * this.
 */
#ifndef TORC_CLIENT_RESOLVER_H
#define TORC_CLIENT_RESOLVER_H

#include "base/attributes.h"
#include "client/endpoint.h"

#include <netdb.h>
#include <stdbool.h>

struct resolution;

/* An address written as numbers, at once: 0, or what getaddrinfo says; EAI_NONAME: it is a name. */
int resolver_numeric(const struct endpoint *endpoint, struct addrinfo **out) TORC_MUST_USE;
/* Begins to resolve a name; writes to event_fd when it is done. NULL without memory. */
struct resolution *resolver_start(const struct endpoint *endpoint, int event_fd);
/* True: it is done and gone. *failed is what getaddrinfo said; if that is 0, *out is the caller's.
 */
bool resolver_take(struct resolution *resolution, int *failed, struct addrinfo **out);
/* Nobody waits for it any more; event_fd is not written to after this. */
void resolver_abandon(struct resolution *resolution);

#endif
