/*
 * What a connected client is to the commands: identity, protocol version, name. The worker that
 * owns the connection owns it; other threads see it only through the registry (CLIENT LIST and
 * KILL), so fields are marked with who may touch them.
 */
#ifndef TORC_NODE_SESSION_H
#define TORC_NODE_SESSION_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct command;
struct tracker;

enum session_access {
    ACCESS_ANY,    /* client port: whatever is elsewhere is fetched */
    ACCESS_DIRECT, /* direct port: whatever is elsewhere is answered MOVED */
    ACCESS_BUS,    /* another node asks on behalf of its client: only what is here */
};

enum session_reply_mode { REPLY_ON, REPLY_OFF, REPLY_SKIP_NEXT, REPLY_SKIP_THIS };

/* Whether a client waits for values, and whether another one has asked for that to end. */
enum session_blocking {
    SESSION_FREE,
    SESSION_BLOCKED,
    SESSION_UNBLOCK_TIMEOUT,
    SESSION_UNBLOCK_ERROR
};

/* What a client wants told of changes; see tracking.h. */
enum session_tracking {
    SESSION_TRACKING = 1 << 0,
    SESSION_BCAST = 1 << 1,
    SESSION_OPTIN = 1 << 2,
    SESSION_OPTOUT = 1 << 3,
    SESSION_NOLOOP = 1 << 4,
    SESSION_CACHING = 1 << 5,         /* CLIENT CACHING: of the next command */
    SESSION_REDIRECT_BROKEN = 1 << 6, /* whom it wants told instead is gone */
    SESSION_SUBSCRIBED = 1 << 7,      /* to the one channel */
    SESSION_REDIRECTED_TO = 1 << 8,   /* it is told for others */
};

#define SESSION_NAME_SIZE_MAX 255
#define SESSION_ADDRESS_SIZE 64 /* "[ipv6]:port" with room */

struct session {
    /* constant after opening */
    uint64_t id; /* grows; unique on this node */
    enum session_access access;
    int fd;
    unsigned worker_index;
    uint64_t created_ms;
    char address[SESSION_ADDRESS_SIZE];       /* of the client, "ip:port" */
    char local_address[SESSION_ADDRESS_SIZE]; /* it connected to */

    /* owning worker */
    int protocol; /* 2 or 3 */
    enum session_reply_mode reply_mode;
    bool close_after_reply; /* QUIT, protocol errors: see session_end */
    bool halted;            /* nothing that comes after is executed: it is to close, or waits */
    bool no_touch;
    bool readonly;           /* READONLY: reads may be answered from a replica */
    struct tracker *tracker; /* see tracking.h; NULL = it tracks nothing */

    /* registry lock */
    char name[SESSION_NAME_SIZE_MAX + 1];
    char library_name[SESSION_NAME_SIZE_MAX + 1];
    char library_version[SESSION_NAME_SIZE_MAX + 1];
    struct session *next, *previous;

    /* any thread, relaxed */
    _Atomic uint64_t last_active_ms;
    _Atomic uint64_t command_count;
    _Atomic uint64_t bytes_in, bytes_out;
    _Atomic uint64_t output_bytes; /* unsent */
    _Atomic(const struct command *) last_command;
    _Atomic bool kill_wanted; /* the owning worker closes it at its next look */
    _Atomic bool no_evict;
    _Atomic int blocking;       /* enum session_blocking */
    _Atomic int protocol_shown; /* protocol, for CLIENT LIST of other threads */
    _Atomic unsigned tracking;  /* enum session_tracking; 0 of most */
    _Atomic uint64_t redirect;  /* client that is told instead; 0 = none */
};

/* Has it closed once its replies are sent. */
static inline void session_end(struct session *session)
{
    session->close_after_reply = true;
    session->halted = true;
}

struct session_registry {
    pthread_mutex_t lock;
    struct session *first; /* lock */
    size_t count;          /* lock */
    _Atomic uint64_t last_id;
};

void session_registry_init(struct session_registry *registry);
void session_registry_deinit(struct session_registry *registry);
/* Gives the session its id and lists it. The caller filled the constant fields but the id. */
void session_register(struct session_registry *registry, struct session *session);
void session_unregister(struct session_registry *registry, struct session *session);
size_t session_count(struct session_registry *registry);

#endif
