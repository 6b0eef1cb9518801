#include "node/net.h"

#include "base/error.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LISTEN_BACKLOG 4096 /* the kernel cuts it to net.core.somaxconn */

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool is_mapped(const struct gossip_address *address)
{
    return memcmp(address->ip, mapped_prefix, sizeof(mapped_prefix)) == 0;
}

unsigned net_to_sockaddr(const struct gossip_address *address, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof(*out));
    if (is_mapped(address)) {
        struct sockaddr_in *in = (struct sockaddr_in *)out;
        in->sin_family = AF_INET;
        in->sin_port = htons(address->port);
        memcpy(&in->sin_addr, address->ip + sizeof(mapped_prefix), sizeof(in->sin_addr));
        return sizeof(*in);
    }
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(address->port);
    memcpy(&in6->sin6_addr, address->ip, sizeof(in6->sin6_addr));
    return sizeof(*in6);
}

bool net_from_sockaddr(const struct sockaddr_storage *from, struct gossip_address *out)
{
    if (from->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)from;
        memcpy(out->ip, mapped_prefix, sizeof(mapped_prefix));
        memcpy(out->ip + sizeof(mapped_prefix), &in->sin_addr, sizeof(in->sin_addr));
        out->port = ntohs(in->sin_port);
        return true;
    }
    if (from->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)from;
        memcpy(out->ip, &in6->sin6_addr, sizeof(out->ip));
        out->port = ntohs(in6->sin6_port);
        return true;
    }
    return false;
}

int net_resolve(const char *host, uint16_t port, struct gossip_address *out)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    if (getaddrinfo(host, NULL, &hints, &found) != 0) {
        return TORC_ERESOLVE;
    }
    int result = TORC_ERESOLVE;
    for (struct addrinfo *at = found; at != NULL && result != TORC_OK; at = at->ai_next) {
        struct sockaddr_storage storage = {0};
        memcpy(&storage, at->ai_addr, at->ai_addrlen);
        if (net_from_sockaddr(&storage, out)) {
            out->port = port;
            result = TORC_OK;
        }
    }
    freeaddrinfo(found);
    return result;
}

static int bound_socket(const char *address, uint16_t port, int type, bool shared, int *out)
{
    struct gossip_address where;
    if (net_resolve(address, port, &where) != TORC_OK) {
        return TORC_ERESOLVE;
    }
    struct sockaddr_storage storage;
    socklen_t size = net_to_sockaddr(&where, &storage);
    int fd = socket(storage.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return TORC_EIO;
    }
    int on = 1;
    if (type == SOCK_STREAM) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    }
    if (shared) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    }
    if (bind(fd, (struct sockaddr *)&storage, size) != 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return TORC_EIO;
    }
    *out = fd;
    return TORC_OK;
}

int net_listen(const char *address, uint16_t port, bool shared, int *out)
{
    int fd = -1;
    int result = bound_socket(address, port, SOCK_STREAM, shared, &fd);
    if (result != TORC_OK) {
        return result;
    }
    if (listen(fd, LISTEN_BACKLOG) != 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return TORC_EIO;
    }
    *out = fd;
    return TORC_OK;
}

int net_probe_free(const char *address, uint16_t port)
{
    int fd = -1;
    int result = net_listen(address, port, false, &fd);
    if (result == TORC_OK) {
        close(fd);
    }
    return result;
}

int net_udp(const char *address, uint16_t port, int *fd)
{
    return bound_socket(address, port, SOCK_DGRAM, false, fd);
}

void net_tune(int fd)
{
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    /* A stream of few packets is sent again every 200 ms at first instead of backing off: under
     * heavy loss a write waits half a second and not three. */
    setsockopt(fd, IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, &on, sizeof(on));
    /* One of many packets at least every second, so that it goes on soon after a partition. Kernels
     * before 6.15 do not know that. */
    int retry_ms_max = NET_RETRY_MS_MAX;
    setsockopt(fd, IPPROTO_TCP, TCP_RTO_MAX_MS, &retry_ms_max, sizeof(retry_ms_max));
}

int net_connect(const struct gossip_address *to, int *out)
{
    struct sockaddr_storage storage;
    socklen_t size = net_to_sockaddr(to, &storage);
    int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return TORC_EIO;
    }
    net_tune(fd);
    if (connect(fd, (struct sockaddr *)&storage, size) != 0 && errno != EINPROGRESS) {
        int saved = errno;
        close(fd);
        errno = saved;
        return TORC_ECONNECT;
    }
    *out = fd;
    return TORC_OK;
}

int net_connect_result(int fd)
{
    int error = 0;
    socklen_t size = sizeof(error);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
        errno = error;
        return TORC_ECONNECT;
    }
    return TORC_OK;
}

void net_format_host(const struct gossip_address *address, char *out, size_t size)
{
    bool mapped = is_mapped(address);
    const void *ip = mapped ? address->ip + sizeof(mapped_prefix) : address->ip;
    if (inet_ntop(mapped ? AF_INET : AF_INET6, ip, out, (socklen_t)size) == NULL) {
        snprintf(out, size, "?");
    }
}

void net_format(const struct gossip_address *address, char *out, size_t size)
{
    char host[INET6_ADDRSTRLEN];
    net_format_host(address, host, sizeof(host));
    snprintf(out, size, is_mapped(address) ? "%s:%u" : "[%s]:%u", host, address->port);
}

static void format_name(int result, const struct sockaddr_storage *name, char *out, size_t size)
{
    struct gossip_address address;
    if (result == 0 && net_from_sockaddr(name, &address)) {
        net_format(&address, out, size);
    } else {
        snprintf(out, size, "?:0");
    }
}

void net_peer_name(int fd, char *out, size_t size)
{
    struct sockaddr_storage name = {0};
    socklen_t name_size = sizeof(name);
    format_name(getpeername(fd, (struct sockaddr *)&name, &name_size), &name, out, size);
}

void net_local_name(int fd, char *out, size_t size)
{
    struct sockaddr_storage name = {0};
    socklen_t name_size = sizeof(name);
    format_name(getsockname(fd, (struct sockaddr *)&name, &name_size), &name, out, size);
}

bool net_own_address(char *out, size_t size)
{
    struct ifaddrs *all = NULL;
    if (getifaddrs(&all) != 0) {
        return false;
    }
    bool found = false;
    for (struct ifaddrs *at = all; at != NULL && !found; at = at->ifa_next) {
        if (at->ifa_addr != NULL && at->ifa_addr->sa_family == AF_INET &&
            (at->ifa_flags & IFF_LOOPBACK) == 0 && (at->ifa_flags & IFF_UP) != 0) {
            struct sockaddr_storage storage = {0};
            struct gossip_address address;
            memcpy(&storage, at->ifa_addr, sizeof(struct sockaddr_in));
            found = net_from_sockaddr(&storage, &address);
            net_format_host(&address, out, size);
        }
    }
    freeifaddrs(all);
    return found;
}
