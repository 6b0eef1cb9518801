#include "base/error.h"
#include "ring/ring_wish.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct node_id id_of(size_t number)
{
    return (struct node_id){{(uint8_t)number, 1}};
}

/* Nodes 1, 2 and 3, the third of them down; `change` makes the third leave the ring. */
static struct view *view_of_three(bool change, bool turned_back)
{
    struct view *view = view_create();
    ck_assert_ptr_nonnull(view);
    view->epoch = 5;
    view->changing = change;
    view->turned_back = turned_back;
    for (size_t i = 1; i <= 3; i++) {
        struct view_node node = {.id = id_of(i),
                                 .host = "host",
                                 .status = i == 3 ? NODE_DOWN : NODE_UP,
                                 .weight_current = WEIGHT_UNIT,
                                 .weight_target = change && i == 3 ? 0 : WEIGHT_UNIT};
        ck_assert_int_eq(view_put_node(view, &node), TORC_OK);
    }
    ck_assert_int_eq(view_seal(view), TORC_OK);
    return view;
}

static void add(struct ring_wish *wish, size_t number, uint32_t weight, bool remove)
{
    struct ring_wish_node node = {id_of(number), weight, remove};
    ck_assert_int_eq(ring_wish_add(wish, &node), TORC_OK);
}

START_TEST(a_change_starts_from_the_ring_that_it_names)
{
    struct view *view = view_of_three(false, false);
    struct ring_wish wish = {.tag = view_ring_tag(view)};
    add(&wish, 1, 2 * WEIGHT_UNIT, false);
    ck_assert_int_eq(ring_wish_check(&wish, view), TORC_OK);
    wish.tag++;
    ck_assert_int_eq(ring_wish_check(&wish, view), TORC_ESTALE);
    wish.tag--;
    add(&wish, 9, WEIGHT_UNIT, false);
    ck_assert_int_eq(ring_wish_check(&wish, view), TORC_ENOTFOUND);
    ring_wish_deinit(&wish);
    ck_assert_uint_eq(wish.tag, 0);
    view_release(view);
}
END_TEST

START_TEST(somebody_must_be_left_who_is_there)
{
    struct view *view = view_of_three(false, false);
    struct ring_wish wish = {.tag = view_ring_tag(view)};
    add(&wish, 1, 0, true);
    ck_assert_int_eq(ring_wish_check(&wish, view), TORC_OK);
    add(&wish, 2, 0, false);
    ck_assert_int_eq(ring_wish_check(&wish, view), TORC_EINVAL); /* the third is down */
    add(&wish, 2, 1, false); /* of a node that is named twice the last counts */
    ck_assert_uint_eq(wish.count, 2);
    ck_assert_int_eq(ring_wish_check(&wish, view), TORC_OK);
    add(&wish, 2, WEIGHT_MAX + 1, false);
    ck_assert_int_eq(ring_wish_check(&wish, view), TORC_EINVAL);
    ring_wish_deinit(&wish);
    view_release(view);
}
END_TEST

START_TEST(one_change_at_a_time)
{
    struct view *still = view_of_three(false, false);
    struct view *changing = view_of_three(true, false);
    struct view *turned = view_of_three(true, true);
    struct ring_wish cancel = {.cancel = true, .tag = view_ring_tag(changing)};
    struct ring_wish change = {.tag = view_ring_tag(changing)};
    ck_assert_uint_ne(view_ring_tag(changing), view_ring_tag(still));
    ck_assert_int_eq(ring_wish_check(&change, changing), TORC_EAGAIN);
    ck_assert_int_eq(ring_wish_check(&cancel, changing), TORC_OK);
    ck_assert_int_eq(ring_wish_check(&cancel, still), TORC_ENOTFOUND);
    ck_assert_int_eq(ring_wish_check(&cancel, turned), TORC_EEXIST);
    cancel.tag++;
    ck_assert_int_eq(ring_wish_check(&cancel, changing), TORC_ESTALE);
    view_release(still);
    view_release(changing);
    view_release(turned);
}
END_TEST

