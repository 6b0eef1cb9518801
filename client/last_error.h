/*
 * The last error of a thread, as errno is: of its last call to the library, with the handle that it
 * was made on. The one thing that is not in a handle, because threads share those.
 */
#ifndef TORC_CLIENT_LAST_ERROR_H
#define TORC_CLIENT_LAST_ERROR_H

#include "base/attributes.h"
#include "torc/torc.h"

struct call;

/* Begins a call of the library: forgets the last error. */
void last_error_begin(const struct torc *handle);
/* Sets error and text, and returns the error. */
int last_error_set(const struct torc *handle, int error, const char *format, ...) TORC_PRINTF(3, 4);
/* The same, with the text of torc_strerror; with that of a completed call; of invalid options. */
int last_error_plain(const struct torc *handle, int error);
int last_error_of_call(const struct torc *handle, const struct call *call);
int last_error_of_options(const struct torc *handle);

#endif
