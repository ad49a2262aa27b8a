"""HELLO, AUTH, RESET, QUIT, PING, ECHO."""

from __future__ import annotations

import pytest

from headwater._version import REDIS_VERSION
from support.embedded import Client, Embedded
from support.servers import Server
from support.wire import Connection, pairs, plain

NOT_AUTHENTICATED = "NOAUTH Authentication required."
WRONG = "WRONGPASS invalid username-password pair or user is disabled."


@pytest.fixture(params=[2, 3], ids=["resp2", "resp3"])
def client(request: pytest.FixtureRequest) -> Client:
    return Embedded(request.param).main


@pytest.fixture
def locked() -> Embedded:
    return Embedded(requirepass="open sesame")


def test_hello_describes_the_server(client: Client) -> None:
    found = {name: plain(value) for name, value in pairs(client.call("HELLO")).items()}
    assert found == {
        b"server": b"redis",
        b"version": REDIS_VERSION.encode(),
        b"proto": 3 if client.session.resp3 else 2,
        b"id": client.session.id,
        b"mode": b"standalone",
        b"role": b"master",
        b"modules": [],
    }


def test_hello_answers_in_the_protocol_it_chose(client: Client) -> None:
    assert client.call("HELLO", 3)[0] == "%"
    assert client.call("GET", "none") == ("nil", "_")
    assert client.call("HELLO", 2)[0] == "*"
    assert client.call("GET", "none") == ("nil", "$")


def test_hello_that_fails_changes_nothing(client: Client) -> None:
    before = client.session.resp3
    client.error("HELLO", 5 - (3 if before else 2), "SETNAME", "me", "AUTH", "other", "word")
    assert client.session.resp3 is before
    assert client.ok("CLIENT", "GETNAME") is None


def test_hello_authenticates_and_names(locked: Embedded) -> None:
    client = locked.main
    assert client.error("HELLO", 3).startswith("NOAUTH HELLO must be called with the client alr")
    assert client.error("HELLO", 3, "AUTH", "default", "no") == WRONG
    assert client.error("PING") == NOT_AUTHENTICATED
    assert client.call("HELLO", 3, "SETNAME", "me", "AUTH", "default", "open sesame")[0] == "%"
    assert client.ok("CLIENT", "GETNAME") == b"me"


def test_auth(locked: Embedded) -> None:
    client = locked.main
    assert client.error("GET", "k") == NOT_AUTHENTICATED
    for words in (("",), ("open",), ("default", "no"), ("other", "open sesame")):
        assert client.error("AUTH", *words) == WRONG
        assert client.error("GET", "k") == NOT_AUTHENTICATED
    assert client.call("AUTH", "open sesame") == ("+", b"OK")
    assert client.call("GET", "k") == ("nil", "$")
    assert locked.connect().call("AUTH", "default", "open sesame") == ("+", b"OK")


def test_a_failed_auth_does_not_log_out(locked: Embedded) -> None:
    locked.main.ok("AUTH", "open sesame")
    assert locked.main.error("AUTH", "no") == WRONG
    assert locked.main.ok("PING") == b"PONG"


def test_auth_without_a_password(client: Client) -> None:
    assert client.error("AUTH", "word").startswith("ERR AUTH <password> called without any pass")
    assert client.call("AUTH", "default", "anything") == ("+", b"OK")
    assert client.error("AUTH", "other", "anything") == WRONG


def test_reset_begins_anew(locked: Embedded) -> None:
    client, session = locked.main, locked.main.session
    client.ok("HELLO", 3, "AUTH", "default", "open sesame", "SETNAME", "me")
    client.ok("SELECT", 3)
    client.ok("CLIENT", "NO-TOUCH", "ON")
    client.ok("CLIENT", "NO-EVICT", "ON")
    client.ok("CLIENT", "SETINFO", "LIB-NAME", "lib")
    client.ok("WATCH", "k")
    client.ok("MULTI")
    assert client.call("RESET") == ("+", b"RESET")
    assert client.error("PING") == NOT_AUTHENTICATED
    client.ok("AUTH", "open sesame")
    assert client.error("EXEC") == "ERR EXEC without MULTI"
    assert (session.resp3, session.database.index, session.name) == (False, 0, b"")
    assert (session.no_touch, session.no_evict) == (False, False)
    assert session.library_name == b"lib"


def test_reset_turns_replies_on(client: Client) -> None:
    client.send("CLIENT", "REPLY", "OFF")
    client.send("PING")
    assert client.read_all() == []
    assert client.call("RESET") == ("+", b"RESET")


def test_quit_closes_behind_its_reply(client: Client) -> None:
    assert client.call("QUIT", "whatever") == ("+", b"OK")
    assert client.session.close_after_reply


def test_ping_and_echo(client: Client) -> None:
    assert client.call("PING") == ("+", b"PONG")
    assert client.call("PING", b"\x00\r\n") == ("$", b"\x00\r\n")
    assert client.call("ECHO", "") == ("$", b"")
    assert client.error("PING", "a", "b") == "ERR wrong number of arguments for 'ping' command"


REFUSED = [
    "HELLO 4",
    "HELLO x",
    "HELLO 1",
    "HELLO 99999999999999999999",
    "HELLO 2 FOO",
    "HELLO 3 AUTH u",
    "HELLO 3 AUTH u p",
    "HELLO 3 SETNAME",
    "HELLO 3 SETNAME a\x01b",
    "AUTH a b c",
    "AUTH x",
    "AUTH",
    "PING a b",
    "ECHO",
    "RESET x",
]


@pytest.mark.parametrize("line", REFUSED)
def test_refused_as_redis_does(client: Client, redis_server: Server, line: str) -> None:
    ours = client.call(*line.split(" "))
    assert ours[0] == "-"
    with Connection("127.0.0.1", redis_server.port) as theirs:
        assert ours == theirs.call(*line.split(" "))
