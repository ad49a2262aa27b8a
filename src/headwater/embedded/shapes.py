"""From a command's reply, as RESP2 has it, to what redis-py returns for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Word = bytes | str | int | float | bytearray | memoryview
"""What a command's word is given as: str goes as UTF-8, a number as Python spells it."""
Key = bytes | str
EntryID = bytes | str | int
Fields = Mapping[Any, Any]
"""Names and values of an entry; each a Word."""
Entry = tuple[bytes, dict[bytes, bytes]]
"""(id, fields). An entry that is gone but still pending is (id, {}), or (None, None)."""
ClaimedEntry = tuple[Any, ...]
"""(id, fields, idle in ms, deliveries)."""


def is_ok(value: Any) -> bool:
    return bool(value == b"OK")


def is_pong(value: Any) -> bool:
    return bool(value == b"PONG")


def two_numbers(value: Any) -> tuple[int, int]:
    return int(value[0]), int(value[1])


def text(value: Any) -> str:
    """A name, or a word of the server's own."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def pairs(value: Any) -> dict[Any, Any]:
    """A flat list of keys and values as a dict."""
    flat = iter(value or ())
    return dict(zip(flat, flat, strict=True))


def named(value: Any) -> dict[str, Any]:
    """As `pairs`, keys as str."""
    return {text(key): item for key, item in pairs(value).items()}


def all_named(value: Any) -> list[dict[str, Any]]:
    return [named(item) for item in value]


def entry(value: Any) -> Any:
    """(id, fields) of a list of two; None stays."""
    return None if value is None else (value[0], pairs(value[1]))


def entries(value: Any) -> list[Any]:
    return [(None, None) if item is None else (item[0], pairs(item[1])) for item in value]


def claimed_page(value: Any) -> list[Any]:
    """XAUTOCLAIM: [next id, entries, ids that are gone]."""
    return [value[0], entries(value[1]), *value[2:]]


def claimed_ids(value: Any) -> list[bytes]:
    """XAUTOCLAIM JUSTID."""
    found: list[bytes] = value[1]
    return found


def pending(value: Any) -> dict[str, Any]:
    """XPENDING without a range."""
    consumers = [{"name": name, "pending": int(n)} for name, n in value[3] or ()]
    return {"pending": value[0], "min": value[1], "max": value[2], "consumers": consumers}


_PENDING_KEYS = ("message_id", "consumer", "time_since_delivered", "times_delivered")


def pending_range(value: Any) -> list[dict[str, Any]]:
    return [dict(zip(_PENDING_KEYS, item, strict=False)) for item in value]


def stream(value: Any) -> dict[str, Any]:
    """XINFO STREAM."""
    found = named(value)
    found["first-entry"] = entry(found.get("first-entry"))
    found["last-entry"] = entry(found.get("last-entry"))
    return found


def full_stream(value: Any) -> dict[str, Any]:
    """XINFO STREAM FULL."""
    found = named(value)
    found["entries"] = {item[0]: pairs(item[1]) for item in found["entries"]}
    groups = all_named(found["groups"])
    for group in groups:
        group["consumers"] = all_named(group["consumers"])
    found["groups"] = groups
    return found


def settings(value: Any) -> dict[str, Any]:
    """XCFGGET, XGROUP CFGGET: names as str, values str where they are words."""
    return {name: _setting(item) for name, item in named(value).items()}


def _setting(value: Any) -> Any:
    if isinstance(value, bytes):
        return text(value)
    return [_setting(item) for item in value] if isinstance(value, list) else value


def configuration(value: Any) -> dict[str, str]:
    """CONFIG GET."""
    return {text(name): text(item) for name, item in pairs(value).items()}


def information(value: Any) -> dict[str, Any]:
    """INFO, as redis-py reads it."""
    from redis._parsers.helpers import parse_info

    found: dict[str, Any] = parse_info(value)
    return found


def set_reply(value: Any) -> Any:
    """SET: True, None where NX or XX kept it from being set, or the old value with GET."""
    return is_ok(value) or None


def popped(value: Any) -> tuple[bytes, bytes] | None:
    """BLPOP, BRPOP: (key, value), or None."""
    return None if value is None else (value[0], value[1])


def scheduled(value: Any) -> list[dict[str, Any]]:
    """XSCHEDULE LIST: dicts of handle, due, every, fields."""
    found = all_named(value)
    for item in found:
        item["handle"] = int(item["handle"])
        item["fields"] = pairs(item["fields"])
    return found


def position(value: Any) -> dict[str, Any]:
    """XGROUP RESET."""
    return {"first": value[0], "entries": value[1], "dropped": value[2]}


def moved(value: Any) -> list[tuple[bytes, bytes]]:
    """XREDRIVE: (id it had, id it has now) of each."""
    return [(item[0], item[1]) for item in value]


def versions(value: Any) -> list[dict[str, Any]]:
    """XSCHEMA LIST."""
    return [settings(item) for item in value]


def texts(value: Any) -> list[str]:
    return [text(item) for item in value]


def error_of(reply: str) -> Exception:
    """The exception that redis-py raises for an error reply."""
    from redis._parsers.base import BaseParser

    error: Exception = BaseParser.parse_error(reply)
    return error
