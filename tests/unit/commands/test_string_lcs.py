"""LCS: what two strings have in common."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headwater.commands.strings_lcs import CELL_BYTES, fill, runs
from headwater.raw import alloc, get_u32
from support.embedded import Client, Embedded

TEXTS = st.binary(max_size=30).map(lambda data: bytes(byte % 3 + 97 for byte in data))


def longest(a: bytes, b: bytes) -> int:
    row = [0] * (len(b) + 1)
    for one in a:
        before = 0
        for j, other in enumerate(b, 1):
            best = before + 1 if one == other else max(row[j], row[j - 1])
            before, row[j] = row[j], best
    return row[-1]


@given(TEXTS, TEXTS)
def test_runs_are_a_longest_common_sequence(a: bytes, b: bytes) -> None:
    table = alloc(CELL_BYTES * (len(a) + 1) * (len(b) + 1))
    fill(a, b, table)
    found = runs(a, b, table)
    total = get_u32(table, len(table) - CELL_BYTES)
    assert total == longest(a, b) == sum(n for _, _, n in found)
    ends = (len(a), len(b))
    for first, second, n in found:
        assert a[first : first + n] == b[second : second + n]
        assert first + n <= ends[0]
        assert second + n <= ends[1]
        ends = (first, second)


def two(**directives: str) -> Client:
    client = Embedded(3, **directives).main
    client.ok("MSET", "a", "ohmytext", "b", "mynewtext")
    return client


def test_replies() -> None:
    client = two()
    assert client.ok("LCS", "a", "b") == b"mytext"
    assert client.ok("LCS", "a", "b", "LEN") == 6
    matches = client.ok("LCS", "a", "b", "IDX", "WITHMATCHLEN")
    assert matches == {b"matches": [[[4, 7], [5, 8], 4], [[2, 3], [0, 1], 2]], b"len": 6}
    matches = client.ok("LCS", "a", "b", "IDX", "MINMATCHLEN", 3)
    assert matches == {b"matches": [[[4, 7], [5, 8]]], b"len": 6}
    assert client.ok("LCS", "a", "none") == b""
    client.ok("APPEND", "a", "s")
    client.ok("APPEND", "b", "s")
    assert client.ok("LCS", "a", "b") == b"mytexts"


def test_errors() -> None:
    client = two(proto_max_bulk_len="1mb")
    assert client.error("LCS", "a", "b", "NOPE") == "ERR syntax error"
    assert client.error("LCS", "a", "b", "LEN", "IDX").startswith("ERR If you want both")
    client.ok("XADD", "s", "*", "f", "v")
    assert client.error("LCS", "a", "s") == "ERR The specified keys must contain string values"
    client.ok("SET", "a", "x" * 600)
    client.ok("SET", "b", "y" * 600)
    text = "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"
    assert client.error("LCS", "a", "b", "LEN") == text
    client.ok("SET", "b", "y" * 400)
    assert client.ok("LCS", "a", "b", "LEN") == 0
