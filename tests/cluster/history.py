"""What clients did to a cluster while faults happened, and whether the cluster kept its word.

A `History` runs writers and readers against a list of endpoints and writes down the outcome of each
operation: acknowledged, known not to be done (TRYAGAIN, CLUSTERDOWN, MOVED ...), or unknown (UNCERTAIN,
no answer in time, a closed connection). Some promises are checked while it runs, with real time on the
checker's side: a reply shows everything that was acknowledged before its request was sent. The rest is
checked at the end, by reading everything back through every node.

Three kinds of keys: SET of values that grow, one writer for each key; INCR of shared counters; RPUSH of
unique items to shared lists. A SET of unknown outcome may be made at any later moment, also after the
next one, so its writer leaves that key alone from then on and goes on with another key of the slot.
"""

import collections
import random
import threading
import time

from torc_cluster import PATIENCE, encode, wait_until

REQUIRE_LISTS = True  # True once every node has RPUSH: a build without it then fails the tests

REFUSALS = ("TRYAGAIN", "CLUSTERDOWN", "LOADING", "MOVED", "ASK", "MASTERDOWN", "NOREPLICAS")
ACKNOWLEDGED, NOT_DONE, UNKNOWN = "acknowledged", "not done", "unknown"
REFUSED_PAUSE_SECONDS = 0.02  # before a client that was refused or cut off tries again
RARELY = 0.02  # of a writer's batches are about keys that are otherwise left alone
READ_BACK_SECONDS = 10  # between nodes that were cut off TCP may wait for 3 s before it sends again
BATCH_MAX = 4  # writes in a batch
SHOWN = 30  # problems listed in a failure

Endpoint = collections.namedtuple("Endpoint", "name connect direct", defaults=[False])


def endpoints(cluster, limit=10.0, direct=False, nodes=None):
    """The client ports (or the direct ports) of a cluster's nodes."""
    kind = "direct" if direct else "client"
    return [
        Endpoint(f"node {node.index} {kind}",
                 lambda node=node: node.raw(direct=direct, limit=limit), direct)
        for node in nodes or cluster.nodes
    ]


class Unanswered(Exception):
    """In place of a reply: the request may have been executed."""


class NotSent(Exception):
    """In place of a reply: the request never left."""


def outcome_of(reply):
    if isinstance(reply, NotSent):
        return NOT_DONE
    if isinstance(reply, Unanswered):
        return UNKNOWN
    if isinstance(reply, Exception):
        text = str(reply)
        if text.startswith(REFUSALS):
            return NOT_DONE
        return UNKNOWN if text.startswith("UNCERTAIN") else None
    return ACKNOWLEDGED


class Record:
    """One key: what was done to it, and the least that a reader must see from now on."""

    def __init__(self, kind, key):
        self.kind = kind          # "set", "counter", "list"
        self.key = key
        self.floor = 0            # highest value that was acknowledged or read
        self.issued = 0           # set: highest value sent; others: operations that may be done
        self.acknowledged = []    # set: values; counter: replies; list: items, in order of replies
        self.unknown = []         # set: values; counter: one None for each; list: items
        self.refused = set()      # set, list: what must never be seen
        self.seen = set()         # set: values read
        self.lengths = []         # list: replies
        self.acknowledged_at = 0  # monotonic seconds

    def problems(self, value):
        """What is wrong if `value` is what can be read at the end: int or None, or a list of items."""
        return [f"{self.kind} {self.key}: {text}" for text in getattr(self, "_" + self.kind)(value)]

    def _set(self, value):
        last = self.acknowledged[-1] if self.acknowledged else None
        allowed = {last} | {item for item in self.unknown if last is None or item > last}
        if value not in allowed:
            yield f"reads {value}, lawful are {sorted(allowed, key=str)}"
        for item in sorted(self.seen & self.refused):
            yield f"{item} was refused and yet read"

    def _counter(self, value):
        value = value or 0
        least = len(self.acknowledged)
        most = least + len(self.unknown)
        if not least <= value <= most:
            yield f"is {value} after {least} acknowledged INCRs and {most - least} of unknown outcome"
        if value < max(self.acknowledged, default=0):
            yield f"is {value} after an INCR was answered with {max(self.acknowledged)}"
        yield from twice(self.acknowledged, "INCRs were answered with")

    def _list(self, value):
        items = value or []
        held = set(items)
        for item in self.acknowledged:
            if item not in held:
                yield f"{item} was acknowledged and is lost"
        yield from twice(items, "copies in it of")
        yield from twice(self.lengths, "RPUSHes were answered with")
        for item in sorted(held & self.refused):
            yield f"{item} was refused and yet is there"
        for item in sorted(held - set(self.acknowledged) - set(self.unknown) - self.refused):
            yield f"{item} was never sent"
        by_writer = collections.defaultdict(list)
        for item in self.acknowledged:
            by_writer[item.split(".")[0]].append(item)
        place = {item: index for index, item in enumerate(items)}
        for writer, sent in by_writer.items():
            places = [place[item] for item in sent if item in place]
            if places != sorted(places):
                yield f"the items of writer {writer} are not in their order"


