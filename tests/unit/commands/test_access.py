"""Users that a server is configured with, and CONFIG REWRITE: no sockets, real files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from headwater.clock import ManualClock
from headwater.commands.access import AccessError
from headwater.config import Config, ConfigError, load_file
from headwater.engine import Engine
from support.disk import SimulatedDisk
from support.embedded import NOW_MS, Client


def engine_of(tmp_path: Path, *lines: str) -> Engine:
    """An engine whose configuration file has these lines."""
    path = tmp_path / "headwater.conf"
    path.write_text("".join(f"{line}\n" for line in ("# users", *lines)))
    config = Config()
    load_file(config, str(path))
    config.assign("dir", [str(tmp_path)])
    return Engine(config, ManualClock(NOW_MS), SimulatedDisk(str(tmp_path)))


def client_of(tmp_path: Path, *lines: str) -> Client:
    return Client(engine_of(tmp_path, *lines), 1, 2)


def error_of(tmp_path: Path, *lines: str) -> str:
    with pytest.raises((AccessError, ConfigError)) as caught:
        engine_of(tmp_path, *lines)
    return str(caught.value)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["user alice on +nosuch"], "line 2: user 'alice', '+nosuch': Unknown command"),
        (["user alice on", "user alice off"], "line 3: the user 'alice' is defined twice"),
        (["user"], "line 2: 'user' needs a name"),
        (["user alice (+get"], "line 2: user 'alice', unmatched parenthesis"),
        (["user alice <hunter2"], "line 2: user 'alice', '<(redacted)'"),
        (['user "a b" on'], "line 2: a user's name has no spaces"),
    ],
)
def test_wrong_user_lines(tmp_path: Path, lines: list[str], told: str) -> None:
    text = error_of(tmp_path, *lines)
    assert told in text
    assert "hunter2" not in text


def test_a_file_that_is_missing_or_wrong(tmp_path: Path) -> None:
    assert "No such file" in error_of(tmp_path, "aclfile none.acl")
    path = tmp_path / "users.acl"
    path.write_text("user a on\nuser b on +nosuch\nnonsense\nuser c <hunter2\n")
    text = error_of(tmp_path, "aclfile users.acl")
    for place in ("users.acl:2", "users.acl:3", "users.acl:4"):
        assert place in text
    assert "hunter2" not in text
    path.write_bytes(b"\0\xff" + os.urandom(64) + b"\n\0user default on nopass ~* +@all")
    assert "users.acl:1" in error_of(tmp_path, "aclfile users.acl")
    path.write_text("user a on\n")
    text = error_of(tmp_path, "aclfile users.acl", "user b on")
    assert "headwater.conf, line 3" in text
    assert "users.acl" in text


def test_the_default_user_of_a_file(tmp_path: Path) -> None:
    """The password of `requirepass` counts only where no file says what the default user is."""
    path = tmp_path / "users.acl"
    path.write_text("user default on >file ~* &* +@all\nuser bob on nopass +ping\n")
    client = client_of(tmp_path, "aclfile users.acl", "requirepass other")
    assert client.call("PING")[1].startswith(b"NOAUTH")
    assert client.call("AUTH", "other")[1].startswith(b"WRONGPASS")
    assert client.call("AUTH", "file") == ("+", b"OK")
    assert client.call("AUTH", "bob", "any") == ("+", b"OK")
    assert client.call("PING") == ("+", b"PONG")
    assert client.call("GET", "k")[1].startswith(b"NOPERM")


def test_a_default_user_in_the_configuration(tmp_path: Path) -> None:
    client = client_of(tmp_path, "requirepass other", "user default on >line ~* +@all")
    assert client.call("AUTH", "other")[0] == "-"
    assert client.call("AUTH", "line") == ("+", b"OK")
    assert client.call("PUBLISH", "c", "m")[1].startswith(b"NOPERM")


def rewritten(client: Client, tmp_path: Path) -> str:
    client.ok("CONFIG", "REWRITE")
    return (tmp_path / "headwater.conf").read_text()


def test_rewrite_writes_no_users_where_there_are_none(tmp_path: Path) -> None:
    client = client_of(tmp_path, "requirepass secret")
    client.ok("AUTH", "secret")
    assert "\nuser" not in rewritten(client, tmp_path)
    client.ok("ACL", "SETUSER", "default", "-debug")
    assert "\nuser default on" in rewritten(client, tmp_path)
    client.ok("ACL", "SETUSER", "default", "+@all")
    assert "\nuser" not in rewritten(client, tmp_path)


def test_rewrite_with_a_file_of_users(tmp_path: Path) -> None:
    (tmp_path / "users.acl").write_text("user a on\n")
    client = client_of(tmp_path, "aclfile users.acl")
    client.ok("ACL", "SETUSER", "b", "on")
    assert "\nuser" not in rewritten(client, tmp_path)


def test_users_of_an_included_file_are_not_written_anew(tmp_path: Path) -> None:
    inner = tmp_path / "users.conf"
    inner.write_text("user alice on nopass +ping\n")
    client = client_of(tmp_path, f"include {inner}", "timeout 5")
    before = (tmp_path / "headwater.conf").read_text()
    assert b"user alice" in b"".join(client.ok("ACL", "LIST"))
    kind, text = client.call("CONFIG", "REWRITE")
    assert kind == "-"
    assert b"included file" in text
    assert (tmp_path / "headwater.conf").read_text() == before


def test_absent_commands_are_absent(tmp_path: Path) -> None:
    """Names that rules take although there are no such commands."""
    from headwater.commands.spec import SPECS
    from headwater.commands.spec.absent import ABSENT

    assert not ABSENT & {spec.full_name for spec in SPECS.values()}


def test_clients_who_may_do_everything_are_not_asked(tmp_path: Path) -> None:
    engine = engine_of(
        tmp_path, "user root on nopass +@all allkeys allchannels", "user b on nopass"
    )
    client = Client(engine, 1, 2)
    assert client.session.permissions is None
    client.ok("AUTH", "root", "x")
    assert client.session.permissions is None
    client.ok("ACL", "SETUSER", "root", "-debug")
    assert client.session.permissions is not None
    client.ok("ACL", "SETUSER", "root", "+@all")
    assert client.session.permissions is None
    client.ok("AUTH", "b", "x")
    assert client.session.permissions is not None
    client.ok("RESET")
    assert client.session.permissions is None


def test_who_deletes_himself_gains_nothing(tmp_path: Path) -> None:
    """What EXEC still has to run is not done by the default user, who may do everything."""
    client = client_of(tmp_path, "user alice on nopass ~k +@all -flushall")
    client.ok("SET", "other", 1)
    client.ok("AUTH", "alice", "any")
    client.ok("MULTI")
    client.ok("ACL", "DELUSER", "alice")
    client.ok("EVAL", "return redis.pcall('flushall').err or redis.pcall('get', 'other')", 0)
    kind, replies = client.call("EXEC")
    assert kind == "*"
    assert isinstance(replies, list)
    assert replies[0] == (":", 1)
    assert b"no permissions to run the 'flushall' command" in bytes(replies[1][1])
    assert client.session.close_after_reply
