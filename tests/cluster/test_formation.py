"""Nodes find each other and agree; what they say of the ring is one thing in every form."""

import signal

from torc_cluster import SLOT_COUNT, pairs, parse_nodes, slot_of, wait_until


def test_three_nodes_form_one_cluster(cluster):
    infos = [cluster.info(node) for node in cluster.nodes]
    assert {info["cluster_known_nodes"] for info in infos} == {"3"}
    assert {info["cluster_slots_assigned"] for info in infos} == {str(SLOT_COUNT)}
    assert {info["cluster_slots_ok"] for info in infos} == {str(SLOT_COUNT)}
    assert len({info["cluster_current_epoch"] for info in infos}) == 1
    tables = [cluster.primaries(node) for node in cluster.nodes]
    assert tables[0] == tables[1] == tables[2]
    assert sorted(tables[0]) == list(range(SLOT_COUNT))


def test_ids_are_forty_hex_characters_and_differ(cluster):
    ids = {node.ask("CLUSTER", "MYID") for node in cluster.nodes}
    assert len(ids) == 3
    assert all(len(name) == 40 and set(name) <= set(b"0123456789abcdef") for name in ids)


def test_load_is_bounded_at_both_ranks(cluster):
    infos = [node.client().info("torc") for node in cluster.nodes]
    for name in ("slots_primary", "slots_replica"):
        counts = [info[name] for info in infos]
        assert sum(counts) == SLOT_COUNT
        assert max(counts) <= 1.06 * SLOT_COUNT / 3, f"{name}: {counts}"


def test_every_form_of_the_slot_table_says_the_same(cluster):
    table = cluster.primaries()
    for node in cluster.nodes:
        assert cluster.primaries(node) == table
        rows = parse_nodes(node.ask("CLUSTER", "NODES"))
        assert len(rows) == 3
        myself = [name for name, row in rows.items() if "myself" in row["flags"]]
        assert myself == [node.ask("CLUSTER", "MYID").decode()]
        by_port = {row["port"]: row for row in rows.values()}
        for other in cluster.nodes:
            row = by_port[other.direct_port]
            assert row["bus"] == other.bus_port
            assert row["slots"] == {slot for slot, primary in table.items() if primary is other}
        assert shards(node) == {slot: primary.direct_port for slot, primary in table.items()}


def shards(node):
    """slot -> direct port of the primary, from CLUSTER SHARDS."""
    table = {}
    for shard in map(pairs, node.ask("CLUSTER", "SHARDS")):
        members = [pairs(member) for member in shard[b"nodes"]]
        (primary,) = [row[b"port"] for row in members if row[b"role"] == b"master"]
        bounds = [int(bound) for bound in shard[b"slots"]]
        for first, last in zip(bounds[::2], bounds[1::2]):
            for slot in range(first, last + 1):
                assert slot not in table, f"slot {slot} is in two shards"
                table[slot] = primary
    return table


def test_keyslot_is_that_of_redis_cluster(cluster):
    known = {"foo": 12182, "bar": 5061, "123456789": 12739, "": 0}
    for key, slot in known.items():
        assert cluster[0].ask("CLUSTER", "KEYSLOT", key) == slot
    for key in ("{user1000}.following", "foo{}{bar}", "foo{{bar}}zap", "{", "}{", "a{b}c{d}"):
        assert cluster[2].ask("CLUSTER", "KEYSLOT", key) == slot_of(key)


def test_one_node_is_a_working_cache(new_cluster):
    cluster = new_cluster(1)
    client = cluster[0].client()
    assert client.mset({f"k{i}": i for i in range(100)})
    assert client.mget("k0", "k99", "none") == [b"0", b"99", None]
    assert cluster[0].client(direct=True).get("k5") == b"5"
    assert set(cluster.primaries().values()) == {cluster[0]}


def test_nodes_join_at_the_same_time_and_through_different_nodes(new_cluster):
    cluster = new_cluster(1, room=5)
    cluster.add()
    # Both in one breath, each through another node.
    for seed in (0, 1):
        index = len(cluster.nodes)
        node = type(cluster[0])(cluster, index, cluster.base + index,
                                ["--join", f"127.0.0.1:{cluster[seed].port}"])
        cluster.nodes.append(node)
        node.start()
    for node in cluster.nodes:
        node.wait_answers()
    cluster.wait_formed()
    tables = [cluster.primaries(node) for node in cluster.nodes]
    assert all(table == tables[0] for table in tables)
    assert set(tables[0].values()) == set(cluster.nodes)


def test_keys_survive_a_joining_node(new_cluster):
    cluster = new_cluster(2, room=3)
    client = cluster[0].client()
    for i in range(500):
        client.set(f"key:{i}", i)
    cluster.add()
    cluster.wait_formed()
    for node in cluster.nodes:
        assert node.client().mget([f"key:{i}" for i in range(500)]) == [
            str(i).encode() for i in range(500)
        ]
    wait_until(lambda: cluster[2].ask("DBSIZE") == 500, what="the newcomer counts every key once")


def test_sigterm_and_sigint_end_a_node_well(new_cluster):
    cluster = new_cluster(2)
    assert cluster[1].terminate() == 0
    cluster[0].expected_to_end = True
    cluster[0].signal(signal.SIGINT)
    assert cluster[0].process.wait(timeout=10) == 0
