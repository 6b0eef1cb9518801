/*
 * Sockets: the little that every part of the node asks of the kernel. All sockets are non-blocking
 * and closed on exec. Errors are TORC_E... with errno left as the kernel set it.
 */
#ifndef TORC_NODE_NET_H
#define TORC_NODE_NET_H

#include "base/attributes.h"
#include "ring/gossip.h"

#include <netinet/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NET_RETRY_MS_MAX 1000 /* the least that the kernel takes */

#ifndef TCP_RTO_MAX_MS
#define TCP_RTO_MAX_MS 44 /* of the kernel's tcp.h; the C library's may be older */
#endif

/* A listening TCP socket with SO_REUSEPORT when `shared`. *fd on success. TORC_EIO, TORC_ERESOLVE.
 */
int net_listen(const char *address, uint16_t port, bool shared, int *fd) TORC_MUST_USE;
/* True if nobody listens there yet: with SO_REUSEPORT alone a second node would silently share the
 * first one's port. */
int net_probe_free(const char *address, uint16_t port) TORC_MUST_USE;
int net_udp(const char *address, uint16_t port, int *fd) TORC_MUST_USE;
/* Starts to connect; the socket becomes writable when it is decided (net_connect_result). */
int net_connect(const struct gossip_address *to, int *fd) TORC_MUST_USE;
int net_connect_result(int fd) TORC_MUST_USE; /* 0 or TORC_ECONNECT */
/* No delay, keep-alive, and what is not acknowledged is sent again after NET_RETRY_MS_MAX at most,
 * as far as the kernel can. */
void net_tune(int fd);

/* First address of a host name or of a literal; blocks in the resolver for names. TORC_ERESOLVE. */
int net_resolve(const char *host, uint16_t port, struct gossip_address *out) TORC_MUST_USE;
/* "1.2.3.4:5" or "[::1]:5". */
void net_format(const struct gossip_address *address, char *out, size_t size);
/* "1.2.3.4" or "::1". */
void net_format_host(const struct gossip_address *address, char *out, size_t size);
void net_peer_name(int fd, char *out, size_t size);
void net_local_name(int fd, char *out, size_t size);
/* The first address of this machine that is not loopback; false if there is none. */
bool net_own_address(char *out, size_t size);

struct sockaddr_storage;
unsigned net_to_sockaddr(const struct gossip_address *address, struct sockaddr_storage *out);
bool net_from_sockaddr(const struct sockaddr_storage *from, struct gossip_address *out);

#endif
