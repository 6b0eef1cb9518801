/*
 * Lines for an operator: "2026-01-31T12:00:00.123Z level name: text", one write(2) each, so that
 * lines of several threads never mix. The struct is filled once before threads start and read-only
 * after that, except for `level`, which any thread may set.
 */
#ifndef TORC_BASE_LOG_H
#define TORC_BASE_LOG_H

#include "base/attributes.h"

#include <stdatomic.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR, LOG_LEVEL_COUNT };

struct log {
    int fd;            /* borrowed; -1 discards everything */
    _Atomic int level; /* enum log_level: the least that is written */
    const char *name;  /* who speaks, e.g. "torc-node 7001"; borrowed */
};

void log_init(struct log *log, int fd, enum log_level level, const char *name);
void log_write(const struct log *log, enum log_level level, const char *format, ...)
    TORC_PRINTF(3, 4);

/* "debug", "info", "warning", "error". */
const char *log_level_name(enum log_level level);
/* Level of that name, or -1. */
int log_level_parse(const char *name);

#define log_debug(log, ...) log_write((log), LOG_DEBUG, __VA_ARGS__)
#define log_info(log, ...) log_write((log), LOG_INFO, __VA_ARGS__)
#define log_warning(log, ...) log_write((log), LOG_WARNING, __VA_ARGS__)
#define log_error(log, ...) log_write((log), LOG_ERROR, __VA_ARGS__)

#endif
