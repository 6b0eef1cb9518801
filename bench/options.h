/*
 * The command line of torc-bench as a value. Parses and checks; prints nothing.
 */
#ifndef TORC_BENCH_OPTIONS_H
#define TORC_BENCH_OPTIONS_H

#include "base/attributes.h"
#include "bench/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPTIONS_ERROR_SIZE 512
#define OPTIONS_CLIENTS_MAX 100000
#define OPTIONS_THREADS_MAX 256
#define OPTIONS_PIPELINE_MAX 10000

enum bench_mode {
    MODE_ANY,    /* every key through whichever seed the connection goes to */
    MODE_DIRECT, /* every key to its slot's owner */
};

struct bench_options {
    struct address_list seeds;
    enum bench_mode mode;
    unsigned clients;
    unsigned threads;
    unsigned pipeline;  /* unanswered operations a client may have */
    uint64_t keys;      /* size of the key space */
    uint64_t size;      /* bytes of a value */
    unsigned ratio_set; /* of ratio_set + ratio_get operations, so many are SETs */
    unsigned ratio_get;
    double zipf_exponent;   /* 0 = uniform */
    double rate;            /* operations per second of all clients; 0 = closed loop */
    double seconds;         /* 0 = no limit, or only load */
    uint64_t requests;      /* 0 = no limit */
    uint64_t seed;          /* of all random choices */
    const char *trace_path; /* NULL = key space; borrowed from argv, as are the next two */
    const char *json_path;  /* NULL = none, "-" = standard output */
    const char *key_prefix;
    bool load;      /* write the whole key space before the run */
    bool only_load; /* and end there */
    bool quiet;
    bool help; /* asked for: nothing else was checked */
    bool version;
};

/* 0, or TORC_EINVAL with a sentence in `error` that names the option and what it accepts. */
int options_parse(struct bench_options *options, int argc, char **argv,
                  char error[OPTIONS_ERROR_SIZE]) TORC_MUST_USE;
/* The text of --help; static storage. */
const char *options_help(void);

#endif
