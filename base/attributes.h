/*
 * Compiler attributes by their meaning. GCC and clang in C17 mode accept only the
 * __attribute__ spelling, so it is written once, here.
 */
#ifndef TORC_BASE_ATTRIBUTES_H
#define TORC_BASE_ATTRIBUTES_H

#define TORC_MUST_USE __attribute__((warn_unused_result))
#define TORC_PRINTF(format_index, first_argument)                                                  \
    __attribute__((format(printf, format_index, first_argument)))
#define TORC_LIKELY(x) __builtin_expect(!!(x), 1)
#define TORC_UNLIKELY(x) __builtin_expect(!!(x), 0)

#endif
