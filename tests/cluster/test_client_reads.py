"""libtorc reads where it is told to: from the primary, from replicas, in its zone; and says who it is."""

import redis

from test_client import Shell, error_code, pause, seeds_of
from test_client_shared import redis_servers
from torc_cluster import key_for, slot_of, wait_until

PRIMARY, REPLICA, NEAREST, LEAST, ROBIN = 1, 2, 3, 4, 5
READS = 30


def hits(nodes):
    """keyspace_hits of each node."""
    texts = [node.ask("INFO", "stats").decode() for node in nodes]
    return [int(text.split("keyspace_hits:")[1].split()[0]) for text in texts]


def spread(shell, nodes, key, policy):
    """How many of READS reads each node answered."""
    shell.ask(f".read {policy}")
    before = hits(nodes)
    for _ in range(READS):
        assert shell.ask(f"GET {key}") == "value"
    return [after - old for after, old in zip(hits(nodes), before)]


def test_reads_go_where_they_are_told_to(new_cluster):
    cluster = new_cluster(1, ["--copies", 2], room=3)
    zones = ["", "b", "c"]
    for zone in zones[1:]:
        cluster.add("--zone", zone)
    cluster.wait_formed()
    table = cluster.primaries()
    key = key_for(lambda slot: table[slot] is cluster[1], "read")
    with Shell(seeds_of(cluster)) as writer:
        assert writer.ask(f"SET {key} value") == "OK"
    cluster.wait_copied([key])
    replica = next(node for node in (cluster[0], cluster[2])
                   if node.kept_raw().command("CLUSTER", "COUNTKEYSINSLOT", slot_of(key)))
    pair = [cluster[1], replica]
    zone = zones[cluster.nodes.index(replica)]
    with Shell(seeds_of(cluster), zone=zone) as shell:
        assert spread(shell, pair, key, PRIMARY) == [READS, 0]
        assert spread(shell, pair, key, REPLICA) == [0, READS]
        assert spread(shell, pair, key, NEAREST) == [0, READS]
        assert spread(shell, pair, key, ROBIN) == [READS // 2, READS // 2]
        assert sum(spread(shell, pair, key, LEAST)) == READS
        # What was written is seen by the next read, wherever it goes, for it has been acknowledged.
        shell.ask(f".read {REPLICA}")
        for number in range(READS):
            assert shell.ask(f"SET {key} {number}") == "OK"
            assert shell.ask(f"GET {key}") == str(number)
        assert shell.ask(f"SET {key} value") == "OK"
        # A replica that does not answer is no reason to fail; nor is a primary, for who reads replicas.
        pause(cluster[1])
        assert shell.ask(f"GET {key}") == "value"
        cluster[1].resume()
        assert error_code(shell.ask(".read 9") or shell.ask(f"GET {key}")) == -2
    with Shell(seeds_of(cluster), zone="elsewhere") as shell:
        assert spread(shell, pair, key, NEAREST) == [READS, 0]


def test_replicas_of_a_redis_cluster_are_read(tmp_path):
    arguments = ["--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf",
                 "--repl-diskless-sync-delay", "0", "--cluster-node-timeout", "2000"]
    with redis_servers(2, tmp_path, *arguments) as (ports, processes):
        primary, replica = [redis.Redis(port=port, decode_responses=True) for port in ports]
        primary.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        replica.execute_command("CLUSTER", "MEET", "127.0.0.1", ports[0])
        name = primary.execute_command("CLUSTER", "MYID")
        wait_until(lambda: replica.execute_command("CLUSTER", "REPLICATE", name), 10, "they have met")
        wait_until(lambda: replica.info("replication").get("master_link_status") == "up", 10,
                   "it is a replica")
        for server in (primary, replica):
            wait_until(lambda server=server: server.cluster("INFO")["cluster_state"] == "ok", 10)
        primary.set("k", "value")
        wait_until(lambda: replica.execute_command("READONLY") and replica.get("k") == "value", 5)
        wait_until(lambda: len(primary.execute_command("CLUSTER", "SLOTS")[0]) == 4, 10,
                   "the replica is listed")
        before = replica.info("stats")["keyspace_hits"]
        with Shell(f"127.0.0.1:{ports[0]}") as shell:
            assert shell.ask(f".read {REPLICA}") == ""
            for _ in range(READS):
                assert shell.ask("GET k") == "value"
            assert replica.info("stats")["keyspace_hits"] == before + READS
            assert shell.ask("SET k other") == "OK", "writes go to the primary"
            processes[1].kill()
            processes[1].wait()
            assert shell.ask("GET k") == "other", "without the replica the primary is read"


def test_a_password_is_said_on_every_connection(tmp_path, cluster):
    with redis_servers(1, tmp_path) as (ports, _):
        admin = redis.Redis(port=ports[0])
        admin.config_set("requirepass", "secret word")
        seed = f"127.0.0.1:{ports[0]}"
        with Shell(seed, password="secret word") as shell:
            assert shell.ask("SET k 1") == "OK"
            # A new connection says it anew.
            redis.Redis(port=ports[0], password="secret word").client_kill_filter(_type="normal", skipme=True)
            assert shell.ask("GET k") == "1"
        for password, words in (("wrong", "AUTH: WRONGPASS"), ("-", "NOAUTH")):
            with Shell(seed, password=password, connected=False) as shell:
                assert error_code(shell.connect_error) == -17 and words in shell.connect_error
                assert words in shell.ask("GET k")
    # Torc's nodes have no passwords, and say so.
    with Shell(seeds_of(cluster), password="any", connected=False) as shell:
        assert "AUTH" in shell.connect_error and error_code(shell.connect_error) == -17
