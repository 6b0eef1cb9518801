#include "client/ring/render.h"

#include "base/bytes.h"
#include "client/endpoint.h"
#include "ring/slot.h"

#include <stdio.h>
#include <string.h>

#define ID_WIDTH 8
#define ADDRESS_WIDTH_MAX 21 /* "255.255.255.255:65535" */
#define ZONE_WIDTH_MIN 4     /* "zone" */
#define PLACE_WIDTH 25       /* of address and zone together */
#define KEY_WIDTH_MAX 28
#define CELL_SIZE 32

#define COLOUR_RED "\033[31m"
#define COLOUR_GREEN "\033[32m"
#define COLOUR_YELLOW "\033[33m"
#define COLOUR_NONE "\033[0m"

static_assert(ID_WIDTH + PLACE_WIDTH + 7 + 5 + 5 + 5 + 6 + 5 + 5 + 9 == RENDER_WIDTH,
              "the columns of the table and the blanks between them fill a line");
static_assert(ADDRESS_WIDTH_MAX + ZONE_WIDTH_MIN <= PLACE_WIDTH, "there is room for a zone");

/* Widths of the columns that give way to each other. */
struct columns {
    size_t address;
    size_t zone;
};

void render_short_number(char out[RENDER_SHORT_SIZE], uint64_t number, unsigned step)
{
    static const char units[] = "\0kMGTPE";
    double value = (double)number;
    size_t unit = 0;
    /* 999.5 would be printed as 1000. */
    while (value >= 999.5 && unit + 2 < sizeof(units)) {
        value /= step;
        unit++;
    }
    const char suffix[2] = {units[unit], '\0'};
    const bool decimal = unit > 0 && value < 99.95;
    (void)snprintf(out, RENDER_SHORT_SIZE, decimal ? "%.1f%s" : "%.0f%s", value, suffix);
}

void render_key(struct buf *out, struct bytes key)
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

/* "host:port", the host cut so that all fits in `width`. */
static void format_address(char out[CELL_SIZE], const struct view_node *node, size_t width)
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

/* The address has what it needs, the zone what is left. */
static struct columns measure(const struct view *view)
{
    struct columns columns = {.address = 7, .zone = ZONE_WIDTH_MIN};
    for (size_t i = 0; i < view->node_count; i++) {
        char address[CELL_SIZE];
        format_address(address, &view->nodes[i], ADDRESS_WIDTH_MAX);
        size_t size = strlen(address);
        columns.address = size > columns.address ? size : columns.address;
        size = strlen(view->nodes[i].zone);
        columns.zone = size > columns.zone ? size : columns.zone;
    }
    if (columns.zone > PLACE_WIDTH - columns.address) {
        columns.zone = PLACE_WIDTH - columns.address;
    }
    return columns;
}

static void format_zone(char out[CELL_SIZE], const char *zone, size_t width)
{
    if (strlen(zone) > width) {
        (void)snprintf(out, CELL_SIZE, "%.*s~", (int)width - 1, zone);
    } else {
        (void)snprintf(out, CELL_SIZE, "%s", zone[0] == '\0' ? "-" : zone);
    }
}

static void format_share(char out[CELL_SIZE], const struct node_summary *node)
{
    double deviation = summary_deviation(node);
    if (node->due <= 0) {
        (void)snprintf(out, CELL_SIZE, "-");
    } else if (deviation > 999) {
        (void)snprintf(out, CELL_SIZE, ">999%%");
    } else {
        (void)snprintf(out, CELL_SIZE, deviation >= 99.95 ? "%+.0f%%" : "%+.1f%%", deviation);
    }
}

static const char *colour_of(enum node_status status)
{
    switch (status) {
    case NODE_UP: return COLOUR_GREEN;
    case NODE_SYNCING: return COLOUR_YELLOW;
    case NODE_DOWN: return COLOUR_RED;
    }
    return COLOUR_NONE;
}

static void render_node(struct buf *out, const struct summary *summary, size_t index,
                        struct columns columns, bool colour)
{
    const struct view_node *node = &summary->view->nodes[index];
    const struct node_summary *counted = &summary->nodes[index];
    char id[NODE_ID_TEXT_SIZE];
    char address[CELL_SIZE];
    char zone[CELL_SIZE];
    char weight[CELL_SIZE];
    char share[CELL_SIZE];
    char keys[RENDER_SHORT_SIZE] = "?";
    char memory[RENDER_SHORT_SIZE] = "?";
    node_id_format(&node->id, id);
    format_address(address, node, ADDRESS_WIDTH_MAX);
    format_zone(zone, node->zone, columns.zone);
    format_share(share, counted);
    (void)snprintf(weight, sizeof(weight), "%.4g", (double)node->weight_current / WEIGHT_UNIT);
    if (counted->answers) {
        render_short_number(keys, counted->keys, 1000);
        render_short_number(memory, counted->memory_bytes, 1024);
    }
    buf_append_format(out, "%-*.*s %-*s %-*s %s%-7s%s %5s %5u %5u %6s %5s %5s\n", ID_WIDTH,
                      ID_WIDTH, id, (int)columns.address, address, (int)columns.zone, zone,
                      colour ? colour_of(node->status) : "", summary_status_name(node->status),
                      colour ? COLOUR_NONE : "", weight, counted->primaries, counted->replicas,
                      share, keys, memory);
}

