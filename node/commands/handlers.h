/*
 * Every command handler by name: `<command>_command`, and `<container>_<subcommand>_command` for
 * subcommands. Two lists, so that a program that serves only keys can say what it does without:
 * those that work on keys alone, and those that know about connections, the node and the cluster.
 */
#ifndef TORC_NODE_COMMANDS_HANDLERS_H
#define TORC_NODE_COMMANDS_HANDLERS_H

#include "node/command.h"

/* Strings, counters, lists, hashes, sets, keys and the node's own part of the node-wide commands.
 */
#define COMMAND_HANDLERS_OF_KEYS(X)                                                                \
    X(append)                                                                                      \
    X(copy)                                                                                        \
    X(dbsize)                                                                                      \
    X(decr)                                                                                        \
    X(decrby)                                                                                      \
    X(del)                                                                                         \
    X(dump)                                                                                        \
    X(exists)                                                                                      \
    X(expire)                                                                                      \
    X(expireat)                                                                                    \
    X(expiretime)                                                                                  \
    X(flushall)                                                                                    \
    X(flushdb)                                                                                     \
    X(get)                                                                                         \
    X(getdel)                                                                                      \
    X(getex)                                                                                       \
    X(getrange)                                                                                    \
    X(getset)                                                                                      \
    X(hdel)                                                                                        \
    X(hexists)                                                                                     \
    X(hget)                                                                                        \
    X(hgetall)                                                                                     \
    X(hincrby)                                                                                     \
    X(hincrbyfloat)                                                                                \
    X(hkeys)                                                                                       \
    X(hlen)                                                                                        \
    X(hmget)                                                                                       \
    X(hmset)                                                                                       \
    X(hrandfield)                                                                                  \
    X(hscan)                                                                                       \
    X(hset)                                                                                        \
    X(hsetnx)                                                                                      \
    X(hstrlen)                                                                                     \
    X(hvals)                                                                                       \
    X(incr)                                                                                        \
    X(incrby)                                                                                      \
    X(incrbyfloat)                                                                                 \
    X(keys)                                                                                        \
    X(lindex)                                                                                      \
    X(linsert)                                                                                     \
    X(llen)                                                                                        \
    X(lmove)                                                                                       \
    X(lmpop)                                                                                       \
    X(lpop)                                                                                        \
    X(lpos)                                                                                        \
    X(lpush)                                                                                       \
    X(lpushx)                                                                                      \
    X(lrange)                                                                                      \
    X(lrem)                                                                                        \
    X(lset)                                                                                        \
    X(ltrim)                                                                                       \
    X(memory_help)                                                                                 \
    X(memory_purge)                                                                                \
    X(memory_usage)                                                                                \
    X(mget)                                                                                        \
    X(mset)                                                                                        \
    X(msetnx)                                                                                      \
    X(object_encoding)                                                                             \
    X(object_freq)                                                                                 \
    X(object_help)                                                                                 \
    X(object_idletime)                                                                             \
    X(object_refcount)                                                                             \
    X(persist)                                                                                     \
    X(pexpire)                                                                                     \
    X(pexpireat)                                                                                   \
    X(pexpiretime)                                                                                 \
    X(psetex)                                                                                      \
    X(pttl)                                                                                        \
    X(randomkey)                                                                                   \
    X(rename)                                                                                      \
    X(renamenx)                                                                                    \
    X(restore)                                                                                     \
    X(rpop)                                                                                        \
    X(rpoplpush)                                                                                   \
    X(rpush)                                                                                       \
    X(rpushx)                                                                                      \
    X(sadd)                                                                                        \
    X(scan)                                                                                        \
    X(scard)                                                                                       \
    X(sdiff)                                                                                       \
    X(sdiffstore)                                                                                  \
    X(set)                                                                                         \
    X(setex)                                                                                       \
    X(setnx)                                                                                       \
    X(setrange)                                                                                    \
    X(sinter)                                                                                      \
    X(sintercard)                                                                                  \
    X(sinterstore)                                                                                 \
    X(sismember)                                                                                   \
    X(smembers)                                                                                    \
    X(smismember)                                                                                  \
    X(smove)                                                                                       \
    X(spop)                                                                                        \
    X(srandmember)                                                                                 \
    X(srem)                                                                                        \
    X(sscan)                                                                                       \
    X(strlen)                                                                                      \
    X(sunion)                                                                                      \
    X(sunionstore)                                                                                 \
    X(torc_flushslot)                                                                              \
    X(torc_scan)                                                                                   \
    X(touch)                                                                                       \
    X(ttl)                                                                                         \
    X(type)

