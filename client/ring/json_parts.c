#include "client/ring/json_parts.h"

#include "client/ring/cells.h"
#include "client/ring/info.h"

#include <string.h>

json_t *json_parts_append(json_t *array, json_t *element)
{
    if (array == NULL || json_array_append_new(array, element) != 0) {
        if (array == NULL) {
            json_decref(element);
        }
        json_decref(array);
        return NULL;
    }
    return array;
}

json_t *json_parts_join(json_t *object, json_t *more)
{
    if (object == NULL || more == NULL || json_object_update(object, more) != 0) {
        json_decref(object);
        object = NULL;
    }
    json_decref(more);
    return object;
}

json_t *json_parts_text(const char *bytes)
{
    json_t *string = json_string(bytes);
    if (string == NULL) {
        struct buf shown = {0};
        cells_key(&shown, bytes_of(bytes));
        string = shown.failed ? NULL : json_stringn(buf_head(&shown), buf_size(&shown));
        buf_deinit(&shown);
    }
    return string;
}

json_t *json_parts_lines(struct bytes lines)
{
    json_t *out = json_array();
    while (lines.size > 0) {
        const char *newline = memchr(lines.data, '\n', lines.size);
        size_t size = newline == NULL ? lines.size : (size_t)(newline - lines.data);
        out = json_parts_append(out, json_stringn_nocheck(lines.data, size));
        size += newline == NULL ? 0 : 1;
        lines = (struct bytes){lines.data + size, lines.size - size};
    }
    return out;
}

json_t *json_parts_identity(const struct view_node *node)
{
    char id[NODE_ID_TEXT_SIZE];
    node_id_format(&node->id, id);
    return json_pack("{s:s, s:o, s:i, s:i}", "id", id, "host", json_parts_text(node->host), "port",
                     node->client_port, "direct_port", node->direct_port);
}

json_t *json_parts_weight(uint32_t weight)
{
    return json_real((double)weight / WEIGHT_UNIT);
}

json_t *json_parts_count(uint64_t number)
{
    return number == INFO_UNKNOWN ? json_null() : json_integer((json_int_t)number);
}
