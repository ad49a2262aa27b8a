"""LCS: the longest bytes that two strings have in common, in order and not necessarily together.

The table of the lengths for all pairs of beginnings has four bytes for each pair, so its size is
the product of the strings'; `proto-max-bulk-len` limits it.
"""

from __future__ import annotations

from headwater import errors
from headwater.commands.session import Session
from headwater.commands.table import command
from headwater.keyspace.strings import String
from headwater.raw import alloc, get_u32, put_u32
from headwater.resp.reply import Reply
from headwater.resp.request import Request

CELL_BYTES = 4
_TOO_LONG = 0xFFFF_FFFE
_NO_BYTES = b""


def fill(a: bytes, b: bytes, table: bytearray) -> None:
    """Write the length for the first i bytes of a and j of b at cell i * (len(b) + 1) + j."""
    width = len(b) + 1
    for j in range(width):
        put_u32(table, 4 * j, 0)
    for i in range(1, len(a) + 1):
        row = 4 * i * width
        above = row - 4 * width
        put_u32(table, row, 0)
        byte = a[i - 1]
        left = 0
        for j in range(1, width):
            if b[j - 1] == byte:
                left = get_u32(table, above + 4 * j - 4) + 1
            else:
                up = get_u32(table, above + 4 * j)
                if up > left:
                    left = up
            put_u32(table, row + 4 * j, left)


def runs(a: bytes, b: bytes, table: bytearray) -> list[tuple[int, int, int]]:
    """What is common, as (first in a, first in b, length) of runs, the last one first."""
    width = len(b) + 1
    i, j = len(a), len(b)
    found = []
    length = 0
    while i > 0 and j > 0:
        if a[i - 1] == b[j - 1]:
            i -= 1
            j -= 1
            length += 1
            continue
        if length > 0:
            found.append((i, j, length))
            length = 0
        if get_u32(table, 4 * ((i - 1) * width + j)) > get_u32(table, 4 * (i * width + j - 1)):
            i -= 1
        else:
            j -= 1
    if length > 0:
        found.append((i, j, length))
    return found


def _string(session: Session, key: bytes) -> bytes:
    value = session.database.lookup_read(key)
    if value is None:
        return _NO_BYTES
    if not isinstance(value, String):
        raise errors.LCS_NOT_STRINGS.error()
    return value.content()


def lcs(session: Session, request: Request, reply: Reply) -> None:
    a = _string(session, request.arg(1))
    b = _string(session, request.arg(2))
    wants_length = wants_indexes = with_lengths = False
    shortest = 0
    i = 3
    while i < request.argc:
        if request.text_equals(i, b"IDX"):
            wants_indexes = True
        elif request.text_equals(i, b"LEN"):
            wants_length = True
        elif request.text_equals(i, b"WITHMATCHLEN"):
            with_lengths = True
        elif request.text_equals(i, b"MINMATCHLEN") and i + 1 < request.argc:
            i += 1
            shortest = max(0, request.integer(i))
        else:
            raise errors.SYNTAX.error()
        i += 1
    if wants_length and wants_indexes:
        raise errors.LCS_LENGTH_AND_INDEXES.error()
    if len(a) >= _TOO_LONG or len(b) >= _TOO_LONG:
        raise errors.LCS_TOO_LONG.error()
    size = CELL_BYTES * (len(a) + 1) * (len(b) + 1)
    if size > session.state.config.get_int("proto-max-bulk-len"):
        raise errors.LCS_MEMORY.error()
    table = alloc(size)
    fill(a, b, table)
    total = get_u32(table, size - CELL_BYTES)
    if wants_length:
        reply.integer(total)
    elif wants_indexes:
        _put_indexes(reply, runs(a, b, table), total, shortest, with_lengths)
    else:
        found = runs(a, b, table)
        found.reverse()
        reply.bulk(b"".join([a[first : first + n] for first, _, n in found]))


def _put_indexes(
    reply: Reply, found: list[tuple[int, int, int]], total: int, shortest: int, with_lengths: bool
) -> None:
    found = [run for run in found if run[2] >= shortest]
    reply.map(2)
    reply.bulk(b"matches")
    reply.array(len(found))
    for first, second, n in found:
        reply.array(3 if with_lengths else 2)
        for start in (first, second):
            reply.array(2)
            reply.integer(start)
            reply.integer(start + n - 1)
        if with_lengths:
            reply.integer(n)
    reply.bulk(b"len")
    reply.integer(total)


command("LCS")(lcs)
