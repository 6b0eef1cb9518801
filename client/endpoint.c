#include "client/endpoint.h"

#include "base/error.h"
#include "client/limits.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

void endpoint_set(struct endpoint *endpoint, const char *host, uint16_t port)
{
    size_t size = strlen(host);
    assert(size <= HOST_SIZE_MAX);
    memcpy(endpoint->host, host, size + 1);
    endpoint->port = port;
}

int endpoint_compare(const struct endpoint *a, const struct endpoint *b)
{
    if (a->port != b->port) {
        return a->port < b->port ? -1 : 1;
    }
    return strcmp(a->host, b->host);
}

/* The number of a port, 0 if the text is none. */
static uint16_t parse_port(struct bytes text)
{
    unsigned port = 0;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (c < '0' || c > '9' || port > UINT16_MAX) {
            return 0;
        }
        port = port * 10 + (unsigned)(c - '0');
    }
    return port > UINT16_MAX ? 0 : (uint16_t)port;
}

static bool host_is_clean(struct bytes host)
{
    for (size_t i = 0; i < host.size; i++) {
        if (host.data[i] <= ' ' || host.data[i] == 0x7f || host.data[i] == '[' ||
            host.data[i] == ']' || host.data[i] == ',') {
            return false;
        }
    }
    return host.size <= HOST_SIZE_MAX;
}

int endpoint_parse(struct endpoint *out, struct bytes text, const char *host_if_empty)
{
    const char *colon = text.size == 0 ? NULL : memrchr(text.data, ':', text.size);
    if (colon == NULL) {
        return TORC_EINVAL;
    }
    struct bytes host = {text.data, (size_t)(colon - text.data)};
    uint16_t port = parse_port((struct bytes){colon + 1, text.size - host.size - 1});
    if (host.size >= 2 && host.data[0] == '[' && host.data[host.size - 1] == ']') {
        host = (struct bytes){host.data + 1, host.size - 2};
    } else if (host.size == 0 && host_if_empty != NULL) {
        host = bytes_of(host_if_empty);
    }
    if (port == 0 || host.size == 0 || !host_is_clean(host)) {
        return TORC_EINVAL;
    }
    memmove(out->host, host.data, host.size);
    out->host[host.size] = '\0';
    out->port = port;
    return TORC_OK;
}

void endpoint_format(const struct endpoint *endpoint, char out[ENDPOINT_TEXT_SIZE])
{
    bool v6 = strchr(endpoint->host, ':') != NULL;
    (void)snprintf(out, ENDPOINT_TEXT_SIZE, v6 ? "[%s]:%u" : "%s:%u", endpoint->host,
                   endpoint->port);
}

static struct bytes trim(struct bytes text)
{
    while (text.size > 0 && text.data[0] == ' ') {
        text = (struct bytes){text.data + 1, text.size - 1};
    }
    while (text.size > 0 && text.data[text.size - 1] == ' ') {
        text.size--;
    }
    return text;
}

int endpoint_list_parse(struct endpoint **out, size_t *count, struct bytes text,
                        struct bytes *wrong)
{
    size_t members = 1;
    for (size_t i = 0; i < text.size; i++) {
        members += text.data[i] == ',' ? 1 : 0;
    }
    *wrong = (struct bytes){NULL, 0};
    if (members > SEEDS_MAX) {
        return TORC_ETOOBIG;
    }
    struct endpoint *list = calloc(members, sizeof(*list));
    if (list == NULL) {
        return TORC_ENOMEM;
    }
    for (size_t i = 0; i < members; i++) {
        const char *comma = text.size == 0 ? NULL : memchr(text.data, ',', text.size);
        struct bytes member = text;
        if (comma != NULL) {
            member.size = (size_t)(comma - text.data);
            text = (struct bytes){comma + 1, text.size - member.size - 1};
        }
        member = trim(member);
        if (endpoint_parse(&list[i], member, NULL) != TORC_OK) {
            *wrong = member;
            free(list);
            return TORC_EINVAL;
        }
    }
    *out = list;
    *count = members;
    return TORC_OK;
}
