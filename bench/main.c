/*
 * torc-bench: load, latency and comparison harness for servers that speak RESP. This file prepares
 * the run, watches over the workers, and reports.
 */
#include "base/error.h"
#include "bench/clock.h"
#include "bench/report.h"
#include "bench/run.h"
#include "bench/topology.h"
#include "bench/worker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define EXIT_GOOD 0
#define EXIT_OPERATIONS_FAILED 1
#define EXIT_USAGE 2
#define EXIT_CONNECT 3

#define PROGRESS_NS UINT64_C(1000000000)
#define MAP_REFRESH_MIN_NS UINT64_C(100000000)
#define FILES_SPARE 64 /* descriptors besides the clients' connections */

/* Main thread. */
struct session {
    struct run *run;
    struct worker *workers;
    unsigned worker_count; /* started */
    int signal_fd;
    bool progress;
    bool interrupted;
    uint64_t measure_began_ns; /* 0 = not yet */
    uint64_t shown_ns;         /* when the last progress line was written */
    uint64_t map_asked_ns;
    struct stats *total;
    struct stats *interval;
    struct histogram *scratch;
};

static void complain(const char *text)
{
    (void)fprintf(stderr, "torc-bench: %s\n", text);
}

/* Keeps the seeds that answer. In direct mode one is enough, and so it is in any mode, but each
 * that does not answer is named. 0, or TORC_ECONNECT when none does. */
static int probe_seeds(struct run *run)
{
    char error[TOPOLOGY_ERROR_SIZE];
    for (size_t i = 0; i < run->options->seeds.count; i++) {
        struct address address = run->options->seeds.items[i];
        if (topology_probe(&address, error) != TORC_OK) {
            complain(error);
            continue;
        }
        run->seeds.items[run->seeds.count++] = address;
    }
    return run->seeds.count > 0 ? TORC_OK : TORC_ECONNECT;
}

/* Asks the seeds, then the servers known, until one tells. The error is of the last one asked. */
static int fetch_map(const struct run *run, struct slot_map *map, char error[TOPOLOGY_ERROR_SIZE])
{
    for (size_t i = 0; i < run->seeds.count; i++) {
        if (topology_slots(&run->seeds.items[i], map, error) == TORC_OK) {
            return TORC_OK;
        }
    }
    /* Only the main thread changes run->map, so it may read it without the mutex. */
    for (size_t i = 0; i < run->map.server_count; i++) {
        if (topology_slots(&run->map.servers[i], map, error) == TORC_OK) {
            return TORC_OK;
        }
    }
    return TORC_ECONNECT;
}

static void wake_workers(const struct session *session)
{
    for (unsigned i = 0; i < session->worker_count; i++) {
        worker_wake(&session->workers[i]);
    }
}

static void refresh_map(struct session *session)
{
    struct run *run = session->run;
    struct slot_map *fresh = malloc(sizeof(*fresh));
    char error[TOPOLOGY_ERROR_SIZE];
    if (fresh == NULL) {
        return;
    }
    slot_map_init(fresh);
    session->map_asked_ns = clock_now_ns();
    atomic_store(&run->map_wanted, false);
    if (fetch_map(run, fresh, error) == TORC_OK) {
        (void)pthread_mutex_lock(&run->mutex);
        int result = slot_map_adopt(&run->map, fresh);
        run->map_generation++;
        (void)pthread_mutex_unlock(&run->mutex);
        if (result != TORC_OK) {
            run_fail(run, torc_strerror(result));
        }
        wake_workers(session);
    }
    slot_map_deinit(fresh);
    free(fresh);
}

static void collect(struct session *session)
{
    struct run *run = session->run;
    (void)pthread_mutex_lock(&run->mutex);
    *session->interval = run->collected;
    stats_init(&run->collected);
    (void)pthread_mutex_unlock(&run->mutex);
    stats_merge(session->total, session->interval);
}

static void show_progress(struct session *session, uint64_t now_ns)
{
    collect(session);
    if (!session->progress) {
        return;
    }
    if (!atomic_load(&session->run->measuring)) {
        if (session->run->options->load) {
            (void)fprintf(stderr, "loading %10llu of %llu keys\n",
                          (unsigned long long)session->total->loaded,
                          (unsigned long long)session->run->options->keys);
        }
        return;
    }
    report_progress(session->interval, now_ns - session->shown_ns,
                    now_ns - session->measure_began_ns, session->scratch, stderr);
}

static void take_signal(struct session *session)
{
    struct signalfd_siginfo info;
    if (read(session->signal_fd, &info, sizeof(info)) != sizeof(info)) {
        return;
    }
    if (session->interrupted) {
        _exit(128 + (int)info.ssi_signo); /* asked twice: no report */
    }
    session->interrupted = true;
    atomic_store(&session->run->stop, true);
    wake_workers(session);
}

