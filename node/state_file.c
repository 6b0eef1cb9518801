#include "node/state_file.h"

#include "base/codec.h"
#include "base/error.h"
#include "ring/quorum.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#define STATE_MAGIC 0x54534354u /* "TCST" */
#define STATE_VERSION 2
#define STATE_SIZE_MAX (4u * 1024 * 1024)

static int make_folder(const char *folder)
{
    char path[1100];
    snprintf(path, sizeof(path), "%s", folder);
    for (char *at = path + 1; *at != '\0'; at++) {
        if (*at == '/') {
            *at = '\0';
            if (mkdir(path, 0755) != 0 && errno != EEXIST) {
                return TORC_EIO;
            }
            *at = '/';
        }
    }
    return mkdir(path, 0755) == 0 || errno == EEXIST ? TORC_OK : TORC_EIO;
}

static int decode_state(struct bytes input, struct node_state *state)
{
    struct reader reader;
    if (input.size < sizeof(uint64_t)) {
        return TORC_ECORRUPT;
    }
    size_t body = input.size - sizeof(uint64_t);
    reader_init(&reader, (struct bytes){input.data + body, sizeof(uint64_t)});
    if (read_u64(&reader) != XXH3_64bits(input.data, body)) {
        return TORC_ECORRUPT;
    }
    reader_init(&reader, (struct bytes){input.data, body});
    if (read_u32(&reader) != STATE_MAGIC || read_u16(&reader) != STATE_VERSION) {
        return TORC_EVERSION;
    }
    read_raw(&reader, state->id.bytes, NODE_ID_SIZE);
    state->incarnation = read_u64(&reader);
    struct bytes view = read_bytes32(&reader, STATE_SIZE_MAX);
    struct bytes quorum = read_bytes32(&reader, STATE_SIZE_MAX);
    int result = reader_finish(&reader);
    if (result == TORC_OK) {
        result = quorum_check_durable(quorum);
    }
    state->view = NULL;
    if (result == TORC_OK && view.size > 0) {
        struct view *decoded = NULL;
        result = view_decode(&decoded, view, NULL);
        state->view = decoded;
    }
    if (result == TORC_OK) {
        buf_init(&state->quorum);
        buf_append(&state->quorum, quorum.data, quorum.size);
        result = state->quorum.failed ? TORC_ENOMEM : TORC_OK;
    }
    return result;
}

static int read_state(const struct state_file *file, const struct log *log,
                      struct node_state *state)
{
    int fd = open(file->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        return TORC_ENOTFOUND;
    }
    char *data = malloc(STATE_SIZE_MAX);
    ssize_t size = fd < 0 || data == NULL ? -1 : read(fd, data, STATE_SIZE_MAX);
    int result = TORC_EIO;
    if (size < 0) {
        log_error(log, "cannot read %s: %s", file->path, strerror(errno));
    } else {
        result = decode_state((struct bytes){data, (size_t)size}, state);
        if (result != TORC_OK) {
            log_error(log,
                      "%s is damaged or of another version (%s); restore it, or remove it to have "
                      "the node start with a new identity",
                      file->path, torc_strerror(result));
        }
    }
    free(data);
    if (fd >= 0) {
        close(fd);
    }
    return result;
}

int state_file_open(struct state_file *file, const char *folder, const struct log *log,
                    struct node_state *state)
{
    char lock_path[1200];
    snprintf(file->path, sizeof(file->path), "%s/node.state", folder);
    snprintf(lock_path, sizeof(lock_path), "%s/lock", folder);
    file->lock_fd = -1;
    if (make_folder(folder) != TORC_OK) {
        log_error(log, "cannot make the state directory %s (--state-dir): %s", folder,
                  strerror(errno));
        return TORC_EIO;
    }
    file->lock_fd = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (file->lock_fd < 0) {
        log_error(log, "cannot write to the state directory %s (--state-dir): %s", folder,
                  strerror(errno));
        return TORC_EIO;
    }
    if (flock(file->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        log_error(log, "another process uses the state directory %s (--state-dir)", folder);
        return TORC_EEXIST;
    }
    return read_state(file, log, state);
}

static int write_all(int fd, struct bytes data)
{
    while (data.size > 0) {
        ssize_t written = write(fd, data.data, data.size);
        if (written < 0 && errno != EINTR) {
            return TORC_EIO;
        }
        if (written > 0) {
            data.data += written;
            data.size -= (size_t)written;
        }
    }
    return TORC_OK;
}

/* The rename itself is durable only when the folder is. */
static int sync_folder(const char *path)
{
    char folder[1200];
    snprintf(folder, sizeof(folder), "%s", path);
    *strrchr(folder, '/') = '\0';
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = fd >= 0 && fsync(fd) == 0 ? TORC_OK : TORC_EIO;
    if (fd >= 0) {
        close(fd);
    }
    return result;
}

int state_file_write(struct state_file *file, const struct log *log, const struct node_state *state)
{
    struct buf out = {0};
    struct buf view = {0};
    if (state->view != NULL) {
        view_encode(state->view, &view);
    }
    write_u32(&out, STATE_MAGIC);
    write_u16(&out, STATE_VERSION);
    buf_append(&out, state->id.bytes, NODE_ID_SIZE);
    write_u64(&out, state->incarnation);
    write_bytes32(&out, buf_bytes(&view));
    write_bytes32(&out, buf_bytes(&state->quorum));
    if (!out.failed) {
        write_u64(&out, XXH3_64bits(buf_head(&out), buf_size(&out)));
    }
    int result = out.failed || view.failed ? TORC_ENOMEM : TORC_EIO;
    char temporary[1300];
    snprintf(temporary, sizeof(temporary), "%s.new", file->path);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (result == TORC_EIO && fd >= 0 && write_all(fd, buf_bytes(&out)) == TORC_OK &&
        fsync(fd) == 0 && rename(temporary, file->path) == 0 &&
        sync_folder(file->path) == TORC_OK) {
        result = TORC_OK;
    }
    if (result != TORC_OK && !file->failing) {
        log_error(log, "cannot write %s: %s; this node does not vote until it can", file->path,
                  result == TORC_ENOMEM ? torc_strerror(result) : strerror(errno));
    } else if (result == TORC_OK && file->failing) {
        log_info(log, "%s can be written again", file->path);
    }
    file->failing = result != TORC_OK;
    if (fd >= 0) {
        close(fd);
    }
    buf_deinit(&out);
    buf_deinit(&view);
    return result;
}

void node_state_deinit(struct node_state *state)
{
    view_release(state->view);
    state->view = NULL;
    buf_deinit(&state->quorum);
}

void state_file_close(struct state_file *file)
{
    if (file->lock_fd >= 0) {
        close(file->lock_fd);
    }
    file->lock_fd = -1;
}
