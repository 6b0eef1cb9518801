#include "client/ring/options.h"

#include "base/error.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define ACCEPTED_OPTIONS "-s HOST:PORT, --json, --help, --version"

const char *ring_options_help(void)
{
    return "Usage: torc-ring -s HOST:PORT[,HOST:PORT...] VERB [--json]\n"
           "Shows the ring of a Torc cluster: who is in it and who owns what.\n"
           "\n"
           "  status               the nodes, their shares, and what is wrong\n"
           "  slots KEY...         slot, primary and replicas of each key\n"
           "\n"
           "  -s, --server HOST:PORT[,..]  ports of any nodes; the first that answers\n"
           "                       is asked (required)\n"
           "      --json           JSON instead of text\n"
           "  -h, --help           print this and exit\n"
           "      --version        print the version and exit\n"
           "\n"
           "Exit codes: 0 all is well; 1 a problem was found; 2 wrong usage; 3 cannot\n"
           "connect. Colour only on a terminal, and not if NO_COLOR is set.\n"
           "\n"
           "Examples:\n"
           "  torc-ring -s 127.0.0.1:7001 status\n"
           "  torc-ring -s 127.0.0.1:7001 slots user:1 user:2 --json\n"
           "\n"
           "More in torc-ring(1).\n";
}

static int parse_verb(struct ring_options *out, int count, char **words,
                      char error[RING_ERROR_SIZE])
{
    if (count == 0) {
        (void)snprintf(error, RING_ERROR_SIZE, "a verb is missing; accepted: status, slots");
        return TORC_EINVAL;
    }
    if (strcmp(words[0], "status") == 0) {
        out->verb = RING_STATUS;
        if (count > 1) {
            (void)snprintf(error, RING_ERROR_SIZE, "status: unexpected argument '%.100s'",
                           words[1]);
            return TORC_EINVAL;
        }
        return TORC_OK;
    }
    if (strcmp(words[0], "slots") == 0) {
        out->verb = RING_SLOTS;
        out->keys = words + 1;
        out->key_count = count - 1;
        if (count == 1) {
            (void)snprintf(error, RING_ERROR_SIZE,
                           "slots: a key is missing; accepted: slots KEY...");
            return TORC_EINVAL;
        }
        return TORC_OK;
    }
    (void)snprintf(error, RING_ERROR_SIZE, "unknown verb '%.100s'; accepted: status, slots",
                   words[0]);
    return TORC_EINVAL;
}

int ring_options_parse(struct ring_options *out, int argc, char **argv, char error[RING_ERROR_SIZE])
{
    static const struct option long_options[] = {
        {"server", required_argument, NULL, 's'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},
        {NULL, 0, NULL, 0},
    };
    *out = (struct ring_options){.verb = RING_STATUS};
    opterr = 0;
    optind = 0;
    for (int code; (code = getopt_long(argc, argv, ":s:h", long_options, NULL)) != -1;) {
        const char *word = argv[optind - 1];
        switch (code) {
        case 's': out->seeds = optarg; break;
        case 'j': out->json = true; break;
        case 'h': out->help = true; return TORC_OK;
        case 'v': out->version = true; return TORC_OK;
        case ':':
            (void)snprintf(error, RING_ERROR_SIZE,
                           "%.100s: a value is missing; accepted: HOST:PORT", word);
            return TORC_EINVAL;
        default:
            if (optopt != 0 && strchr(word, '=') != NULL) {
                (void)snprintf(error, RING_ERROR_SIZE, "%.100s: takes no value", word);
            } else {
                (void)snprintf(error, RING_ERROR_SIZE,
                               "unknown option '%.100s'; accepted: " ACCEPTED_OPTIONS, word);
            }
            return TORC_EINVAL;
        }
    }
    int result = parse_verb(out, argc - optind, argv + optind, error);
    if (result == TORC_OK && out->seeds == NULL) {
        (void)snprintf(error, RING_ERROR_SIZE,
                       "-s is missing; accepted: -s HOST:PORT[,HOST:PORT...]");
        return TORC_EINVAL;
    }
    return result;
}
