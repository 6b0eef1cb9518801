#include "node/config_options.h"

#include <stdio.h>
#include <string.h>

#define HELP_WIDTH 80
#define HELP_COLUMN 26 /* where the explanations start */

/* Appends `text` word by word, in lines of at most HELP_WIDTH that start at HELP_COLUMN; the first
 * one is there already. */
static void wrap(struct buf *out, const char *text)
{
    size_t column = HELP_COLUMN;
    for (bool first = true; *text != '\0'; first = false) {
        size_t word = strcspn(text, " ");
        if (!first && column + 1 + word > HELP_WIDTH) {
            buf_append_format(out, "\n%*s", HELP_COLUMN, "");
            column = HELP_COLUMN;
        } else if (!first) {
            buf_append_text(out, " ");
            column++;
        }
        buf_append(out, text, word);
        column += word;
        text += word + strspn(text + word, " ");
    }
    buf_append_text(out, "\n");
}

static void describe(struct buf *out, const char *name, const char *argument, const char *help)
{
    char left[64];
    int size =
        snprintf(left, sizeof(left), "  --%s%s%s", name, argument[0] == '\0' ? "" : " ", argument);
    if (size > HELP_COLUMN - 2) {
        buf_append_format(out, "%s\n%*s", left, HELP_COLUMN, "");
    } else {
        buf_append_format(out, "%-*s", HELP_COLUMN, left);
    }
    wrap(out, help);
}

void config_help(struct buf *out)
{
    static const char *const titles[CONFIG_GROUP_COUNT] = {
        [CONFIG_GROUP_ADDRESS] = "Addresses",
        [CONFIG_GROUP_CLUSTER] = "Cluster",
        [CONFIG_GROUP_RESOURCE] = "Resources",
        [CONFIG_GROUP_OPERATION] = "Operation",
    };
    buf_append_text(out,
                    "Usage: torc-node [OPTION]...\n"
                    "Runs a node of a Torc cache cluster. Options are written --name VALUE or\n"
                    "--name=VALUE.\n");
    for (int group = 0; group < CONFIG_GROUP_COUNT; group++) {
        buf_append_format(out, "\n%s:\n", titles[group]);
        const struct config_option *option = NULL;
        for (size_t i = 0; (option = config_option_at(i)) != NULL; i++) {
            if ((int)option->group == group) {
                describe(out, option->name, option->argument, option->help);
            }
        }
    }
    describe(out, "config", "FILE",
             "read options from FILE first: one \"name value\" a line, # starts a comment");
    describe(out, "help", "", "print this and exit");
    describe(out, "version", "", "print the version and exit");
    buf_append_text(out, "\nExamples:\n"
                         "  torc-node --port 7001\n"
                         "  torc-node --port 7002 --join 127.0.0.1:7001 --memory 512mb\n"
                         "\nMore in torc-node(1) and docs/operations.md.\n");
}
