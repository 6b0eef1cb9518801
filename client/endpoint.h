/*
 * Where a node listens: a host and a port. A value; pure.
 */
#ifndef TORC_CLIENT_ENDPOINT_H
#define TORC_CLIENT_ENDPOINT_H

#include "base/attributes.h"
#include "base/bytes.h"
#include "base/limits.h"

#include <stdint.h>

#define ENDPOINT_TEXT_SIZE (HOST_SIZE_MAX + 1 + 8) /* "[host]:65535" and the zero */

struct endpoint {
    char host[HOST_SIZE_MAX + 1]; /* an address or a DNS name, without brackets; zero-terminated */
    uint16_t port;
};

/* `host` is zero-terminated and at most HOST_SIZE_MAX long. */
void endpoint_set(struct endpoint *endpoint, const char *host, uint16_t port);
/* Total order. */
int endpoint_compare(const struct endpoint *a, const struct endpoint *b);
/* "host:port", "[v6]:port", or "v6:port", as in a MOVED error: the last colon counts. The host may
 * be empty only if `host_if_empty` is not NULL; it is taken then. 0, or TORC_EINVAL with *out
 * undefined. */
int endpoint_parse(struct endpoint *out, struct bytes text,
                   const char *host_if_empty) TORC_MUST_USE;
/* "host:port"; IPv6 addresses get brackets. */
void endpoint_format(const struct endpoint *endpoint, char out[ENDPOINT_TEXT_SIZE]);

/*
 * A list parted by commas, blanks around its members allowed. *out has *count members and is the
 * caller's to free(). 0, TORC_EINVAL (a member that is no host:port; *wrong borrows it from the
 * text, and is empty for an empty list), TORC_ETOOBIG (more than SEEDS_MAX), TORC_ENOMEM.
 */
int endpoint_list_parse(struct endpoint **out, size_t *count, struct bytes text,
                        struct bytes *wrong) TORC_MUST_USE;

#endif
