"""The command table: bindings, names in any case, arity, key positions."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import headwater.commands
from headwater.commands import table
from headwater.commands.flags import MOVABLE_KEYS, WRITE, category_bits, category_names
from headwater.commands.keyspecs import KeySpec, fixed_range, locate
from headwater.commands.spec import SPECS
from headwater.commands.table import CommandTable, command, unbound
from headwater.resp.request import from_words


def nothing(session: object, request: object, reply: object) -> None:
    """A handler for tables that only look names up."""


@pytest.fixture
def commands() -> CommandTable:
    return CommandTable({"XADD": nothing, "XGROUP CREATE": nothing, "COMMAND": nothing})


def test_every_declared_command_has_a_function() -> None:
    for module in pkgutil.walk_packages(headwater.commands.__path__, "headwater.commands."):
        importlib.import_module(module.name)
    assert unbound() == []


def test_binding_an_undeclared_name_is_an_error() -> None:
    with pytest.raises(KeyError, match="NOSUCH"):
        command("NOSUCH")


def test_binding_twice_is_an_error() -> None:
    importlib.import_module("headwater.commands.introspection")
    with pytest.raises(ValueError, match="twice"):
        command("COMMAND COUNT")


def test_names_are_found_in_any_case(commands: CommandTable) -> None:
    xadd = commands.lookup(b"xadd")
    assert xadd is not None
    assert xadd.name == b"xadd"
    for spelling in (b"XADD", b"xAdD", b"XaDD", b"xAdD"):
        assert commands.lookup(spelling) is xadd
    for other in (b"", b"xadd ", b"xad", b"xgroup|create", b"\xffadd"):
        assert commands.lookup(other) is None


def test_remembered_spellings_are_bounded() -> None:
    every = CommandTable(dict.fromkeys(["XAUTOCLAIM", "XREADGROUP"], nothing))
    found = 0
    for bits in range(1 << 10):
        for name in (b"xautoclaim", b"xreadgroup"):
            spelling = bytes(c - 32 if bits >> i & 1 else c for i, c in enumerate(name))
            found += every.lookup(spelling) is every.lookup(name)
    assert found == 2 << 10
    assert table.MAX_SPELLINGS >= 1024


def test_subcommands(commands: CommandTable) -> None:
    xgroup = commands.lookup(b"XGROUP")
    assert xgroup is not None
    assert xgroup.handler is None
    create = xgroup.subcommand(b"Create")
    assert create is not None
    assert create.name == b"xgroup|create"
    assert create is commands.find(b"XGROUP|CREATE")
    assert xgroup.subcommand(b"nosuch") is None
    assert xgroup.subcommand(b"destroy") is None  # no function is bound in this table
    assert create.subcommand(b"create") is None
    assert commands.find(b"create") is None


def test_arity(commands: CommandTable) -> None:
    xadd = commands.lookup(b"xadd")
    assert xadd is not None
    assert [xadd.accepts(n) for n in (1, 4, 5, 6, 100_000)] == [False, False, True, True, True]
    exact = CommandTable({"XLEN": nothing}).lookup(b"xlen")
    assert exact is not None
    assert [exact.accepts(n) for n in (1, 2, 3)] == [False, True, False]


def test_tables_count_separately(commands: CommandTable) -> None:
    other = CommandTable({"XADD": nothing}).lookup(b"xadd")
    xadd = commands.lookup(b"xadd")
    assert xadd is not None
    assert other is not None
    xadd.calls += 3
    xadd.usec += 40
    assert (other.calls, other.usec) == (0, 0)
    commands.reset_statistics()
    assert (xadd.calls, xadd.usec, xadd.rejected_calls, xadd.failed_calls) == (0, 0, 0, 0)


def test_facts_of_a_command(commands: CommandTable) -> None:
    create = commands.find(b"xgroup|create")
    assert create is not None
    assert (create.arity, create.first_key, create.last_key, create.key_step) == (-5, 2, 2, 1)
    assert create.flags & WRITE
    assert category_names(create.categories) == ["write", "stream", "slow"]
    assert SPECS["XREAD"].all_flags & MOVABLE_KEYS


def test_categories_that_flags_imply() -> None:
    bits = category_bits(("stream",), WRITE)
    assert category_names(bits) == ["write", "stream", "slow"]


@pytest.mark.parametrize(
    ("spec", "line", "positions"),
    [
        (KeySpec((), 1), "get a", [1]),
        (KeySpec((), 1), "get", None),
        (KeySpec((), 1, last=-1), "del a b c", [1, 2, 3]),
        (KeySpec((), 1, last=-1, step=2), "mset a 1 b 2", [1, 3]),
        (KeySpec((), 1, b"STREAMS", last=-1, limit=2), "xread streams a b 0 0", [2, 3]),
        (KeySpec((), 1, b"STREAMS", last=-1, limit=2), "xread count 1", []),
        (KeySpec((), -2, b"KEYS", last=-1), "migrate h p KEYS 0 1 keys a b", [7, 8]),
        (KeySpec((), 2, count_at=0, first=1), "eval s 2 a b c", [3, 4]),
        (KeySpec((), 2, count_at=0, first=1), "eval s 4 a b c", None),
        (KeySpec((), 2, count_at=0, first=1), "eval s x a b c", None),
        (KeySpec((), 2, count_at=0, first=1), "eval s", None),
    ],
)
def test_keys_of_a_request(spec: KeySpec, line: str, positions: list[int] | None) -> None:
    found = locate(spec, [word.encode() for word in line.split()])
    assert (None if found is None else list(found)) == positions


def test_fixed_range_joins_groups_that_touch() -> None:
    first, second, apart = KeySpec((), 1), KeySpec((), 2), KeySpec((), 4)
    assert fixed_range((first, second)) == (1, 2, 1)
    assert fixed_range((first, apart)) == (1, 1, 1)
    assert fixed_range((KeySpec((), 1, last=-1),)) == (1, -1, 1)
    assert fixed_range((KeySpec((), 1, b"STREAMS", last=-1, limit=2),)) == (0, 0, 0)


def test_a_request_names_its_command_in_any_case_again_and_again(commands: CommandTable) -> None:
    xadd = commands.lookup(b"xadd")
    assert xadd is not None
    # Each spelling twice: the second time it is remembered. Others share its place in between.
    for _ in range(2):
        for name in (b"XADD", b"xadd", b"XaDd", b"command"):
            found = commands.of_request(from_words([name, b"key"]))
            assert found is commands.lookup(name)
        for name in (b"", b"X", b"DADX", b"XBDD", b"XADD\0", b"\xff" * 300):
            assert commands.of_request(from_words([name, b"key"])) is None
