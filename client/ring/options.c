#include "client/ring/options.h"

#include "base/error.h"
#include "base/limits.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define ACCEPTED_OPTIONS "-s HOST:PORT, --by WHAT, --json, --yes, --watch, --help, --version"
#define ACCEPTED_VERBS                                                                             \
    "status, slots, plan, add, drain, weight, remove, rebalance, cancel, watch, check"
#define ACCEPTED_CHANGES "add, drain, weight, remove, rebalance"
#define ACCEPTED_BALANCES "bytes, ops, slots"

/* What was said, before it is known whether it fits together. */
struct words {
    int count;
    char **words;
    const char *by; /* NULL: not given */
};

/* What stands behind each changing verb. */
static const struct {
    const char *name;
    const char *usage;
    bool node;
    bool weight;          /* may be given */
    bool weight_required; /* must be */
} changes[] = {
    [CHANGE_ADD] = {"add", "add NODE [W]", true, true, false},
    [CHANGE_DRAIN] = {"drain", "drain NODE", true, false, false},
    [CHANGE_WEIGHT] = {"weight", "weight NODE W", true, true, true},
    [CHANGE_REMOVE] = {"remove", "remove NODE", true, false, false},
    [CHANGE_REBALANCE] = {"rebalance", "rebalance --by bytes|ops|slots", false, false, false},
};

static const char *const balances[] = {
    [BALANCE_SLOTS] = "slots",
    [BALANCE_BYTES] = "bytes",
    [BALANCE_OPS] = "ops",
};

const char *ring_change_name(enum change_kind kind)
{
    return changes[kind].name;
}

const char *ring_balance_name(enum balance by)
{
    return balances[by];
}

const char *ring_options_help(void)
{
    return "Usage: torc-ring -s HOST:PORT[,HOST:PORT...] VERB [ARGUMENTS] [OPTIONS]\n"
           "Shows the ring of a Torc cluster, and changes it while it is served.\n"
           "\n"
           "  status               the nodes, what each has, and what is wrong\n"
           "  slots KEY...         slot, primary and replicas of each key\n"
           "  plan CHANGE          what a change would move, how much, how long, and the\n"
           "                       balance before and after; CHANGE is one of these:\n"
           "  add NODE [W]         give a node that has no slots its share, or weight W\n"
           "  drain NODE           take all slots from a node; it stays a member\n"
           "  weight NODE W        set its share relative to the others, 0 to 100\n"
           "  remove NODE          take all slots from a node, and the node out\n"
           "  rebalance --by WHAT  weights that even out bytes, ops or slots\n"
           "  cancel               move back what the change under way has moved\n"
           "  watch                follow the change under way until it ends\n"
           "  check                verify views, leaders and that all copies are equal,\n"
           "                       while the cluster is used\n"
           "\n"
           "NODE is an id, its first 4 or more characters, or host:port of any of its\n"
           "ports. A change is made by the cluster: it goes on when torc-ring is killed.\n"
           "\n"
           "  -s, --server HOST:PORT[,..]  ports of any nodes; the first that answers\n"
           "                       is asked (required)\n"
           "      --by WHAT        rebalance: bytes, ops or slots\n"
           "      --json           JSON instead of text\n"
           "      --yes            change without asking\n"
           "      --watch          after a change has begun, go on as watch\n"
           "  -h, --help           print this and exit\n"
           "      --version        print the version and exit\n"
           "\n"
           "Exit codes: 0 all is well; 1 a problem was found; 2 wrong usage; 3 cannot\n"
           "connect; 4 refused, or not what was asked for; 5 not confirmed; 6 not begun\n"
           "in time. Colour only on a terminal, and not if NO_COLOR is set.\n"
           "\n"
           "Examples:\n"
           "  torc-ring -s 127.0.0.1:7001 status\n"
           "  torc-ring -s 127.0.0.1:7001 plan add 10.0.0.9:7001\n"
           "  torc-ring -s 127.0.0.1:7001 drain 1f3a --yes --watch\n"
           "\n"
           "More in torc-ring(1).\n";
}

/* As torc-node reads --weight: up to three digits behind the point, so that what is asked for is
 * exactly what was written. */