/* Until all workers have ended. */
static void watch(struct session *session)
{
    struct run *run = session->run;
    bool told_failure = false;
    session->shown_ns = clock_now_ns();
    while (atomic_load(&run->running) > 0) {
        struct pollfd fds[] = {{.fd = run->wake_fd, .events = POLLIN},
                               {.fd = session->signal_fd, .events = POLLIN}};
        (void)poll(fds, 2, 100);
        if ((fds[0].revents & POLLIN) != 0) {
            uint64_t count = 0;
            ssize_t size = read(run->wake_fd, &count, sizeof(count));
            (void)size;
        }
        if ((fds[1].revents & POLLIN) != 0) {
            take_signal(session);
        }
        if (atomic_load(&run->failed) && !told_failure) {
            told_failure = true;
            wake_workers(session);
        }
        uint64_t now_ns = clock_now_ns();
        if (atomic_load(&run->measuring) && session->measure_began_ns == 0) {
            session->measure_began_ns = now_ns;
            session->shown_ns = now_ns;
        }
        if (atomic_load(&run->map_wanted) && now_ns - session->map_asked_ns >= MAP_REFRESH_MIN_NS) {
            refresh_map(session);
        }
        if (now_ns - session->shown_ns >= PROGRESS_NS) {
            show_progress(session, now_ns);
            session->shown_ns = now_ns;
        }
    }
    collect(session);
}

