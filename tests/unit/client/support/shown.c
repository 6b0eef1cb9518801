#include "tests/unit/client/support/shown.h"

#include <check.h>
#include <string.h>

const char *shown_text(struct buf *text)
{
    buf_append(text, "", 1);
    ck_assert(!text->failed);
    return buf_head(text);
}

void shown_expect_fits(const char *lines)
{
    size_t column = 0;
    const char *line = lines;
    for (const char *c = lines; *c != '\0'; c++) {
        if (*c == '\033') {
            c = strpbrk(c, "mK");
            ck_assert_ptr_nonnull(c);
        } else if (*c == '\n') {
            ck_assert_msg(c == lines || c[-1] != ' ', "a line ends in a blank: %.100s", line);
            column = 0;
            line = c + 1;
        } else {
            column += ((unsigned char)*c & 0xc0) != 0x80;
            ck_assert_msg(column <= 80, "a line has more than 80 columns: %.100s", line);
        }
    }
}

void shown_expect(const char *lines, const char *part)
{
    ck_assert_msg(strstr(lines, part) != NULL, "'%s' is not in:\n%s", part, lines);
}