static bool parse_weight(const char *text, uint32_t *out)
{
    uint32_t value = 0;
    uint32_t worth = WEIGHT_UNIT;
    const char *c = text;
    for (; *c >= '0' && *c <= '9'; c++) {
        value = value * 10 + (uint32_t)(*c - '0') * WEIGHT_UNIT;
        if (value > WEIGHT_MAX) {
            return false;
        }
    }
    if (c == text) {
        return false;
    }
    if (*c == '.') {
        for (c++; *c >= '0' && *c <= '9' && worth > 1; c++) {
            worth /= 10;
            value += (uint32_t)(*c - '0') * worth;
        }
        if (worth == WEIGHT_UNIT) {
            return false;
        }
    }
    *out = value;
    return *c == '\0' && value <= WEIGHT_MAX;
}

static int parse_by(struct change_request *out, const struct words *words,
                    char error[RING_ERROR_SIZE])
{
    for (size_t i = 0; words->by != NULL && i < sizeof(balances) / sizeof(balances[0]); i++) {
        if (strcmp(words->by, balances[i]) == 0) {
            out->by = (enum balance)i;
            return TORC_OK;
        }
    }
    if (words->by == NULL) {
        (void)snprintf(error, RING_ERROR_SIZE,
                       "rebalance: --by is missing; accepted: --by " ACCEPTED_BALANCES);
    } else {
        (void)snprintf(error, RING_ERROR_SIZE,
                       "--by: '%.100s' is not accepted; accepted: " ACCEPTED_BALANCES, words->by);
    }
    return TORC_EINVAL;
}

/* The words behind the name of a change. */
static int parse_change_arguments(struct change_request *out, const struct words *words,
                                  char error[RING_ERROR_SIZE])
{
    const char *usage = changes[out->kind].usage;
    const int most = changes[out->kind].node + changes[out->kind].weight;
    if (words->count > most) {
        (void)snprintf(error, RING_ERROR_SIZE, "%s: unexpected argument '%.100s'; accepted: %s",
                       changes[out->kind].name, words->words[most], usage);
        return TORC_EINVAL;
    }
    if (words->count < changes[out->kind].node) {
        (void)snprintf(error, RING_ERROR_SIZE, "%s: a node is missing; accepted: %s",
                       changes[out->kind].name, usage);
        return TORC_EINVAL;
    }
    if (words->count < changes[out->kind].node + changes[out->kind].weight_required) {
        (void)snprintf(error, RING_ERROR_SIZE, "%s: a weight is missing; accepted: %s",
                       changes[out->kind].name, usage);
        return TORC_EINVAL;
    }
    if (changes[out->kind].node) {
        out->node = words->words[0];
    }
    out->has_weight = words->count == 2;
    if (out->has_weight && !parse_weight(words->words[1], &out->weight)) {
        (void)snprintf(error, RING_ERROR_SIZE,
                       "%s: '%.100s' is no weight; accepted: 0 to %d, up to three digits behind "
                       "the point",
                       changes[out->kind].name, words->words[1], WEIGHT_MAX / WEIGHT_UNIT);
        return TORC_EINVAL;
    }
    return out->kind == CHANGE_REBALANCE ? parse_by(out, words, error) : TORC_OK;
}

/* The kind of change that a word names; false for others. */
static bool find_change(const char *word, enum change_kind *out)
{
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        if (strcmp(word, changes[i].name) == 0) {
            *out = (enum change_kind)i;
            return true;
        }
    }
    return false;
}

static int parse_plan(struct ring_options *out, struct words words, char error[RING_ERROR_SIZE])
{
    out->verb = RING_PLAN;
    if (words.count == 0) {
        (void)snprintf(error, RING_ERROR_SIZE,
                       "plan: a change is missing; accepted: " ACCEPTED_CHANGES);
        return TORC_EINVAL;
    }
    if (!find_change(words.words[0], &out->change.kind)) {
        (void)snprintf(error, RING_ERROR_SIZE,
                       "plan: unknown change '%.100s'; accepted: " ACCEPTED_CHANGES,
                       words.words[0]);
        return TORC_EINVAL;
    }
    words.count--;
    words.words++;
    return parse_change_arguments(&out->change, &words, error);
}

/* Verbs without arguments. */
static int parse_bare(struct ring_options *out, enum ring_verb verb, const struct words *words,
                      char error[RING_ERROR_SIZE])
{
    out->verb = verb;
    if (words->count > 1) {
        (void)snprintf(error, RING_ERROR_SIZE, "%s: unexpected argument '%.100s'", words->words[0],
                       words->words[1]);
        return TORC_EINVAL;
    }
    return TORC_OK;
}

