/* torc-ring: shows the ring, and changes it. Options, the view through libtorc, then the verb. */
#include "base/error.h"
#include "client/ring/verb.h"
#include "torc/torc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONNECT_TIMEOUT_MS 1000
#define VIEW_TIMEOUT_MS 3000

/* By the variables that decide what a locale's characters are, in their order. */
static bool shows_unicode(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && value[0] != '\0') {
            return strcasestr(value, "utf-8") != NULL || strcasestr(value, "utf8") != NULL;
        }
    }
    return false;
}

static enum exit_code run(struct session *session)
{
    switch (session->options->verb) {
    case RING_STATUS: return verb_status(session);
    case RING_SLOTS: return verb_slots(session);
    case RING_PLAN: return verb_plan(session);
    case RING_CHANGE: return verb_change(session);
    case RING_CANCEL: return verb_cancel(session);
    case RING_WATCH: return verb_watch(session);
    case RING_CHECK: return verb_check(session);
    }
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    struct ring_options options;
    char error[RING_ERROR_SIZE];
    if (ring_options_parse(&options, argc, argv, error) != TORC_OK) {
        (void)fprintf(stderr, "torc-ring: %s\n", error);
        return EXIT_USAGE;
    }
    if (options.help || options.version) {
        (void)printf("%s", options.help ? ring_options_help() : "torc-ring " TORC_VERSION "\n");
        return fflush(stdout) == 0 ? EXIT_WELL : EXIT_PROBLEM;
    }
    const struct torc_options connect = {.seeds = options.seeds,
                                         .connect_timeout_ms = CONNECT_TIMEOUT_MS,
                                         .timeout_ms = VIEW_TIMEOUT_MS};
    struct session session = {.options = &options, .terminal = isatty(STDOUT_FILENO) == 1};
    session.look = (struct look){.colour = session.terminal && getenv("NO_COLOR") == NULL,
                                 .unicode = shows_unicode()};
    enum exit_code code;
    int result = torc_connect(&connect, &session.handle);
    if (result == TORC_EINVAL || result == TORC_ETOOBIG) {
        code = session_refuse(EXIT_USAGE, "-s: %s", torc_error(session.handle));
    } else if (result != TORC_OK) {
        code = session_refuse(EXIT_UNREACHABLE, "cannot read the ring from %s: %s", options.seeds,
                              session.handle == NULL ? torc_strerror(result)
                                                     : torc_error(session.handle));
    } else if (!session_read_view(&session)) {
        code = session_refuse(EXIT_UNREACHABLE,
                              "cannot read the ring from %s: this is no Torc node", options.seeds);
    } else {
        code = run(&session);
    }
    view_release(session.view);
    torc_close(session.handle);
    return (int)code;
}
