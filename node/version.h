/*
 * What the programs say when asked for their version, and which Redis they are compatible with:
 * clients look at the latter to decide which commands they may use.
 */
#ifndef TORC_NODE_VERSION_H
#define TORC_NODE_VERSION_H

#define TORC_VERSION "0.1.0" /* as in CMakeLists.txt */
#define REDIS_COMPATIBLE_VERSION "7.2.0"

#endif