def twice(items, what):
    for item, count in collections.Counter(items).items():
        if count > 1:
            yield f"{count} {what} {item}"


class History:
    """Writers and readers over `endpoints`, from start() to stop().

    A writer that is refused or cut off moves on to another endpoint, as an application would; a reader
    stays with its own, so that a node is also asked by somebody who knows no better."""

    def __init__(self, where, seed, writers=6, readers_each=1, keys=10, pace=0.004, stay=False):
        self.where = where
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.pace = pace
        self.stay = stay          # writers too stay with their endpoint
        self.violations = []      # broken promises found while running
        self.errors = []          # (monotonic seconds, endpoint name, text): what a client would notice
        self.answered = {}        # endpoint name -> monotonic seconds of its last good reply
        self.records = []
        self.counters = [self.add("counter", f"counter:{number}") for number in range(keys)]
        self.lists = []
        if self._has_lists():
            self.lists = [self.add("list", f"list:{number}") for number in range(keys)]
        self.clients = []
        for number in range(writers):
            self.clients.append(Writer(self, number, seed, keys))
        for number in range(readers_each * len(where)):
            self.clients.append(Reader(self, writers + number, seed))

    def _has_lists(self):
        connection = self.where[0].connect()
        try:
            known = connection.command("COMMAND", "INFO", "rpush") not in ([None], None, [])
        finally:
            connection.socket.close()
        assert known or not REQUIRE_LISTS, "RPUSH is not served"
        return known

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self):
        for client in self.clients:
            client.start()
        return self

    def stop(self):
        self.stopping.set()
        for client in self.clients:
            client.join(60 * PATIENCE)
            assert not client.is_alive(), f"{client.name} hangs"

    def add(self, kind, key):
        record = Record(kind, key)
        self.records.append(record)
        return record

    def error(self, endpoint, text):
        with self.lock:
            self.errors.append((time.monotonic(), endpoint.name, text))

    def errors_since(self, moment, without=()):
        """Errors after a moment, but for those of the named endpoints."""
        with self.lock:
            return [error for error in self.errors if error[0] >= moment and error[1] not in without]

    def operations(self):
        with self.lock:
            return sum(len(record.acknowledged) for record in self.records)

    def outcomes(self):
        with self.lock:
            unknown = sum(len(record.unknown) for record in self.records)
        return f"{self.operations()} acknowledged, {unknown} unknown, {len(self.errors)} errors"

    def check_running(self):
        """Fails if a promise has been broken so far, or a client has ended."""
        with self.lock:
            found = list(self.violations)
        assert not found, listing(found)
        dead = [client.name for client in self.clients if not client.is_alive()]
        assert not dead or self.stopping.is_set(), f"ended: {dead}"

    def wait_progress(self, limit=15.0, what="every key takes writes again"):
        """Waits until every key in use has an acknowledged write that is newer than this call."""
        since = time.monotonic()

        def written():
            with self.lock:
                used = [*self.counters, *self.lists]
                for client in self.clients:
                    used += client.used()
                stale = [record.key for record in used if record.acknowledged_at < since]
            return not stale or still(stale)

        def still(stale):
            raise OSError(f"{len(stale)} keys take none, {stale[:5]} among them")

        self.check_running()
        wait_until(written, limit, what)
        self.check_running()

    def problems(self, values):
        """What is wrong if `values` ({key: value}) are what can be read at the end."""
        found = list(self.violations)
        for record in self.records:
            found += record.problems(values.get(record.key))
        return found

    def check(self):
        """Reads everything back through every client port; fails with a list of what was lost or doubled.
        To be called when the cluster has recovered and the clients have stopped."""
        assert self.stopping.is_set()
        found = []
        for endpoint in self.where:
            if endpoint.direct:
                continue
            problems = self.problems(self.read_all(endpoint))
            found += [f"through {endpoint.name}: {text}" for text in problems
                      if text not in self.violations]
        found = self.violations + found
        assert not found, listing(found) + f"\n{self.outcomes()}"

    def read_all(self, endpoint):
        values = {}
        connection = endpoint.connect()
        connection.socket.settimeout(READ_BACK_SECONDS * PATIENCE)
        try:
            for first in range(0, len(self.records), 100):
                batch = self.records[first : first + 100]
                connection.send(b"".join(
                    encode("LRANGE", record.key, 0, -1) if record.kind == "list"
                    else encode("GET", record.key) for record in batch))
                for record in batch:
                    reply = connection.reply()
                    assert not isinstance(reply, Exception), f"{endpoint.name}: {record.key}: {reply}"
                    if record.kind == "list":
                        values[record.key] = [item.decode() for item in reply]
                    else:
                        values[record.key] = number_of(reply)
        finally:
            connection.socket.close()
        return values


