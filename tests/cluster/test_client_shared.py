"""One handle of libtorc in many threads, against clusters that fail and change: Torc, Redis Cluster made of
Debian's redis-server, and a redis-server alone. What was acknowledged is there, and nothing twice."""

import contextlib
import signal
import subprocess
import time

import pytest
import redis

from test_client import EEXIST, ENOTFOUND, EXAMPLES, Shell, error_code, seeds_of
from torc_cluster import BUILD, PATIENCE, ROOT, free_port_base, wait_until

LOAD = BUILD / "tests" / "programs" / "client-load"


class Load:
    def __init__(self, seeds, threads=6):
        self.process = subprocess.Popen([LOAD, seeds, str(threads)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def finish(self):
        """[(key, acknowledged, unknown, refused)]"""
        output, errors = self.process.communicate(timeout=40 * PATIENCE)
        assert self.process.returncode == 0 and not errors, errors
        return [(key, *map(int, counts)) for key, *counts in map(str.split, output.splitlines())]


def check_counters(counters, read, refused_are_few=True):
    total = sum(acknowledged for _, acknowledged, _, _ in counters)
    assert total > 500
    for key, acknowledged, unknown, _ in counters:
        value = int(read(key) or 0)
        assert acknowledged <= value <= acknowledged + unknown, (key, value, acknowledged, unknown)
    if refused_are_few:
        assert sum(refused for *_, refused in counters) < total / 20
    return total


# ------------------------------------------------------------------------------------ Torc

def test_threads_count_through_a_failover(new_cluster):
    cluster = new_cluster(3)
    load = Load(seeds_of(cluster))
    time.sleep(1)
    cluster[1].kill()
    time.sleep(4 * PATIENCE)
    counters = load.finish()
    check_counters(counters, cluster[0].client().get)
    # Writes have names: each was made once, and it is known of each whether it was.
    assert sum(unknown for _, _, unknown, _ in counters) == 0


def test_threads_count_while_slots_move(new_cluster):
    cluster = new_cluster(2)
    load = Load(seeds_of(cluster))
    time.sleep(0.5)
    cluster.add()
    cluster.wait_formed()
    wait_until(lambda: cluster[2] in cluster.primaries().values(), 20, "the new node leads slots")
    time.sleep(1)
    counters = load.finish()
    check_counters(counters, cluster[0].client().get)
    assert sum(unknown for _, _, unknown, _ in counters) == 0


HASHES = ("3 fields, Ada has 42 logins\nLondon, no phone, Ada\n3 deleted, 1 left: logins=42\n"
          "10 visits\n")


def test_examples_run(cluster):
    for name, said in (("async_libev", "100 answered, 0 failed\n"), ("futures", "4 threads, 4 visits\n"),
                       ("from_hiredis", "user:1 is Ada\n10 numbers\n"),
                       ("get_or_load", "user:1: all about user:1\nuser:7: nobody\n" * 2 +
                        "user:1: all about user:1\nloaded 2 times\n"),
                       ("hashes", HASHES), ("lock", "20 of 20 additions\nan old token is refused\n")):
        done = subprocess.run([EXAMPLES / name, f"127.0.0.1:{cluster[0].port}"], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=20 * PATIENCE, check=False)
        assert (done.returncode, done.stdout) == (0, said)


def test_a_program_leaks_nothing(cluster):
    """Blocking calls, pipelines, futures, threads. A build with a sanitizer finds leaks by itself."""
    libraries = subprocess.run(["ldd", EXAMPLES / "futures"], stdout=subprocess.PIPE, text=True, check=True)
    valgrind = ["valgrind", "-q", "--leak-check=full", "--errors-for-leak-kinds=definite,indirect,possible",
                "--error-exitcode=9"]
    runner = [] if "san.so" in libraries.stdout else valgrind
    for name in ("quickstart", "futures"):
        done = subprocess.run([*runner, EXAMPLES / name, f"127.0.0.1:{cluster[0].port}"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=60 * PATIENCE, check=False)
        assert done.returncode == 0, done.stdout


# ------------------------------------------------------------------------------------ Redis

@contextlib.contextmanager
def redis_servers(count, folder, *arguments):
    """Ports of so many servers that answer."""
    ports = [free_port_base(1) for _ in range(count)]
    processes = []
    try:
        for port in ports:
            (folder / str(port)).mkdir()
            processes.append(subprocess.Popen(
                ["redis-server", "--port", str(port), "--save", "", "--dir", folder / str(port), *arguments],
                stdout=subprocess.DEVNULL))
        for port in ports:
            wait_until(lambda port=port: answers(port), what="redis-server answers")
        yield ports, processes
    finally:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait(timeout=10)


def answers(port):
    try:
        return redis.Redis(port=port).ping()
    except redis.ConnectionError:
        return False


@contextlib.contextmanager
def redis_cluster(folder):
    """Ports of three primaries that serve all slots."""
    with redis_servers(3, folder, "--cluster-enabled", "yes", "--cluster-node-timeout", "2000",
                       "--cluster-config-file", "nodes.conf") as (ports, _):
        clients = [redis.Redis(port=port, decode_responses=True) for port in ports]
        for i, client in enumerate(clients):
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", 16384 * i // 3, 16384 * (i + 1) // 3 - 1)
            client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", i + 1)
        for port in ports[1:]:
            clients[0].execute_command("CLUSTER", "MEET", "127.0.0.1", port)
        for client in clients:
            wait_until(lambda client=client: client.cluster("INFO")["cluster_state"] == "ok", 20,
                       "the Redis Cluster is formed")
        yield ports, clients


def use_everything(shell):
    for i in range(200):
        assert shell.ask(f"SET every:{i} {i}") == "OK"
    error, _, replies = shell.pipeline(*[f"GET every:{i}" for i in range(200)])
    assert (error, replies) == (0, [str(i) for i in range(200)])
    assert shell.ask(".mset a 1 b 2 c 3 d 4") == ""
    assert shell.ask(".mget a b c d e") == "1 2 3 4 (nil)"
    assert shell.ask(".del a b c d e") == "(4)"
    assert shell.ask("EXISTS {x}1 {x}2") == "(0)"
    assert shell.ask("PING") == "PONG"
    assert error_code(shell.ask("MULTI")) == -2


def test_a_lock_that_is_lost_is_noticed(cluster):
    seed = f"127.0.0.1:{cluster[0].port}"
    with Shell(seed) as one, Shell(seed) as two:
        first = int(one.ask(".lock k 60000"))
        assert error_code(two.ask(".lock k 60000")) == EEXIST
        assert error_code(two.ask(".unlock k")) == ENOTFOUND
        assert one.ask(".extend k 60000") == ""
        # It is taken away, as an expiry does, and another one has it.
        assert one.ask(".del k") == "(1)"
        assert error_code(one.ask(".extend k 60000")) == ENOTFOUND
        assert int(two.ask(".lock k 60000")) > first
        assert error_code(one.ask(".extend k 60000")) == ENOTFOUND
        assert error_code(one.ask(".unlock k")) == ENOTFOUND
        assert two.ask(".extend k 60000") == two.ask(".unlock k") == ""
        assert error_code(two.ask(".unlock k")) == ENOTFOUND


def test_a_plain_redis_is_served(tmp_path):
    with redis_servers(1, tmp_path) as (ports, processes):
        with Shell(f"127.0.0.1:{ports[0]}", timeout_ms=2000) as shell:
            use_everything(shell)
            moved = subprocess.run([EXAMPLES / "from_hiredis", f"127.0.0.1:{ports[0]}"], stdout=subprocess.PIPE,
                                   text=True, timeout=20 * PATIENCE, check=True)
            assert moved.stdout == "user:1 is Ada\n10 numbers\n"
            hashes = subprocess.run([EXAMPLES / "hashes", f"127.0.0.1:{ports[0]}"], stdout=subprocess.PIPE,
                                    text=True, timeout=20 * PATIENCE, check=True)
            assert hashes.stdout == HASHES
            lock = subprocess.run([EXAMPLES / "lock", f"127.0.0.1:{ports[0]}"], stderr=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True, timeout=20 * PATIENCE, check=True)
            assert "lock: TORC.LOCK: the server does not know how to do that" in lock.stderr
            load = Load(f"127.0.0.1:{ports[0]}")
            time.sleep(1)
            counters = load.finish()
            check_counters(counters, redis.Redis(port=ports[0]).get)
            assert all(unknown == refused == 0 for _, _, unknown, refused in counters)
            processes[0].kill()
            processes[0].wait()
            reply = shell.ask("SET gone 1")
            assert error_code(reply) in (-10, -12) and f"127.0.0.1:{ports[0]}: SET: " in reply


def test_a_redis_cluster_is_served_and_followed(tmp_path):
    with redis_cluster(tmp_path) as (ports, clients):
        with Shell(f"127.0.0.1:{ports[1]}") as shell:
            use_everything(shell)
        load = Load(f"127.0.0.1:{ports[2]}")
        time.sleep(0.5)
        move_slots(clients, ports, range(0, 400))
        time.sleep(0.5)
        counters = load.finish()
        cluster = redis.cluster.RedisCluster(host="127.0.0.1", port=ports[0])
        check_counters(counters, cluster.get)
        assert all(unknown == refused == 0 for _, _, unknown, refused in counters)
        cluster.close()


def move_slots(clients, ports, slots):
    """From the first node to the second, key by key as redis-cli does, so that ASK, TRYAGAIN and MOVED come."""
    source, target = clients[0], clients[1]
    source_id, target_id = (client.execute_command("CLUSTER", "MYID") for client in (source, target))
    for slot in slots:
        target.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", source_id)
        source.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", target_id)
        while keys := source.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 10):
            source.execute_command("MIGRATE", "127.0.0.1", ports[1], "", 0, 5000, "KEYS", *keys)
        for client in (target, source, clients[2]):
            client.execute_command("CLUSTER", "SETSLOT", slot, "NODE", target_id)


@pytest.mark.parametrize("loop", ["libuv", "epoll"])
def test_adapters_of_other_loops(tmp_path, cluster, loop):
    """Compiled and run as they are: each answers the same ten commands."""
    program = {
        "libuv": '#include <torc/adapters/libuv.h>\n#define LOOP uv_loop_t *loop = uv_default_loop(); '
                 'struct torc_libuv a; if (torc_libuv_start(&a, loop, t) != 0) return 2; '
                 'while (answered < 10) uv_run(loop, UV_RUN_ONCE); torc_libuv_stop(&a, NULL); '
                 'uv_run(loop, UV_RUN_DEFAULT);\n',
        "epoll": '#include <torc/adapters/epoll.h>\n#include <unistd.h>\n#define LOOP int e = epoll_create1(0); '
                 'struct epoll_event event; if (torc_epoll_add(e, t) != 0) return 2; '
                 'while (answered < 10) { if (epoll_wait(e, &event, 1, 5000) != 1) return 3; '
                 'torc_process((struct torc *)event.data.ptr); } torc_epoll_remove(e, t); close(e);\n',
    }[loop]
    source = tmp_path / "main.c"
    source.write_text(program + '''
static int answered, wrong;
static void on_reply(struct torc *t, int error, redisReply *reply, void *context)
{ (void)t; (void)context; answered++; wrong += error != 0 || reply->type != REDIS_REPLY_STATUS; }
int main(int argc, char **argv)
{ struct torc *t; struct torc_options options = {.seeds = argv[argc - 1]};
  if (torc_connect(&options, &t) != 0 || torc_fd(t) < 0) return 1;
  for (int i = 0; i < 10; i++) if (torc_async(t, on_reply, NULL, "SET loop:%d x", i) != 0) return 4;
  LOOP
  torc_close(t); return wrong; }
''')
    flags = subprocess.run(["pkg-config", "--cflags", "hiredis"], stdout=subprocess.PIPE, text=True,
                           check=True).stdout.split()
    library = BUILD / "client"
    sanitize = ["-fsanitize=address,undefined"] if "asan" in subprocess.run(
        ["ldd", library / "libtorc.so"], stdout=subprocess.PIPE, text=True, check=True).stdout else []
    subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", source, "-o", tmp_path / "main", *flags, *sanitize,
                    f"-I{ROOT}", f"-I{ROOT / 'client' / 'include'}", f"-L{library}", "-ltorc",
                    f"-Wl,-rpath,{library}", *(["-luv"] if loop == "libuv" else []), "-lhiredis"], check=True)
    done = subprocess.run([tmp_path / "main", seeds_of(cluster)], timeout=20 * PATIENCE, check=False)
    assert done.returncode == 0
