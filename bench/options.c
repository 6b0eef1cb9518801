#include "bench/options.h"

#include "base/error.h"
#include "base/limits.h"
#include "bench/request.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum option_code {
    OPTION_SERVER = 's',
    OPTION_HELP = 'h',
    OPTION_QUIET = 'q',
    OPTION_MODE = 256,
    OPTION_CLIENTS,
    OPTION_THREADS,
    OPTION_PIPELINE,
    OPTION_KEYS,
    OPTION_SIZE,
    OPTION_RATIO,
    OPTION_DIST,
    OPTION_RATE,
    OPTION_SECONDS,
    OPTION_REQUESTS,
    OPTION_SEED,
    OPTION_KEY_PREFIX,
    OPTION_TRACE,
    OPTION_JSON,
    OPTION_LOAD,
    OPTION_NO_LOAD,
    OPTION_VERSION,
};

/* What was said, where the default depends on other options. */
struct parse {
    struct bench_options *options;
    char *error;
    bool load_said;
    bool seconds_said;
};

const char *options_help(void)
{
    return "Usage: torc-bench -s HOST:PORT[,HOST:PORT...] [OPTION...]\n"
           "Load and latency of any server that speaks RESP (Torc, Redis, Valkey ...).\n"
           "\n"
           "  -s, --server HOST:PORT[,..]  servers to begin with (required)\n"
           "      --mode any|direct    any: through the given servers, in turn (default);\n"
           "                           direct: each key to the owner of its slot\n"
           "      --clients N          concurrent clients (32)\n"
           "      --threads N          threads of torc-bench (1)\n"
           "      --pipeline N         unanswered operations a client may have (1)\n"
           "Workload\n"
           "      --keys N             keys in the key space (1000000)\n"
           "      --size B             bytes of a value (64)\n"
           "      --ratio SET:GET      mix of operations (1:9)\n"
           "      --dist uniform|zipf:S  how keys are chosen (uniform)\n"
           "      --key-prefix TEXT    before every key (\"key:\"; nothing with --trace)\n"
           "      --trace FILE         GET the keys of FILE, one a line, plain or .xz; SET\n"
           "                           on a miss, as a user of a cache does\n"
           "      --load, --no-load    write all keys before the run (default: load, unless\n"
           "                           --trace or a mix without GETs is given)\n"
           "      --seed N             of the random choices (1)\n"
           "Run\n"
           "      --rate OPS           open loop: send OPS operations a second on a schedule\n"
           "                           and count latency from the scheduled time\n"
           "                           (default: closed loop, as fast as answers come)\n"
           "      --seconds S          length of the run (10; a trace runs to its end;\n"
           "                           0: only load)\n"
           "      --requests N         end after N operations\n"
           "Output\n"
           "      --json FILE          write all figures as JSON, - for standard output\n"
           "  -q, --quiet              no progress lines\n"
           "  -h, --help               this text\n"
           "      --version            version of torc-bench\n"
           "\n"
           "Exit status: 0 all went well, 1 some operations failed, 2 wrong usage,\n"
           "3 could not connect.\n";
}

/* Writes the complaint; the value is what the caller returns. */
#define FAIL(error, ...) ((void)snprintf((error), OPTIONS_ERROR_SIZE, __VA_ARGS__), TORC_EINVAL)

/* Plain decimal in min..max. */
static int parse_whole(uint64_t *out, const char *text, uint64_t min, uint64_t max)
{
    char *end = NULL;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    bool plain = text[0] >= '0' && text[0] <= '9' && *end == '\0';
    if (!plain || errno != 0 || value < min || value > max) {
        return TORC_EINVAL;
    }
    *out = value;
    return TORC_OK;
}

static int take_whole(const struct parse *parse, const char *name, uint64_t *out, uint64_t min,
                      uint64_t max)
{
    if (parse_whole(out, optarg, min, max) != TORC_OK) {
        return FAIL(parse->error, "%s: '%s' is not a whole number from %llu to %llu", name, optarg,
                    (unsigned long long)min, (unsigned long long)max);
    }
    return TORC_OK;
}

static int take_unsigned(const struct parse *parse, const char *name, unsigned *out, unsigned max)
{
    uint64_t value = 0;
    int result = take_whole(parse, name, &value, 1, max);
    if (result == TORC_OK) {
        *out = (unsigned)value;
    }
    return result;
}

/* A decimal number in min..max; not "inf", "nan" or hexadecimal. */
static int parse_real(double *out, const char *text, double min, double max)
{
    if (text[0] == '\0' || strspn(text, "0123456789.eE+-") != strlen(text)) {
        return TORC_EINVAL;
    }
    char *end = NULL;
    double value = strtod(text, &end);
    if (*end != '\0' || !(value >= min && value <= max)) {
        return TORC_EINVAL;
    }
    *out = value;
    return TORC_OK;
}

