/*
 * Simulates clusters: sim_cluster [--seed N | --seeds N [--from M]] [--variant NAME] [--verbose]
 * [--all] [--twice] [--compare] [--table N [FILE]].
 *
 * With --compare the copies are compared all the time, as torc-ring check has it done, and no
 * difference may be found. That is a run of its own: what goes over the network is drawn anew.
 *
 * --table says for each deliberate mistake which checker catches it first, and at which seed up to
 * N. With a file of lines "variant seed", what an earlier run found, it looks there first: a minute
 * of searching becomes a second.
 */
#include "tests/sim/check_history.h"
#include "tests/sim/cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct totals {
    uint64_t done, unknown, refused, views, crashes, losses, installs, inconclusive, skips;
    uint64_t compared, passed;
    uint64_t virtual_us;
};

static void add_totals(struct totals *totals, const struct cluster *cluster)
{
    for (size_t i = 0; i < CLUSTER_CLIENTS_MAX; i++) {
        totals->done += cluster->clients[i].done;
    }
    totals->unknown += cluster->seen.unknown;
    totals->refused += cluster->seen.refused;
    totals->views += cluster->newest_epoch;
    totals->crashes += cluster->seen.crashes;
    totals->losses += cluster->seen.losses;
    totals->installs += cluster->seen.installs;
    totals->skips += cluster->seen.skips;
    totals->compared += cluster->seen.compared;
    totals->passed += cluster->seen.passed;
    totals->inconclusive += cluster->history->inconclusive;
    totals->virtual_us += cluster->network.now_us;
}

struct mode {
    enum variant variant;
    bool verbose, quiet, comparing;
};

/* One seed; true when all is well. *checker: the first word of the failure. */
static bool run(uint64_t seed, const struct mode *mode, struct totals *totals, char checker[32],
                uint64_t *hash)
{
    enum variant variant = mode->variant;
    struct cluster *cluster = cluster_create(seed, variant, mode->verbose);
    cluster->comparing = mode->comparing;
    bool well = cluster_run(cluster);
    *hash = cluster->network.trace_hash;
    add_totals(totals, cluster);
    if (!well) {
        const char *text = cluster->failure + strspn(cluster->failure, " .0123456789");
        snprintf(checker, 32, "%.*s", (int)strcspn(text, ":"), text);
    }
    if (!well && !mode->quiet) {
        cluster_print_lines(cluster);
        printf("seed %llu FAILS: %s\n", (unsigned long long)seed, cluster->failure);
        printf("repeat it with: sim_cluster --seed %llu%s%s%s\n", (unsigned long long)seed,
               variant == VARIANT_NONE ? "" : " --variant ",
               variant == VARIANT_NONE ? "" : variant_name(variant),
               mode->comparing ? " --compare" : "");
    }
    cluster_destroy(cluster);
    return well;
}

/* The seed at which the variant was caught once, 0 if nobody remembers. */
static uint64_t remembered_seed(const char *path, const char *variant)
{
    FILE *file = path == NULL ? NULL : fopen(path, "r");
    char name[64];
    unsigned long long seed = 0;
    unsigned long long found = 0;
    while (file != NULL && fscanf(file, "%63s %llu", name, &seed) == 2) {
        found = strcmp(name, variant) == 0 ? seed : found;
    }
    if (file != NULL) {
        fclose(file);
    }
    return found;
}

static int table(uint64_t seeds, const char *path)
{
    int missed = 0;
    for (int variant = 1; variant < VARIANT_COUNT; variant++) {
        const struct mode mode = {.variant = (enum variant)variant, .quiet = true};
        struct totals totals = {0};
        char checker[32] = "nobody";
        uint64_t hash = 0;
        uint64_t seed = remembered_seed(path, variant_name((enum variant)variant));
        if (seed == 0 || run(seed, &mode, &totals, checker, &hash)) {
            seed = 1;
            while (seed <= seeds && run(seed, &mode, &totals, checker, &hash)) {
                seed++;
            }
        }
        if (seed > seeds) {
            printf("%-20s NOT CAUGHT in %llu seeds\n", variant_name((enum variant)variant),
                   (unsigned long long)seeds);
            missed++;
        } else {
            printf("%-20s caught by %-12s at seed %llu\n", variant_name((enum variant)variant),
                   checker, (unsigned long long)seed);
        }
        fflush(stdout);
    }
    return missed == 0 ? 0 : 1;
}

