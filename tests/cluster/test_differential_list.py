"""Lists against redis-server: the same random commands, and every reply the same.

The seed is printed; TORC_SEED=n repeats a run.
"""

import os
import random
import shutil
import socket
import subprocess

import pytest

from torc_cluster import Raw, encode, listening_socket, wait_until

COMMANDS = 6000
KEYS = [b"{t}a", b"{t}b", b"{t}c", b"{t}d"]
NUMBERS = [b"0", b"1", b"-1", b"2", b"-2", b"3", b"5", b"-7", b"20", b"-30", b"100", b"1000"]
# Not the smallest integer: Redis 7.0 negates it, which is undefined in C; 7.2 refuses it, as we do.
ODD_NUMBERS = [b"x", b"", b"1.5", b"+1", b" 1", b"01", b"9223372036854775807",
               b"-9223372036854775807", b"9223372036854775808"]
# For LMPOP; one that takes the word behind the keys for a key is refused earlier by a cluster.
ODD_COUNTS = [b"x", b"", b"0", b"-1", b"100", b"9223372036854775807", b"9223372036854775808"]


class Wire(Raw):
    """Replies as they are on the wire, so that a null array is not a null string; of an error the
    first word, which is what programs look at."""

    def reply(self):
        line = self._line()
        if line.startswith(b"-"):
            return line.split(b" ", 1)[0]
        if line.startswith(b"*"):
            return [line] + [self.reply() for _ in range(int(line[1:]))]
        if line.startswith(b"$") and line != b"$-1":
            size = int(line[1:]) + 2
            while len(self.buffer) < size:
                self._more()
            data, self.buffer = self.buffer[:size], self.buffer[size:]
            return (line, data)
        return line


@pytest.fixture
def redis_server(tmp_path):
    """The port of a redis-server of the test's own."""
    program = shutil.which("redis-server")
    assert program, "redis-server is not installed; ./dev test installs it"
    with listening_socket() as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [program, "--port", str(port), "--save", "", "--dir", str(tmp_path)],
        stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: socket.create_connection(("127.0.0.1", port)).close() is None,
                   what="redis-server listens")
        yield port
    finally:
        process.terminate()
        process.wait(timeout=10)


class Commands:
    """Random commands, lawful ones mostly."""

    def __init__(self, rng):
        self.rng = rng

    def key(self):
        return self.rng.choice(KEYS)

    def number(self):
        return self.rng.choice(ODD_NUMBERS if self.rng.random() < 0.04 else NUMBERS)

    def value(self):
        shape = self.rng.random()
        if shape < 0.6:
            return self.rng.choice([b"a", b"b", b"c", b"", b"12", b"-5", b"0"])
        if shape < 0.95:
            return b"%d" % self.rng.randrange(1000) * self.rng.randint(1, 20)
        if shape < 0.99:
            return self.rng.choice([b"x", b"y"]) * self.rng.randint(250, 260)
        return self.rng.choice([b"x", b"y"]) * self.rng.randint(4000, 20000)

    def values(self):
        count = 1 if self.rng.random() < 0.5 else self.rng.randint(1, 8)
        if self.rng.random() < 0.03:
            count = self.rng.randint(100, 400)
        return [self.value() for _ in range(count)]

    def end(self):
        return self.rng.choice([b"LEFT", b"right", b"Left", b"RIGHT"] * 10 + [b"UP"])

    def options(self, *names):
        words = []
        for name in names:
            if self.rng.random() < 0.3:
                words += [name, self.number()]
        if self.rng.random() < 0.03:
            words.append(self.rng.choice([b"FOO", b"COUNT", b"RANK"]))
        return words

    def pop_count(self):
        return [] if self.rng.random() < 0.6 else [self.number()]

    def lmpop(self):
        keys = [self.key() for _ in range(self.rng.randint(1, 3))]
        count = b"%d" % len(keys) if self.rng.random() < 0.95 else self.rng.choice(ODD_COUNTS)
        return [b"LMPOP", count, *keys, self.end(), *self.options(b"COUNT")]

    def next(self):
        made = self.rng.choices(self.MAKERS, self.WEIGHTS)[0](self)
        if self.rng.random() < 0.01:
            made = made[:-1] if self.rng.random() < 0.5 else [*made, b"more"]
        return made

    MAKERS, WEIGHTS = zip(
        (lambda s: [b"LPUSH", s.key(), *s.values()], 10),
        (lambda s: [b"RPUSH", s.key(), *s.values()], 10),
        (lambda s: [b"LPUSHX", s.key(), *s.values()], 3),
        (lambda s: [b"RPUSHX", s.key(), *s.values()], 3),
        (lambda s: [b"LPOP", s.key(), *s.pop_count()], 6),
        (lambda s: [b"RPOP", s.key(), *s.pop_count()], 6),
        (lambda s: [b"LLEN", s.key()], 3),
        (lambda s: [b"LRANGE", s.key(), s.number(), s.number()], 6),
        (lambda s: [b"LINDEX", s.key(), s.number()], 6),
        (lambda s: [b"LSET", s.key(), s.number(), s.value()], 6),
        (lambda s: [b"LREM", s.key(), s.number(), s.value()], 6),
        (lambda s: [b"LTRIM", s.key(), s.rng.choice([b"0", b"1", s.number()]),
                    s.rng.choice([b"-1", b"-2", s.number()])], 2),
        (lambda s: [b"LINSERT", s.key(), s.rng.choice([b"BEFORE", b"after", b"AFTER", b"at"]),
                    s.value(), s.value()], 6),
        (lambda s: [b"LPOS", s.key(), s.value(), *s.options(b"RANK", b"COUNT", b"MAXLEN")], 8),
        (lambda s: [b"LMOVE", s.key(), s.key(), s.end(), s.end()], 6),
        (lambda s: [b"RPOPLPUSH", s.key(), s.key()], 3),
        (lambda s: s.lmpop(), 6),
        # What else may happen to a list, and a string in its place.
        (lambda s: [b"DEL", s.key()], 1),
        (lambda s: [b"TYPE", s.key()], 1),
        (lambda s: [b"EXISTS", s.key()], 1),
        (lambda s: [b"COPY", s.key(), s.key(), b"REPLACE"], 1),
        (lambda s: [b"RENAME", s.key(), s.key()], 1),
        (lambda s: [b"EXPIRE", s.key(), b"1000"], 1),
        (lambda s: [b"PERSIST", s.key()], 1),
        (lambda s: [b"SET", s.key(), s.value()], 0.5),
        (lambda s: [b"SETNX", s.key(), s.value()], 0.5),
        (lambda s: [b"GET", s.key()], 1),
        (lambda s: [b"APPEND", s.key(), s.value()], 0.2),
        (lambda s: [b"STRLEN", s.key()], 0.5),
        (lambda s: [b"INCR", s.key()], 0.2),
    )


