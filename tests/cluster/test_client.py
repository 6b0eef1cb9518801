"""libtorc against real nodes and against peers that misbehave: the examples of client/examples are run as
they are installed, the interactive one (shell) as the way to say anything to the library."""

import contextlib
import pathlib
import re
import socket
import subprocess
import threading
import time

import pytest

from torc_cluster import BUILD, PATIENCE, ROOT, key_for, listening_socket, wait_until

EXAMPLES = BUILD / "client" / "examples"
LIBRARY = BUILD / "client" / "libtorc.so"
EINVAL, ENOTFOUND, EEXIST, ETIMEOUT, ECLOSED = -2, -6, -7, -9, -10
ECONNECT, ERESOLVE, EPROTOCOL, EREPLY = -12, -13, -14, -17


class Shell:
    """The interactive example. A line in, a line out."""

    def __init__(self, seeds, timeout_ms=5000, connected=True, password="-", zone="", near=()):
        self.timeout_ms = int(timeout_ms * PATIENCE)
        self.process = subprocess.Popen(
            [EXAMPLES / "shell", seeds, str(self.timeout_ms), password, zone, *map(str, near)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace", bufsize=1)
        self.connect_error = None if connected else self.read()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.process.stdin.close()
        errors = self.process.stderr.read()
        code = self.process.wait(timeout=10 * PATIENCE)
        self.process.stdout.close()
        self.process.stderr.close()
        assert kind or (code == 0 and not errors), f"the shell ended with {code}: {errors}"

    def read(self):
        """A line; none within twice the deadline of a call fails the test."""
        watchdog = threading.Timer(2 * self.timeout_ms / 1000 + 5, self.process.kill)
        watchdog.start()
        try:
            line = self.process.stdout.readline()
        finally:
            watchdog.cancel()
        assert line, "the shell has ended, or did not answer by its deadline"
        return line.rstrip("\n")

    def say(self, line):
        self.process.stdin.write(line + "\n")

    def ask(self, line):
        self.say(line)
        return self.read()

    def pipeline(self, *lines):
        """(error, text, replies)"""
        for line in (".begin", *lines, ".execute"):
            self.say(line)
        error, _, text = self.read().partition(" ")
        return int(error), text, [self.read() for _ in lines]


def seeds_of(cluster):
    return ",".join(f"127.0.0.1:{node.port}" for node in cluster.nodes)


def error_code(line):
    found = re.match(r"!(-\d+) ", line)
    return int(found.group(1)) if found else None


def pause(node):
    """Stops it, and waits until every thread of it has stopped."""
    node.pause()
    tasks = pathlib.Path(f"/proc/{node.process.pid}/task")
    wait_until(lambda: all((task / "stat").read_text().rsplit(")", 1)[1].split()[0] == "T"
                           for task in tasks.iterdir()), what="the node has stopped")


@contextlib.contextmanager
def peer(serve):
    """A server that does serve(connection) for each connection; yields its address. The connections are
    closed at the end."""
    server = listening_socket()
    held = []

    def accept():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            held.append(connection)
            threading.Thread(target=guarded, args=(connection,), daemon=True).start()

    def guarded(connection):
        with contextlib.suppress(OSError):
            serve(connection)

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.getsockname()[1]}"
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        for connection in held:
            connection.close()


def after_request(reply, close=False):
    """Says `reply` to every request."""
    def serve(connection):
        while connection.recv(65536):
            connection.sendall(reply)
            if close:
                connection.shutdown(socket.SHUT_RDWR)
                return
    return serve


# ------------------------------------------------------------------------------------ what it is for

def test_the_quickstart_of_the_documentation_runs(cluster):
    done = subprocess.run([EXAMPLES / "quickstart", f"127.0.0.1:{cluster[1].port}"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=20 * PATIENCE, check=False)
    assert (done.returncode, done.stdout) == (
        0, "greeting is hello\nvisits is 1\nuser:9 is 81\n")
    assert 0 < cluster[0].client().pttl("greeting") <= 60000
    documented = (ROOT / "docs" / "client.md").read_text()
    source = (ROOT / "client" / "examples" / "quickstart.c").read_text()
    body = source[source.index("#include"):]
    assert body in documented, "docs/client.md does not show client/examples/quickstart.c as it is"


def test_a_thousand_keys_written_are_read_anywhere(cluster):
    with Shell(seeds_of(cluster)) as shell:
        for i in range(1000):
            assert shell.ask(f"SET many:{i} {i}") == "OK"
        for i in range(1000):
            assert shell.ask(f"GET many:{i}") == str(i)
        assert shell.ask("DBSIZE") == "(1000)"
    assert cluster[2].client().get("many:999") == b"999"


def test_commands_go_straight_to_the_owner(cluster):
    def redirects():
        return sum(int(line.split(b":")[1]) for node in cluster.nodes
                   for line in node.ask("INFO", "torc").split()
                   if line.startswith((b"moved_replies:", b"commands_proxied:")))
    before = redirects()
    with Shell(seeds_of(cluster)) as shell:
        for i in range(200):
            assert shell.ask(f"SET direct:{i} x") == "OK"
    assert redirects() == before


def test_helpers(cluster):
    words = [f"h:{i}" for i in range(300)]
    with Shell(seeds_of(cluster)) as shell:
        assert shell.ask(".mset " + " ".join(f"{w} v{w}" for w in words)) == ""
        shuffled = words[::7] + ["absent"] + words[::-3]
        want = ["(nil)" if w == "absent" else f"v{w}" for w in shuffled]
        assert shell.ask(".mget " + " ".join(shuffled)) == " ".join(want)
        assert shell.ask(".get h:7") == "vh:7"
        assert error_code(shell.ask(".get absent")) == -6
        assert shell.ask(".set one 1") == ""
        assert shell.ask(".mset one 2 two 2 one 3") == ""
        assert shell.ask(".get one") == "3"
        assert shell.ask(".del absent one two " + " ".join(words)) == "(302)"
        assert shell.ask("DBSIZE") == "(0)"


def test_keys_in_several_slots_and_no_keys_go_to_some_node(cluster):
    with Shell(seeds_of(cluster)) as shell:
        assert shell.ask("MSET a 1 b 2 c 3 d 4") == "OK"
        assert shell.ask("MGET a b c d") == "[1 2 3 4]"
        assert shell.ask("DEL a b c d e") == "(4)"
        assert shell.ask("NOSUCH x").startswith("-ERR unknown command")
        assert shell.ask("OBJECT ENCODING a") == "(nil)"


def test_a_pipeline_keeps_the_order_of_what_was_appended(cluster):
    lines, want = [], []
    for i in range(300):
        lines += [f"SET order:{i} {i}", f"INCRBY order:{i} 1000", f"GET order:{i}"]
        want += ["OK", f"({i + 1000})", str(i + 1000)]
    with Shell(seeds_of(cluster)) as shell:
        assert shell.pipeline(*lines) == (0, "", want)
        assert shell.pipeline("GET order:7", "NOSUCH", "DBSIZE", "GET order:8")[2] == [
            "1007", "-ERR unknown command 'NOSUCH', with args beginning with: ", "(300)", "1008"]
        assert shell.pipeline() == (0, "", [])


def test_a_large_pipeline_of_large_values(cluster):
    value = "v" * 60000
    lines = [f"SET large:{i} {value}" for i in range(200)]
    with Shell(seeds_of(cluster), timeout_ms=30000) as shell:
        assert shell.pipeline(*lines) == (0, "", ["OK"] * 200)
        error, _, replies = shell.pipeline(*[f"GET large:{i}" for i in range(200)])
        assert error == 0 and all(reply == value for reply in replies)


def test_refused_commands_leave_the_handle_usable(cluster):
    with Shell(seeds_of(cluster)) as shell:
        for line in ("MULTI", "SUBSCRIBE x", "CLIENT REPLY OFF", "HELLO 3"):
            assert error_code(shell.ask(line)) == EINVAL
        assert shell.ask("PING") == "PONG"


def test_only_the_documented_names_are_exported():
    listed = (ROOT / "client" / "exports.txt").read_text().split()
    header = (ROOT / "client" / "include" / "torc" / "torc.h").read_text()
    declared = re.findall(r"TORC_API[^;]*?\b(torc_\w+)\(", header)
    assert sorted(declared + ["torc_strerror"]) == listed
    shown = subprocess.run(["nm", "-D", "--defined-only", LIBRARY], stdout=subprocess.PIPE, text=True,
                           check=True).stdout
    exported = {line.split()[-1].split("@")[0] for line in shown.splitlines()
                if line.split()[-2] in "TDBR"}
    assert exported == set(listed)


@pytest.mark.parametrize("compiler", ["cc", "c++"])
@pytest.mark.parametrize("static", [False, True], ids=["shared", "static"])
def test_an_installed_library_builds_a_program(tmp_path, compiler, static):
    subprocess.run(["cmake", "--install", BUILD, "--prefix", tmp_path / "root"], check=True,
                   stdout=subprocess.DEVNULL)
    pkgconfig = next((tmp_path / "root").rglob("torc.pc")).parent
    # One that is to be linked into any program must not take such names.
    program = tmp_path / ("main.c" if compiler == "cc" else "main.cpp")
    program.write_text('#include <torc/torc.h>\n#include <stdio.h>\n'
                       'int crc16(void);\nint crc16(void) { return 1; }\n'
                       'int main(void) { struct torc *t; int e = torc_connect(NULL, &t);\n'
                       'puts(torc_strerror(e)); torc_close(t); return crc16() - 1; }\n')
    options = subprocess.run(
        ["pkg-config", "--cflags", "--libs", *(["--static"] if static else []), "torc"],
        stdout=subprocess.PIPE, text=True, check=True,
        env={"PKG_CONFIG_PATH": str(pkgconfig), "PATH": "/usr/bin:/bin"}).stdout
    if static:
        archive = next((tmp_path / "root").rglob("libtorc.a"))
        options = options.replace("-ltorc", str(archive))
    cache = (BUILD / "CMakeCache.txt").read_text()
    if re.search(r"^TORC_SANITIZE:\w+=\S", cache, re.MULTILINE):
        options += " -fsanitize=address,undefined"
    done = subprocess.run(
        [compiler, "-Wall", "-Wextra", "-Werror", program, "-o", tmp_path / "main", *options.split(),
         f"-Wl,-rpath,{pkgconfig.parent}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False)
    assert done.returncode == 0, done.stdout
    ran = subprocess.run([tmp_path / "main"], stdout=subprocess.PIPE, text=True, check=True)
    assert ran.stdout == "invalid argument\n"


# ------------------------------------------------------------------------------------ failures

def test_seeds_that_fail_are_passed_over(cluster):
    with listening_socket() as closed:
        dead = f"127.0.0.1:{closed.getsockname()[1]}"
    with Shell(f"{dead},no-such-host.invalid:1,localhost:{cluster[2].direct_port}") as shell:
        assert shell.ask("PING") == "PONG"


def test_errors_name_every_seed_and_the_handle_connects_later(new_cluster):
    cluster = new_cluster(1)
    port = cluster[0].port
    cluster[0].terminate()
    with Shell(f"127.0.0.1:{port},no-such-host.invalid:1", connected=False) as shell:
        assert error_code(shell.connect_error) == ERESOLVE
        assert f"127.0.0.1:{port}: TORC.VIEW: cannot connect" in shell.connect_error
        assert "no-such-host.invalid:1" in shell.connect_error
        assert error_code(shell.ask("GET x")) == ERESOLVE
        cluster[0].start().wait_answers()
        wait_until(lambda: cluster.formed(), what="the node serves again")
        assert shell.ask("SET x 1") == "OK"


@pytest.mark.parametrize("serve, code", [
    (after_request(b"HTTP/1.1 400 Bad Request\r\n\r\n"), EPROTOCOL),
    (after_request(b"*1000000000\r\n*1000000000\r\n$-7\r\n"), EPROTOCOL),
    (after_request(b"+OK\r\n"), EPROTOCOL),
    (after_request(b"$5\r\nhello\r\n"), EPROTOCOL),
    (after_request(b"-NOAUTH Authentication required.\r\n"), EREPLY),
    (after_request(b"$100\r\nhalf", close=True), ECLOSED),
    (lambda connection: connection.shutdown(socket.SHUT_RDWR), ECLOSED),
    (after_request(b"*2000000000\r\n"), ETIMEOUT),
    (after_request(b""), ETIMEOUT),
    (after_request(b"-CLUSTERDOWN not joined\r\n"), ETIMEOUT),
], ids=["http", "garbage", "no-view", "wrong-view", "error", "half", "closes", "bomb", "silent",
        "never-joins"])
def test_a_peer_that_misbehaves_is_an_error_by_the_deadline(cluster, serve, code):
    started = time.monotonic()
    with peer(serve) as address:
        with Shell(address, timeout_ms=500, connected=False) as shell:
            assert error_code(shell.connect_error) == code, shell.connect_error
            assert address in shell.connect_error
            assert error_code(shell.ask("GET x")) == code
        # With a good seed beside it, it does no harm.
        with Shell(f"{address},127.0.0.1:{cluster[0].port}", timeout_ms=2000) as shell:
            assert shell.ask("PING") == "PONG"
    assert time.monotonic() - started < 10 * PATIENCE


def test_a_peer_that_answers_drop_by_drop_does_not_stretch_the_deadline():
    def drip(connection):
        connection.recv(65536)
        connection.sendall(b"$100000\r\n")
        while True:
            connection.sendall(b"x")
            time.sleep(0.02)
    started = time.monotonic()
    with peer(drip) as address:
        with Shell(address, timeout_ms=500, connected=False) as shell:
            assert error_code(shell.connect_error) == ETIMEOUT
    assert time.monotonic() - started < 5 * PATIENCE


def test_a_killed_node_is_recovered_from(new_cluster):
    cluster = new_cluster(3)
    names = [f"kill:{i}" for i in range(60)]
    acknowledged = dict.fromkeys(names, 0)
    unknown = dict.fromkeys(names, 0)
    with Shell(seeds_of(cluster), timeout_ms=15000) as shell:
        for name in names:
            assert shell.ask(f"INCR {name}") == "(1)"
            acknowledged[name] += 1
        cluster.wait_copied(names)
        for turn in range(6):
            if turn == 2:
                cluster[1].kill()
            for name in names:
                reply = shell.ask(f"INCR {name}")
                if reply.startswith("("):
                    acknowledged[name] += 1
                else:
                    assert error_code(reply) in (ECLOSED, ETIMEOUT) or "may or may not" in reply, reply
                    unknown[name] += 1
        for name in names:
            value = int(shell.ask(f"GET {name}"))
            assert acknowledged[name] <= value <= acknowledged[name] + unknown[name]
        error, text, replies = shell.pipeline(*[f"SET {name} done" for name in names])
        assert (error, text, set(replies)) == (0, "", {"OK"})


def test_a_paused_node_is_an_error_by_the_deadline_and_good_again_later(new_cluster):
    cluster = new_cluster(1)
    with Shell(seeds_of(cluster), timeout_ms=700) as shell:
        assert shell.ask("SET a 1") == "OK"
        pause(cluster[0])
        started = time.monotonic()
        reply = shell.ask("SET a 2")
        assert error_code(reply) == ETIMEOUT
        assert f"127.0.0.1:{cluster[0].direct_port}: SET: no answer in time" in reply
        assert time.monotonic() - started < 5 * PATIENCE
        error, _, replies = shell.pipeline("GET a", "GET b")
        assert error == ETIMEOUT and replies == ["!-9", "!-9"]
        cluster[0].resume()
        assert wait_until(lambda: shell.ask("GET a") in ("1", "2"), what="the node answers again")


def test_a_cluster_that_has_changed_is_followed(new_cluster):
    """A view that is out of date: MOVED is followed, and the view taken up."""
    cluster = new_cluster(1)
    with Shell(seeds_of(cluster), timeout_ms=10000) as shell:
        for i in range(50):
            assert shell.ask(f"SET grown:{i} {i}") == "OK"
        cluster.add()
        cluster.wait_formed()
        newcomer = cluster[1]
        wait_until(lambda: newcomer in cluster.primaries().values(), 20, "the new node leads slots")
        table = cluster.primaries()
        moved = key_for(lambda slot: table[slot] is newcomer, prefix="moved")
        assert shell.ask(f"SET {moved} x") == "OK"
        for i in range(50):
            assert shell.ask(f"GET grown:{i}") == str(i)
        error, _, replies = shell.pipeline(*[f"GET grown:{i}" for i in range(50)])
        assert error == 0 and replies == [str(i) for i in range(50)]
