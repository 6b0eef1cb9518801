"""Subscriptions of libtorc against real servers."""

import subprocess

import redis

from test_client import EXAMPLES
from test_client_shared import redis_cluster, redis_servers
from torc_cluster import PATIENCE, wait_until


def subscribe(*arguments):
    return subprocess.Popen([EXAMPLES / "subscribe", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True)


def finish(process, *expected):
    """It has printed these lines, and ended well."""
    out, errors = process.communicate(timeout=20 * PATIENCE)
    assert (out.splitlines(), errors, process.returncode) == (list(expected), "", 0)


def publish(client, channel, text, receivers=1):
    wait_until(lambda: client.publish(channel, text) == receivers, what=f"{channel} has {receivers}")


def test_messages_arrive_in_order_and_after_a_break(tmp_path):
    with redis_servers(1, tmp_path) as (ports, _):
        server = redis.Redis(port=ports[0])
        process = subscribe(f"127.0.0.1:{ports[0]}", "a", "b")
        publish(server, "a", "first")
        for i in range(100):
            server.publish("ab"[i % 2], str(i))
        server.client_kill_filter(_type="pubsub")
        publish(server, "b", "again")
        server.publish("a", "stop")
        finish(process, "subscribed", "a: first", *(f"{'ab'[i % 2]}: {i}" for i in range(100)),
               "lost: the node closed the connection", "subscribed", "b: again", "a: stop")


def test_patterns(tmp_path):
    with redis_servers(1, tmp_path) as (ports, _):
        server = redis.Redis(port=ports[0])
        process = subscribe(f"127.0.0.1:{ports[0]}", "news.*")
        publish(server, "news.one", "1")
        server.publish("other", "2")
        server.publish("news.two", "stop")
        finish(process, "subscribed", "news.one: 1", "news.two: stop")


def test_another_node_takes_over(tmp_path):
    """In a Redis Cluster every node hears what is published at any."""
    with redis_cluster(tmp_path) as (ports, nodes):
        process = subscribe(",".join(f"127.0.0.1:{port}" for port in ports), "a")
        assert process.stdout.readline() == "subscribed\n"
        first = next(i for i, node in enumerate(nodes) if node.pubsub_numsub("a")[0][1] == 1)
        others = [node for i, node in enumerate(nodes) if i != first]
        others[0].publish("a", "from elsewhere")
        assert process.stdout.readline() == "a: from elsewhere\n"
        nodes[first].shutdown(nosave=True)
        assert process.stdout.readline() == "lost: the node closed the connection\n"
        assert process.stdout.readline() == "subscribed\n"
        others[0].publish("a", "stop")
        finish(process, "a: stop")


def test_a_server_that_refuses(tmp_path):
    with redis_servers(1, tmp_path) as (ports, _):
        redis.Redis(port=ports[0]).execute_command("ACL", "SETUSER", "default", "resetchannels")
        process = subscribe(f"127.0.0.1:{ports[0]}", "a")
        out, errors = process.communicate(timeout=20 * PATIENCE)
        assert (out, process.returncode) == ("", 1)
        assert errors.startswith("subscribe: NOPERM ") and errors.endswith("\n"), errors