/* Signals are blocked in all threads and read from a descriptor by this one. -1 on failure. */
static int open_signals(void)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGTERM);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Many clients need many descriptors; take what the hard limit allows. */
static void raise_file_limit(const struct run *run)
{
    struct rlimit limit;
    size_t servers = run->options->mode == MODE_DIRECT ? run->map.server_count : 1;
    rlim_t needed = (rlim_t)run->options->clients * servers + FILES_SPARE;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < needed) {
        limit.rlim_cur = needed < limit.rlim_max ? needed : limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Everything but the servers. 0, or the exit status with the complaint made. */
static int prepare_workload(struct run *run)
{
    const struct bench_options *options = run->options;
    const struct request_options format = {
        .prefix = options->key_prefix,
        .key_count = options->keys,
        .value_size = options->size,
        .value_seed = options->seed,
    };
    if (options->trace_path != NULL) {
        char error[TRACE_ERROR_SIZE];
        if (trace_load(&run->trace, options->trace_path, error) != TORC_OK) {
            complain(error);
            return EXIT_USAGE;
        }
        run->trace_limit = run->trace.count;
        if (options->requests > 0 && options->requests < run->trace.count) {
            run->trace_limit = options->requests;
        }
    }
    if (options->zipf_exponent > 0.0) {
        zipf_init(&run->zipf, options->keys, options->zipf_exponent);
    }
    if (request_format_init(&run->format, &format) != TORC_OK) {
        complain("out of memory");
        return EXIT_USAGE;
    }
    return EXIT_GOOD;
}

static int prepare_servers(struct run *run)
{
    char error[TOPOLOGY_ERROR_SIZE];
    if (probe_seeds(run) != TORC_OK) {
        return EXIT_CONNECT;
    }
    if (run->options->mode == MODE_DIRECT && fetch_map(run, &run->map, error) != TORC_OK) {
        complain(error);
        complain("--mode direct needs a server that knows its cluster's slots");
        return EXIT_CONNECT;
    }
    return EXIT_GOOD;
}

/* Runs all workers to their end. 0, or the exit status with the complaint made. */
static int run_workers(struct session *session)
{
    struct run *run = session->run;
    unsigned threads = run->options->threads;
    unsigned made = 0;
    int result = TORC_OK;
    for (; made < threads && result == TORC_OK; made++) {
        result = worker_init(&session->workers[made], run, made);
    }
    if (result != TORC_OK) {
        made--; /* it has cleaned up after itself */
        complain("cannot set up a worker thread");
        goto done;
    }
    atomic_store(&run->running, threads);
    for (unsigned i = 0; i < threads; i++) {
        if (worker_start(&session->workers[i]) != TORC_OK) {
            /* Those started wait at the barrier for this one: there is no orderly way back. */
            complain("--threads: the system has no more threads to give");
            exit(EXIT_USAGE);
        }
        session->worker_count++;
    }
    watch(session);
    for (unsigned i = 0; i < threads; i++) {
        worker_join(&session->workers[i]);
    }
    if (run->failure[0] != '\0') {
        complain(run->failure);
        result = TORC_ECONNECT;
    }
done:
    for (unsigned i = 0; i < made; i++) {
        worker_deinit(&session->workers[i]);
    }
    return result == TORC_OK ? EXIT_GOOD : EXIT_CONNECT;
}

static struct report make_report(const struct session *session)
{
    const struct run *run = session->run;
    struct report report = {
        .options = run->options,
        .stats = session->total,
        .version = TORC_VERSION,
        .trace_requests = run->trace.count,
        .servers =
            run->options->mode == MODE_DIRECT ? slot_map_owner_count(&run->map) : run->seeds.count,
        .interrupted = session->interrupted,
    };
    uint64_t start_ns = UINT64_MAX;
    uint64_t end_ns = 0;
    for (unsigned i = 0; i < session->worker_count; i++) {
        const struct worker *worker = &session->workers[i];
        report.cpu_user_ns += worker->cpu_user_ns;
        report.cpu_system_ns += worker->cpu_system_ns;
        report.load_ns = worker->load_ns > report.load_ns ? worker->load_ns : report.load_ns;
        start_ns = worker->start_ns < start_ns ? worker->start_ns : start_ns;
        end_ns = worker->end_ns > end_ns ? worker->end_ns : end_ns;
    }
    report.elapsed_ns = end_ns > start_ns ? end_ns - start_ns : 0;
    return report;
}

/* 0, or TORC_EIO with the complaint made. */
static int write_json(const struct report *report, const char *path)
{
    json_t *json = report_json(report);
    bool to_stdout = strcmp(path, "-") == 0;
    FILE *out = to_stdout ? stdout : fopen(path, "w");
    bool good = json != NULL && out != NULL &&
                json_dumpf(json, out, JSON_INDENT(2) | JSON_PRESERVE_ORDER) == 0 &&
                fputc('\n', out) != EOF && fflush(out) == 0;
    if (!good) {
        (void)fprintf(stderr, "torc-bench: --json: cannot write '%s': %s\n", path,
                      json == NULL ? "out of memory" : strerror(errno));
    }
    if (out != NULL && !to_stdout) {
        (void)fclose(out);
    }
    json_decref(json);
    return good ? TORC_OK : TORC_EIO;
}

static int report_all(const struct session *session)
{
    const struct bench_options *options = session->run->options;
    struct report report = make_report(session);
    bool table_elsewhere = options->json_path != NULL && strcmp(options->json_path, "-") == 0;
    report_print(&report, table_elsewhere ? stderr : stdout);
    if (options->json_path != NULL && write_json(&report, options->json_path) != TORC_OK) {
        return EXIT_USAGE;
    }
    return session->total->failed > 0 ? EXIT_OPERATIONS_FAILED : EXIT_GOOD;
}

static int run_bench(struct session *session)
{
    struct run *run = session->run;
    int status = prepare_workload(run);
    if (status == EXIT_GOOD) {
        status = prepare_servers(run);
    }
    if (status == EXIT_GOOD) {
        raise_file_limit(run);
        status = run_workers(session);
    }
    if (status == EXIT_GOOD) {
        status = report_all(session);
    }
    return status;
}

int main(int argc, char **argv)
{
    struct bench_options options;
    char error[OPTIONS_ERROR_SIZE];
    if (options_parse(&options, argc, argv, error) != TORC_OK) {
        complain(error);
        return EXIT_USAGE;
    }
    if (options.help || options.version) {
        (void)fputs(options.help ? options_help() : "torc-bench " TORC_VERSION "\n", stdout);
        return EXIT_GOOD;
    }
    struct run *run = calloc(1, sizeof(*run));
    struct session session = {
        .run = run,
        .workers = calloc(options.threads, sizeof(struct worker)),
        .signal_fd = open_signals(),
        .progress = isatty(STDERR_FILENO) != 0 && !options.quiet,
        .total = malloc(sizeof(struct stats)),
        .interval = malloc(sizeof(struct stats)),
        .scratch = malloc(sizeof(struct histogram)),
    };
    int status = EXIT_CONNECT;
    if (run == NULL || session.workers == NULL || session.total == NULL ||
        session.interval == NULL || session.scratch == NULL) {
        complain("out of memory");
        goto done;
    }
    run->options = &options;
    run->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    slot_map_init(&run->map);
    stats_init(&run->collected);
    stats_init(session.total);
    (void)pthread_mutex_init(&run->mutex, NULL);
    (void)pthread_barrier_init(&run->barrier, NULL, options.threads);
    if (session.signal_fd < 0 || run->wake_fd < 0) {
        complain("no file descriptors left");
    } else {
        status = run_bench(&session);
    }
    (void)pthread_barrier_destroy(&run->barrier);
    (void)pthread_mutex_destroy(&run->mutex);
    slot_map_deinit(&run->map);
    request_format_deinit(&run->format);
    trace_deinit(&run->trace);
    (void)close(run->wake_fd);
done:
    free(session.scratch);
    free(session.interval);
    free(session.total);
    free(session.workers);
    free(run);
    return status;
}
