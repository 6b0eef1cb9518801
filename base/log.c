#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_SIZE_MAX 1024 /* longer lines are cut; nothing that helps an operator is longer */

static const char *const level_names[LOG_LEVEL_COUNT] = {"debug", "info", "warning", "error"};

void log_init(struct log *log, int fd, enum log_level level, const char *name)
{
    log->fd = fd;
    atomic_init(&log->level, (int)level);
    log->name = name;
}

const char *log_level_name(enum log_level level)
{
    return level_names[level];
}

int log_level_parse(const char *name)
{
    for (int i = 0; i < LOG_LEVEL_COUNT; i++) {
        if (strcmp(name, level_names[i]) == 0) {
            return i;
        }
    }
    return -1;
}

static size_t clamp_written(int written, size_t room)
{
    if (written < 0 || room == 0) {
        return 0;
    }
    return (size_t)written < room ? (size_t)written : room - 1;
}

/* The text may quote what a client sent: it must not start lines of its own, nor talk to the
 * operator's terminal. */
static void blank_control_characters(char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)text[i] < ' ' || text[i] == '\x7f') {
            text[i] = ' ';
        }
    }
}

void log_write(const struct log *log, enum log_level level, const char *format, ...)
{
    if (log == NULL || log->fd < 0 ||
        (int)level < atomic_load_explicit(&log->level, memory_order_relaxed)) {
        return;
    }
    char line[LINE_SIZE_MAX];
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct tm utc;
    gmtime_r(&now.tv_sec, &utc);
    size_t used = strftime(line, sizeof(line), "%Y-%m-%dT%H:%M:%S", &utc);
    used += clamp_written(snprintf(line + used, sizeof(line) - used, ".%03ldZ %s %s: ",
                                   now.tv_nsec / 1000000, level_names[level], log->name),
                          sizeof(line) - used);
    size_t text = used;
    va_list arguments;
    va_start(arguments, format);
    used += clamp_written(vsnprintf(line + used, sizeof(line) - used - 1, format, arguments),
                          sizeof(line) - used - 1);
    va_end(arguments);
    blank_control_characters(line + text, used - text);
    line[used++] = '\n';
    /* A log that cannot be written has nowhere to complain to. */
    ssize_t ignored = write(log->fd, line, used);
    (void)ignored;
}
