/*
 * The bytes that quorums exchange: docs/protocol.md, "Quorum", is normative. Internal to the
 * quorum.
 */
#ifndef TORC_RING_QUORUM_MESSAGE_H
#define TORC_RING_QUORUM_MESSAGE_H

#include "base/attributes.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "ring/agreement.h"
#include "ring/ring_wish.h"
#include "ring/view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUORUM_SILENT_MAX 40 /* ids in one datagram, which stays under 1 400 bytes */
#define QUORUM_SLOW_MAX 32   /* ids in one report */

enum quorum_kind {
    QUORUM_LEASE_REQUEST = 1, /* datagram */
    QUORUM_LEASE_ANSWER = 2,  /* datagram */
    QUORUM_AGREEMENT = 3,
    QUORUM_VIEW = 4, /* a decided view */
    QUORUM_REPORT = 5,
    QUORUM_WISH = 6,
};

/* Every field that some kind has; those of other kinds are zero. */
struct quorum_wire {
    uint8_t kind; /* enum quorum_kind */
    uint64_t cluster_tag;
    struct node_id sender;
    uint64_t incarnation; /* of the sender */
    uint64_t epoch;       /* of the newest view it knows */

    /* lease request; answer: the first two repeated, and granted */
    uint64_t asked_ms; /* by the clock of who asks; means nothing to others */
    uint64_t asker;    /* answer: incarnation of who asked */
    bool answered;     /* request: the receiver has answered this node within the last lease */
    bool leaving;
    bool farewell; /* it serves nothing any more */
    bool granted;
    uint64_t complete_epoch;
    /* Of a voter: nodes whose status is another than it hears: not down, and not heard from for a
     * lease; or down, and heard. */
    size_t silent_count;
    struct node_id silent[QUORUM_SILENT_MAX];

    struct agreement_message agreement; /* its view is retained by the decoder */
    const struct view *view;            /* retained by the decoder */

    /* report */
    bool has_ready;
    uint8_t ready[SLOT_COUNT / 8];
    size_t slow_count;
    struct node_id slow[QUORUM_SLOW_MAX];

    /* wish; zero ids = none */
    struct node_id prefer;
    struct node_id forget;
    struct ring_wish ring; /* owned by the decoded message; without a tag = none */
};

void quorum_wire_encode(const struct quorum_wire *wire, struct buf *out);
/* `known`: as in view_decode. 0, TORC_ECORRUPT, TORC_EVERSION, TORC_ENOMEM; on success release with
 * quorum_wire_deinit. */
int quorum_wire_decode(struct quorum_wire *wire, struct bytes input,
                       const struct view *known) TORC_MUST_USE;
void quorum_wire_deinit(struct quorum_wire *wire);

#endif
