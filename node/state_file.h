/*
 * What a node must remember across restarts: who it is, how often it has started, and the last view
 * it accepted. One small file, written whole: to a temporary name, synced, renamed, and the folder
 * synced. A damaged file is an error that names it, never a silent new identity.
 */
#ifndef TORC_NODE_STATE_FILE_H
#define TORC_NODE_STATE_FILE_H

#include "base/attributes.h"
#include "base/log.h"
#include "ring/node_id.h"
#include "ring/view.h"

#include <stdint.h>

struct state_file {
    char path[1200];
    int lock_fd; /* keeps a second process out of the folder */
};

struct node_state {
    struct node_id id;
    uint64_t incarnation;
    const struct view *view; /* NULL: none yet; owned */
};

/* Makes the folder if need be, locks it, reads the file. TORC_ENOTFOUND: there is none yet.
 * TORC_EIO, TORC_EEXIST (another process has it), TORC_ECORRUPT: logged, with the path. */
int state_file_open(struct state_file *file, const char *folder, const struct log *log,
                    struct node_state *state) TORC_MUST_USE;
/* Durable when it returns 0. TORC_EIO, TORC_ENOMEM: logged; the old file is as it was. */
int state_file_write(const struct state_file *file, const struct log *log,
                     const struct node_state *state) TORC_MUST_USE;
void state_file_close(struct state_file *file);

#endif
