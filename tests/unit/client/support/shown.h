/* What torc-ring shows, as the tests look at it. */
#ifndef TORC_TESTS_CLIENT_SHOWN_H
#define TORC_TESTS_CLIENT_SHOWN_H

#include "base/buf.h"

/* Puts a zero behind the text and returns it; borrowed. */
const char *shown_text(struct buf *text);
/* Fails if a line has more than 80 columns, or ends in a blank. Escapes take none, and a character
 * beyond ASCII takes one. */
void shown_expect_fits(const char *lines);
/* Fails, and shows all, if `part` is not in it. */
void shown_expect(const char *lines, const char *part);

#endif
