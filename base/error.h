/*
 * The one error model: functions return 0 for success or a negative TORC_E... code from this table.
 * Results travel by out parameters. On failure the caller keeps whatever it owned before the call.
 */
#ifndef TORC_BASE_ERROR_H
#define TORC_BASE_ERROR_H

#define TORC_ERRORS(X)                                                                             \
    X(TORC_ENOMEM, -1, "out of memory")                                                            \
    X(TORC_EINVAL, -2, "invalid argument")                                                         \
    X(TORC_ECORRUPT, -3, "malformed data")                                                         \
    X(TORC_EVERSION, -4, "unsupported version")                                                    \
    X(TORC_ETOOBIG, -5, "over the limit")                                                          \
    X(TORC_ENOTFOUND, -6, "not found")                                                             \
    X(TORC_EEXIST, -7, "exists already")                                                           \
    X(TORC_EAGAIN, -8, "try again later")                                                          \
    X(TORC_ETIMEOUT, -9, "timed out")                                                              \
    X(TORC_ECLOSED, -10, "connection closed")                                                      \
    X(TORC_EIO, -11, "input or output failed")                                                     \
    X(TORC_ECONNECT, -12, "cannot connect")                                                        \
    X(TORC_ERESOLVE, -13, "cannot resolve the host name")                                          \
    X(TORC_EPROTOCOL, -14, "the peer speaks another protocol")                                     \
    X(TORC_ESTALE, -15, "belongs to an older epoch")                                               \
    X(TORC_ETYPE, -16, "the key holds another kind of value")                                      \
    X(TORC_EREPLY, -17, "the server answered with an error")                                       \
    X(TORC_EOVERLOAD, -18, "too much outstanding work")                                            \
    X(TORC_EUNAVAILABLE, -19, "the node is left alone after failures")                             \
    X(TORC_EUNSUPPORTED, -20, "the server does not know how to do that")

enum torc_error {
    TORC_OK = 0,
#define TORC_ERROR_ENUM(name, value, text) name = (value),
    TORC_ERRORS(TORC_ERROR_ENUM)
#undef TORC_ERROR_ENUM
};

/* Text of an error code; never NULL, static storage. Any thread. */
const char *torc_strerror(int error);

#endif
