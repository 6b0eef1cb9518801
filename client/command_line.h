/*
 * From what a user of the library writes as a command to a call of a batch.
 */
#ifndef TORC_CLIENT_COMMAND_LINE_H
#define TORC_CLIENT_COMMAND_LINE_H

#include "client/handle.h"

#include <stdarg.h>

/* Both append one call, or leave the batch as it was and set the handle's error: TORC_EINVAL,
 * TORC_ETOOBIG, TORC_ENOMEM. */
int command_line_format(struct torc *handle, struct batch *batch, const char *format,
                        va_list arguments) TORC_MUST_USE;
int command_line_array(struct torc *handle, struct batch *batch, int argc, const char **argv,
                       const size_t *sizes) TORC_MUST_USE;
/* Of handle->arguments. */
int command_line_add(struct torc *handle, struct batch *batch) TORC_MUST_USE;

#endif