struct arguments {
    uint64_t first, last, table;
    const char *remembered; /* file; NULL = none */
    struct mode mode;
    bool all, twice;
};

static bool parse(int argc, char **argv, struct arguments *out)
{
    uint64_t count = 1;
    *out = (struct arguments){.first = 1};
    for (int i = 1; i < argc; i++) {
        bool has_value = i + 1 < argc;
        if (strcmp(argv[i], "--verbose") == 0) {
            out->mode.verbose = true;
        } else if (strcmp(argv[i], "--all") == 0) {
            out->all = true; /* goes on after a failure */
        } else if (strcmp(argv[i], "--twice") == 0) {
            out->twice = true;
        } else if (strcmp(argv[i], "--compare") == 0) {
            out->mode.comparing = true;
        } else if ((strcmp(argv[i], "--seed") == 0 || strcmp(argv[i], "--from") == 0) &&
                   has_value) {
            out->first = strtoull(argv[++i], NULL, 0);
        } else if (strcmp(argv[i], "--seeds") == 0 && has_value) {
            count = strtoull(argv[++i], NULL, 0);
        } else if (strcmp(argv[i], "--table") == 0 && has_value) {
            out->table = strtoull(argv[++i], NULL, 0);
            if (i + 1 < argc && argv[i + 1][0] != '-') {
                out->remembered = argv[++i];
            }
        } else if (strcmp(argv[i], "--variant") == 0 && has_value) {
            out->mode.variant = variant_find(argv[++i]);
        } else {
            return false;
        }
    }
    out->last = out->first + count - 1;
    return out->mode.variant != VARIANT_COUNT && count > 0;
}

int main(int argc, char **argv)
{
    struct arguments arguments;
    struct totals totals = {0};
    uint64_t failures = 0;
    if (!parse(argc, argv, &arguments)) {
        fprintf(stderr, "usage: sim_cluster [--seed N | --seeds N [--from M]] [--variant NAME] "
                        "[--verbose] [--all] [--twice] [--compare] [--table SEEDS [FILE]]\n");
        return 2;
    }
    if (arguments.table > 0) {
        return table(arguments.table, arguments.remembered);
    }
    printf("seeds %llu..%llu\n", (unsigned long long)arguments.first,
           (unsigned long long)arguments.last);
    fflush(stdout);
    for (uint64_t seed = arguments.first; seed <= arguments.last; seed++) {
        char checker[32];
        uint64_t hashes[2] = {0, 0};
        bool well = run(seed, &arguments.mode, &totals, checker, &hashes[0]);
        if (well && (arguments.twice || seed % 97 == 0)) {
            well = run(seed, &arguments.mode, &totals, checker, &hashes[1]);
            if (well && hashes[0] != hashes[1]) {
                printf("seed %llu FAILS: replay: two runs differ\n", (unsigned long long)seed);
                well = false;
            }
        }
        failures += !well;
        fflush(stdout);
        if (!well && !arguments.all) {
            break;
        }
    }
    printf("failures %llu; %.0f virtual s, %llu operations, %llu unknown, %llu refused, %llu "
           "views, %llu crashes, %llu slots lost lawfully, %llu skips, %llu inconclusive, %llu "
           "ranges compared, %llu passed over\n",
           (unsigned long long)failures, (double)totals.virtual_us / 1e6,
           (unsigned long long)totals.done, (unsigned long long)totals.unknown,
           (unsigned long long)totals.refused, (unsigned long long)totals.views,
           (unsigned long long)totals.crashes, (unsigned long long)totals.losses,
           (unsigned long long)totals.skips, (unsigned long long)totals.inconclusive,
           (unsigned long long)totals.compared, (unsigned long long)totals.passed);
    return failures == 0 ? 0 : 1;
}
