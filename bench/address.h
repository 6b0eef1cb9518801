/*
 * HOST:PORT as a user writes it and as servers advertise it. Values, no sockets: bench/socket.h
 * turns one into a connection.
 */
#ifndef TORC_BENCH_ADDRESS_H
#define TORC_BENCH_ADDRESS_H

#include "base/attributes.h"
#include "base/bytes.h"
#include "base/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADDRESS_TEXT_SIZE (HOST_SIZE_MAX + 9) /* "[host]:65535" and the terminating zero */
#define ADDRESS_LIST_MAX 64                   /* seeds that one command line may name */

struct address {
    char host[HOST_SIZE_MAX + 1]; /* name or number, zero-terminated, without brackets */
    uint16_t port;                /* host byte order, never 0 */
};

struct address_list {
    struct address items[ADDRESS_LIST_MAX];
    size_t count;
};

/* "host:port" or "[v6]:port"; the last colon splits, so "::1:6379" is read as ::1 too.
 * 0 or TORC_EINVAL. */
int address_parse(struct address *out, struct bytes text) TORC_MUST_USE;
/* Addresses split by commas. 0, TORC_EINVAL, or TORC_ETOOBIG past ADDRESS_LIST_MAX. */
int address_list_parse(struct address_list *out, struct bytes text) TORC_MUST_USE;

bool address_equal(const struct address *a, const struct address *b);
/* Writes it back, with brackets around a host that has colons. */
void address_format(const struct address *address, char out[ADDRESS_TEXT_SIZE]);

#endif
