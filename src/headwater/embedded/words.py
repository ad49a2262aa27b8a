"""The words of commands with options, from the arguments that redis-py names them by.

What is None is left out. Whether the options fit together is for the command to say: it answers
with Redis's own error.
"""

# ruff: noqa: A002 - arguments have the names that redis-py gives them

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from headwater.embedded.shapes import EntryID, Fields, Key, Word

Words = list[Any]


def xadd(
    name: Key,
    fields: Fields,
    id: EntryID,
    maxlen: int | None,
    approximate: bool,
    nomkstream: bool,
    minid: EntryID | None,
    limit: int | None,
    ref_policy: str | None,
    idmpauto: Key | None,
    idmp: tuple[Key, Key] | None,
) -> Words:
    words: Words = [b"XADD", name]
    if nomkstream:
        words.append(b"NOMKSTREAM")
    if ref_policy is not None:
        words.append(ref_policy)
    if idmpauto is not None:
        words += [b"IDMPAUTO", idmpauto]
    if idmp is not None:
        words += [b"IDMP", *idmp]
    words += _trim(maxlen, minid, approximate, limit)
    words.append(id)
    for pair in fields.items():
        words += pair
    return words


def xtrim(
    name: Key,
    maxlen: int | None,
    approximate: bool,
    minid: EntryID | None,
    limit: int | None,
    ref_policy: str | None,
) -> Words:
    words = [b"XTRIM", name, *_trim(maxlen, minid, approximate, limit)]
    if ref_policy is not None:
        words.append(ref_policy)
    return words


def _trim(maxlen: int | None, minid: EntryID | None, approximate: bool, limit: int | None) -> Words:
    words: Words = []
    if maxlen is not None:
        words += [b"MAXLEN", b"~", maxlen] if approximate else [b"MAXLEN", maxlen]
    if minid is not None:
        words += [b"MINID", b"~", minid] if approximate else [b"MINID", minid]
    if limit is not None:
        words += [b"LIMIT", limit]
    return words


def xread(
    streams: Mapping[Any, Any],
    count: int | None,
    block: int | None,
    max_count: int | None,
    max_size: int | None,
) -> Words:
    words: Words = [b"XREAD"]
    return _read(words, streams, count, block, max_count, max_size)


def xreadgroup(
    groupname: Key,
    consumername: Key,
    streams: Mapping[Any, Any],
    count: int | None,
    block: int | None,
    noack: bool,
    claim_min_idle_time: int | None,
    max_count: int | None,
    max_size: int | None,
) -> Words:
    words: Words = [b"XREADGROUP", b"GROUP", groupname, consumername]
    if noack:
        words.append(b"NOACK")
    if claim_min_idle_time is not None:
        words += [b"CLAIM", claim_min_idle_time]
    return _read(words, streams, count, block, max_count, max_size)


def _read(
    words: Words,
    streams: Mapping[Any, Any],
    count: int | None,
    block: int | None,
    max_count: int | None,
    max_size: int | None,
) -> Words:
    if count is not None:
        words += [b"COUNT", count]
    if max_count is not None:
        words += [b"MAXCOUNT", max_count]
    if max_size is not None:
        words += [b"MAXSIZE", max_size]
    if block is not None:
        words += [b"BLOCK", block]
    words.append(b"STREAMS")
    words += streams
    words += streams.values()
    return words


def limited(words: Words, count: int | None) -> Words:
    """`words` with COUNT."""
    if count is not None:
        words += [b"COUNT", count]
    return words


def by_policy(words: Words, ref_policy: str, ids: tuple[EntryID, ...]) -> Words:
    """XACKDEL, XDELEX."""
    return [*words, ref_policy, b"IDS", len(ids), *ids]


def xnack(
    name: Key,
    groupname: Key,
    mode: str,
    ids: tuple[EntryID, ...],
    retrycount: int | None,
    force: bool,
) -> Words:
    words: Words = [b"XNACK", name, groupname, mode, b"IDS", len(ids), *ids]
    if retrycount is not None:
        words += [b"RETRYCOUNT", retrycount]
    if force:
        words.append(b"FORCE")
    return words


