/*
 * The command line of torc-ring. Pure, but for getopt's globals: one thread, one call.
 */
#ifndef TORC_CLIENT_RING_OPTIONS_H
#define TORC_CLIENT_RING_OPTIONS_H

#include "base/attributes.h"

#include <stdbool.h>

#define RING_ERROR_SIZE 320

enum ring_verb { RING_STATUS, RING_SLOTS };

struct ring_options {
    enum ring_verb verb;
    const char *seeds; /* as given: "host:port,..."; checked by torc_connect. Borrowed from argv */
    bool json;
    bool help;
    bool version;
    char **keys; /* of `slots`; borrowed from argv */
    int key_count;
};

/* Options may stand before and behind the verb; "--" ends them. Sorts argv. With help or version
 * nothing else is looked at. 0, or TORC_EINVAL with one line that names what is wrong and what is
 * accepted. */
int ring_options_parse(struct ring_options *out, int argc, char **argv,
                       char error[RING_ERROR_SIZE]) TORC_MUST_USE;

/* The text of --help; static. */
const char *ring_options_help(void);

#endif
