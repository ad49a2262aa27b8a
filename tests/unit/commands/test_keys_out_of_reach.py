"""Whatever a user without any key says, keys are neither shown to it nor changed."""

from __future__ import annotations

import random

import pytest

from headwater.clock import ManualClock
from headwater.commands.flags import BLOCKING
from headwater.commands.spec import SPECS
from headwater.config import Config
from headwater.engine import Engine
from support.disk import SimulatedDisk
from support.embedded import NOW_MS, Client

SECRET = b"hidden-treasure"
KEYS = ("secret:string", "secret:stream", "secret:list")
WORDS = (
    *(*KEYS, *KEYS, "other", "0", "1", "2", "3", "01", "+1", "-1", "$", "*", ">", "-", "+", "1-1"),
    *("STREAMS", "GROUP", "COUNT", "BLOCK", "NOACK", "GET", "LEFT", "RIGHT", "EX", "MAXLEN", "IDS"),
    *("FORCE", "REPLACE", "DB", "KEYS", "KEEPREF", "MKSTREAM", "JUSTID", "CLAIM", "STORE", "IDX"),
    *("g", "c"),
)
WHOLE = (
    *("FLUSHALL", "FLUSHDB", "SWAPDB", "SELECT", "SHUTDOWN", "DEBUG", "MONITOR", "QUIT", "RESET"),
    *("AUTH", "HELLO"),
)
"""Commands about whole databases or the server, which name no keys, or about the session."""


def prepared() -> tuple[Client, Engine]:
    engine = Engine(Config(), ManualClock(NOW_MS), SimulatedDisk("/data"))
    owner = Client(engine, 1, 2)
    owner.ok("SET", KEYS[0], SECRET)
    owner.ok("XADD", KEYS[1], "1-1", "f", SECRET)
    owner.ok("XGROUP", "CREATE", KEYS[1], "g", "0")
    owner.ok("RPUSH", KEYS[2], SECRET, SECRET)
    owner.ok("ACL", "SETUSER", "u", "on", "nopass", "+@all", "-@admin", "~none")
    return owner, engine


def lines(name: str, rng: random.Random) -> list[list[str]]:
    spec = SPECS[name]
    first = name.split()
    least = abs(spec.arity) - len(first)
    more = range(least, least + 6) if spec.arity < 0 else [least] * 6
    found = [[*first, *rng.choices(WORDS, k=max(count, 0))] for count in more for _ in range(8)]
    found += [[*first, *([key] * least)] for key in KEYS]
    return found


def digest(owner: Client) -> bytes:
    return b"".join(owner.ok("DUMP", key) for key in KEYS)


def test_no_command_gets_at_a_key() -> None:
    owner, engine = prepared()
    before = digest(owner)
    rng = random.Random(3)
    user = Client(engine, 2, 2)
    user.ok("AUTH", "u", "x")
    for name, spec in SPECS.items():
        if name.split()[0] in WHOLE or name == "CLIENT REPLY":
            continue
        for words in lines(name, rng):
            user.send(*words)
            shown = repr(user.read_all())
            assert SECRET.decode() not in shown, (words, shown)
            if spec.flags & BLOCKING and user.session.blocked is not None:
                user.session.close()
            if user.session.closed or user.session.transaction or user.session.subscriptions:
                user = Client(engine, 3, 2)
                user.ok("AUTH", "u", "x")
        assert digest(owner) == before, name


@pytest.mark.parametrize("count", ["1", "01", "0000000001", "+1", " 1", "1.0", "2", "1 "])
def test_no_spelling_of_a_count_hides_a_key(count: str) -> None:
    owner, engine = prepared()
    user = Client(engine, 2, 2)
    user.ok("AUTH", "u", "x")
    for words in (
        ("EVAL", "return redis.call('get', KEYS[1])", count, KEYS[0]),
        ("EVAL", "return KEYS[1]", count, KEYS[0]),
        ("LMPOP", count, KEYS[2], "LEFT"),
        ("BLMPOP", "0", count, KEYS[2], "LEFT"),
    ):
        assert user.call(*words)[0] == "-", words
    assert owner.ok("LLEN", KEYS[2]) == 2
