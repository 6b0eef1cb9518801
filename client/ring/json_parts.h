/*
 * What torc-ring's JSON is made of, on top of jansson. NULL is want of memory everywhere, and is
 * passed on: NULL in, NULL out. Pure.
 */
#ifndef TORC_CLIENT_RING_JSON_PARTS_H
#define TORC_CLIENT_RING_JSON_PARTS_H

#include "ring/view.h"

#include <jansson.h>

/* Appends to the array, whose reference is taken and given back; takes the element's. */
json_t *json_parts_append(json_t *array, json_t *element);
/* Adds the members of `more`, whose reference is taken, to `object`, whose is taken and given back.
 */
json_t *json_parts_join(json_t *object, json_t *more);
/* A string that may not be UTF-8: then it is shown as torc-ring shows it to people. */
json_t *json_parts_text(const char *bytes);
/* An array of the lines, without their '\n'; they are UTF-8. */
json_t *json_parts_lines(struct bytes lines);
/* id, host, port, direct_port. */
json_t *json_parts_identity(const struct view_node *node);
/* A weight as people write it. */
json_t *json_parts_weight(uint32_t weight);
/* A count, or null for INFO_UNKNOWN. */
json_t *json_parts_count(uint64_t number);

#endif
