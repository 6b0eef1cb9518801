/*
 * The table behind config.h: one row for each option, and how the text of a row's value is read,
 * kept and written. Constant; any thread. For config*.c and the documentation's tests only.
 */
#ifndef TORC_NODE_CONFIG_OPTIONS_H
#define TORC_NODE_CONFIG_OPTIONS_H

#include "base/attributes.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "node/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum config_group {
    CONFIG_GROUP_ADDRESS,
    CONFIG_GROUP_CLUSTER,
    CONFIG_GROUP_RESOURCE,
    CONFIG_GROUP_OPERATION,
    CONFIG_GROUP_COUNT,
};

/* What text is accepted. */
enum config_kind {
    CONFIG_INTEGER, /* decimal, min .. max */
    CONFIG_SIZE,    /* bytes, with Redis's units: k = 1000, kb = 1024, ... */
    CONFIG_WEIGHT,  /* decimal fraction, kept in thousandths */
    CONFIG_CHOICE,  /* one of a list of words */
    CONFIG_TEXT,    /* min .. max bytes that pass `check` */
};

/* Of which type the member of struct config is. */
enum config_storage {
    STORE_BOOL,
    STORE_U16,
    STORE_U32,
    STORE_UNSIGNED,
    STORE_ACKS,
    STORE_CHARS,
    STORE_ATOMIC_U64,
    STORE_ATOMIC_U32,
    STORE_ATOMIC_INT,
};

struct config_choice {
    const char *name; /* lower case; NULL ends the list */
    int value;        /* of several names for one value the first is the one that is shown */
};

#define CONFIG_OWN_POLICIES 6
/* Names of eviction policies: first Torc's own, so many; then Redis's, one for each policy. */
extern const struct config_choice config_eviction_choices[];

struct config_option {
    const char *name;     /* without the dashes; lower case */
    const char *argument; /* for --help, e.g. "PORT" */
    enum config_group group;
    enum config_kind kind;
    enum config_storage storage;
    bool changeable; /* CONFIG SET may change it */
    size_t offset;   /* into struct config */
    uint64_t min, max;
    const struct config_choice *choices; /* CONFIG_CHOICE */
    bool (*check)(struct bytes text);    /* CONFIG_TEXT; NULL accepts all */
    const char *expected;                /* CONFIG_TEXT: what `check` accepts, for its error */
    const char *initial;                 /* default, as text; NULL when worked out at start */
    const char *help;
};

/* A value that was read and found lawful. */
struct config_value {
    uint64_t number;
    struct bytes text; /* CONFIG_TEXT: borrowed from what was parsed */
};

/* Row `index` in the order of --help, or NULL past the end. */
const struct config_option *config_option_at(size_t index);
/* In any case; NULL if there is none. */
const struct config_option *config_option_find(struct bytes name);

/* Reads `text` with the option's choices or, where `choices` is not NULL, with those. 0, or
 * TORC_EINVAL after appending to `error` what was given and what is accepted. */
int config_option_parse(const struct config_option *option, const struct config_choice *choices,
                        struct bytes text, struct config_value *out,
                        struct buf *error) TORC_MUST_USE;
void config_option_store(const struct config_option *option, struct config *config,
                         const struct config_value *value);
/* Appends the present value as text that config_option_parse accepts. */
void config_option_format(const struct config_option *option, const struct config_choice *choices,
                          const struct config *config, struct buf *out);

/* config_parse, but what it would print is appended to `out`. */
enum config_outcome config_parse_text(struct config *config, int argc, char **argv,
                                      struct buf *out) TORC_MUST_USE;
/* Appends what --help prints. */
void config_help(struct buf *out);

#endif
