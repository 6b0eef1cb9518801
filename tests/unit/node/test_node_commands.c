/* The commands about connections, the node and the cluster, asked of a node that is put together by
 * hand: no thread runs, no socket is open, and what would wake a worker is only noted. */
#include "support/command_fixture.h"

#define SYNTAX "-ERR syntax error\r\n"

/* ---- connection ---- */

START_TEST(test_simple)
{
    struct fixture *fixture = fixture_create();
    EXPECT("PING", "+PONG\r\n");
    EXPECT("PING hi", "$2\r\nhi\r\n");
    EXPECT("PING a b", "-ERR wrong number of arguments for 'ping' command\r\n");
    EXPECT("ECHO hi", "$2\r\nhi\r\n");
    EXPECT("SELECT 0", "+OK\r\n");
    EXPECT("SELECT 1", "-ERR SELECT is not allowed in cluster mode\r\n");
    EXPECT("SELECT x", "-ERR value is not an integer or out of range\r\n");
    EXPECT("ASKING", "+OK\r\n");
    EXPECT("READONLY", "+OK\r\n");
    ck_assert(fixture->sessions[0].readonly);
    EXPECT("READWRITE", "+OK\r\n");
    ck_assert(!fixture->sessions[0].readonly);
    ck_assert(!fixture->sessions[0].close_after_reply);
    EXPECT("QUIT", "+OK\r\n");
    ck_assert(fixture->sessions[0].close_after_reply);
    fixture_destroy(fixture);
}
END_TEST