def xpending_range(
    name: Key,
    groupname: Key,
    min: EntryID,
    max: EntryID,
    count: int,
    consumername: Key | None,
    idle: int | None,
) -> Words:
    words: Words = [b"XPENDING", name, groupname]
    if idle is not None:
        words += [b"IDLE", idle]
    words += [min, max, count]
    if consumername is not None:
        words.append(consumername)
    return words


def xclaim(
    name: Key,
    groupname: Key,
    consumername: Key,
    min_idle_time: int,
    message_ids: Iterable[EntryID],
    idle: int | None,
    time: int | None,
    retrycount: int | None,
    force: bool,
    justid: bool,
) -> Words:
    words: Words = [b"XCLAIM", name, groupname, consumername, min_idle_time, *message_ids]
    words += options(IDLE=idle, TIME=time, RETRYCOUNT=retrycount)
    if force:
        words.append(b"FORCE")
    if justid:
        words.append(b"JUSTID")
    return words


def xautoclaim(
    name: Key,
    groupname: Key,
    consumername: Key,
    min_idle_time: int,
    start_id: EntryID,
    count: int | None,
    justid: bool,
) -> Words:
    words: Words = [b"XAUTOCLAIM", name, groupname, consumername, min_idle_time, start_id]
    limited(words, count)
    if justid:
        words.append(b"JUSTID")
    return words


def options(**values: Any) -> Words:
    """The name and value of each option that is given: IDLE=5, or RETAIN_ACKED=True for `yes`."""
    words: Words = []
    for name, value in values.items():
        if value is None:
            continue
        words.append(name.replace("_", "-"))
        if isinstance(value, bool):
            words.append(b"yes" if value else b"no")
        elif isinstance(value, list | tuple):
            words += value
        else:
            words.append(value)
    return words


def flags(**values: bool) -> Words:
    """The names of those that are true."""
    return [name for name, value in values.items() if value]


def xgroup_reset(
    name: Key, groupname: Key, to: EntryID, pending: str | None, dryrun: bool
) -> Words:
    """`to` of several words, such as "AGO 60000", is split."""
    place = to.split() if isinstance(to, bytes | str) else [to]
    words = [b"XGROUP", b"RESET", name, groupname, *place]
    return [*words, *options(PENDING=pending), *flags(DRYRUN=dryrun)]


def xschedule_add(
    name: Key, fields: Fields, at_ms: int | None, in_ms: int | None, every_ms: int | None
) -> Words:
    words = [b"XSCHEDULE", b"ADD", name, *options(AT=at_ms, IN=in_ms, EVERY=every_ms)]
    for pair in fields.items():
        words += pair
    return words


def set_string(
    name: Key,
    value: Word,
    ex: int | None,
    px: int | None,
    nx: bool,
    xx: bool,
    keepttl: bool,
    get: bool,
    exat: int | None,
    pxat: int | None,
) -> Words:
    words = [b"SET", name, value, *options(EX=ex, PX=px, EXAT=exat, PXAT=pxat)]
    return [*words, *flags(KEEPTTL=keepttl, NX=nx, XX=xx, GET=get)]


def config_set(pairs: Mapping[Any, Any]) -> Words:
    words: Words = [b"CONFIG", b"SET"]
    for pair in pairs.items():
        words += pair
    return words


_OWN_CONNECTION = frozenset(
    (
        "auth",
        "discard",
        "exec",
        "hello",
        "monitor",
        "multi",
        "psubscribe",
        "psync",
        "punsubscribe",
        "quit",
        "reset",
        "select",
        "ssubscribe",
        "subscribe",
        "sunsubscribe",
        "sync",
        "unsubscribe",
        "unwatch",
        "watch",
    )
)
_OF_A_CLIENT = frozenset(
    ("caching", "getname", "no-evict", "no-touch", "reply", "setinfo", "setname", "tracking")
)


def check_free(words: tuple[Any, ...]) -> None:
    """Raise ValueError for a command whose effect is on the connection that it comes by."""
    if not words:
        raise ValueError("a command has at least one word")
    name = _lower(words[0])
    if name in _OWN_CONNECTION or (
        name == "client" and len(words) > 1 and _lower(words[1]) in _OF_A_CLIENT
    ):
        text = f"{name.upper()} is about one connection, and an Engine has none; use a client of "
        raise ValueError(text + "its connect()")


def _lower(word: Any) -> str:
    return word.decode("latin-1").lower() if isinstance(word, bytes) else str(word).lower()