/* Connections, the node, the cluster, and what nodes say to each other. */
#define COMMAND_HANDLERS_OF_NODE(X)                                                                \
    X(asking)                                                                                      \
    X(auth)                                                                                        \
    X(client_getname)                                                                              \
    X(client_getredir)                                                                             \
    X(client_help)                                                                                 \
    X(client_id)                                                                                   \
    X(client_info)                                                                                 \
    X(client_kill)                                                                                 \
    X(client_list)                                                                                 \
    X(client_no_evict)                                                                             \
    X(client_no_touch)                                                                             \
    X(client_pause)                                                                                \
    X(client_reply)                                                                                \
    X(client_setinfo)                                                                              \
    X(client_setname)                                                                              \
    X(client_trackinginfo)                                                                         \
    X(client_unblock)                                                                              \
    X(client_unpause)                                                                              \
    X(cluster_count_failure_reports)                                                               \
    X(cluster_countkeysinslot)                                                                     \
    X(cluster_slot_stats)                                                                          \
    X(cluster_getkeysinslot)                                                                       \
    X(cluster_failover)                                                                            \
    X(cluster_forget)                                                                              \
    X(cluster_help)                                                                                \
    X(cluster_info)                                                                                \
    X(cluster_keyslot)                                                                             \
    X(cluster_links)                                                                               \
    X(cluster_myid)                                                                                \
    X(cluster_nodes)                                                                               \
    X(cluster_reset)                                                                               \
    X(cluster_shards)                                                                              \
    X(cluster_slots)                                                                               \
    X(cluster_unsupported)                                                                         \
    X(command)                                                                                     \
    X(command_count)                                                                               \
    X(command_docs)                                                                                \
    X(command_getkeys)                                                                             \
    X(command_getkeysandflags)                                                                     \
    X(command_help)                                                                                \
    X(command_info)                                                                                \
    X(command_list)                                                                                \
    X(config_get)                                                                                  \
    X(config_help)                                                                                 \
    X(config_resetstat)                                                                            \
    X(config_rewrite)                                                                              \
    X(config_set)                                                                                  \
    X(debug_help)                                                                                  \
    X(debug_sleep)                                                                                 \
    X(echo)                                                                                        \
    X(hello)                                                                                       \
    X(info)                                                                                        \
    X(ping)                                                                                        \
    X(quit)                                                                                        \
    X(readonly)                                                                                    \
    X(readwrite)                                                                                   \
    X(reset)                                                                                       \
    X(select)                                                                                      \
    X(shutdown)                                                                                    \
    X(time)                                                                                        \
    X(torc_gossip)                                                                                 \
    X(torc_quorum)                                                                                 \
    X(torc_ring_cancel)                                                                            \
    X(torc_ring_change)                                                                            \
    X(torc_take)                                                                                   \
    X(torc_view)                                                                                   \
    X(wait)

#define COMMAND_HANDLER_DECLARE(name) command_handler name##_command;
COMMAND_HANDLERS_OF_KEYS(COMMAND_HANDLER_DECLARE)
COMMAND_HANDLERS_OF_NODE(COMMAND_HANDLER_DECLARE)

#endif
