#include "client/ring/due.h"

#include <stdbool.h>

void due_shares(const uint32_t *weights, size_t count, unsigned copies, double *out)
{
    double left = copies;
    double weight_left = 0;
    for (size_t i = 0; i < count; i++) {
        weight_left += weights[i];
        out[i] = 0;
    }
    /* Each round fills up who would get more than all; those it leaves get more in the next. */
    for (bool filled = true; filled && weight_left > 0.5;) {
        const double unit = left / weight_left;
        filled = false;
        for (size_t i = 0; i < count; i++) {
            if (out[i] < 1 && weights[i] * unit >= 1) {
                out[i] = 1;
                left -= 1;
                weight_left -= weights[i];
                filled = true;
            }
        }
        for (size_t i = 0; i < count && !filled; i++) {
            out[i] = out[i] < 1 ? weights[i] * unit : 1;
        }
    }
}

uint32_t due_intended(const struct view_node *node)
{
    return node->weight_current == 0 || node->weight_asked == 0 ? node->weight_current
                                                                : node->weight_asked;
}

static double sum_of(const double *numbers, size_t count)
{
    double sum = 0;
    for (size_t i = 0; numbers != NULL && i < count; i++) {
        sum += numbers[i];
    }
    return sum;
}

static double part_of(double total, const struct due_by *by, double sum, double other_sum, size_t i)
{
    const double part = sum > 0 ? total * by->shares[i] / sum : 0;
    const double other = other_sum > 0 ? total * by->others[i] / other_sum : 0;
    return part > other ? part : other;
}

void due_parts(double total, const struct due_by *by, size_t count, double *out)
{
    const double sum = sum_of(by->shares, count);
    const double other_sum = sum_of(by->others, count);
    for (size_t i = 0; i < count; i++) {
        out[i] = part_of(total, by, sum, other_sum, i);
    }
}

double due_excess(const double *has, const struct due_by *by, size_t count)
{
    const double total = sum_of(has, count);
    const double sum = sum_of(by->shares, count);
    const double other_sum = sum_of(by->others, count);
    double most = 0;
    for (size_t i = 0; i < count; i++) {
        const double due = part_of(total, by, sum, other_sum, i);
        const double excess = due > 0 ? has[i] / due - 1 : 0;
        most = excess > most ? excess : most;
    }
    return most;
}