static int take_mode(const struct parse *parse)
{
    if (strcmp(optarg, "any") == 0) {
        parse->options->mode = MODE_ANY;
    } else if (strcmp(optarg, "direct") == 0) {
        parse->options->mode = MODE_DIRECT;
    } else {
        return FAIL(parse->error, "--mode: '%s' is neither 'any' nor 'direct'", optarg);
    }
    return TORC_OK;
}

static int take_ratio(const struct parse *parse)
{
    char set_text[8] = "";
    uint64_t set = 0;
    uint64_t get = 0;
    size_t set_size = strcspn(optarg, ":");
    bool good = optarg[set_size] == ':' && set_size < sizeof(set_text);
    if (good) {
        memcpy(set_text, optarg, set_size);
        good = parse_whole(&set, set_text, 0, 1000000) == TORC_OK &&
               parse_whole(&get, optarg + set_size + 1, 0, 1000000) == TORC_OK && set + get > 0;
    }
    if (!good) {
        return FAIL(parse->error,
                    "--ratio: '%s' is not SET:GET, two whole numbers to 1000000 that are not "
                    "both 0, as in 1:9",
                    optarg);
    }
    parse->options->ratio_set = (unsigned)set;
    parse->options->ratio_get = (unsigned)get;
    return TORC_OK;
}

static int take_dist(const struct parse *parse)
{
    if (strcmp(optarg, "uniform") == 0) {
        parse->options->zipf_exponent = 0.0;
        return TORC_OK;
    }
    if (strncmp(optarg, "zipf:", 5) == 0 &&
        parse_real(&parse->options->zipf_exponent, optarg + 5, 0.01, 10.0) == TORC_OK) {
        return TORC_OK;
    }
    return FAIL(parse->error,
                "--dist: '%s' is neither 'uniform' nor 'zipf:S' with S from 0.01 to 10", optarg);
}

static int take_servers(const struct parse *parse)
{
    int result = address_list_parse(&parse->options->seeds, bytes_of(optarg));
    if (result == TORC_ETOOBIG) {
        return FAIL(parse->error, "-s: more than %d servers", ADDRESS_LIST_MAX);
    }
    if (result != TORC_OK) {
        return FAIL(parse->error,
                    "-s: '%s' is not HOST:PORT[,HOST:PORT...] with ports from 1 to 65535", optarg);
    }
    return TORC_OK;
}

static int take_rate(const struct parse *parse)
{
    if (parse_real(&parse->options->rate, optarg, 0.001, 1e9) != TORC_OK) {
        return FAIL(parse->error, "--rate: '%s' is not a number from 0.001 to 1000000000", optarg);
    }
    return TORC_OK;
}

static int take_seconds(struct parse *parse)
{
    if (parse_real(&parse->options->seconds, optarg, 0.0, 1e7) != TORC_OK) {
        return FAIL(parse->error, "--seconds: '%s' is not a number from 0 to 10000000", optarg);
    }
    parse->seconds_said = true;
    return TORC_OK;
}

static int take_prefix(const struct parse *parse)
{
    if (strlen(optarg) > REQUEST_PREFIX_SIZE_MAX) {
        return FAIL(parse->error, "--key-prefix: longer than %d bytes", REQUEST_PREFIX_SIZE_MAX);
    }
    parse->options->key_prefix = optarg;
    return TORC_OK;
}

static int take_option(struct parse *parse, int code)
{
    struct bench_options *options = parse->options;
    switch (code) {
    case OPTION_SERVER: return take_servers(parse);
    case OPTION_MODE: return take_mode(parse);
    case OPTION_CLIENTS:
        return take_unsigned(parse, "--clients", &options->clients, OPTIONS_CLIENTS_MAX);
    case OPTION_THREADS:
        return take_unsigned(parse, "--threads", &options->threads, OPTIONS_THREADS_MAX);
    case OPTION_PIPELINE:
        return take_unsigned(parse, "--pipeline", &options->pipeline, OPTIONS_PIPELINE_MAX);
    case OPTION_KEYS: return take_whole(parse, "--keys", &options->keys, 1, UINT64_C(1) << 48);
    case OPTION_SIZE: return take_whole(parse, "--size", &options->size, 0, REQUEST_BULK_SIZE_MAX);
    case OPTION_RATIO: return take_ratio(parse);
    case OPTION_DIST: return take_dist(parse);
    case OPTION_RATE: return take_rate(parse);
    case OPTION_SECONDS: return take_seconds(parse);
    case OPTION_REQUESTS:
        return take_whole(parse, "--requests", &options->requests, 1, UINT64_C(1) << 48);
    case OPTION_SEED: return take_whole(parse, "--seed", &options->seed, 0, UINT64_MAX);
    case OPTION_KEY_PREFIX: return take_prefix(parse);
    case OPTION_TRACE: options->trace_path = optarg; return TORC_OK;
    case OPTION_JSON: options->json_path = optarg; return TORC_OK;
    case OPTION_LOAD:
    case OPTION_NO_LOAD:
        parse->load_said = true;
        options->load = code == OPTION_LOAD;
        return TORC_OK;
    case OPTION_QUIET: options->quiet = true; return TORC_OK;
    case OPTION_HELP: options->help = true; return TORC_OK;
    default: options->version = true; return TORC_OK;
    }
}

