#include "node/config.h"

#include "base/error.h"
#include "base/log.h"
#include "node/config_options.h"
#include "node/resp/glob.h"
#include "node/store/store.h"

#include <assert.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#define THREADS_DEFAULT_MAX 16u /* past that a node is rarely bound by its workers */

/* Redis's name for an option of ours; its words where they differ. */
struct config_alias {
    const char *name;
    const char *option;
    const struct config_choice *choices; /* or NULL: those of the option */
};

/* What Redis lets one set and Torc has no choice about; asked for by tools and client libraries. */
struct config_fixed {
    const char *name;
    const char *value;
};

#define REDIS_POLICIES (&config_eviction_choices[CONFIG_OWN_POLICIES])

static const struct config_choice redis_log_levels[] = {
    {"debug", LOG_DEBUG},     {"notice", LOG_INFO},   {"verbose", LOG_INFO},
    {"warning", LOG_WARNING}, {"nothing", LOG_ERROR}, {NULL, 0},
};

static const struct config_alias aliases[] = {
    {"maxmemory", "memory", NULL},
    {"maxmemory-policy", "eviction", REDIS_POLICIES},
    {"maxclients", "clients-max", NULL},
    {"timeout", "idle-timeout", NULL},
    {"loglevel", "log-level", redis_log_levels},
    {"dir", "state-dir", NULL},
    {"io-threads", "threads", NULL},
    {"cluster-port", "bus-port", NULL},
    {"cluster-announce-ip", "announce", NULL},
    {"cluster-announce-port", "direct-port", NULL},
    {"cluster-announce-bus-port", "bus-port", NULL},
    {"cluster-node-timeout", "lease-ms", NULL},
};

static const struct config_fixed fixed[] = {
    {"appendfsync", "no"},
    {"appendonly", "no"},
    {"cluster-enabled", "yes"},
    {"cluster-require-full-coverage", "no"},
    {"databases", "1"},
    {"io-threads-do-reads", "yes"},
    {"masterauth", ""},
    {"notify-keyspace-events", ""},
    {"proto-max-bulk-len", NULL}, /* REQUEST_BULK_SIZE_MAX */
    {"protected-mode", "no"},
    {"replica-read-only", "yes"},
    {"requirepass", ""},
    {"save", ""},
    {"tls-port", "0"},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *fixed_value(const struct config_fixed *entry, char scratch[24])
{
    if (entry->value != NULL) {
        return entry->value;
    }
    snprintf(scratch, 24, "%u", REQUEST_BULK_SIZE_MAX);
    return scratch;
}

static unsigned cores_usable(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0) {
        return (unsigned)CPU_COUNT(&set);
    }
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online < 1 ? 1 : (unsigned)online;
}

void config_defaults(struct config *config)
{
    *config = (struct config){0};
    struct buf error = {0};
    const struct config_option *option = NULL;
    for (size_t i = 0; (option = config_option_at(i)) != NULL; i++) {
        if (option->initial != NULL) {
            struct config_value value;
            int status =
                config_option_parse(option, NULL, bytes_of(option->initial), &value, &error);
            assert(status == TORC_OK);
            config_option_store(option, config, &value);
        }
    }
    buf_deinit(&error);
    unsigned cores = cores_usable();
    config->threads = cores < THREADS_DEFAULT_MAX ? cores : THREADS_DEFAULT_MAX;
    config->direct_port = (uint16_t)(config->port + CONFIG_DIRECT_PORT_OFFSET);
    config->http_port = (uint16_t)(config->port + CONFIG_HTTP_PORT_OFFSET);
    config->bus_port = (uint16_t)(config->port + CONFIG_BUS_PORT_OFFSET);
    snprintf(config->state_dir, sizeof(config->state_dir), "./torc-%u", config->port);
}

static const struct config_alias *alias_find(struct bytes name)
{
    for (size_t i = 0; i < COUNT(aliases); i++) {
        if (bytes_equal_nocase(name, aliases[i].name)) {
            return &aliases[i];
        }
    }
    return NULL;
}

const char *config_redis_policy(const struct config *config)
{
    int policy = atomic_load_explicit(&config->eviction, memory_order_relaxed);
    const struct config_choice *choice = REDIS_POLICIES;
    while (choice->name != NULL && choice->value != policy) {
        choice++;
    }
    assert(choice->name != NULL);
    return choice->name;
}

static void tell(const struct config *config, const char *name, const struct config_option *option,
                 const struct config_choice *choices,
                 void (*each)(void *context, const char *name, const char *value), void *context)
{
    struct buf value = {0};
    config_option_format(option, choices, config, &value);
    buf_append(&value, "", 1);
    if (!value.failed) {
        each(context, name, buf_head(&value));
    }
    buf_deinit(&value);
}

void config_get(const struct config *config, struct bytes glob,
                void (*each)(void *context, const char *name, const char *value), void *context)
{
    const struct config_option *option = NULL;
    for (size_t i = 0; (option = config_option_at(i)) != NULL; i++) {
        if (glob_match(glob, bytes_of(option->name), true)) {
            tell(config, option->name, option, NULL, each, context);
        }
    }
    for (size_t i = 0; i < COUNT(aliases); i++) {
        if (glob_match(glob, bytes_of(aliases[i].name), true)) {
            option = config_option_find(bytes_of(aliases[i].option));
            assert(option != NULL);
            tell(config, aliases[i].name, option, aliases[i].choices, each, context);
        }
    }
    for (size_t i = 0; i < COUNT(fixed); i++) {
        if (glob_match(glob, bytes_of(fixed[i].name), true)) {
            char scratch[24];
            each(context, fixed[i].name, fixed_value(&fixed[i], scratch));
        }
    }
}

/* Setting what cannot be otherwise to what it is does no harm, and test suites do it. */
static int check_fixed(struct bytes name, struct bytes value)
{
    for (size_t i = 0; i < COUNT(fixed); i++) {
        if (bytes_equal_nocase(name, fixed[i].name)) {
            char scratch[24];
            bool same = bytes_equal_nocase(value, fixed_value(&fixed[i], scratch));
            return same ? TORC_OK : TORC_EEXIST;
        }
    }
    return TORC_ENOTFOUND;
}

/* *option is NULL when there is nothing to store. */
static int read_setting(struct bytes name, struct bytes text, const struct config_option **option,
                        struct config_value *value, struct buf *error)
{
    const struct config_alias *alias = alias_find(name);
    *option = config_option_find(alias == NULL ? name : bytes_of(alias->option));
    if (*option == NULL) {
        return check_fixed(name, text);
    }
    if (!(*option)->changeable) {
        return TORC_EEXIST;
    }
    return config_option_parse(*option, alias == NULL ? NULL : alias->choices, text, value, error);
}

int config_check(struct bytes name, struct bytes value, struct buf *error)
{
    const struct config_option *option = NULL;
    struct config_value ignored;
    return read_setting(name, value, &option, &ignored, error);
}

int config_set(struct config *config, struct bytes name, struct bytes value, struct buf *error)
{
    const struct config_option *option = NULL;
    struct config_value parsed;
    int status = read_setting(name, value, &option, &parsed, error);
    if (status == TORC_OK && option != NULL) {
        config_option_store(option, config, &parsed);
    }
    return status;
}
