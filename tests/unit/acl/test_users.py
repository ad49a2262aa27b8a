"""The set of users, passwords, the log of denials, the file."""

from __future__ import annotations

import hmac
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from headwater.acl import denials, passwords
from headwater.acl.denials import (
    CLIENT_MAX,
    LUA,
    MERGE_MS,
    OBJECT_MAX_BYTES,
    TOPLEVEL,
    DenialLog,
)
from headwater.acl.file import UserFileError, parse, read_file, write_file
from headwater.acl.passwords import hash_password, is_one_of
from headwater.acl.rules import Rules, user_line
from headwater.acl.users import DEFAULT, Users
from support.access import catalog


@pytest.fixture
def rules() -> Rules:
    return Rules(catalog())


@pytest.fixture
def users(rules: Rules) -> Users:
    found = Users(rules.new_default(DEFAULT))
    for name, words in ((b"alice", b"on >one >two"), (b"bob", b"on nopass"), (b"off", b">one")):
        user = rules.new_user(name)
        rules.apply(user, words.split())
        found.put(user)
    return found


@pytest.mark.parametrize(
    ("name", "password", "may"),
    [
        (b"alice", b"one", True),
        (b"alice", b"two", True),
        (b"alice", b"three", False),
        (b"alice", b"", False),
        (b"bob", b"any", True),
        (b"off", b"one", False),
        (b"nobody", b"one", False),
        (b"default", b"any", True),
    ],
)
def test_who_may_log_in(users: Users, name: bytes, password: bytes, may: bool) -> None:
    found = users.authenticate(name, password)
    assert (found is not None and found.name == name) == may


def test_a_login_compares_the_same_way_for_everybody(
    users: Users, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One hash of what was given, and a comparison in constant time, whether or not there is
    such a user; with several passwords all are compared."""
    calls: list[str] = []

    def hashed(password: bytes) -> bytes:
        calls.append("hash")
        return hash_password(password)

    monkeypatch.setattr(hmac, "compare_digest", _counted(calls))
    monkeypatch.setattr(passwords, "hash_password", hashed)
    costs = {}
    for name in (b"nobody", b"off", b"bob", b"alice"):
        calls.clear()
        users.authenticate(name, b"one")
        costs[name] = list(calls)
    assert costs[b"nobody"] == costs[b"off"] == costs[b"bob"] == ["hash", "compare"]
    assert costs[b"alice"] == ["hash", "compare", "compare"]


def _counted(calls: list[str]) -> Any:
    compare = hmac.compare_digest

    def counted(one: Any, other: Any) -> bool:
        calls.append("compare")
        return compare(one, other)

    return counted


def test_nobodys_hash_is_no_password() -> None:
    assert not is_one_of(b"", ())
    assert is_one_of(b"p", [hash_password(b"q"), hash_password(b"p")])


def test_users_are_ordered_and_replaced(users: Users, rules: Rules) -> None:
    assert [user.name for user in users] == [b"alice", b"bob", b"default", b"off"]
    default = users.default
    gone = users.replace([rules.new_user(b"bob"), rules.new_user(DEFAULT)])
    assert sorted(gone) == [b"alice", b"off"]
    assert users.default is default
    assert not default.enabled


# --- the log ---


def note(log: DenialLog, word: bytes, now_ms: int = 0, context: str = TOPLEVEL) -> None:
    log.note(denials.KEY, context, word, b"alice", f"at {now_ms}", now_ms)


def test_what_comes_again_is_counted() -> None:
    log = DenialLog()
    note(log, b"k", 1)
    note(log, b"other", 2)
    note(log, b"k", 3)
    note(log, b"k", 4, LUA)
    assert [(e.id, e.object, e.count, e.context) for e in log.newest(10)] == [
        (2, b"k", 1, LUA),
        (0, b"k", 2, TOPLEVEL),
        (1, b"other", 1, TOPLEVEL),
    ]
    again = log.newest(10)[1]
    assert (again.created_ms, again.updated_ms, again.client) == (1, 3, "at 3")
    assert log.counts[denials.KEY] == 4


def test_not_after_a_minute_and_not_far_back() -> None:
    log = DenialLog()
    note(log, b"k", 0)
    note(log, b"k", MERGE_MS + 1)
    assert len(log) == 2
    for n in range(denials.LOOK_BACK):
        note(log, b"%d" % n, MERGE_MS + 1)
    note(log, b"k", MERGE_MS + 2)
    assert len(log) == 3 + denials.LOOK_BACK


def test_the_log_is_bounded() -> None:
    log = DenialLog()
    log.max_length = 3
    for n in range(100):
        word = b"%d" % n + b"x" * 100_000
        log.note("key", TOPLEVEL, word, word, f"id={n} name={word.decode()}", 0)
    assert len(log) == 3
    for entry in log.newest(10):
        assert max(len(entry.object), len(entry.username)) < OBJECT_MAX_BYTES + 40
        assert len(entry.client) <= CLIENT_MAX
    log.max_length = 0
    note(log, b"k")
    assert len(log) == 0


# --- the file ---


def wrong(rules: Rules, data: bytes) -> str:
    with pytest.raises(UserFileError) as caught:
        parse(rules, data, "f")
    return str(caught.value)


def test_a_file_comes_back_as_it_was_written(users: Users, rules: Rules, tmp_path: Path) -> None:
    path = tmp_path / "users.acl"
    write_file(users, str(path))
    again = read_file(rules, str(path))
    assert [user_line(user) for user in again] == [user_line(user) for user in users]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["users.acl"]


def test_the_mode_of_a_file_is_kept(users: Users, tmp_path: Path) -> None:
    path = tmp_path / "users.acl"
    path.touch()
    path.chmod(0o640)
    write_file(users, str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize("call", ["os.fsync", "os.replace"])
def test_a_write_that_fails_leaves_the_old_file(
    users: Users, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    path = tmp_path / "users.acl"
    path.write_bytes(b"user a on\n")

    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(call, fail)
    with pytest.raises(OSError, match="No space"):
        write_file(users, str(path))
    assert path.read_bytes() == b"user a on\n"
    assert os.listdir(tmp_path) == ["users.acl"]


def test_every_mistake_is_told_with_its_line(rules: Rules) -> None:
    text = wrong(rules, b"user a on\nnonsense\nuser a\nuser b +nosuch\nuser c on x y\nuser d (+get")
    for part in ("f:2 ", "line 3", "f:4: ", "'+nosuch'", "f:5: Syntax", "f:6: Unmatched"):
        assert part in text
    assert text.count("Syntax error") == 1


def test_no_mistake_shows_a_password(rules: Rules) -> None:
    assert "hunter2" not in wrong(rules, b"user a <hunter2\nuser b #hunter2\nuser c !hunter2\n")


def test_a_file_torn_anywhere_is_users_or_an_error(users: Users, rules: Rules) -> None:
    """Never a user who may do more than the whole file says."""
    data = b"".join([user_line(user) + b"\n" for user in users])
    whole = {user.name: user_line(user) for user in users}
    for end in range(len(data)):
        try:
            found = parse(rules, data[:end], "f")
        except UserFileError:
            continue
        for user in found:
            assert not user.grants_all() or whole.get(user.name) == user_line(user)


def test_garbage_is_an_error(rules: Rules) -> None:
    for data in (b"\0" * 100, b"\xff\xfe", b"user a\0b on", b"user a on\n\0", bytes(range(256))):
        wrong(rules, data)
