"""MULTI, EXEC, DISCARD, WATCH, UNWATCH."""

from __future__ import annotations

import pytest

from support.embedded import Client, Embedded

ABORTED = "EXECABORT Transaction discarded because of previous errors."


@pytest.fixture(params=[2, 3])
def world(request: pytest.FixtureRequest) -> Embedded:
    return Embedded(request.param)


@pytest.fixture
def client(world: Embedded) -> Client:
    return world.main


def test_what_is_queued_runs_at_exec(world: Embedded, client: Client) -> None:
    other = world.connect()
    assert client.call("MULTI") == ("+", b"OK")
    assert client.call("SET", "a", 1) == ("+", b"QUEUED")
    assert client.call("GET", "a") == ("+", b"QUEUED")
    assert other.ok("EXISTS", "a") == 0
    assert client.call("EXEC") == ("*", [("+", b"OK"), ("$", b"1")])
    assert client.ok("GET", "a") == b"1"


def test_an_empty_transaction(client: Client) -> None:
    client.ok("MULTI")
    assert client.call("EXEC") == ("*", [])


def test_an_error_while_running_stops_nothing(client: Client) -> None:
    client.ok("MULTI")
    client.ok("SET", "a", 1)
    client.ok("RENAME", "none", "b")
    client.ok("SET", "b", 2)
    assert client.call("EXEC") == ("*", [("+", b"OK"), ("-", b"ERR no such key"), ("+", b"OK")])
    assert client.ok("GET", "b") == b"2"


@pytest.mark.parametrize("words", [("NOSUCH",), ("GET",), ("OBJECT", "BAD", "a")])
def test_a_request_that_is_refused_aborts(client: Client, words: tuple[str, ...]) -> None:
    client.ok("MULTI")
    client.ok("SET", "a", 1)
    client.error(*words)
    assert client.ok("SET", "a", 1) == b"QUEUED"
    assert client.error("EXEC") == ABORTED
    assert client.ok("EXISTS", "a") == 0
    assert client.error("EXEC") == "ERR EXEC without MULTI"


def test_what_is_not_queued(client: Client) -> None:
    client.ok("MULTI")
    assert client.error("MULTI") == "ERR MULTI calls can not be nested"
    assert client.error("WATCH", "a") == "ERR WATCH inside MULTI is not allowed"
    client.ok("SET", "a", 1)
    assert client.ok("EXEC") == [b"OK"]


def test_without_multi(client: Client) -> None:
    assert client.error("EXEC") == "ERR EXEC without MULTI"
    assert client.error("DISCARD") == "ERR DISCARD without MULTI"
    assert client.ok("UNWATCH") == b"OK"


def test_a_refused_exec_ends_the_transaction(client: Client) -> None:
    reason = "wrong number of arguments for 'exec' command"
    refusal = f"EXECABORT Transaction discarded because of: {reason}"
    assert client.error("EXEC", "x") == refusal
    client.ok("WATCH", "a")
    client.ok("MULTI")
    assert client.error("EXEC", "x") == refusal
    assert client.error("EXEC") == "ERR EXEC without MULTI"
    assert client.session.watching is None


def test_discard(client: Client) -> None:
    client.ok("WATCH", "a")
    client.ok("MULTI")
    client.ok("SET", "a", 1)
    assert client.ok("DISCARD") == b"OK"
    client.ok("SET", "a", 2)
    client.ok("MULTI")
    assert client.ok("EXEC") == []
    assert client.ok("GET", "a") == b"2"


def test_the_words_of_a_queued_request_are_copies(client: Client) -> None:
    client.ok("MULTI")
    for i in range(50):
        client.ok("SET", f"key{i}", f"value{i}")
    assert client.session.transaction.queued_bytes > 50 * len("SETkey1value1")
    client.ok("EXEC")
    assert [client.ok("GET", f"key{i}") for i in range(50)] == [b"value%d" % i for i in range(50)]


def test_a_watched_key_that_changes_prevents_exec(world: Embedded, client: Client) -> None:
    other = world.connect()
    client.ok("WATCH", "a", "b")
    other.ok("SET", "b", 1)
    client.ok("MULTI")
    client.ok("SET", "a", 1)
    assert client.call("EXEC") == ("nil", "_" if world.resp == 3 else "*")
    assert client.ok("EXISTS", "a") == 0
    client.ok("MULTI")
    client.ok("SET", "a", 1)
    assert client.ok("EXEC") == [b"OK"]


