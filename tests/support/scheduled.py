"""XSCHEDULE in a few words: what is added, what waits, what has come of it."""

from __future__ import annotations

from typing import Any

from .embedded import NOW_MS


def add(client: Any, words: str) -> bytes:
    handle = client.ok(*f"XSCHEDULE ADD {words}".split())
    assert isinstance(handle, bytes)
    return handle


def entries(client: Any, key: str = "s") -> list[tuple[str, list[str]]]:
    found = client.ok("XRANGE", key, "-", "+")
    return [(id_.decode(), [word.decode() for word in words]) for id_, words in found]


def values(client: Any, key: str = "s") -> list[str]:
    """The last value of each entry."""
    return [words[-1] for _, words in entries(client, key)]


def listed(client: Any, words: str = "s") -> list[tuple[int, int, int, list[bytes]]]:
    """(handle, due after the start, every, fields)"""
    found = client.ok("XSCHEDULE", "LIST", *words.split())
    rows = []
    for row in found:
        assert row[::2] == [b"handle", b"due", b"every", b"fields"]
        rows.append((int(row[1]), row[3] - NOW_MS, row[5], row[7]))
    return rows
