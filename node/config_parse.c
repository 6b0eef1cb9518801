#include "base/error.h"
#include "node/config.h"
#include "node/config_options.h"
#include "node/version.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRAM "torc-node"

/* One option's value, from wherever: `where` is "--acks" or "FILE:3: acks". */
static bool apply(struct config *config, const char *where, const struct config_option *option,
                  struct bytes text, struct buf *out)
{
    struct config_value value;
    size_t before = buf_size(out);
    buf_append_format(out, PROGRAM ": %s: ", where);
    if (config_option_parse(option, NULL, text, &value, out) != TORC_OK) {
        buf_append_text(out, "\n");
        return false;
    }
    out->end = out->start + before;
    config_option_store(option, config, &value);
    return true;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct bytes trim(struct bytes text)
{
    while (text.size > 0 && is_space(text.data[0])) {
        text = (struct bytes){text.data + 1, text.size - 1};
    }
    while (text.size > 0 && is_space(text.data[text.size - 1])) {
        text.size--;
    }
    return text;
}

/* A comment starts with a '#' at the beginning of a line or behind white space. */
static struct bytes without_comment(struct bytes line)
{
    for (size_t i = 0; i < line.size; i++) {
        if (line.data[i] == '#' && (i == 0 || is_space(line.data[i - 1]))) {
            line.size = i;
        }
    }
    return trim(line);
}

static bool apply_line(struct config *config, const char *path, unsigned number, struct bytes line,
                       struct buf *out)
{
    line = without_comment(line);
    if (line.size == 0) {
        return true;
    }
    struct bytes name = {line.data, 0};
    while (name.size < line.size && !is_space(line.data[name.size])) {
        name.size++;
    }
    struct bytes value = trim((struct bytes){line.data + name.size, line.size - name.size});
    const struct config_option *option = config_option_find(name);
    if (option == NULL) {
        buf_append_format(out,
                          PROGRAM ": %s:%u: there is no option '%.*s'; see " PROGRAM " --help\n",
                          path, number, (int)(name.size < 200 ? name.size : 200), name.data);
        return false;
    }
    if (value.size == 0 && option->min > 0) {
        buf_append_format(out, PROGRAM ": %s:%u: %s needs a value\n", path, number, option->name);
        return false;
    }
    char where[CONFIG_PATH_SIZE_MAX + 64];
    snprintf(where, sizeof(where), "%s:%u: %s", path, number, option->name);
    return apply(config, where, option, value, out);
}

static bool read_file(struct config *config, const char *path, struct buf *out)
{
    if (strlen(path) > CONFIG_PATH_SIZE_MAX) {
        buf_append_format(out, PROGRAM ": --config: the path is longer than %d bytes\n",
                          CONFIG_PATH_SIZE_MAX);
        return false;
    }
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        buf_append_format(out, PROGRAM ": --config: cannot read %s: %s\n", path, strerror(errno));
        return false;
    }
    bool good = true;
    char *line = NULL;
    size_t capacity = 0;
    ssize_t size = 0;
    for (unsigned number = 1; good && (size = getline(&line, &capacity, file)) >= 0; number++) {
        good = apply_line(config, path, number, (struct bytes){line, (size_t)size}, out);
    }
    if (good && ferror(file)) { /* a directory opens, but does not read */
        buf_append_format(out, PROGRAM ": --config: cannot read %s: %s\n", path, strerror(errno));
        good = false;
    }
    free(line);
    fclose(file);
    memcpy(config->config_file, path, strlen(path) + 1);
    return good;
}

/* An argument taken apart: --name value (two arguments) or --name=value. */
struct argument {
    struct bytes name;  /* without the dashes */
    const char *value;  /* NULL when missing */
    const char *joined; /* the value behind '=', else NULL */
};

static bool take_argument(int argc, char **argv, int index, struct argument *out, struct buf *error)
{
    const char *text = argv[index];
    if (strncmp(text, "--", 2) != 0 || text[2] == '\0') {
        buf_append_format(error, PROGRAM ": unexpected argument '%s'; see " PROGRAM " --help\n",
                          text);
        return false;
    }
    const char *equals = strchr(text, '=');
    size_t size = equals == NULL ? strlen(text + 2) : (size_t)(equals - text - 2);
    out->name = (struct bytes){text + 2, size};
    out->joined = equals == NULL ? NULL : equals + 1;
    out->value = out->joined;
    if (out->value == NULL && index + 1 < argc) {
        out->value = argv[index + 1];
    }
    return true;
}

