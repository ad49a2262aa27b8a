"""What is wrong with a command is said in the same words by Headwater and by redis-server.

The lines of `data/malformed.txt` are said to both servers in order; every wrong number of
arguments of every command that both have comes from COMMAND. Texts in which Redis 8.10 differs
from the reference, which is older, are in NEWER.
"""

from __future__ import annotations

import codecs
import shlex
from pathlib import Path

import pytest

from support.pair import MismatchError, Pair, Peers, as_newer, normalizer, shown
from support.servers import Server
from support.wire import Reply, plain

TABLE = Path(__file__).parent.parent / "data" / "malformed.txt"

# Command line -> what Redis 8.10 answers where the reference answers something else.
NEWER: dict[str, Reply] = {
    # Since 8.10 the keys of XREAD are looked for by a function of its own, which wants pairs.
    "COMMAND GETKEYS XREAD STREAMS a b 0": ("-", b"ERR Invalid arguments specified for command"),
}

# Command line -> what Headwater answers on purpose, though every Redis answers something else.
ON_PURPOSE: dict[str, Reply] = {
    # Redis parses IDs with strtoull where its fast path fails, and that skips leading space.
    'XADD st " 5-0" f v': ("-", b"ERR Invalid stream ID specified as stream command argument"),
}

# Not asked for: a transaction's errors and connections that end belong to other tests.
NOT_COMPARED = {"quit", "shutdown", "failover", "reset"}


def words_of(line: str) -> tuple[bytes, ...]:
    return tuple(codecs.escape_decode(word.encode("latin-1"))[0] for word in shlex.split(line))


def sections() -> list[list[str]]:
    """The table between its lines "!"."""
    found: list[list[str]] = [[]]
    for line in TABLE.read_text(encoding="latin-1").splitlines():
        if line == "!":
            found.append([])
        elif line and not line.startswith("# ") and line != "#":
            found[-1].append(line)
    return found


def prepare(pair: Pair) -> None:
    same = pair.same
    main = pair.main
    same(main, "FLUSHALL")
    same(main, "SET", "str", "plain")
    for number in (1, 2, 3):
        same(main, "XADD", "st", f"{number}-0", "f", "v")
    same(main, "XGROUP", "CREATE", "st", "g", "0")
    same(main, "XREADGROUP", "GROUP", "g", "ann", "COUNT", 2, "STREAMS", "st", ">")


def answers(pair: Pair, peers: Peers, words: tuple[bytes, ...]) -> tuple[Reply, Reply]:
    normal = normalizer(words)
    found = []
    for server, connection in zip(pair.servers, (peers.ours, peers.theirs), strict=True):
        try:
            found.append(normal(as_newer(server, connection.call(*words))))
        except (OSError, EOFError):
            found.append(("closed", None))
    return found[0], found[1]


@pytest.mark.parametrize("resp", [2, 3])
def test_table(headwater: Server, reference: Server, resp: int) -> None:
    pair = Pair(headwater, reference, resp)
    wrong = []
    known = {name.upper() for name in plain(pair.main.ours.call("COMMAND", "LIST"))}
    for section in sections():
        prepare(pair)
        peers = pair.connect()
        for line in section:
            words = words_of(line)
            if words[0].upper() not in known and not words[0].startswith(b"NO"):
                continue
            ours, theirs = answers(pair, peers, words)
            if headwater.kind == "headwater":
                theirs = {**NEWER, **ON_PURPOSE}.get(line, theirs)
            if ours != theirs:
                wrong.append(f"{line}\n    want: {shown(theirs)}\n    got:  {shown(ours)}")
            if "closed" in (ours[0], theirs[0]):
                headwater.check_alive()
                peers = pair.connect()
    if wrong:
        raise MismatchError(f"{len(wrong)} differences\n" + "\n".join(wrong))


def test_number_of_arguments(headwater: Server, reference: Server) -> None:
    """One word too few, and one too many where the number is fixed, for each command."""
    pair = Pair(headwater, reference)
    listed = [
        {name.lower() for name in plain(connection.call("COMMAND", "LIST"))}
        for connection in (pair.main.ours, pair.main.theirs)
    ]
    names = sorted(name.decode() for name in listed[0] & listed[1])
    assert len(names) > 100
    infos = plain(pair.main.theirs.call("COMMAND", "INFO", *names))
    wrong = []
    for name, info in zip(names, infos, strict=True):
        arity = info[1]
        spoken = name.split("|")
        counts = [abs(arity) - 1] + ([arity + 1] if arity > 0 else [])
        for count in counts:
            if count < len(spoken) or name in NOT_COMPARED:
                continue
            words = (*spoken, *(f"x{n}" for n in range(count - len(spoken))))
            ours, theirs = answers(pair, pair.main, tuple(word.encode() for word in words))
            assert theirs[0] == "-", f"{words} is no error"
            if ours != theirs:
                wrong.append(f"{words}\n    want: {shown(theirs)}\n    got:  {shown(ours)}")
    if wrong:
        raise MismatchError(f"{len(wrong)} differences\n" + "\n".join(wrong))


NEWER_DENYOOM = (b"subscribe", b"psubscribe", b"ssubscribe")
"""Commands that Redis refuses without memory since a version after the reference."""


def test_facts_of_commands(headwater: Server, reference: Server) -> None:
    """COMMAND INFO: arity and key positions of the commands that both have."""
    pair = Pair(headwater, reference)
    ours_all = {entry[0]: entry for entry in plain(pair.main.ours.call("COMMAND"))}
    theirs_all = {entry[0]: entry for entry in plain(pair.main.theirs.call("COMMAND"))}
    wrong = []
    for name in sorted(ours_all.keys() & theirs_all.keys()):
        ours, theirs = ours_all[name], theirs_all[name]
        for number, what in ((1, "arity"), (3, "first key"), (4, "last key"), (5, "step")):
            if ours[number] != theirs[number]:
                wrong.append(f"{name!r} {what}: want {theirs[number]}, got {ours[number]}")
        for number, what in ((2, "flags"), (6, "categories")):
            if name in NEWER_DENYOOM:
                ours[number] = [word for word in ours[number] if word != b"denyoom"]
            if set(ours[number]) != set(theirs[number]):
                wrong.append(
                    f"{name!r} {what}: want {sorted(theirs[number])}, got {sorted(ours[number])}"
                )
    if wrong:
        raise MismatchError(f"{len(wrong)} differences\n" + "\n".join(wrong))
