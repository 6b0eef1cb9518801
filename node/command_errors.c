#include "node/command_errors.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>

/* What an error repeats of a request, so that a huge argument does not come back whole. */
#define QUOTED_SIZE_MAX 128

static size_t quoted_size(struct bytes text, size_t size_max)
{
    return strnlen(text.data == NULL ? "" : text.data, text.size < size_max ? text.size : size_max);
}

void reply_unknown_command(struct reply_writer *writer, const struct bytes *argv, size_t argc)
{
    assert(argc > 0);
    char arguments[QUOTED_SIZE_MAX * 2];
    size_t size = 0;
    arguments[0] = '\0';
    for (size_t i = 1; i < argc && size < QUOTED_SIZE_MAX; i++) {
        int quoted = (int)quoted_size(argv[i], QUOTED_SIZE_MAX - size);
        int written = snprintf(arguments + size, sizeof(arguments) - size, "'%.*s' ", quoted,
                               quoted == 0 ? "" : argv[i].data);
        assert(written > 0);
        size += (size_t)written;
        assert(size < sizeof(arguments));
    }
    int name_size = (int)quoted_size(argv[0], QUOTED_SIZE_MAX);
    reply_error(writer, "ERR unknown command '%.*s', with args beginning with: %s", name_size,
                name_size == 0 ? "" : argv[0].data, arguments);
}

void reply_unknown_subcommand(struct reply_writer *writer, const struct command *container,
                              const struct bytes *argv, size_t argc)
{
    assert(argc >= 2);
    char upper[32];
    size_t size = strlen(container->name);
    assert(size < sizeof(upper));
    for (size_t i = 0; i <= size; i++) {
        upper[i] = (char)toupper((unsigned char)container->name[i]);
    }
    int quoted = (int)quoted_size(argv[1], QUOTED_SIZE_MAX);
    reply_error(writer, "ERR unknown subcommand '%.*s'. Try %s HELP.", quoted,
                quoted == 0 ? "" : argv[1].data, upper);
}

void reply_wrong_arity(struct reply_writer *writer, const struct command *command)
{
    reply_error(writer, "ERR wrong number of arguments for '%s' command", command->name);
}
