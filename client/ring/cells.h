/*
 * What the tables of torc-ring are made of: numbers, addresses and bars of a known width. Pure.
 */
#ifndef TORC_CLIENT_RING_CELLS_H
#define TORC_CLIENT_RING_CELLS_H

#include "base/buf.h"
#include "ring/view.h"

#include <stdbool.h>
#include <stdint.h>

#define RENDER_WIDTH 80      /* columns of a line */
#define CELL_SIZE 40         /* bytes of any cell below, with its zero */
#define ID_WIDTH 8           /* characters of an id that are shown, as in the log of a node */
#define ADDRESS_WIDTH_MAX 21 /* "255.255.255.255:65535" */

#define COLOUR_RED "\033[31m"
#define COLOUR_GREEN "\033[32m"
#define COLOUR_YELLOW "\033[33m"
#define COLOUR_BOLD "\033[1m"
#define COLOUR_NONE "\033[0m"

/* What the reader's terminal can show. */
struct look {
    bool colour;
    bool unicode; /* bars of block elements instead of '#' */
};

/* The escape, or "" without colour. */
const char *cells_colour(struct look look, const char *escape);

/* 5 columns at most: "999", "12.3k", "456M"; steps of 1000, or of 1024 for bytes. */
void cells_number(char out[CELL_SIZE], double number, unsigned step);
/* How much more than due, 5 columns at most: "+2.1%", "+37%", ">999%"; "-" for what has none (less
 * than -100 %, or no number). */
void cells_excess(char out[CELL_SIZE], double fraction);
/* "2.5 s", "12 s", "4 min", "2.5 h". */
void cells_duration(char out[CELL_SIZE], double seconds);
/* A weight of thousandths as it is written: "1", "0.5", "12.125". */
void cells_weight(char out[CELL_SIZE], uint32_t weight);
/* The first characters of the id. */
void cells_id(char out[ID_WIDTH + 1], const struct node_id *id);
/* "host:port" of the client port, the host cut so that all fits in `width` < CELL_SIZE. */
void cells_address(char out[CELL_SIZE], const struct view_node *node, size_t width);
/* Appends printable ASCII as it is, everything else as \xNN. */
void cells_key(struct buf *out, struct bytes key);
/* Appends a bar of `width` columns, `fraction` (0..1) of it filled, the rest with blanks, or with a
 * shade if `ground`. */
void cells_bar(struct buf *out, double fraction, size_t width, bool ground, struct look look);

#endif
