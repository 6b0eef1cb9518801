/*
 * What a node must remember across restarts: who it is, how often it has started, the last view it
 * installed, and what it has promised to the other voters. One small file, written whole: to a
 * temporary name, synced, renamed, and the folder synced. A damaged file is an error that names it,
 * never a silent new identity.
 */
#ifndef TORC_NODE_STATE_FILE_H
#define TORC_NODE_STATE_FILE_H

#include "base/attributes.h"
#include "base/buf.h"
#include "base/log.h"
#include "ring/node_id.h"
#include "ring/view.h"

#include <stdint.h>

struct state_file {
    char path[1200];
    int lock_fd;  /* keeps a second process out of the folder */
    bool failing; /* the last write failed, and that was logged */
};

struct node_state {
    struct node_id id;
    uint64_t incarnation;
    const struct view *view; /* NULL: none yet; owned */
    struct buf quorum;       /* what it has promised and accepted: quorum_encode; owned */
};

/* Makes the folder if need be, locks it, reads the file. TORC_ENOTFOUND: there is none yet.
 * TORC_EIO, TORC_EEXIST (another process has it), TORC_ECORRUPT: logged, with the path. */
int state_file_open(struct state_file *file, const char *folder, const struct log *log,
                    struct node_state *state) TORC_MUST_USE;
/* Durable when it returns 0. TORC_EIO, TORC_ENOMEM: logged, the first time until it works again;
 * the old file is as it was. */
int state_file_write(struct state_file *file, const struct log *log,
                     const struct node_state *state) TORC_MUST_USE;
void state_file_close(struct state_file *file);
void node_state_deinit(struct node_state *state);

#endif
