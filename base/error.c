#include "base/error.h"

const char *torc_strerror(int error)
{
    switch (error) {
    case TORC_OK: return "ok";
#define TORC_ERROR_TEXT(name, value, text)                                                         \
    case name: return text;
        TORC_ERRORS(TORC_ERROR_TEXT)
#undef TORC_ERROR_TEXT
    default: return "unknown error";
    }
}