static int parse_verb(struct ring_options *out, struct words words, char error[RING_ERROR_SIZE])
{
    if (words.count == 0) {
        (void)snprintf(error, RING_ERROR_SIZE, "a verb is missing; accepted: " ACCEPTED_VERBS);
        return TORC_EINVAL;
    }
    const char *verb = words.words[0];
    const struct words rest = {words.count - 1, words.words + 1, words.by};
    if (strcmp(verb, "status") == 0) {
        return parse_bare(out, RING_STATUS, &words, error);
    }
    if (strcmp(verb, "cancel") == 0) {
        return parse_bare(out, RING_CANCEL, &words, error);
    }
    if (strcmp(verb, "watch") == 0) {
        return parse_bare(out, RING_WATCH, &words, error);
    }
    if (strcmp(verb, "check") == 0) {
        return parse_bare(out, RING_CHECK, &words, error);
    }
    if (strcmp(verb, "plan") == 0) {
        return parse_plan(out, rest, error);
    }
    if (find_change(verb, &out->change.kind)) {
        out->verb = RING_CHANGE;
        return parse_change_arguments(&out->change, &rest, error);
    }
    if (strcmp(verb, "slots") == 0) {
        out->verb = RING_SLOTS;
        out->keys = rest.words;
        out->key_count = rest.count;
        if (rest.count == 0) {
            (void)snprintf(error, RING_ERROR_SIZE,
                           "slots: a key is missing; accepted: slots KEY...");
            return TORC_EINVAL;
        }
        return TORC_OK;
    }
    (void)snprintf(error, RING_ERROR_SIZE, "unknown verb '%.100s'; accepted: " ACCEPTED_VERBS,
                   verb);
    return TORC_EINVAL;
}

/* Options that would do nothing here are mistakes. */
static int check(const struct ring_options *options, const struct words *words,
                 char error[RING_ERROR_SIZE])
{
    const bool changing = options->verb == RING_CHANGE || options->verb == RING_CANCEL;
    const bool planning = options->verb == RING_CHANGE || options->verb == RING_PLAN;
    if (options->seeds == NULL) {
        (void)snprintf(error, RING_ERROR_SIZE,
                       "-s is missing; accepted: -s HOST:PORT[,HOST:PORT...]");
        return TORC_EINVAL;
    }
    if ((options->yes || options->watch) && !changing) {
        (void)snprintf(error, RING_ERROR_SIZE, "%s: only with " ACCEPTED_CHANGES ", cancel",
                       options->yes ? "--yes" : "--watch");
        return TORC_EINVAL;
    }
    if (words->by != NULL && !(planning && options->change.kind == CHANGE_REBALANCE)) {
        (void)snprintf(error, RING_ERROR_SIZE, "--by: only with rebalance");
        return TORC_EINVAL;
    }
    return TORC_OK;
}

int ring_options_parse(struct ring_options *out, int argc, char **argv, char error[RING_ERROR_SIZE])
{
    static const struct option long_options[] = {
        {"server", required_argument, NULL, 's'}, {"by", required_argument, NULL, 'b'},
        {"json", no_argument, NULL, 'j'},         {"yes", no_argument, NULL, 'y'},
        {"watch", no_argument, NULL, 'w'},        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},      {NULL, 0, NULL, 0},
    };
    struct words words = {.count = 0};
    *out = (struct ring_options){.verb = RING_STATUS};
    opterr = 0;
    optind = 0;
    for (int code; (code = getopt_long(argc, argv, ":s:h", long_options, NULL)) != -1;) {
        const char *word = argv[optind - 1];
        switch (code) {
        case 's': out->seeds = optarg; break;
        case 'b': words.by = optarg; break;
        case 'j': out->json = true; break;
        case 'y': out->yes = true; break;
        case 'w': out->watch = true; break;
        case 'h': out->help = true; return TORC_OK;
        case 'v': out->version = true; return TORC_OK;
        case ':':
            (void)snprintf(error, RING_ERROR_SIZE, "%.100s: a value is missing; accepted: %s", word,
                           optopt == 'b' ? ACCEPTED_BALANCES : "HOST:PORT");
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
    words.count = argc - optind;
    words.words = argv + optind;
    int result = parse_verb(out, words, error);
    return result == TORC_OK ? check(out, &words, error) : result;
}