static void render_warnings(struct buf *out, const struct summary *summary, bool colour)
{
    struct bytes rest = buf_bytes(&summary->warnings);
    while (rest.size > 0) {
        const char *newline = memchr(rest.data, '\n', rest.size);
        size_t size = newline == NULL ? rest.size : (size_t)(newline - rest.data) + 1;
        buf_append_format(out, "%swarning:%s %.*s", colour ? COLOUR_YELLOW : "",
                          colour ? COLOUR_NONE : "", (int)size, rest.data);
        rest = (struct bytes){rest.data + size, rest.size - size};
    }
}

void render_status(struct buf *out, const struct summary *summary, bool colour)
{
    const struct view *view = summary->view;
    const struct columns columns = measure(view);
    size_t up = 0;
    for (size_t i = 0; i < view->node_count; i++) {
        up += view->nodes[i].status == NODE_UP;
    }
    buf_append_format(out, "cluster %s\nepoch %llu, copies %u, nodes %zu (%zu up)\n",
                      view->cluster_name, (unsigned long long)view->epoch, view->copies,
                      view->node_count, up);
    if (view->changing) {
        buf_append_format(out, "a change is under way: %u of %u slots are still to be placed\n",
                          summary->slots_to_move, SLOT_COUNT);
    }
    buf_append_format(out, "\n%-*s %-*s %-*s %-7s %5s %5s %5s %6s %5s %5s\n", ID_WIDTH, "id",
                      (int)columns.address, "address", (int)columns.zone, "zone", "status", "wght",
                      "prim", "repl", "share", "keys", "mem");
    for (size_t i = 0; i < view->node_count; i++) {
        render_node(out, summary, i, columns, colour);
    }
    if (summary->warning_count > 0) {
        buf_append_text(out, "\n");
        render_warnings(out, summary, colour);
    }
}

/* The key, cut and filled to KEY_WIDTH_MAX columns at most, `width` at least. */
static void render_key_cell(struct buf *out, struct bytes key, size_t width)
{
    struct buf text = {0};
    render_key(&text, key);
    if (buf_size(&text) > KEY_WIDTH_MAX) {
        buf_append_format(out, "%.*s~ ", KEY_WIDTH_MAX - 1, buf_head(&text));
    } else {
        buf_append_format(out, "%-*.*s ", (int)width, (int)buf_size(&text),
                          buf_size(&text) == 0 ? "" : buf_head(&text));
    }
    out->failed = out->failed || text.failed;
    buf_deinit(&text);
}

static size_t key_width(char *const *keys, int count)
{
    size_t width = 3;
    for (int i = 0; i < count; i++) {
        size_t shown = 0;
        for (const char *c = keys[i]; *c != '\0'; c++) {
            shown += *c >= ' ' && *c < 0x7f ? 1 : 4;
        }
        width = shown > width ? shown : width;
    }
    return width < KEY_WIDTH_MAX ? width : KEY_WIDTH_MAX;
}

void render_slots(struct buf *out, const struct view *view, char *const *keys, int count)
{
    const size_t width = key_width(keys, count);
    buf_append_format(out, "%-*s %5s %-*s %s\n", (int)width, "key", "slot", ADDRESS_WIDTH_MAX,
                      "primary", "replicas");
    for (int i = 0; i < count; i++) {
        struct bytes key = bytes_of(keys[i]);
        uint16_t slot = slot_of_key(key);
        uint16_t owners[COPIES_MAX];
        char address[CELL_SIZE] = "-";
        size_t owner_count = view_owners(view, slot, owners);
        render_key_cell(out, key, width);
        if (owner_count > 0) {
            format_address(address, &view->nodes[owners[0]], ADDRESS_WIDTH_MAX);
        }
        buf_append_format(out, "%5u %-*s ", slot, ADDRESS_WIDTH_MAX, address);
        for (size_t rank = 1; rank < owner_count; rank++) {
            format_address(address, &view->nodes[owners[rank]], ADDRESS_WIDTH_MAX);
            buf_append_format(out, "%s%s", rank == 1 ? "" : ",", address);
        }
        buf_append_text(out, owner_count > 1 ? "\n" : "-\n");
    }
}
