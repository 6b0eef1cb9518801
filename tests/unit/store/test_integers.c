#include "node/store/integers.h"

#include "base/prng.h"
#include "tests/unit/store/support.h"

#define COUNT_MAX 300

START_TEST(widths)
{
    ck_assert_uint_eq(integer_width(0), 2);
    ck_assert_uint_eq(integer_width(INT16_MAX), 2);
    ck_assert_uint_eq(integer_width(INT16_MIN), 2);
    ck_assert_uint_eq(integer_width(INT16_MAX + 1), 4);
    ck_assert_uint_eq(integer_width(INT16_MIN - 1), 4);
    ck_assert_uint_eq(integer_width(INT32_MAX), 4);
    ck_assert_uint_eq(integer_width(INT32_MIN), 4);
    ck_assert_uint_eq(integer_width((int64_t)INT32_MAX + 1), 8);
    ck_assert_uint_eq(integer_width((int64_t)INT32_MIN - 1), 8);
    ck_assert_uint_eq(integer_width(INT64_MIN), 8);
    ck_assert_uint_eq(integer_width(INT64_MAX), 8);
}
END_TEST

struct model {
    int64_t values[COUNT_MAX]; /* ascending */
    uint32_t count;
};

static bool model_has(const struct model *model, int64_t value, uint32_t *index)
{
    *index = 0;
    while (*index < model->count && model->values[*index] < value) {
        ++*index;
    }
    return *index < model->count && model->values[*index] == value;
}

static void check(const struct integers *integers, const struct model *model)
{
    require(integers->count == model->count);
    require(integers_size(integers) == (size_t)model->count * integers->width);
    for (uint32_t i = 0; i < model->count; i++) {
        uint32_t index;
        require(integers_at(integers, i) == model->values[i]);
        require(integers_find(integers, model->values[i], &index) && index == i);
    }
}

/* A value of any width, the extremes among them. */
static int64_t draw(struct prng *prng, unsigned width_max)
{
    static const int64_t edges[] = {0,         1,         -1,        INT16_MAX, INT16_MIN,
                                    INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
    uint64_t bits = prng_next(prng);
    if (width_max == 2) {
        return (int64_t)(bits % 400) - 200;
    }
    return bits % 5 == 0   ? edges[bits / 5 % 9]
           : bits % 2 == 0 ? (int32_t)(bits >> 32)
                           : (int64_t)bits;
}

START_TEST(like_the_model)
{
    struct model model = {.count = 0};
    char block[COUNT_MAX * 8 + 1];
    struct integers integers = {.data = block + 1, .width = 2}; /* nothing is aligned */
    struct prng prng;
    prng_init(&prng, (uint64_t)_i + 1);
    for (unsigned step = 0; step < 6000; step++) {
        int64_t value = draw(&prng, step < 2000 ? 2 : 8);
        uint32_t index, expected;
        bool there = model_has(&model, value, &expected);
        require(integers_find(&integers, value, &index) == there && index == expected);
        uint8_t width = integer_width(value);
        if (!there && model.count < COUNT_MAX && prng_below(&prng, 10) < 7) {
            memmove(model.values + index + 1, model.values + index,
                    (model.count - index) * sizeof(value));
            model.values[index] = value;
            model.count++;
            integers_widen(&integers, width > integers.width ? width : integers.width);
            integers_insert(&integers, index, value);
        } else if (model.count > 0) {
            index = there ? index : (uint32_t)prng_below(&prng, model.count);
            memmove(model.values + index, model.values + index + 1,
                    (model.count - index - 1) * sizeof(value));
            model.count--;
            integers_remove(&integers, index);
        }
        check(&integers, &model);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("integers");
    TCase *tests = tcase_create("integers");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, widths);
    tcase_add_loop_test(tests, like_the_model, 0, 2);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
