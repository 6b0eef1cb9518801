#include "bench/trace.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define READ_SIZE (256u * 1024)

extern char **environ;

/* Reads to the end. 0, TORC_EIO (errno says why), TORC_ENOMEM. */
static int read_all(struct buf *text, int fd)
{
    for (;;) {
        if (buf_reserve(text, READ_SIZE) != TORC_OK) {
            return TORC_ENOMEM;
        }
        ssize_t size = read(fd, buf_tail(text), READ_SIZE);
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size < 0) {
            return TORC_EIO;
        }
        if (size == 0) {
            return TORC_OK;
        }
        buf_commit(text, (size_t)size);
    }
}

static int read_plain(struct buf *text, const char *path, char error[TRACE_ERROR_SIZE])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int result = fd < 0 ? TORC_EIO : read_all(text, fd);
    if (result != TORC_OK) {
        (void)snprintf(error, TRACE_ERROR_SIZE, "cannot read trace '%s': %s", path,
                       result == TORC_EIO ? strerror(errno) : torc_strerror(result));
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return result;
}

/* Starts `xz -dc -- path` with its output in the pipe. 0, or an errno value. */
static int start_xz(pid_t *pid, const char *path, const int pipe_fds[2])
{
    posix_spawn_file_actions_t actions;
    int result = posix_spawn_file_actions_init(&actions);
    if (result != 0) {
        return result;
    }
    result = posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], STDOUT_FILENO);
    if (result == 0) {
        char *arguments[] = {"xz", "-dc", "--", (char *)path, NULL};
        result = posix_spawnp(pid, "xz", &actions, NULL, arguments, environ);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return result;
}

static int read_xz(struct buf *text, const char *path, char error[TRACE_ERROR_SIZE])
{
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC) != 0) {
        (void)snprintf(error, TRACE_ERROR_SIZE, "cannot make a pipe: %s", strerror(errno));
        return TORC_EIO;
    }
    pid_t pid = 0;
    int spawned = start_xz(&pid, path, pipe_fds);
    (void)close(pipe_fds[1]);
    if (spawned != 0) {
        (void)close(pipe_fds[0]);
        (void)snprintf(error, TRACE_ERROR_SIZE,
                       "trace '%s' needs the program xz (package xz-utils) to be read, and it "
                       "cannot be started: %s",
                       path, strerror(spawned));
        return TORC_EIO;
    }
    int result = read_all(text, pipe_fds[0]);
    (void)close(pipe_fds[0]);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (result == TORC_OK && status != 0) {
        result = TORC_EIO;
    }
    if (result != TORC_OK) {
        (void)snprintf(error, TRACE_ERROR_SIZE, "xz could not read trace '%s'", path);
    }
    return result;
}

/* Calls for each key; counts only while `trace->starts` is NULL. */
static int scan(struct trace *trace)
{
    const char *text = buf_head(&trace->text);
    size_t size = buf_size(&trace->text);
    trace->count = 0;
    for (size_t start = 0; start < size;) {
        const char *newline = memchr(text + start, '\n', size - start);
        size_t end = newline != NULL ? (size_t)(newline - text) : size;
        size_t key_size = end - start;
        if (key_size > 0 && text[end - 1] == '\r') {
            key_size--;
        }
        if (key_size > TRACE_KEY_SIZE_MAX) {
            return TORC_ETOOBIG;
        }
        if (key_size > 0) {
            if (trace->starts != NULL) {
                trace->starts[trace->count] = start + trace->text.start;
                trace->sizes[trace->count] = key_size;
            }
            trace->count++;
        }
        start = end + 1;
    }
    return trace->count > 0 ? TORC_OK : TORC_EINVAL;
}

int trace_index(struct trace *trace)
{
    int result = scan(trace);
    if (result != TORC_OK) {
        return result;
    }
    trace->starts = calloc(trace->count, sizeof(trace->starts[0]));
    trace->sizes = calloc(trace->count, sizeof(trace->sizes[0]));
    if (trace->starts == NULL || trace->sizes == NULL) {
        return TORC_ENOMEM;
    }
    return scan(trace);
}

int trace_load(struct trace *trace, const char *path, char error[TRACE_ERROR_SIZE])
{
    memset(trace, 0, sizeof(*trace));
    size_t length = strlen(path);
    bool compressed = length > 3 && strcmp(path + length - 3, ".xz") == 0;
    int result =
        compressed ? read_xz(&trace->text, path, error) : read_plain(&trace->text, path, error);
    if (result == TORC_OK) {
        result = trace_index(trace);
        const char *reason = result == TORC_EINVAL    ? "there is no key in it"
                             : result == TORC_ETOOBIG ? "a line is longer than a key may be"
                                                      : torc_strerror(result);
        if (result != TORC_OK) {
            (void)snprintf(error, TRACE_ERROR_SIZE, "cannot use trace '%s': %s", path, reason);
        }
    }
    if (result != TORC_OK) {
        trace_deinit(trace);
    }
    return result;
}

void trace_deinit(struct trace *trace)
{
    buf_deinit(&trace->text);
    free(trace->starts);
    free(trace->sizes);
    memset(trace, 0, sizeof(*trace));
}
