#include "client/ring/verb.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum exit_code refuse_if_mute(const struct session *session)
{
    if (session->options->yes) {
        return EXIT_WELL;
    }
    if (session->options->json) {
        return session_refuse(EXIT_USAGE, "--json does not ask: give --yes to change the ring");
    }
    if (isatty(STDIN_FILENO) != 1) {
        return session_refuse(EXIT_USAGE, "standard input is no terminal, so that nobody can be "
                                          "asked: give --yes to change the ring");
    }
    return EXIT_WELL;
}

enum exit_code confirm(const struct session *session, const char *question)
{
    char answer[16];
    if (session->options->yes) {
        return EXIT_WELL;
    }
    (void)fprintf(stderr, "%s [y/N] ", question);
    (void)fflush(stderr);
    if (fgets(answer, sizeof(answer), stdin) == NULL) {
        answer[0] = '\0';
        (void)fputc('\n', stderr);
    }
    answer[strcspn(answer, "\n")] = '\0';
    if (strcmp(answer, "y") == 0 || strcmp(answer, "Y") == 0 || strcmp(answer, "yes") == 0) {
        return EXIT_WELL;
    }
    return session_refuse(EXIT_UNCONFIRMED, "not confirmed: nothing is changed");
}
