/*
 * From what a user of the library writes as a command to a call. Without the lock; any thread.
 */
#ifndef TORC_CLIENT_COMMAND_LINE_H
#define TORC_CLIENT_COMMAND_LINE_H

#include "client/handle.h"

#include <stdarg.h>

/* All make a call, with the deadline, the origin and the route that it has now; it is the caller's.
 * `options` may be NULL. 0, or the thread's error is set: TORC_EINVAL, TORC_ETOOBIG, TORC_ENOMEM.
 */
int command_line_format(struct torc *handle, struct call **out, const char *format,
                        va_list arguments) TORC_MUST_USE;
int command_line_array(struct torc *handle, struct call **out,
                       const struct torc_call_options *options, int argc, const char **argv,
                       const size_t *sizes) TORC_MUST_USE;
int command_line_bytes(struct torc *handle, struct call **out, const struct bytes *argv,
                       size_t argc) TORC_MUST_USE;

/* The time that a call has from now on. */
void command_line_set_deadline(const struct torc *handle, struct call *call, int timeout_ms);

#endif
