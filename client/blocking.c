#include "client/blocking.h"

#include "client/limits.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Where a command says for how long it waits. */
enum place {
    PLACE_LAST,   /* the last argument */
    PLACE_FIRST,  /* the first */
    PLACE_SECOND, /* the second */
    PLACE_THIRD,
    PLACE_OPTION, /* behind the word BLOCK, if that is there */
};

static const struct row {
    const char *name;
    enum place place;
    unsigned unit_ms;
} rows[] = {
    {"blpop", PLACE_LAST, 1000},      {"brpop", PLACE_LAST, 1000},
    {"brpoplpush", PLACE_LAST, 1000}, {"blmove", PLACE_LAST, 1000},
    {"blmpop", PLACE_FIRST, 1000},    {"bzpopmin", PLACE_LAST, 1000},
    {"bzpopmax", PLACE_LAST, 1000},   {"bzmpop", PLACE_FIRST, 1000},
    {"xread", PLACE_OPTION, 1},       {"xreadgroup", PLACE_OPTION, 1},
    {"wait", PLACE_SECOND, 1},        {"waitaof", PLACE_THIRD, 1},
};

static const struct row *find(const struct bytes *argv)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (bytes_equal_nocase(argv[0], rows[i].name)) {
            return &rows[i];
        }
    }
    return NULL;
}

/* Index of the argument; argc: it is not there. */
static size_t find_argument(const struct row *row, const struct bytes *argv, size_t argc)
{
    switch (row->place) {
    case PLACE_LAST: return argc - 1;
    case PLACE_FIRST: return 1;
    case PLACE_SECOND: return 2;
    case PLACE_THIRD: return 3;
    case PLACE_OPTION: break;
    }
    for (size_t i = 1; i + 1 < argc && !bytes_equal_nocase(argv[i], "streams"); i++) {
        if (bytes_equal_nocase(argv[i], "block")) {
            return i + 1;
        }
    }
    return argc;
}

bool blocking_waits(const struct bytes *argv, size_t argc)
{
    const struct row *row = find(argv);
    return row == NULL || row->place != PLACE_OPTION || find_argument(row, argv, argc) < argc;
}

uint64_t blocking_deadline(const struct bytes *argv, size_t argc, uint64_t deadline_ms)
{
    char text[32];
    char *end;
    const struct row *row = find(argv);
    const size_t index = row == NULL ? argc : find_argument(row, argv, argc);
    if (index >= argc || argv[index].size == 0 || argv[index].size >= sizeof(text)) {
        return deadline_ms; /* unknown; or the server says what is wrong with it */
    }
    (void)snprintf(text, sizeof(text), "%.*s", (int)argv[index].size, argv[index].data);
    const double wait_ms = strtod(text, &end) * row->unit_ms;
    if (*end != '\0' || !(wait_ms >= 0)) {
        return deadline_ms;
    }
    return wait_ms == 0 || wait_ms > TIMEOUT_MS_MAX ? UINT64_MAX
                                                    : deadline_ms + (uint64_t)ceil(wait_ms);
}