static bool apply_argument(struct config *config, const struct argument *argument, struct buf *out)
{
    bool names_file = bytes_equal(argument->name, BYTES_LITERAL("config"));
    const struct config_option *option = names_file ? NULL : config_option_find(argument->name);
    if (option == NULL && !names_file) {
        buf_append_format(out, PROGRAM ": there is no option --%.*s; see " PROGRAM " --help\n",
                          (int)argument->name.size, argument->name.data);
        return false;
    }
    if (argument->value == NULL) {
        buf_append_format(out, PROGRAM ": --%s needs a value\n",
                          names_file ? "config" : option->name);
        return false;
    }
    if (names_file) {
        return true; /* read before, so that the options stand over it */
    }
    char where[64];
    snprintf(where, sizeof(where), "--%s", option->name);
    return apply(config, where, option, bytes_of(argument->value), out);
}

struct derived_port {
    const char *name;
    uint16_t *port;
    unsigned offset;
};

static bool derive_ports(struct config *config, struct buf *out)
{
    const struct derived_port ports[] = {
        {"port", &config->port, 0},
        {"direct-port", &config->direct_port, CONFIG_DIRECT_PORT_OFFSET},
        {"http-port", &config->http_port, CONFIG_HTTP_PORT_OFFSET},
        {"bus-port", &config->bus_port, CONFIG_BUS_PORT_OFFSET},
    };
    for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
        unsigned port = *ports[i].port == 0 ? config->port + ports[i].offset : *ports[i].port;
        if (port > UINT16_MAX) {
            buf_append_format(out,
                              PROGRAM ": --%s: port %u + %u is past %u; give --%s, or a --port up "
                                      "to %u\n",
                              ports[i].name, config->port, ports[i].offset, UINT16_MAX,
                              ports[i].name, UINT16_MAX - ports[i].offset);
            return false;
        }
        *ports[i].port = (uint16_t)port;
        for (size_t j = 0; j < i; j++) {
            if (*ports[j].port == port) {
                buf_append_format(out, PROGRAM ": --%s: %u is taken by --%s already\n",
                                  ports[i].name, port, ports[j].name);
                return false;
            }
        }
    }
    return true;
}

static enum config_outcome print_and_exit(const char *argument, struct buf *out)
{
    if (strcmp(argument, "--help") == 0) {
        config_help(out);
    } else {
        buf_append_text(out, PROGRAM " " TORC_VERSION "\n");
    }
    return CONFIG_EXIT_OK;
}

static bool asks_for_text(const char *argument)
{
    return strcmp(argument, "--help") == 0 || strcmp(argument, "--version") == 0;
}

enum config_outcome config_parse_text(struct config *config, int argc, char **argv, struct buf *out)
{
    config_defaults(config);
    /* Zero and empty mean "not given" until everything has been read. */
    config->direct_port = config->http_port = config->bus_port = 0;
    config->state_dir[0] = '\0';
    struct argument argument;
    for (int i = 1; i < argc; i++) {
        if (asks_for_text(argv[i])) {
            return print_and_exit(argv[i], out);
        }
        if (!take_argument(argc, argv, i, &argument, out)) {
            return CONFIG_EXIT_USAGE;
        }
        if (bytes_equal(argument.name, BYTES_LITERAL("config")) && argument.value != NULL &&
            !read_file(config, argument.value, out)) {
            return CONFIG_EXIT_USAGE;
        }
        i += argument.joined == NULL ? 1 : 0;
    }
    for (int i = 1; i < argc; i++) {
        if (!take_argument(argc, argv, i, &argument, out) ||
            !apply_argument(config, &argument, out)) {
            return CONFIG_EXIT_USAGE;
        }
        i += argument.joined == NULL ? 1 : 0;
    }
    if (!derive_ports(config, out)) {
        return CONFIG_EXIT_USAGE;
    }
    if (config->state_dir[0] == '\0') {
        snprintf(config->state_dir, sizeof(config->state_dir), "./torc-%u", config->port);
    }
    return CONFIG_RUN;
}

enum config_outcome config_parse(struct config *config, int argc, char **argv)
{
    struct buf text = {0};
    enum config_outcome outcome = config_parse_text(config, argc, argv, &text);
    FILE *stream = outcome == CONFIG_EXIT_USAGE ? stderr : stdout;
    fwrite(buf_head(&text), 1, buf_size(&text), stream);
    fflush(stream);
    buf_deinit(&text);
    return outcome;
}
