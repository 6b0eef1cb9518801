#include "tests/unit/client/support/fake.h"

#include "base/error.h"

#include <check.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 1024

struct peer {
    int fd;
    unsigned number;
    struct buf in;
};

bool fake_said(const struct arguments *arguments, size_t index, const char *lower)
{
    return index < arguments->count && bytes_equal_nocase(arguments->items[index], lower);
}

#define ROW(name, flag, first)                                                                     \
    "*6\r\n" name "\r\n:-2\r\n*1\r\n+" flag "\r\n:" first "\r\n:" first "\r\n:1\r\n"

bool fake_introduce(const struct arguments *arguments, const unsigned *ports, struct buf *out)
{
    if (fake_said(arguments, 0, "torc.view")) {
        buf_append_text(out, "-ERR unknown command 'TORC.VIEW'\r\n");
    } else if (fake_said(arguments, 0, "cluster") && ports == NULL) {
        buf_append_text(out, "-ERR This instance has cluster support disabled\r\n");
    } else if (fake_said(arguments, 0, "cluster")) {
        buf_append_format(out,
                          "*2\r\n*3\r\n:0\r\n:8191\r\n*2\r\n$9\r\n127.0.0.1\r\n:%u\r\n"
                          "*3\r\n:8192\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:%u\r\n",
                          ports[0], ports[1]);
    } else if (fake_said(arguments, 0, "command")) {
        buf_append_text(out,
                        "*5\r\n" ROW("$3\r\nget", "readonly", "1") ROW("$3\r\nset", "write", "1")
                            ROW("$6\r\nappend", "write", "1") ROW("$4\r\nincr", "write", "1")
                                ROW("$4\r\nping", "fast", "0"));
    } else {
        return false;
    }
    return true;
}

/* The size of the request at the front; 0: it is not whole. Requests of tests are small and sound.
 */
static size_t request_end(struct bytes text)
{
    const char *at = text.data;
    const char *end = text.data + text.size;
    unsigned count = 0;
    int used = 0;
    char head[32];
    for (unsigned i = 0, parts = 1; i < parts; i++) {
        const char *line = at == end ? NULL : memchr(at, '\n', (size_t)(end - at));
        if (line == NULL) {
            return 0;
        }
        (void)snprintf(head, sizeof(head), "%.*s", (int)(line - at), at);
        ck_assert_int_eq(sscanf(head + 1, "%u%n", &count, &used), 1);
        at = line + 1;
        if (i == 0) {
            parts += count;
        } else if ((size_t)(end - at) < count + 2) {
            return 0;
        } else {
            at += count + 2;
        }
    }
    return (size_t)(at - text.data);
}

/* False: the connection is over. */
static bool serve(struct fake *fake, struct peer *peer)
{
    char bytes[65536];
    struct arguments arguments = {0};
    struct buf out = {0};
    bool open = true;
    ssize_t got = recv(peer->fd, bytes, sizeof(bytes), 0);
    if (got <= 0) {
        return false;
    }
    buf_append(&peer->in, bytes, (size_t)got);
    for (size_t size; open && (size = request_end(buf_bytes(&peer->in))) > 0;) {
        ck_assert_int_eq(request_split(&arguments, (struct bytes){buf_head(&peer->in), size}),
                         TORC_OK);
        open = fake->answer(fake, peer->number, &arguments, &out);
        buf_consume(&peer->in, size);
    }
    while (buf_size(&out) > 0) {
        ssize_t sent = send(peer->fd, buf_head(&out), buf_size(&out), MSG_NOSIGNAL);
        if (sent <= 0) {
            open = false;
            break;
        }
        buf_consume(&out, (size_t)sent);
    }
    arguments_deinit(&arguments);
    buf_deinit(&out);
    return open;
}

static void *run(void *context)
{
    struct fake *fake = context;
    static _Thread_local struct peer peers[CONNECTIONS_MAX];
    static _Thread_local struct pollfd polls[CONNECTIONS_MAX + 2];
    size_t count = 0;
    for (;;) {
        polls[0] = (struct pollfd){.fd = fake->stop_fds[0], .events = POLLIN};
        polls[1] = (struct pollfd){.fd = fake->listener, .events = POLLIN};
        for (size_t i = 0; i < count; i++) {
            polls[i + 2] = (struct pollfd){.fd = peers[i].fd, .events = POLLIN};
        }
        ck_assert_int_gt(poll(polls, (nfds_t)count + 2, -1), 0);
        if (polls[0].revents != 0) {
            break;
        }
        const size_t known = count;
        for (size_t i = known; i-- > 0;) {
            if (polls[i + 2].revents != 0 && !serve(fake, &peers[i])) {
                close(peers[i].fd);
                buf_deinit(&peers[i].in);
                peers[i] = peers[--count];
            }
        }
        if (polls[1].revents != 0) {
            ck_assert_uint_lt(count, CONNECTIONS_MAX);
            peers[count++] = (struct peer){.fd = accept(fake->listener, NULL, NULL),
                                           .number = atomic_fetch_add(&fake->connections, 1)};
        }
    }
    while (count > 0) {
        close(peers[--count].fd);
        buf_deinit(&peers[count].in);
    }
    return NULL;
}

void fake_start(struct fake *fake, fake_answer *answer, void *context)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(address);
    memset(fake, 0, sizeof(*fake));
    fake->answer = answer;
    fake->context = context;
    fake->listener = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fake->listener, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(listen(fake->listener, 512), 0);
    ck_assert_int_eq(getsockname(fake->listener, (struct sockaddr *)&address, &size), 0);
    ck_assert_int_eq(pipe(fake->stop_fds), 0);
    fake->port = ntohs(address.sin_port);
    (void)snprintf(fake->address, sizeof(fake->address), "127.0.0.1:%u", fake->port);
    ck_assert_int_eq(pthread_create(&fake->thread, NULL, run, fake), 0);
}

void fake_stop(struct fake *fake)
{
    close(fake->stop_fds[1]);
    pthread_join(fake->thread, NULL);
    close(fake->stop_fds[0]);
    close(fake->listener);
}