def contents(connection):
    return [(connection.command(b"TYPE", key), connection.command(b"LRANGE", key, 0, -1))
            for key in KEYS]


def check_dumps(torc):
    """What DUMP returns RESTORE makes the same list of."""
    for key in KEYS:
        if torc.command(b"TYPE", key) == b"+list":
            _, dump = torc.command(b"DUMP", key)
            assert torc.command(b"RESTORE", key + b"copy", 0, dump[:-2], b"REPLACE") == b"+OK"
            assert torc.command(b"LRANGE", key + b"copy", 0, -1) == \
                torc.command(b"LRANGE", key, 0, -1)


def test_every_reply_is_that_of_redis(redis_server, new_cluster):
    seed = int(os.environ.get("TORC_SEED", random.randrange(2**32)))
    print(f"seed {seed}")
    commands = Commands(random.Random(seed))
    node = new_cluster(1)[0]
    encodings = set()
    names = set()
    with Wire(redis_server, 10) as redis, node_wire(node) as torc:
        for number in range(COMMANDS):
            words = commands.next()
            expected = redis.command(*words)
            got = torc.command(*words)
            shown = [word[:40] for word in words[:12]]
            assert got == expected, f"seed {seed} command {number}: {shown}"
            if not isinstance(got, bytes) or not got.startswith(b"-"):
                names.add(words[0])
            if number % 200 == 199:
                assert contents(torc) == contents(redis), f"seed {seed} after command {number}"
                check_dumps(torc)
                encodings |= {str(torc.command(b"OBJECT", b"ENCODING", key)) for key in KEYS}
    assert len(names) >= 28, "hardly a command that both refused each time"
    assert any("listpack" in name for name in encodings)
    assert any("quicklist" in name for name in encodings)


def node_wire(node):
    return Wire(node.port, 10)


def test_pipelined_replies_are_those_of_redis(redis_server, new_cluster):
    """All at once: also what is prefetched for a batch is looked at under later commands of it."""
    seed = int(os.environ.get("TORC_SEED", random.randrange(2**32)))
    print(f"seed {seed}")
    commands = Commands(random.Random(seed + 1))
    node = new_cluster(1)[0]
    with Wire(redis_server, 10) as redis, node_wire(node) as torc:
        for batch in range(60):
            made = [commands.next() for _ in range(50)]
            for connection in (redis, torc):
                connection.send(b"".join(encode(*words) for words in made))
            for words in made:
                shown = [word[:40] for word in words[:12]]
                assert torc.reply() == redis.reply(), f"seed {seed} batch {batch}: {shown}"
