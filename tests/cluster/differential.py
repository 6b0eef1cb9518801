"""Random commands to a node and to redis-server, and every reply the same: what the tests of each type of
values share. A family says what its commands are; here they are sent and compared.

The seed is printed; TORC_SEED=n repeats a run.
"""

import os
import random

from torc_cluster import Raw, encode

NUMBERS = [b"0", b"1", b"-1", b"2", b"-2", b"3", b"5", b"-7", b"20", b"-30", b"100", b"1000"]
# Not the smallest integer: Redis 7.0 negates it, which is undefined in C; 7.2 refuses it, as we do.
ODD_NUMBERS = [b"x", b"", b"1.5", b"+1", b" 1", b"01", b"9223372036854775807",
               b"-9223372036854775807", b"9223372036854775808"]
KEYS = [b"{t}a", b"{t}b", b"{t}c", b"{t}d"]
AGGREGATES = {b"*": 1, b"~": 1, b"%": 2, b">": 1}


class Wire(Raw):
    """Replies as they are on the wire, so that a null array is not a null string: a line, a pair of a line
    and its bytes, or a list of a line and what it announces."""

    def reply(self):
        line = self._line()
        kind = line[:1]
        if kind in AGGREGATES:
            return [line] + [self.reply() for _ in range(AGGREGATES[kind] * int(line[1:]))]
        if kind in (b"$", b"=") and line != b"$-1":
            size = int(line[1:]) + 2
            while len(self.buffer) < size:
                self._more()
            data, self.buffer = self.buffer[:size], self.buffer[size:]
            return (line, data)
        return line


def first_word(reply):
    """Of an error that, which is what programs look at, where the text is not that of Redis 7.0."""
    if isinstance(reply, bytes) and reply.startswith(b"-"):
        return reply.split(b" ", 1)[0]
    return reply


def is_error(reply):
    return isinstance(reply, bytes) and reply.startswith(b"-")


def in_any_order(reply, together=1):
    """An array's elements sorted, as many of them taken together as belong to each other."""
    if not isinstance(reply, list):
        return reply
    elements = reply[1:]
    groups = [elements[i:i + together] for i in range(0, len(elements), together)]
    return [reply[0], *sorted(groups, key=repr)]


class Commands:
    """Random commands, lawful ones mostly. A family has makers with weights, and says what of a reply is
    compared."""

    MAKERS = ()  # (function of self that returns words, weight)
    SINGLE = frozenset()  # names of commands that are not sent together with others: see single()

    def __init__(self, rng):
        self.rng = rng
        self.names = set()  # of commands that were not refused

    def key(self):
        return self.rng.choice(KEYS)

    def number(self):
        return self.rng.choice(ODD_NUMBERS if self.rng.random() < 0.04 else NUMBERS)

    def scan_words(self, name, patterns, kind, count):
        words = [name, self.key(), self.rng.choice([b"0"] * 9 + [b"x"])]
        if self.rng.random() < 0.3:
            words += [b"MATCH", self.rng.choice(patterns)]
        if self.rng.random() < 0.03:
            words += self.rng.choice([[b"COUNT", b"0"], [b"COUNT", b"x"], [b"TYPE", kind], [b"FOO"]])
        return [*words, b"COUNT", count]

    def random_words(self, name, together):
        """Members drawn at random; `together`: words that ask for what belongs to them."""
        count = [] if self.rng.random() < 0.2 else [self.number()]
        if count and count[0].startswith(b"-92"):
            count = [b"-4"]  # what Redis would write without end
        word = [self.rng.choice(together)] * (self.rng.random() < 0.4)
        return [name, self.key(), *count, *word]

    def next(self):
        made = self.rng.choices([maker for maker, _ in self.MAKERS],
                                [weight for _, weight in self.MAKERS])[0](self)
        if self.rng.random() < 0.01:
            made = made[:-1] if self.rng.random() < 0.5 else [*made, b"{t}more"]
        return made

    def compared(self, words, reply):
        """What of a reply is the same on both sides."""
        return reply

    def asked_before(self, words):
        """What tells, sent just before, what checked() has to know; None for nothing."""

    def checked(self, words, reply):
        """Looks at what the node replied."""

    def single(self, words, redis, torc):
        """Sends a command whose effect is the node's choice, and sees to it that redis-server is told."""
        raise NotImplementedError


def shown(words):
    return [word[:40] for word in words[:12]]


def compare_batch(commands, redis, torc, made, where):
    """Sends them all at once: also what is prefetched for a batch is looked at under later commands."""
    for connection in (redis, torc):
        connection.send(b"".join(encode(*words) for words in made))
    for words in made:
        got, expected = torc.reply(), redis.reply()
        assert commands.compared(words, got) == commands.compared(words, expected), \
            f"{where}: {shown(words)}"
        commands.checked(words, got)
        if not is_error(got):
            commands.names.add(words[0])


def compare(commands, redis, torc, count, where, check):
    """Sends `count` commands in batches, and calls check() from time to time."""
    batch = []
    size = 1
    for number in range(count):
        words = commands.next()
        if words[0] in commands.SINGLE:
            compare_batch(commands, redis, torc, batch, where)
            batch = []
            commands.single(words, redis, torc)
        else:
            before = commands.asked_before(words)
            batch += [words] if before is None else [before, words]
        if len(batch) >= size or number + 1 == count:
            compare_batch(commands, redis, torc, batch, where)
            batch = []
            size = commands.rng.choice([1, 5, 50])
        if number % 250 == 249:
            compare_batch(commands, redis, torc, batch, where)
            batch = []
            check()


def seeded(make, default=None):
    """Commands of a random seed, and what to say where one fails."""
    seed = int(os.environ.get("TORC_SEED", random.randrange(2**32) if default is None else default))
    print(f"seed {seed}")
    return make(random.Random(seed)), f"seed {seed}"


def check_restored(torc, key, words, comparable=lambda reply: reply):
    """What DUMP returns RESTORE makes the same value of, as that command shows it: words(key)."""
    dump = torc.command(b"DUMP", key)
    if isinstance(dump, tuple):
        copy = key + b"copy"
        assert torc.command(b"RESTORE", copy, 0, dump[1][:-2], b"REPLACE") == b"+OK"
        assert comparable(torc.command(*words(copy))) == comparable(torc.command(*words(key)))
        torc.command(b"DEL", copy)
