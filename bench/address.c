#include "bench/address.h"

#include "base/error.h"

#include <stdio.h>

static int parse_port(uint16_t *out, struct bytes text)
{
    if (text.size == 0 || text.size > 5) {
        return TORC_EINVAL;
    }
    unsigned port = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return TORC_EINVAL;
        }
        port = port * 10 + (unsigned)(text.data[i] - '0');
    }
    if (port == 0 || port > UINT16_MAX) {
        return TORC_EINVAL;
    }
    *out = (uint16_t)port;
    return TORC_OK;
}

int address_parse(struct address *out, struct bytes text)
{
    size_t colon = text.size;
    while (colon > 0 && text.data[colon - 1] != ':') {
        colon--;
    }
    if (colon == 0) {
        return TORC_EINVAL;
    }
    struct bytes host = {text.data, colon - 1};
    struct bytes port = {text.data + colon, text.size - colon};
    if (host.size >= 2 && host.data[0] == '[' && host.data[host.size - 1] == ']') {
        host = (struct bytes){host.data + 1, host.size - 2};
    }
    if (host.size == 0 || host.size > HOST_SIZE_MAX || memchr(host.data, '\0', host.size) != NULL) {
        return TORC_EINVAL;
    }
    struct address parsed = {0};
    if (parse_port(&parsed.port, port) != TORC_OK) {
        return TORC_EINVAL;
    }
    memcpy(parsed.host, host.data, host.size);
    *out = parsed;
    return TORC_OK;
}

int address_list_parse(struct address_list *out, struct bytes text)
{
    out->count = 0;
    size_t start = 0;
    for (size_t i = 0; i <= text.size; i++) {
        if (i < text.size && text.data[i] != ',') {
            continue;
        }
        if (out->count == ADDRESS_LIST_MAX) {
            return TORC_ETOOBIG;
        }
        int error =
            address_parse(&out->items[out->count], (struct bytes){text.data + start, i - start});
        if (error != TORC_OK) {
            return error;
        }
        out->count++;
        start = i + 1;
    }
    return TORC_OK;
}

bool address_equal(const struct address *a, const struct address *b)
{
    return a->port == b->port && strcmp(a->host, b->host) == 0;
}

void address_format(const struct address *address, char out[ADDRESS_TEXT_SIZE])
{
    bool colons = strchr(address->host, ':') != NULL;
    (void)snprintf(out, ADDRESS_TEXT_SIZE, colons ? "[%s]:%u" : "%s:%u", address->host,
                   (unsigned)address->port);
}