START_TEST(it_is_put_into_the_view)
{
    struct view *view = view_of_three(false, false);
    struct view *next = view_clone(view);
    struct ring_wish wish = {.tag = view_ring_tag(view)};
    add(&wish, 1, 0, true);
    add(&wish, 2, 3 * WEIGHT_UNIT, false);
    add(&wish, 3, 0, true);
    ring_wish_apply(&wish, next);
    ck_assert(next->nodes[0].removing);
    ck_assert(!next->nodes[0].lost); /* it owns what it owns until that has moved */
    ck_assert_uint_eq(next->nodes[0].weight_target, 0);
    ck_assert_uint_eq(next->nodes[1].weight_target, 3 * WEIGHT_UNIT);
    ck_assert(!next->nodes[1].removing);
    ck_assert(next->nodes[2].removing);
    ck_assert(next->nodes[2].lost);
    ring_wish_deinit(&wish);

    struct ring_wish cancel = {.cancel = true};
    ring_wish_apply(&cancel, next);
    ck_assert(!next->nodes[0].removing);
    ck_assert(next->nodes[2].removing); /* what it held is given up */
    view_release(next);
    view_release(view);
}
END_TEST

static int decode(const struct buf *bytes, size_t size, struct ring_wish *out)
{
    struct reader reader;
    reader_init(&reader, (struct bytes){buf_head(bytes), size});
    int result = ring_wish_read(&reader, out);
    return result == TORC_OK ? reader_finish(&reader) : result;
}

START_TEST(its_bytes)
{
    static const char expected[] = "\x05\0\0\0\0\0\0\0"
                                   "\0"
                                   "\x01\0"
                                   "\x07\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                                   "\xe8\x03\0\0"
                                   "\0";
    struct ring_wish wish = {.tag = 5};
    struct ring_wish back;
    struct buf bytes = {0};
    add(&wish, 7, WEIGHT_UNIT, false);
    ring_wish_write(&wish, &bytes);
    ck_assert_uint_eq(buf_size(&bytes), sizeof(expected) - 1);
    ck_assert_mem_eq(buf_head(&bytes), expected, sizeof(expected) - 1);
    for (size_t size = 0; size < buf_size(&bytes); size++) {
        ck_assert_int_eq(decode(&bytes, size, &back), TORC_ECORRUPT);
        ring_wish_deinit(&back);
    }
    ck_assert_int_eq(decode(&bytes, buf_size(&bytes), &back), TORC_OK);
    ck_assert_uint_eq(back.count, 1);
    ck_assert_uint_eq(back.nodes[0].weight, WEIGHT_UNIT);
    ring_wish_deinit(&back);
    static const struct {
        size_t at;
        char value;
    } unlawful[] = {{8, 1}, {8, 2}, {9, 2}, {10, 0x7f}, {33, 2}, {35, 1}, {35, 2}};
    for (size_t i = 0; i < sizeof(unlawful) / sizeof(unlawful[0]); i++) {
        char before = buf_head(&bytes)[unlawful[i].at];
        buf_head(&bytes)[unlawful[i].at] = unlawful[i].value;
        ck_assert_int_eq(decode(&bytes, buf_size(&bytes), &back), TORC_ECORRUPT);
        ring_wish_deinit(&back);
        buf_head(&bytes)[unlawful[i].at] = before;
    }
    ring_wish_deinit(&wish);
    buf_deinit(&bytes);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ring_wish");
    TCase *tcase = tcase_create("ring_wish");
    tcase_add_test(tcase, a_change_starts_from_the_ring_that_it_names);
    tcase_add_test(tcase, somebody_must_be_left_who_is_there);
    tcase_add_test(tcase, one_change_at_a_time);
    tcase_add_test(tcase, it_is_put_into_the_view);
    tcase_add_test(tcase, its_bytes);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