CHANGES = [
    ("SET", "a", "2"),
    ("SET", "a", "2", "EXAT", "1"),
    ("DEL", "a"),
    ("EXPIRE", "a", "10"),
    ("EXPIRE", "a", "-1"),
    ("RENAME", "a", "b"),
    ("RENAME", "other", "a"),
    ("COPY", "other", "a", "REPLACE"),
    ("MOVE", "a", "1"),
    ("SWAPDB", "0", "1"),
    ("FLUSHDB",),
    ("FLUSHALL",),
]
NO_CHANGES = [
    ("GET", "a"),
    ("SET", "a", "2", "NX"),
    ("DEL", "none"),
    ("EXPIRE", "a", "10", "XX"),
    ("PERSIST", "a"),
    ("RENAMENX", "other", "a"),
    ("COPY", "a", "b"),
    ("MOVE", "a", "0"),
    ("TOUCH", "a"),
    ("SWAPDB", "2", "1"),
]


@pytest.mark.parametrize(
    ("words", "changes"), [(w, True) for w in CHANGES] + [(w, False) for w in NO_CHANGES]
)
def test_what_counts_as_a_change(
    world: Embedded, client: Client, words: tuple[str, ...], changes: bool
) -> None:
    client.ok("SET", "a", 1)
    client.ok("SET", "other", 1)
    client.ok("WATCH", "a")
    world.connect().call(*words)
    client.ok("MULTI")
    assert (client.ok("EXEC") is None) == changes


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        (("XADD", "s", "2-1", "f", "v"), True),
        (("XTRIM", "s", "MAXLEN", "0"), True),
        (("XGROUP", "SETID", "s", "g", "0"), False),
        (("XSETID", "s", "9-0"), False),  # as Redis sees it
    ],
)
def test_what_counts_as_a_change_of_a_stream(
    world: Embedded, client: Client, words: tuple[str, ...], changes: bool
) -> None:
    client.ok("XADD", "s", "1-1", "f", "v")
    client.ok("XGROUP", "CREATE", "s", "g", "0")
    client.ok("WATCH", "s")
    world.connect().ok(*words)
    client.ok("MULTI")
    assert (client.ok("EXEC") is None) == changes


def test_a_change_of_ones_own_counts(client: Client) -> None:
    client.ok("WATCH", "a")
    client.ok("SET", "a", 1)
    client.ok("MULTI")
    assert client.ok("EXEC") is None


def test_unwatch(client: Client) -> None:
    client.ok("WATCH", "a")
    client.ok("SET", "a", 1)
    client.ok("UNWATCH")
    client.ok("MULTI")
    client.ok("UNWATCH")
    assert client.ok("EXEC") == [b"OK"]


def test_a_refused_request_goes_before_a_change(client: Client) -> None:
    client.ok("WATCH", "a")
    client.ok("SET", "a", 1)
    client.ok("MULTI")
    client.error("NOSUCH")
    assert client.error("EXEC") == ABORTED


def test_a_watched_key_that_expires_prevents_exec(world: Embedded, client: Client) -> None:
    client.ok("SET", "a", 1, "PX", 5)
    client.ok("WATCH", "a")
    world.clock.advance(5)
    client.ok("MULTI")
    assert client.ok("EXEC") is None


def test_a_key_that_was_expired_before_watch_does_not(world: Embedded, client: Client) -> None:
    client.ok("SET", "a", 1, "PX", 5)
    world.clock.advance(5)
    client.ok("WATCH", "a")
    client.ok("GET", "a")
    client.ok("MULTI")
    assert client.ok("EXEC") == []


def test_select_inside(client: Client) -> None:
    client.ok("MULTI")
    client.ok("SELECT", 1)
    client.ok("SET", "a", 1)
    client.ok("EXEC")
    assert client.session.database.index == 1
    assert client.ok("DBSIZE") == 1


def test_blocking_is_denied_only_while_it_runs(client: Client) -> None:
    client.ok("MULTI")
    assert not client.session.deny_blocking
    client.ok("EXEC")
    assert not client.session.deny_blocking
