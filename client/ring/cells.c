#include "client/ring/cells.h"

#include "client/endpoint.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define PARTS 8 /* of a column that a bar can fill */

const char *cells_colour(struct look look, const char *escape)
{
    return look.colour ? escape : "";
}

void cells_number(char out[CELL_SIZE], double number, unsigned step)
{
    static const char units[] = "\0kMGTPE";
    double value = number;
    size_t unit = 0;
    /* 999.5 would be printed as 1000. */
    while (value >= 999.5 && unit + 2 < sizeof(units)) {
        value /= step;
        unit++;
    }
    const char suffix[2] = {units[unit], '\0'};
    const bool decimal = unit > 0 && value < 99.95;
    (void)snprintf(out, CELL_SIZE, decimal ? "%.1f%s" : "%.0f%s", value, suffix);
}

void cells_excess(char out[CELL_SIZE], double fraction)
{
    const double percent = 100 * fraction;
    if (isnan(percent) || percent < -100) {
        (void)snprintf(out, CELL_SIZE, "-");
    } else if (percent > 999) {
        (void)snprintf(out, CELL_SIZE, ">999%%");
    } else {
        (void)snprintf(out, CELL_SIZE, fabs(percent) >= 9.95 ? "%+.0f%%" : "%+.1f%%", percent);
    }
}

void cells_duration(char out[CELL_SIZE], double seconds)
{
    static const struct {
        double seconds;
        const char *name;
    } units[] = {{86400, "days"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    size_t unit = 0;
    /* From a unit and a half on: "90 s", then "1.5 min". */
    while (units[unit].seconds > 1 && seconds < 1.5 * units[unit].seconds) {
        unit++;
    }
    const double value = seconds / units[unit].seconds;
    (void)snprintf(out, CELL_SIZE, value < 9.95 ? "%.1f %s" : "%.0f %s", value, units[unit].name);
}

void cells_weight(char out[CELL_SIZE], uint32_t weight)
{
    (void)snprintf(out, CELL_SIZE, "%.7g", (double)weight / WEIGHT_UNIT);
}

void cells_id(char out[ID_WIDTH + 1], const struct node_id *id)
{
    char text[NODE_ID_TEXT_SIZE];
    node_id_format(id, text);
    memcpy(out, text, ID_WIDTH);
    out[ID_WIDTH] = '\0';
}

void cells_address(char out[CELL_SIZE], const struct view_node *node, size_t width)
{
    struct endpoint endpoint;
    char text[ENDPOINT_TEXT_SIZE];
    char port[8];
    endpoint_set(&endpoint, node->host, node->client_port);
    endpoint_format(&endpoint, text);
    if (strlen(text) > width) {
        int tail = snprintf(port, sizeof(port), "~:%u", node->client_port);
        (void)snprintf(out, CELL_SIZE, "%.*s%s", (int)width - tail, text, port);
    } else {
        (void)snprintf(out, CELL_SIZE, "%.*s", CELL_SIZE - 1, text);
    }
}

void cells_key(struct buf *out, struct bytes key)
{
    for (size_t i = 0; i < key.size; i++) {
        unsigned char c = (unsigned char)key.data[i];
        if (c >= ' ' && c < 0x7f) {
            buf_append(out, &c, 1);
        } else {
            buf_append_format(out, "\\x%02x", c);
        }
    }
}

void cells_bar(struct buf *out, double fraction, size_t width, bool ground, struct look look)
{
    static const char *const partial[PARTS] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    const double clipped = fraction > 0 ? fmin(fraction, 1) : 0; /* not a number: 0 */
    const size_t parts = (size_t)lround(clipped * (double)(width * PARTS));
    /* Without parts of a column, something is not to look like nothing. */
    size_t whole = look.unicode ? parts / PARTS : (parts + PARTS / 2) / PARTS;
    whole = !look.unicode && whole == 0 && parts > 0 ? 1 : whole;
    const size_t part = look.unicode ? parts % PARTS : 0;
    for (size_t i = 0; i < whole; i++) {
        buf_append_text(out, look.unicode ? "█" : "#");
    }
    buf_append_text(out, partial[part]);
    for (size_t i = whole + (part > 0); i < width; i++) {
        buf_append_text(out, !ground ? " " : look.unicode ? "░" : ".");
    }
}
