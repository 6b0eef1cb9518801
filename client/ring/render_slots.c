#include "client/ring/render.h"
#include "ring/slot.h"

#define KEY_WIDTH_MAX 28

/* The key, cut and filled to KEY_WIDTH_MAX columns at most, `width` at least. */
static void render_key_cell(struct buf *out, struct bytes key, size_t width)
{
    struct buf text = {0};
    cells_key(&text, key);
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
            cells_address(address, &view->nodes[owners[0]], ADDRESS_WIDTH_MAX);
        }
        buf_append_format(out, "%5u %-*s ", slot, ADDRESS_WIDTH_MAX, address);
        for (size_t rank = 1; rank < owner_count; rank++) {
            cells_address(address, &view->nodes[owners[rank]], ADDRESS_WIDTH_MAX);
            buf_append_format(out, "%s%s", rank == 1 ? "" : ",", address);
        }
        buf_append_text(out, owner_count > 1 ? "\n" : "-\n");
    }
}
