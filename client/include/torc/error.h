/*
 * Where torc.h finds the error codes inside the source tree. The installed torc/error.h is
 * base/error.h itself: the codes are written once.
 */
#ifndef TORC_ERROR_H
#define TORC_ERROR_H

#include "base/error.h"

#endif
