#include "node/errand.h"

#include "base/error.h"
#include "node/clock.h"
#include "node/control.h"
#include "node/peers.h"
#include "node/request_text.h"

#include <stdlib.h>

#define REQUEST_LIMIT_MS 2000

/* Freed when it is answered. */
struct errand {
    struct link_request request;
    struct control *control;
    errand_done *done;
};

static void on_errand_done(struct link_request *request, int result, const struct frame *frame)
{
    struct errand *errand = (struct errand *)((char *)request - offsetof(struct errand, request));
    struct bytes content = {NULL, 0};
    if (result == TORC_OK) {
        content = frame_bulk(frame);
    }
    if (errand->done != NULL) {
        errand->done(errand->control, content);
    }
    free(errand);
}

void errand_send(struct control *control, struct peer *peer, size_t argc, const struct bytes *argv,
                 errand_done *done)
{
    struct errand *errand = calloc(1, sizeof(*errand));
    struct link *link = control_link(control, peer->index);
    struct buf command = {0};
    request_append(&command, argc, argv);
    int result = TORC_ENOMEM;
    if (errand != NULL && link != NULL && !command.failed) {
        errand->control = control;
        errand->done = done;
        errand->request.done = on_errand_done;
        errand->request.deadline_ms = clock_monotonic_ms() + REQUEST_LIMIT_MS;
        result = link_send(link, &errand->request, FRAME_NO_SLOT, 0, (struct bytes){NULL, 0},
                           buf_bytes(&command));
    }
    buf_deinit(&command);
    if (result != TORC_OK) {
        free(errand);
        if (done != NULL) {
            done(control, (struct bytes){NULL, 0});
        }
        return;
    }
    link_flush(link);
}