START_TEST(test_hello)
{
    struct fixture *fixture = fixture_create();
    EXPECT("HELLO x", "-ERR Protocol version is not an integer or out of range\r\n");
    EXPECT("HELLO 4", "-NOPROTO unsupported protocol version\r\n");
    EXPECT("HELLO 1", "-NOPROTO unsupported protocol version\r\n");
    EXPECT("HELLO 3 foo", "-ERR Syntax error in HELLO option 'foo'\r\n");
    EXPECT("HELLO 3 SETNAME", "-ERR Syntax error in HELLO option 'SETNAME'\r\n");
    EXPECT("HELLO 3 AUTH default", "-ERR Syntax error in HELLO option 'AUTH'\r\n");
    EXPECT("HELLO 3 SETNAME n AUTH bob x",
           "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    ck_assert_int_eq(fixture->sessions[0].protocol, 2); /* no failure changed anything */
    ck_assert_str_eq(fixture->sessions[0].name, "");
    EXPECT("HELLO", "*16\r\n$6\r\nserver\r\n$4\r\ntorc\r\n$7\r\nversion\r\n$5\r\n7.2.0\r\n"
                    "$5\r\nproto\r\n:2\r\n$2\r\nid\r\n:11\r\n$4\r\nmode\r\n$7\r\ncluster\r\n"
                    "$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n"
                    "$12\r\ntorc_version\r\n$5\r\n0.1.0\r\n");
    expect_part(fixture, "HELLO 3 AUTH default secret SETNAME me", "%8\r\n");
    ck_assert_int_eq(fixture->sessions[0].protocol, 3);
    ck_assert_int_eq(atomic_load(&fixture->sessions[0].protocol_shown), 3);
    ck_assert_str_eq(fixture->sessions[0].name, "me");
    fixture->sessions[0].no_touch = true;
    fixture->sessions[0].reply_mode = REPLY_OFF;
    EXPECT("RESET", "+RESET\r\n");
    ck_assert_int_eq(fixture->sessions[0].protocol, 2);
    ck_assert_str_eq(fixture->sessions[0].name, "");
    ck_assert(!fixture->sessions[0].no_touch);
    ck_assert_int_eq(fixture->sessions[0].reply_mode, REPLY_ON);
    fixture_destroy(fixture);
}
END_TEST

/* ---- CLIENT ---- */

START_TEST(test_client_own)
{
    struct fixture *fixture = fixture_create();
    EXPECT("CLIENT ID", ":11\r\n");
    EXPECT("CLIENT GETNAME", "$-1\r\n");
    EXPECT("CLIENT SETNAME me", "+OK\r\n");
    EXPECT("CLIENT GETNAME", "$2\r\nme\r\n");
    EXPECT("CLIENT SETNAME a~b",
           "-ERR Client names cannot contain spaces, newlines or special characters.\r\n");
    EXPECT("CLIENT GETNAME", "$2\r\nme\r\n");
    EXPECT("CLIENT SETINFO lib-name redis-py", "+OK\r\n");
    EXPECT("CLIENT SETINFO LIB-VER 5.0", "+OK\r\n");
    EXPECT("CLIENT SETINFO colour red", "-ERR Unrecognized option 'colour'\r\n");
    expect_part(fixture, "CLIENT SETINFO lib-ver a~b", "-ERR lib-ver cannot contain spaces");
    ck_assert_str_eq(fixture->sessions[0].library_name, "redis-py");
    ck_assert_str_eq(fixture->sessions[0].library_version, "5.0");
    EXPECT("CLIENT NO-EVICT on", "+OK\r\n");
    ck_assert(atomic_load(&fixture->sessions[0].no_evict));
    EXPECT("CLIENT NO-EVICT maybe", SYNTAX);
    EXPECT("CLIENT NO-TOUCH on", "+OK\r\n");
    ck_assert(fixture->sessions[0].no_touch);
    EXPECT("CLIENT REPLY skip", "+OK\r\n");
    ck_assert_int_eq(fixture->sessions[0].reply_mode, REPLY_SKIP_NEXT);
    EXPECT("CLIENT REPLY off", "+OK\r\n");
    EXPECT("CLIENT REPLY skip", "+OK\r\n"); /* off stays off */
    ck_assert_int_eq(fixture->sessions[0].reply_mode, REPLY_OFF);
    EXPECT("CLIENT REPLY on", "+OK\r\n");
    ck_assert_int_eq(fixture->sessions[0].reply_mode, REPLY_ON);
    EXPECT("CLIENT REPLY foo", SYNTAX);
    EXPECT("CLIENT GETREDIR", ":-1\r\n");
    EXPECT("CLIENT UNBLOCK 12", ":0\r\n");
    EXPECT("CLIENT UNBLOCK 12 ERROR", ":0\r\n");
    expect_part(fixture, "CLIENT UNBLOCK 12 foo", "-ERR CLIENT UNBLOCK reason");
    EXPECT("CLIENT TRACKINGINFO", "*6\r\n$5\r\nflags\r\n*1\r\n$3\r\noff\r\n$8\r\nredirect\r\n:-1\r"
                                  "\n$8\r\nprefixes\r\n*0\r\n");
    fixture_destroy(fixture);
}
END_TEST

START_TEST(test_client_list)
{
    struct fixture *fixture = fixture_create();
    const struct command *get = command_find(fixture->node.commands, BYTES_LITERAL("get"));
    atomic_store(&fixture->sessions[1].last_command, get);
    snprintf(fixture->sessions[1].name, sizeof(fixture->sessions[1].name), "two");
    expect_part(fixture, "CLIENT LIST",
                "id=12 addr=10.0.0.2:5000 laddr=10.0.0.9:7001 fd=6 name=two age=120 idle=5 flags=N "
                "db=0 ");
    expect_part(fixture, "CLIENT LIST", " cmd=get user=default redir=-1 resp=2 ");
    expect_part(fixture, "CLIENT LIST",
                "id=13 addr=10.0.0.3:5000 laddr=10.0.0.9:7001 fd=7 name= "
                "age=180 idle=5 flags=S ");
    ck_assert_ptr_null(strstr(ask(fixture, "CLIENT LIST TYPE normal"), "id=13"));
    ck_assert_ptr_null(strstr(ask(fixture, "CLIENT LIST TYPE replica"), "id=12"));
    EXPECT("CLIENT LIST TYPE pubsub", "$0\r\n\r\n");
    ck_assert_ptr_null(strstr(ask(fixture, "CLIENT LIST ID 13 11 99"), "id=12"));
    expect_part(fixture, "CLIENT LIST ID 13 11 99", "id=13");
    expect_part(fixture, "CLIENT LIST ID 13 11 99", "id=11");
    expect_part(fixture, "CLIENT INFO", "id=11 ");
    EXPECT("CLIENT LIST ID x", "-ERR Invalid client ID\r\n");
    EXPECT("CLIENT LIST ID", SYNTAX);
    EXPECT("CLIENT LIST foo", SYNTAX);
    EXPECT("CLIENT LIST TYPE foo", "-ERR Unknown client type 'foo'\r\n");
    fixture->protocol = 3;
    ck_assert_int_eq(ask(fixture, "CLIENT INFO")[0], '=');
    fixture_destroy(fixture);
}
END_TEST

/* Who is to be closed, and that their workers, and no others, are made to look. */
static void expect_killed(struct fixture *fixture, bool first, bool second, bool third)
{
    ck_assert_int_eq(fixture->sessions[0].close_after_reply, first);
    ck_assert(!atomic_load(&fixture->sessions[0].kill_wanted));
    ck_assert_int_eq(atomic_exchange(&fixture->sessions[1].kill_wanted, false), second);
    ck_assert_int_eq(atomic_exchange(&fixture->sessions[2].kill_wanted, false), third);
    ck_assert_int_eq(atomic_exchange(&fixture->workers[1].look_at_clients, false), second);
    ck_assert_int_eq(atomic_exchange(&fixture->workers[0].look_at_clients, false), third);
    fixture->sessions[0].close_after_reply = false;
}

START_TEST(test_client_kill)
{
    struct fixture *fixture = fixture_create();
    EXPECT("CLIENT KILL 10.0.0.2:5000", "+OK\r\n");
    expect_killed(fixture, false, true, false);
    EXPECT("CLIENT KILL 10.0.0.1:5000", "+OK\r\n"); /* oneself, in the old form */
    expect_killed(fixture, true, false, false);
    EXPECT("CLIENT KILL 10.0.0.7:5000", "-ERR No such client\r\n");
    EXPECT("CLIENT KILL ID 12", ":1\r\n");
    expect_killed(fixture, false, true, false);
    EXPECT("CLIENT KILL ID 11", ":0\r\n");
    expect_killed(fixture, false, false, false);
    EXPECT("CLIENT KILL ID 11 SKIPME no", ":1\r\n");
    expect_killed(fixture, true, false, false);
    EXPECT("CLIENT KILL LADDR 10.0.0.9:7001", ":2\r\n");
    expect_killed(fixture, false, true, true);
    EXPECT("CLIENT KILL TYPE normal SKIPME no", ":2\r\n");
    expect_killed(fixture, true, true, false);
    EXPECT("CLIENT KILL TYPE normal ADDR 10.0.0.3:5000", ":0\r\n"); /* all must hold */
    expect_killed(fixture, false, false, false);
    EXPECT("CLIENT KILL MAXAGE 150", ":1\r\n");
    expect_killed(fixture, false, false, true);
    EXPECT("CLIENT KILL USER default", ":2\r\n");
    expect_killed(fixture, false, true, true);
    EXPECT("CLIENT KILL USER bob", "-ERR No such user 'bob'\r\n");
    EXPECT("CLIENT KILL ID 0", "-ERR client-id should be greater than 0\r\n");
    EXPECT("CLIENT KILL TYPE foo", "-ERR Unknown client type 'foo'\r\n");
    EXPECT("CLIENT KILL foo bar", SYNTAX);
    EXPECT("CLIENT KILL ID 12 SKIPME", SYNTAX);
    EXPECT("CLIENT KILL ID 12 SKIPME maybe", SYNTAX);
    expect_killed(fixture, false, false, false);
    fixture_destroy(fixture);
}
END_TEST

START_TEST(test_client_pause)
{
    struct fixture *fixture = fixture_create();
    EXPECT("CLIENT PAUSE x", "-ERR timeout is not an integer or out of range\r\n");
    EXPECT("CLIENT PAUSE -1", "-ERR timeout is negative\r\n");
    EXPECT("CLIENT PAUSE 9223372036854775807", "-ERR timeout is out of range\r\n");
    EXPECT("CLIENT PAUSE 10 foo", "-ERR CLIENT PAUSE mode must be WRITE or ALL\r\n");
    ck_assert_uint_eq(atomic_load(&fixture->node.pause_until_ms), 0);
    EXPECT("CLIENT PAUSE 10 WRITE", "+OK\r\n");
    ck_assert_uint_eq(atomic_load(&fixture->node.pause_until_ms), NOW_MS + 10);
    ck_assert(atomic_load(&fixture->node.pause_writes_only));
    EXPECT("CLIENT PAUSE 20", "+OK\r\n");
    ck_assert_uint_eq(atomic_load(&fixture->node.pause_until_ms), NOW_MS + 20);
    ck_assert(!atomic_load(&fixture->node.pause_writes_only));
    EXPECT("CLIENT UNPAUSE", "+OK\r\n");
    ck_assert_uint_eq(atomic_load(&fixture->node.pause_until_ms), 0);
    ck_assert(atomic_load(&fixture->workers[0].look_at_clients));
    ck_assert(atomic_load(&fixture->workers[1].look_at_clients));
    fixture_destroy(fixture);
}
END_TEST

/* ---- server ---- */

START_TEST(test_config)
{
    struct fixture *fixture = fixture_create();
    struct config *config = &fixture->node.config;
    EXPECT("CONFIG GET maxmemory", "*2\r\n$9\r\nmaxmemory\r\n$1\r\n0\r\n");
    EXPECT("CONFIG GET port PORT p?rt save",
           "*4\r\n$4\r\nport\r\n$4\r\n7001\r\n$4\r\nsave\r\n$0\r\n\r\n"); /* each once */
    EXPECT("CONFIG GET nothing", "*0\r\n");
    EXPECT("CONFIG SET foo 1",
           "-ERR Unknown option or number of arguments for CONFIG SET - 'foo'\r\n");
    EXPECT("CONFIG SET port 1", "-ERR CONFIG SET failed (possibly related to argument 'port') - "
                                "can't set immutable config\r\n");
    EXPECT("CONFIG SET acks primary", "-ERR CONFIG SET failed (possibly related to argument "
                                      "'acks') - can't set immutable config\r\n");
    EXPECT("CONFIG SET maxclients 0",
           "-ERR CONFIG SET failed (possibly related to argument 'maxclients') - '0' is not a "
           "whole number from 1 to 10000000\r\n");
    EXPECT("CONFIG SET timeout 1 TIMEOUT 2", "-ERR CONFIG SET failed (possibly related to argument "
                                             "'TIMEOUT') - duplicate parameter\r\n");
    EXPECT("CONFIG SET timeout 1 maxclients", SYNTAX);
    EXPECT("CONFIG SET timeout 1 port 2", "-ERR CONFIG SET failed (possibly related to argument "
                                          "'port') - can't set immutable config\r\n");
    ck_assert_uint_eq(config->idle_timeout_s, 0); /* all or nothing */
    EXPECT("CONFIG SET timeout 1 maxmemory 1kb loglevel debug", "+OK\r\n");
    ck_assert_uint_eq(config->idle_timeout_s, 1);
    ck_assert_uint_eq(config->memory_bytes_max, 1024);
    ck_assert_int_eq(atomic_load(&fixture->node.log.level), LOG_DEBUG);
    stat_add(&fixture->workers[1].stats.commands, 5);
    EXPECT("CONFIG RESETSTAT", "+OK\r\n");
    ck_assert_uint_eq(stat_read(&fixture->workers[1].stats.commands), 0);
    expect_part(fixture, "CONFIG REWRITE", "-ERR CONFIG REWRITE is not supported");
    fixture->protocol = 3;
    EXPECT("CONFIG GET databases", "%1\r\n$9\r\ndatabases\r\n$1\r\n1\r\n");
    fixture_destroy(fixture);
}
END_TEST

START_TEST(test_server)
{
    struct fixture *fixture = fixture_create();
    ck_assert_int_eq(strncmp(ask(fixture, "TIME"), "*2\r\n$10\r\n", 9), 0);
    EXPECT("DEBUG SLEEP 0", "+OK\r\n");
    EXPECT("DEBUG SLEEP 0.001", "+OK\r\n");
    expect_part(fixture, "DEBUG SLEEP x", "-ERR value is not a number of seconds");
    expect_part(fixture, "DEBUG SLEEP -1", "-ERR value is not a number of seconds");
    EXPECT("SHUTDOWN foo", SYNTAX);
    EXPECT("SHUTDOWN ABORT NOW", SYNTAX);
    EXPECT("SHUTDOWN ABORT", "-ERR No shutdown in progress.\r\n");
    ck_assert(!atomic_load(&fixture->node.stopping));
    ask(fixture, "SHUTDOWN NOSAVE NOW");
    ck_assert(atomic_load(&fixture->node.stopping));
    ck_assert(fixture->sessions[0].close_after_reply);
    ck_assert_int_eq(fixture->sessions[0].reply_mode, REPLY_OFF);
    expect_part(fixture, "SHUTDOWN ABORT", "-ERR The shutdown has begun");
    fixture_destroy(fixture);
}
END_TEST

START_TEST(test_check)
{
    struct fixture *fixture = fixture_create();
    struct slot *slot = &fixture->node.slots[slot_of_key(BYTES_LITERAL("k"))];
    struct keyspace *keys = slot_keys(slot);
    ck_assert_int_eq(keyspace_set_string(keys, BYTES_LITERAL("k"), key_hash(BYTES_LITERAL("k")),
                                         BYTES_LITERAL("v"), 0, NULL),
                     TORC_OK);
    expect_part(fixture, "DEBUG DAMAGE k", "-ERR the node does not hold a replica");
    slot->copy.role = COPY_FOLLOWER;
    EXPECT("DEBUG DAMAGE k", "+OK\r\n");
    EXPECT("DEBUG DAMAGE k", "-ERR no such key\r\n");
    ck_assert_uint_eq(keyspace_count(keys), 0);

    fixture->node.incarnation = 1;
    const struct node_id other = {{0xab}};
    uint16_t peer = peers_get(fixture->node.peers, &other)->index;
    EXPECT("TORC.CHECK START", ":16777217\r\n");
    EXPECT("TORC.CHECK START", "-BUSY check 16777217 is under way\r\n");
    fixture->node.check.received[peer] =
        (struct check_received){.run = 9, .compared = 8, .passed = 7, .differing = 6};
    fixture->node.check.differing_from[5] = peer;
    atomic_store(&fixture->node.check.ranges_sent, 4);
    atomic_store(&fixture->node.check.slots_checked, 3);
    fixture->protocol = 3;
    EXPECT("TORC.CHECK STATUS",
           "%12\r\n$3\r\nrun\r\n:16777217\r\n$7\r\nrunning\r\n:1\r\n"
           "$14\r\nslots-to-check\r\n:0\r\n$13\r\nslots-checked\r\n:3\r\n"
           "$10\r\nslots-gone\r\n:0\r\n$11\r\nranges-sent\r\n:4\r\n"
           "$13\r\nranges-unsent\r\n:0\r\n$15\r\nranges-compared\r\n:8\r\n"
           "$18\r\nranges-passed-over\r\n:7\r\n$16\r\nranges-differing\r\n:6\r\n"
           "$8\r\nreceived\r\n*1\r\n*5\r\n$40\r\nab00000000000000000000000000000000000000\r\n"
           ":9\r\n:8\r\n:7\r\n:6\r\n$9\r\ndiffering\r\n*1\r\n*2\r\n:5\r\n"
           "$40\r\nab00000000000000000000000000000000000000\r\n");
    fixture_destroy(fixture);
}
END_TEST

START_TEST(test_info)
{
    struct fixture *fixture = fixture_create();
    stat_add(&fixture->workers[0].stats.commands, 4700);
    stat_add(&fixture->workers[1].stats.commands, 11);
    expect_part(fixture, "INFO", "# Server\r\nredis_version:7.2.0\r\ntorc_version:0.1.0\r\n");
    expect_part(fixture, "INFO", "\r\nuptime_in_seconds:90\r\n");
    expect_part(fixture, "INFO", "\r\n\r\n# Clients\r\nconnected_clients:3\r\n");
    expect_part(fixture, "INFO", "\r\nepoch:0\r\n");
    join(fixture, 0);
    expect_part(fixture, "INFO everything", "\r\nslots_primary:16384\r\nslots_replica:0\r\n");
    expect_part(fixture, "INFO stats", "total_commands_processed:4711\r\n");
    expect_part(fixture, "INFO persistence", "loading:0\r\n");
    EXPECT("INFO cluster", "$30\r\n# Cluster\r\ncluster_enabled:1\r\n\r\n");
    EXPECT("INFO foo", "$0\r\n\r\n");
    EXPECT("INFO KEYSPACE", "$12\r\n# Keyspace\r\n\r\n");
    struct keyspace *keys = store_keyspace(fixture->node.store, 7);
    ck_assert_int_eq(keyspace_set_string(keys, BYTES_LITERAL("k"), key_hash(BYTES_LITERAL("k")),
                                         BYTES_LITERAL("v"), NOW_MS + 1, NULL),
                     TORC_OK);
    expect_part(fixture, "INFO server keyspace", "db0:keys=1,expires=1,avg_ttl=0\r\n");
    ck_assert_ptr_null(strstr(ask(fixture, "INFO server keyspace"), "# Memory"));
    fixture_destroy(fixture);
}
END_TEST

/* ---- COMMAND ---- */

START_TEST(test_command_info)
{
    struct fixture *fixture = fixture_create();
    EXPECT("COMMAND INFO get",
           "*1\r\n*10\r\n$3\r\nget\r\n:2\r\n*2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n"
           "*3\r\n+@read\r\n+@string\r\n+@fast\r\n*0\r\n*1\r\n*6\r\n$5\r\nflags\r\n*2\r\n+RO\r\n"
           "+access\r\n$12\r\nbegin_search\r\n*4\r\n$4\r\ntype\r\n$5\r\nindex\r\n$4\r\nspec\r\n"
           "*2\r\n$5\r\nindex\r\n:1\r\n$9\r\nfind_keys\r\n*4\r\n$4\r\ntype\r\n$5\r\nrange\r\n"
           "$4\r\nspec\r\n*6\r\n$7\r\nlastkey\r\n:0\r\n$7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n:0"
           "\r\n*0\r\n"); /* as redis-server 7.0.15 answers */
    EXPECT("COMMAND INFO nothing torc.ping client|nothing get|x |",
           "*5\r\n*-1\r\n*-1\r\n*-1\r\n*-1\r\n*-1\r\n");
    expect_part(fixture, "COMMAND INFO client|list", "$11\r\nclient|list\r\n:-2\r\n");
    expect_part(fixture, "COMMAND INFO mset", "lastkey\r\n:-1\r\n$7\r\nkeystep\r\n:2\r\n");
    expect_part(fixture, "COMMAND INFO del", "request_policy:multi_shard");
    expect_part(fixture, "COMMAND INFO client", "client|kill");
    expect_part(fixture, "COMMAND INFO lmpop",
                "$5\r\nlmpop\r\n:-4\r\n*2\r\n+write\r\n+movablekeys\r\n:0\r\n:0\r\n:0\r\n"
                "*3\r\n+@write\r\n+@list\r\n+@slow\r\n");
    expect_part(fixture, "COMMAND INFO lmpop",
                "$5\r\nindex\r\n:1\r\n$9\r\nfind_keys\r\n*4\r\n$4\r\ntype\r\n$6\r\nkeynum\r\n"
                "$4\r\nspec\r\n*6\r\n$9\r\nkeynumidx\r\n:0\r\n$8\r\nfirstkey\r\n:1\r\n$7\r\n"
                "keystep\r\n:1\r\n"); /* as redis-server 7.0.15 answers */
    fixture_destroy(fixture);
}
END_TEST

START_TEST(test_command_all)
{
    struct fixture *fixture = fixture_create();
    const char *reply = ask(fixture, "COMMAND");
    long count = strtol(reply + 1, NULL, 10);
    char expected[32];
    ck_assert_int_gt(count, 60);
    ck_assert_ptr_null(strstr(reply, "torc.ping"));
    snprintf(expected, sizeof(expected), ":%ld\r\n", count);
    EXPECT("COMMAND COUNT", expected);
    snprintf(expected, sizeof(expected), "*%ld\r\n", count);
    ck_assert_int_eq(strncmp(ask(fixture, "COMMAND LIST"), expected, strlen(expected)), 0);
    ck_assert_ptr_null(strstr(ask(fixture, "COMMAND LIST"), "|"));
    snprintf(expected, sizeof(expected), "*%ld\r\n", 2 * count);
    ck_assert_int_eq(strncmp(ask(fixture, "COMMAND DOCS"), expected, strlen(expected)), 0);
    EXPECT("COMMAND LIST FILTERBY PATTERN client|get*",
           "*2\r\n$14\r\nclient|getname\r\n$15\r\nclient|getredir\r\n");
    EXPECT("COMMAND LIST FILTERBY MODULE json", "*0\r\n");
    EXPECT("COMMAND LIST FILTERBY ACLCAT nothing", "*0\r\n");
    expect_part(fixture, "COMMAND LIST FILTERBY ACLCAT list", "*22\r\n");
    expect_part(fixture, "COMMAND LIST FILTERBY ACLCAT Connection", "client|kill\r\n");
    ck_assert_ptr_null(strstr(ask(fixture, "COMMAND LIST FILTERBY ACLCAT connection"), "config"));
    EXPECT("COMMAND LIST FILTERBY foo bar", SYNTAX);
    EXPECT("COMMAND LIST foo", SYNTAX);
    fixture_destroy(fixture);
}
END_TEST

START_TEST(test_command_docs)
{
    struct fixture *fixture = fixture_create();
    EXPECT("COMMAND DOCS nothing", "*0\r\n");
    expect_part(fixture, "COMMAND DOCS get nothing", "*2\r\n$3\r\nget\r\n*8\r\n$7\r\nsummary\r\n");
    expect_part(fixture, "COMMAND DOCS debug", "$5\r\ngroup\r\n$6\r\nserver\r\n");
    expect_part(fixture, "COMMAND DOCS debug",
                "$11\r\nsubcommands\r\n*6\r\n$12\r\ndebug|damage\r\n");
    EXPECT("DEBUG HELP", "*7\r\n+DEBUG <subcommand> [<argument> ...]. Subcommands are:\r\n"
                         "+DAMAGE\r\n"
                         "+    Deletes a key from the node's copy of a slot that another node "
                         "leads.\r\n"
                         "+HELP\r\n+    Lists the subcommands.\r\n"
                         "+SLEEP\r\n+    Stops a worker for a time.\r\n");
    expect_part(fixture, "CLIENT HELP", "+NO-EVICT\r\n+    ");
    expect_part(fixture, "CLUSTER HELP", "+CLUSTER <subcommand>");
    expect_part(fixture, "CONFIG HELP", "+RESETSTAT\r\n");
    expect_part(fixture, "COMMAND HELP", "+GETKEYSANDFLAGS\r\n");
    fixture_destroy(fixture);
}
END_TEST

START_TEST(test_command_keys)
{
    struct fixture *fixture = fixture_create();
    EXPECT("COMMAND GETKEYS mset a 1 b 2", "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
    EXPECT("COMMAND GETKEYS MGET a b c", "*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n");
    EXPECT("COMMAND GETKEYS object encoding k", "*1\r\n$1\r\nk\r\n");
    EXPECT("COMMAND GETKEYSANDFLAGS get a", "*1\r\n*2\r\n$1\r\na\r\n*2\r\n+RO\r\n+access\r\n");
    EXPECT("COMMAND GETKEYS lmpop 2 a b left", "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
    EXPECT("COMMAND GETKEYS nothing a", "-ERR Invalid command specified\r\n");
    EXPECT("COMMAND GETKEYS torc.flushslot a", "-ERR Invalid command specified\r\n");
    EXPECT("COMMAND GETKEYS ping", "-ERR The command has no key arguments\r\n");
    EXPECT("COMMAND GETKEYS get", "-ERR Invalid number of arguments specified for command\r\n");
    EXPECT("COMMAND GETKEYS get a b", "-ERR Invalid number of arguments specified for command\r\n");
    fixture_destroy(fixture);
}
END_TEST

/* ---- CLUSTER ---- */

#define NOT_JOINED "-CLUSTERDOWN the node has not joined a cluster yet\r\n"

START_TEST(test_cluster_before_joining)
{
    struct fixture *fixture = fixture_create();
    expect_part(fixture, "CLUSTER INFO", "cluster_state:fail\r\ncluster_slots_assigned:0\r\n");
    EXPECT("CLUSTER SLOTS", NOT_JOINED);
    EXPECT("CLUSTER SHARDS", NOT_JOINED);
    EXPECT("CLUSTER NODES", NOT_JOINED);
    EXPECT("CLUSTER COUNT-FAILURE-REPORTS 0101010101010101010101010101010101010101", NOT_JOINED);
    EXPECT("CLUSTER FORGET 0202020202020202020202020202020202020202", NOT_JOINED);
    EXPECT("CLUSTER MYID", "$40\r\n0101010101010101010101010101010101010101\r\n");
    EXPECT("CLUSTER KEYSLOT a", ":15495\r\n");
    fixture_destroy(fixture);
}
END_TEST

START_TEST(test_cluster)
{
    struct fixture *fixture = fixture_create();
    join(fixture, 0);
    expect_part(fixture, "CLUSTER INFO",
                "cluster_state:ok\r\ncluster_slots_assigned:16384\r\ncluster_slots_ok:16384\r\n"
                "cluster_slots_pfail:0\r\ncluster_slots_fail:0\r\ncluster_known_nodes:1\r\n"
                "cluster_size:1\r\ncluster_current_epoch:3\r\ncluster_my_epoch:3\r\n");
    expect_part(fixture, "CLUSTER SLOTS",
                "*1\r\n*3\r\n:0\r\n:16383\r\n*4\r\n$8\r\n10.0.0.1\r\n:800"
                "1\r\n");
    expect_part(fixture, "CLUSTER NODES",
                " 10.0.0.1:8001@17001 myself,master - 0 0 3 connected "
                "0-16383\n");
    expect_part(fixture, "CLUSTER SHARDS", "*1\r\n*4\r\n$5\r\nslots\r\n*2\r\n:0\r\n:16383\r\n");
    EXPECT("CLUSTER COUNT-FAILURE-REPORTS 0101010101010101010101010101010101010101", ":0\r\n");
    EXPECT("CLUSTER COUNT-FAILURE-REPORTS abc", "-ERR Unknown node abc\r\n");
    EXPECT("CLUSTER COUNT-FAILURE-REPORTS 0201010101010101010101010101010101010101",
           "-ERR Unknown node 0201010101010101010101010101010101010101\r\n");
    expect_part(fixture, "CLUSTER RESET", "-ERR CLUSTER RESET is not supported");
    expect_part(fixture, "CLUSTER ADDSLOTS 1", "-ERR CLUSTER ADDSLOTS is not supported");
    expect_part(fixture, "CLUSTER MEET a 1", "-ERR CLUSTER MEET is not supported");
    fixture_destroy(fixture);
}
END_TEST

/* A member that gossip holds dead takes its slots out of what is ok. */
START_TEST(test_cluster_gossip)
{
    struct fixture *fixture = fixture_create();
    struct node *node = &fixture->node;
    join(fixture, 1);
    struct gossip_options options = {
        .self = node->id, .incarnation = 1, .address = {.port = 17001}, .seed = 1};
    uint64_t now_ms = 1000;
    node->gossip = gossip_create(&options, now_ms);
    ck_assert_ptr_nonnull(node->gossip);
    expect_part(fixture, "CLUSTER INFO", "cluster_state:ok\r\n"); /* not known yet: not dead */
    struct gossip_address address = {.port = 17002};
    ck_assert_int_eq(gossip_introduce(node->gossip, &node->view->nodes[1].id, 1, &address,
                                      (struct bytes){NULL, 0}, now_ms),
                     TORC_OK);
    const struct gossip_member *member = gossip_find(node->gossip, &node->view->nodes[1].id);
    struct gossip_datagram datagram;
    for (unsigned i = 0; i < 10000 && member != NULL && member->status != GOSSIP_DEAD; i++) {
        now_ms += 50;
        gossip_tick(node->gossip, now_ms);
        while (gossip_take_datagram(node->gossip, &datagram)) {
        }
        member = gossip_find(node->gossip, &node->view->nodes[1].id);
        if (member != NULL && member->status == GOSSIP_SUSPECT) {
            expect_part(fixture, "CLUSTER INFO", "cluster_state:ok\r\n");
            ck_assert_ptr_null(strstr(ask(fixture, "CLUSTER INFO"), "cluster_slots_pfail:0\r\n"));
            expect_part(fixture, "CLUSTER NODES", " master,fail? - 0 0 3 connected");
        }
    }
    ck_assert(member != NULL && member->status == GOSSIP_DEAD);
    expect_part(fixture, "CLUSTER INFO", "cluster_state:fail\r\ncluster_slots_assigned:16384\r\n");
    ck_assert_ptr_null(strstr(ask(fixture, "CLUSTER INFO"), "cluster_slots_fail:0\r\n"));
    expect_part(fixture, "CLUSTER NODES", " master,fail? - 0 0 3 disconnected");
    expect_part(fixture, "CLUSTER SHARDS", "$4\r\nfail\r\n");
    gossip_destroy(node->gossip);
    node->gossip = NULL;
    fixture_destroy(fixture);
}
END_TEST

/* What is wished for, which the control thread passes on: taken back so that the next is seen. */
static bool take_wish(struct fixture *fixture, bool *prefer, struct node_id *forget)
{
    struct control *control = &fixture->control;
    *prefer = control->wish_prefer;
    *forget = control->wish_forget;
    control->wish_prefer = false;
    control->wish_forget = (struct node_id){0};
    return *prefer || !node_id_is_zero(forget);
}

START_TEST(test_cluster_failover)
{
    struct fixture *fixture = fixture_create();
    struct copy *copy = &fixture->node.slots[SLOT_COUNT - 1].copy;
    bool prefer = false;
    struct node_id forget;
    join(fixture, 1);
    EXPECT("CLUSTER FAILOVER now", SYNTAX);
    EXPECT("CLUSTER FAILOVER FORCE TAKEOVER", SYNTAX);
    expect_part(fixture, "CLUSTER FAILOVER", "-ERR You should send CLUSTER FAILOVER to a replica");
    copy->role = COPY_PRIMARY;
    copy->owner = true;
    expect_part(fixture, "CLUSTER FAILOVER", "-ERR You should send CLUSTER FAILOVER to a replica");
    copy->role = COPY_FOLLOWER;
    copy->owner = false; /* is to become one: it holds nothing as yet */
    expect_part(fixture, "CLUSTER FAILOVER", "-ERR You should send CLUSTER FAILOVER to a replica");
    ck_assert(!take_wish(fixture, &prefer, &forget));

    copy->owner = true;
    static const char *const forms[] = {"CLUSTER FAILOVER", "CLUSTER FAILOVER force",
                                        "CLUSTER FAILOVER TAKEOVER"};
    for (size_t i = 0; i < 3; i++) {
        EXPECT(forms[i], "+OK\r\n");
        ck_assert(take_wish(fixture, &prefer, &forget));
        ck_assert(prefer && node_id_is_zero(&forget));
    }
    EXPECT("CLUSTER FAILOVER now", SYNTAX);
    ck_assert(!take_wish(fixture, &prefer, &forget));
    fixture_destroy(fixture);
}
END_TEST

START_TEST(test_cluster_forget)
{
    struct fixture *fixture = fixture_create();
    bool prefer = false;
    struct node_id forget;
    join_with(fixture, 2, NODE_DOWN);
    EXPECT("CLUSTER FORGET abc", "-ERR Unknown node abc\r\n");
    EXPECT("CLUSTER FORGET 0909090909090909090909090909090909090909",
           "-ERR Unknown node 0909090909090909090909090909090909090909\r\n");
    EXPECT("CLUSTER FORGET 0101010101010101010101010101010101010101",
           "-ERR I tried hard but I can't forget myself...\r\n");
    expect_part(fixture, "CLUSTER FORGET 0202020202020202020202020202020202020202",
                "-ERR the node is not down: stop it first");
    ck_assert(!take_wish(fixture, &prefer, &forget));
    EXPECT("CLUSTER FORGET 0303030303030303030303030303030303030303", "+OK\r\n");
    ck_assert(take_wish(fixture, &prefer, &forget));
    ck_assert(!prefer && node_id_equal(&forget, &fixture->node.view->nodes[2].id));
    fixture_destroy(fixture);
}
END_TEST

START_TEST(test_cluster_keys)
{
    struct fixture *fixture = fixture_create();
    struct keyspace *keys = store_keyspace(fixture->node.store, 7);
    EXPECT("CLUSTER COUNTKEYSINSLOT 7", ":0\r\n");
    EXPECT("CLUSTER GETKEYSINSLOT 7 10", "*0\r\n");
    for (int i = 0; i < 5; i++) {
        char name[2] = {(char)('a' + i), '\0'};
        ck_assert_int_eq(keyspace_set_string(keys, bytes_of(name), key_hash(bytes_of(name)),
                                             BYTES_LITERAL("v"), 0, NULL),
                         TORC_OK);
    }
    EXPECT("CLUSTER COUNTKEYSINSLOT 7", ":5\r\n");
    EXPECT("CLUSTER COUNTKEYSINSLOT 8", ":0\r\n");
    EXPECT("CLUSTER COUNTKEYSINSLOT 16384", "-ERR Invalid slot\r\n");
    EXPECT("CLUSTER COUNTKEYSINSLOT -1", "-ERR Invalid slot\r\n");
    EXPECT("CLUSTER GETKEYSINSLOT 7 0", "*0\r\n");
    ck_assert_int_eq(strncmp(ask(fixture, "CLUSTER GETKEYSINSLOT 7 3"), "*3\r\n", 4), 0);
    const char *reply = ask(fixture, "CLUSTER GETKEYSINSLOT 7 100");
    ck_assert_int_eq(strncmp(reply, "*5\r\n", 4), 0);
    for (int i = 0; i < 5; i++) {
        ck_assert_ptr_nonnull(strchr(reply, 'a' + i));
    }
    EXPECT("CLUSTER GETKEYSINSLOT 7 -1", "-ERR Invalid slot or number of keys\r\n");
    EXPECT("CLUSTER GETKEYSINSLOT x 1", "-ERR Invalid slot or number of keys\r\n");
    slot_lock(&fixture->node.slots[7]); /* nobody left it locked */
    slot_unlock(&fixture->node.slots[7]);
    fixture_destroy(fixture);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("node_commands");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, test_simple);
    tcase_add_test(tests, test_hello);
    tcase_add_test(tests, test_client_own);
    tcase_add_test(tests, test_client_list);
    tcase_add_test(tests, test_client_kill);
    tcase_add_test(tests, test_client_pause);
    tcase_add_test(tests, test_config);
    tcase_add_test(tests, test_server);
    tcase_add_test(tests, test_check);
    tcase_add_test(tests, test_info);
    tcase_add_test(tests, test_command_info);
    tcase_add_test(tests, test_command_all);
    tcase_add_test(tests, test_command_docs);
    tcase_add_test(tests, test_command_keys);
    tcase_add_test(tests, test_cluster_before_joining);
    tcase_add_test(tests, test_cluster);
    tcase_add_test(tests, test_cluster_gossip);
    tcase_add_test(tests, test_cluster_failover);
    tcase_add_test(tests, test_cluster_forget);
    tcase_add_test(tests, test_cluster_keys);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