/* Defaults that hang on other options, and options that do not go together. */
static int settle(const struct parse *parse)
{
    struct bench_options *options = parse->options;
    if (options->help || options->version) {
        return TORC_OK;
    }
    if (options->seeds.count == 0) {
        return FAIL(parse->error, "-s HOST:PORT is required: the server to measure");
    }
    if (options->threads > options->clients) {
        return FAIL(parse->error,
                    "--threads: %u threads for %u clients; give at least as many "
                    "--clients as --threads",
                    options->threads, options->clients);
    }
    bool trace = options->trace_path != NULL;
    if (!parse->load_said) {
        options->load = !trace && options->ratio_get > 0;
    }
    if (trace && options->load) {
        return FAIL(parse->error, "--load: a trace fills the cache itself; leave out --load or "
                                  "--trace");
    }
    if (options->key_prefix == NULL) {
        options->key_prefix = trace ? "" : "key:";
    }
    options->only_load = parse->seconds_said && options->seconds <= 0.0;
    if (options->only_load && !options->load) {
        return FAIL(parse->error, "--seconds: 0 only loads, and nothing is to be loaded; add "
                                  "--load or give more seconds");
    }
    if (!parse->seconds_said && !trace && options->requests == 0) {
        options->seconds = 10.0;
    }
    return TORC_OK;
}

int options_parse(struct bench_options *options, int argc, char **argv,
                  char error[OPTIONS_ERROR_SIZE])
{
    static const struct option table[] = {
        {"server", required_argument, NULL, OPTION_SERVER},
        {"mode", required_argument, NULL, OPTION_MODE},
        {"clients", required_argument, NULL, OPTION_CLIENTS},
        {"threads", required_argument, NULL, OPTION_THREADS},
        {"pipeline", required_argument, NULL, OPTION_PIPELINE},
        {"keys", required_argument, NULL, OPTION_KEYS},
        {"size", required_argument, NULL, OPTION_SIZE},
        {"ratio", required_argument, NULL, OPTION_RATIO},
        {"dist", required_argument, NULL, OPTION_DIST},
        {"rate", required_argument, NULL, OPTION_RATE},
        {"seconds", required_argument, NULL, OPTION_SECONDS},
        {"requests", required_argument, NULL, OPTION_REQUESTS},
        {"seed", required_argument, NULL, OPTION_SEED},
        {"key-prefix", required_argument, NULL, OPTION_KEY_PREFIX},
        {"trace", required_argument, NULL, OPTION_TRACE},
        {"json", required_argument, NULL, OPTION_JSON},
        {"load", no_argument, NULL, OPTION_LOAD},
        {"no-load", no_argument, NULL, OPTION_NO_LOAD},
        {"quiet", no_argument, NULL, OPTION_QUIET},
        {"help", no_argument, NULL, OPTION_HELP},
        {"version", no_argument, NULL, OPTION_VERSION},
        {NULL, 0, NULL, 0},
    };
    *options = (struct bench_options){
        .clients = 32,
        .threads = 1,
        .pipeline = 1,
        .keys = 1000000,
        .size = 64,
        .ratio_set = 1,
        .ratio_get = 9,
        .seed = 1,
    };
    struct parse parse = {.options = options, .error = error};
    opterr = 0;
    optind = 0; /* glibc: begin anew, so that a second parse in one process works */
    int code = 0;
    while ((code = getopt_long(argc, argv, "+:s:hq", table, NULL)) != -1) {
        if (code == ':') {
            return FAIL(error, "%s: needs a value", argv[optind - 1]);
        }
        if (code == '?') {
            return FAIL(error, "%s: no such option, or it takes no value; --help lists them",
                        argv[optind - 1]);
        }
        int result = take_option(&parse, code);
        if (result != TORC_OK) {
            return result;
        }
    }
    if (optind < argc) {
        return FAIL(error, "'%s': not an option; --help lists them", argv[optind]);
    }
    return settle(&parse);
}