def listing(found):
    more = [f"... and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
    return f"{len(found)} promises broken:\n" + "\n".join(found[:SHOWN] + more)


def value_of(number):
    """Values of several sizes that begin with their number."""
    return b"%d:" % number + b"x" * (number * 37 % 300)


def number_of(value):
    return None if value is None else int(value.split(b":")[0])


class Deck:
    """Deals records in random order, so that chance alone leaves none out for long, and never one twice
    within a batch."""

    def __init__(self, records, rng):
        self.records = records
        self.rng = rng
        self.left = []  # places in `records`; the records at them may be replaced

    def deal(self):
        if len(self.left) < BATCH_MAX:  # these come before the next round, and are not in it
            fresh = [place for place in range(len(self.records)) if place not in self.left]
            self.rng.shuffle(fresh)
            self.left = fresh + self.left
        return self.records[self.left.pop()]


class Operation:
    """One request of a batch and, when it was prepared, the least that its reply may show."""

    def __init__(self, words, record, value=None):
        self.words = words
        self.record = record
        self.value = value
        self.floor = record.floor
        self.writes = words[0] in ("SET", "INCR", "RPUSH")


class Client(threading.Thread):
    """A connection that sends small pipelines and writes down what comes back."""

    def __init__(self, history, number, seed):
        super().__init__(name=f"{type(self).__name__} {number}", daemon=True)
        self.history = history
        self.number = number
        self.rng = random.Random(f"{seed}/{number}")
        self.place = number % len(history.where)
        self.connections = {}  # place -> kept connection

    @property
    def endpoint(self):
        return self.history.where[self.place]

    def used(self):
        return []

    def run(self):
        history = self.history
        try:
            while not history.stopping.is_set():
                with history.lock:
                    batch = self.prepare()
                well = self.exchange(batch)
                history.stopping.wait(history.pace if well else REFUSED_PAUSE_SECONDS)
        except Exception as error:  # a thread that dies in silence would look like a quiet cluster
            with history.lock:
                history.violations.append(f"{self.name} at {self.endpoint.name}: {error!r}")
            raise
        finally:
            for place in list(self.connections):
                self.drop(place)

    def drop(self, place):
        connection = self.connections.pop(place, None)
        if connection is not None:
            connection.socket.close()

    def exchange(self, batch):
        """Sends the batch and settles each operation. True if all went well. MOVED is not trouble, but
        the keys of the batch are elsewhere."""
        well = True
        stay = True
        within = {}  # record -> value that this batch has written: later reads of it must show that
        for operation, reply in zip(batch, self.replies(batch)):
            outcome = outcome_of(reply)
            moved = isinstance(reply, Exception) and str(reply).startswith(("MOVED", "ASK"))
            if outcome != ACKNOWLEDGED and not moved:
                self.history.error(self.endpoint, f"{operation.words[0]}: {reply!r}")
                well = False
            with self.history.lock:
                self.settle(operation, outcome, reply, within)
            stay = stay and well and not moved
        if not stay:
            self.leave()
        return well

    def replies(self, batch):
        try:
            if self.place not in self.connections:
                self.connections[self.place] = self.endpoint.connect()
        except OSError as error:
            yield from [NotSent(repr(error))] * len(batch)
            return
        connection = self.connections[self.place]
        answered = 0
        try:
            connection.send(b"".join(encode(*operation.words) for operation in batch))
            for _ in batch:
                reply = connection.reply()
                answered += 1
                yield reply
        except (OSError, EOFError) as error:
            self.drop(self.place)
            yield from [Unanswered(repr(error))] * (len(batch) - answered)

    def leave(self):
        """After trouble, or MOVED: on to another endpoint, if this client may move."""

    def settle(self, operation, outcome, reply, within):
        record = operation.record
        if outcome == ACKNOWLEDGED:
            self.history.answered[self.endpoint.name] = time.monotonic()
        where = f"{record.kind} {record.key} at {self.endpoint.name}"
        if outcome is None:
            self.violations(f"{where}: unexpected reply to {operation.words[0]}: {reply}")
        elif operation.writes:
            self.settle_write(operation, outcome, reply, where, within)
        elif outcome == ACKNOWLEDGED:
            self.settle_read(operation, reply, where, within)

    def violations(self, text):
        if len(self.history.violations) < 1000:
            self.history.violations.append(text)

    def settle_write(self, operation, outcome, reply, where, within):
        record = operation.record
        shown = operation.value if record.kind == "set" else reply
        if outcome == UNKNOWN:
            record.unknown.append(operation.value)
            if record.kind == "set":
                self.retire(record)
        elif outcome == NOT_DONE:
            if record.kind != "set":
                record.issued -= 1
            if operation.value is not None:
                record.refused.add(operation.value)
        else:
            if record.kind == "set":
                if reply != b"OK":
                    self.violations(f"{where}: SET was answered with {reply!r}")
            elif not operation.floor < shown <= record.issued:
                self.violations(f"{where}: answered with {shown}, after {operation.floor} was known"
                                f" and at most {record.issued} were sent")
            record.acknowledged.append(reply if record.kind == "counter" else operation.value)
            if record.kind == "list":
                record.lengths.append(reply)
            record.floor = max(record.floor, shown)
            record.acknowledged_at = time.monotonic()
            within[record] = shown

    def settle_read(self, operation, reply, where, within):
        record = operation.record
        value = (reply if record.kind == "list" else number_of(reply)) or 0
        floor = max(operation.floor, within.get(record, 0))
        if not floor <= value <= record.issued:
            self.violations(f"{where}: read {value}, after {floor} was known and at most "
                            f"{record.issued} was sent")
        record.floor = max(record.floor, value)
        if record.kind == "set" and value > 0:
            record.seen.add(value)

    def retire(self, record):
        pass

    def read_operation(self, record):
        return Operation(("LLEN" if record.kind == "list" else "GET", record.key), record)


class Writer(Client):
    """Owns some SET keys, shares counters and lists. One to four requests at a time.

    Half of its own keys are written rarely: a node that should not answer may still want to, as long as
    no write keeps its readers waiting."""

    def __init__(self, history, number, seed, keys):
        super().__init__(history, number, seed)
        self.generation = 0
        self.own = [history.add("set", f"{{set:{number}:{key}}}:0") for key in range(keys)]
        self.rare = [history.add("set", f"{{rare:{number}:{key}}}:0") for key in range(keys)]
        self.pushed = 0
        self.decks = [Deck(records, self.rng)
                      for records in (self.own, self.rare, history.counters, history.lists)]

    def used(self):
        return self.own

    def retire(self, record):
        self.generation += 1
        tag = record.key.split("}")[0]
        fresh = self.history.add("set", f"{tag}}}:{self.generation}")
        keys = self.own if record in self.own else self.rare
        keys[keys.index(record)] = fresh

    def prepare(self):
        batch = []
        own, rare, counters, lists = self.decks
        if self.rng.random() < RARELY:
            own = rare
        for _ in range(self.rng.randint(1, BATCH_MAX)):
            kind = self.rng.choice(["set", "set", "counter", "list" if lists.records else "set"])
            record = {"set": own, "counter": counters, "list": lists}[kind].deal()
            record.issued += 1
            if kind == "set":
                words, value = ("SET", record.key, value_of(record.issued)), record.issued
            elif kind == "list":
                self.pushed += 1
                value = f"{self.number}.{self.pushed}"
                words = ("RPUSH", record.key, value)
            else:
                words, value = ("INCR", record.key), None
            batch.append(Operation(words, record, value))
            if self.rng.random() < 0.2:
                batch.append(self.read_operation(batch[-1].record))
        return batch

    def leave(self):
        if not self.history.stay:
            self.place = self.rng.randrange(len(self.history.where))


class Reader(Client):
    """Reads any key, always at the same endpoint. One to eight requests at a time, often one: a reply that
    does not come holds up those behind it."""

    def prepare(self):
        count = self.rng.choice([1, 1, 1, 2, 4, 8])
        records = self.rng.choices(self.history.records, k=count)
        return [self.read_operation(record) for record in records]
