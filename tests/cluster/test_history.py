"""The checker of histories finds what it is there for: each planted fault is named, and a lawful history
passes."""

import random
import types

import pytest
import redis

import history
from history import ACKNOWLEDGED, BATCH_MAX, NOT_DONE, UNKNOWN, Deck, History, Operation, Record


@pytest.fixture(autouse=True)
def servers_without_lists(monkeypatch):
    """The servers that are played here have none."""
    monkeypatch.setattr(history, "REQUIRE_LISTS", False)


def record(kind, **fields):
    made = Record(kind, "key")
    for name, value in fields.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize("made, value", [
    (record("set"), None),
    (record("set", acknowledged=[1, 2]), 2),
    (record("set", acknowledged=[1, 2], unknown=[3]), 2),
    (record("set", acknowledged=[1, 2], unknown=[3]), 3),
    (record("set", unknown=[1]), None),
    (record("counter", acknowledged=[1, 2, 3]), 3),
    (record("counter", acknowledged=[1, 3], unknown=[None]), 3),
    (record("counter", unknown=[None, None]), None),
    (record("list", acknowledged=["1.1", "2.1", "1.2"]), ["2.1", "1.1", "1.2"]),
    (record("list", acknowledged=["1.1"], unknown=["1.2"], lengths=[1]), ["1.2", "1.1"]),
])
def test_lawful_histories_pass(made, value):
    """No false alarm: an unknown outcome may have been done or not."""
    assert made.problems(value) == []


@pytest.mark.parametrize("made, value, named", [
    (record("set", acknowledged=[1, 2]), 1, "reads 1, lawful are [2]"),
    (record("set", acknowledged=[1, 2]), None, "reads None"),
    (record("set", acknowledged=[1, 3], unknown=[2]), 2, "reads 2"),
    (record("set", acknowledged=[1], refused={2}), 2, "reads 2"),
    (record("set", acknowledged=[1, 3], refused={2}, seen={1, 2}), 3, "2 was refused and yet read"),
    (record("counter", acknowledged=[1, 2, 3]), 2, "is 2 after 3 acknowledged"),
    (record("counter", acknowledged=[1, 2, 3]), 4, "is 4 after 3 acknowledged"),
    (record("counter", acknowledged=[1, 2, 3]), None, "is 0 after 3"),
    (record("counter", acknowledged=[1, 1]), 2, "2 INCRs were answered with 1"),
    (record("counter", acknowledged=[1, 3], unknown=[None]), 2, "answered with 3"),
    (record("list", acknowledged=["1.1", "1.2"]), ["1.1"], "1.2 was acknowledged and is lost"),
    (record("list", acknowledged=["1.1"]), ["1.1", "1.1"], "2 copies in it of 1.1"),
    (record("list", unknown=["1.1"]), ["1.1", "1.1"], "2 copies in it of 1.1"),
    (record("list", acknowledged=["1.1", "1.2"]), ["1.2", "1.1"], "not in their order"),
    (record("list", acknowledged=["1.1"], refused={"1.2"}), ["1.1", "1.2"], "1.2 was refused"),
    (record("list", acknowledged=["1.1"]), ["1.1", "9.9"], "9.9 was never sent"),
    (record("list", acknowledged=["1.1", "2.1"], lengths=[1, 1]), ["1.1", "2.1"],
     "2 RPUSHes were answered with 1"),
])
def test_planted_faults_are_found(made, value, named):
    """A lost, doubled, resurrected or reordered write is named with its key."""
    assert any(named in text and "key" in text for text in made.problems(value))


@pytest.mark.parametrize("reply, outcome", [
    (b"OK", ACKNOWLEDGED),
    (7, ACKNOWLEDGED),
    (None, ACKNOWLEDGED),
    (redis.ResponseError("TRYAGAIN the owner has changed"), NOT_DONE),
    (redis.ResponseError("MOVED 7 127.0.0.1:1"), NOT_DONE),
    (history.NotSent("refused"), NOT_DONE),
    (redis.ResponseError("UNCERTAIN nobody knows"), UNKNOWN),
    (history.Unanswered("closed"), UNKNOWN),
    (redis.ResponseError("ERR what is this"), None),
])
def test_outcomes(reply, outcome):
    """What a reply says about the write, and nothing is taken for an outcome that is not known."""
    assert history.outcome_of(reply) == outcome


class Scripted:
    """An endpoint's connection that answers by a script."""

    def __init__(self, replies):
        self.replies = list(replies)
        self.socket = types.SimpleNamespace(close=lambda: None)

    def send(self, data):
        pass

    def command(self, *_):
        return [None]

    def reply(self):
        answer = self.replies.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer


def scripted(replies):
    """A history whose one writer and one reader are driven by hand, with these replies."""
    where = [history.Endpoint("here", lambda: Scripted(replies))]
    made = History(where, seed=1, writers=1, keys=4)
    return made, made.clients[0], made.clients[1]


def exchange(client, words, made, value=None):
    client.exchange([Operation(words, made, value)])


def test_a_read_that_goes_back_is_found_at_once():
    """A reply that does not show what was acknowledged before its request was sent is a violation."""
    made, writer, reader = scripted([b"1:"])
    key = writer.own[0]
    key.issued = 2
    key.floor = 2
    exchange(reader, ("GET", key.key), key)
    assert "read 1, after 2 was known" in made.violations[0]
    with pytest.raises(AssertionError, match="promises broken"):
        made.check_running()


def test_a_read_of_what_nobody_wrote_is_found_at_once():
    """A value above everything that was sent is a violation."""
    made, writer, reader = scripted([b"9:"])
    exchange(reader, ("GET", writer.own[0].key), writer.own[0])
    assert "read 9" in made.violations[0]


def test_an_increment_answered_twice_is_found_at_once():
    """INCR after an INCR answered 5 must be answered above 5."""
    made, writer, _ = scripted([5])
    counter = made.counters[0]
    counter.floor, counter.issued = 5, 6
    exchange(writer, ("INCR", counter.key), counter)
    assert "answered with 5, after 5 was known" in made.violations[0]


def test_an_unknown_set_retires_its_key():
    """A SET without an answer may still be made after later ones, so that its key is left alone."""
    made, writer, _ = scripted([ConnectionResetError("gone")])
    key = writer.own[0]
    key.issued = 1
    exchange(writer, ("SET", key.key, "1:"), key, 1)
    assert key.unknown == [1] and key not in writer.own and len(writer.own) == 4
    assert made.errors and key.problems(None) == key.problems(1) == []


def test_an_unexpected_error_is_a_violation():
    """Errors of an unknown kind are not taken for an outcome in silence."""
    made, writer, _ = scripted([redis.ResponseError("ERR internal")])
    exchange(writer, ("INCR", "counter:0"), made.counters[0])
    assert "unexpected reply" in made.violations[0]


@pytest.mark.parametrize("count", [BATCH_MAX, 10])
def test_a_deck_leaves_none_out_and_deals_none_twice_in_a_batch(count):
    """Waiting until every key has been written waits for the cluster, not for chance."""
    deck = Deck([f"key {place}" for place in range(count)], random.Random(1))
    dealt = [deck.deal() for _ in range(1000)]
    for start in range(len(dealt) - 2 * count):
        assert len(set(dealt[start : start + 2 * count])) == count
        assert len(set(dealt[start : start + BATCH_MAX])) == BATCH_MAX
