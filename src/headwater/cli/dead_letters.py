"""`headwater dead-letters`: what was delivered too often, and sending it back.

A dead letter is an entry whose last fields are those of DEAD_LETTER_FIELDS: what stands before them
is the entry that it was. Headwater makes them, and so does headwater.worker on other servers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import click
import redis

from headwater.cli.connect import Link
from headwater.cli.entries import Pages
from headwater.cli.failure import FAILED, MISUSED, Failure
from headwater.cli.gathering import scan_streams, server_ms
from headwater.cli.output import Column, Output
from headwater.cli.parameters import CONTEXT, KEY, server_command, to_bytes
from headwater.cli.words import (
    counted,
    duration_words,
    json_fields,
    json_name,
    number_words,
    pairs_of,
    shown,
)
from headwater.commands.dead_letters import DEAD_LETTER_FIELDS, SUFFIX

AT_ONCE = 1000
"""Dead letters that one XREDRIVE is asked to move: progress is seen, and others get their turn."""

IN_ONE_TRANSACTION = 50
ATTEMPTS = 50
"""How often a transaction is begun again because others changed a stream in between."""

DEFAULT_LIMIT = 100
_FIELD_LETTERS = 60
_NO_LETTER = "is no dead letter"


@dataclass(slots=True)
class Letter:
    """A dead letter: its ID, the entry that it was, and what is known of its end."""

    entry_id: bytes
    fields: list[bytes]
    facts: dict[bytes, bytes]


def letter_of(entry_id: bytes, flat: list[bytes] | None) -> Letter | None:
    """The dead letter that an entry is; None if it is none."""
    count = 2 * len(DEAD_LETTER_FIELDS)
    if not flat or len(flat) < count + 2 or tuple(flat[-count::2]) != DEAD_LETTER_FIELDS:
        return None
    return Letter(entry_id, flat[:-count], dict(pairs_of(flat[-count:])))


@click.group("dead-letters", context_settings=CONTEXT)
def dead_letters() -> None:
    """List entries that were delivered too often, and send them back."""


# --- ls ---

_STREAMS = (
    Column("STREAM", elastic=True, style="name"),
    Column("LETTERS", right=True),
    Column("OLDEST", right=True),
    Column("NEWEST", right=True),
    Column("GROUPS THAT GAVE UP", elastic=True),
)
_LETTERS = (
    Column("ID"),
    Column("FROM", elastic=True, style="name"),
    Column("ORIGINAL ID"),
    Column("GROUP", elastic=True),
    Column("CONSUMER", elastic=True),
    Column("TIMES", right=True),
    Column("REASON"),
    Column("AGE", right=True),
    Column("FIELDS", elastic=True, style="dim"),
)


@dead_letters.command("ls", context_settings=CONTEXT)
@click.argument("key", type=KEY, required=False)
@click.option(
    "--limit",
    "-n",
    type=click.IntRange(min=0),
    default=DEFAULT_LIMIT,
    metavar="N",
    help=f"Show the oldest N dead letters of KEY, 0: all.  [{DEFAULT_LIMIT}]",
)
@server_command
def ls(link: Link, out: Output, key: bytes | None, limit: int) -> None:
    """List the streams that hold dead letters, or the dead letters of one.

    KEY is such a stream, or the stream from which they come.
    """
    now_ms = server_ms(link)
    if key is None:
        _list_streams(link, out, now_ms)
        return
    key = _stream_of(link, out, key)
    letters: list[Letter] = []
    others = 0
    more = False
    for entry_id, flat in _entries(link, key, b"+"):
        letter = letter_of(entry_id, flat)
        if letter is None:
            others += 1
            continue
        if limit and len(letters) == limit:
            more = True
            break
        letters.append(letter)
    if out.json:
        out.document([_document(letter) for letter in letters])
    elif letters:
        out.table(_LETTERS, [_row(letter, now_ms) for letter in letters])
    else:
        out.note(f"{shown(key)} holds no dead letters")
    if more:
        out.note(f"there are more than {limit:,}: --limit 0 shows all")
    if others:
        out.note(f"{shown(key)} has {counted(others, 'entry', 'entries')} besides dead letters")


def _list_streams(link: Link, out: Output, now_ms: int) -> None:
    rows, documents = [], []
    for keys in scan_streams(link, None, 0):
        ends = link.calls(
            [
                words
                for key in keys
                for words in (
                    ("XRANGE", key, "-", "+", "COUNT", 1),
                    ("XREVRANGE", key, "+", "-", "COUNT", 1),
                    ("XLEN", key),
                )
            ]
        )
        for i, key in enumerate(keys):
            first, last, length = ends[3 * i : 3 * i + 3]
            if isinstance(first, Exception) or not first or isinstance(last, Exception) or not last:
                continue
            found = [letter_of(*first[0]), letter_of(*last[0])]
            letters = [letter for letter in found if letter is not None]
            if not letters:
                continue
            groups = sorted({shown(letter.facts[b"group"]) for letter in letters})
            oldest, newest = (_age(letters[j], now_ms) for j in (0, -1))
            rows.append(
                (
                    shown(key),
                    number_words(length),
                    duration_words(oldest),
                    duration_words(newest),
                    ", ".join(groups),
                )
            )
            documents.append(
                {
                    "key": json_name(key),
                    "entries": length,
                    "oldest_ms": oldest,
                    "newest_ms": newest,
                    "groups": groups,
                }
            )
    if out.json:
        out.document(sorted(documents, key=lambda one: str(one["key"])))
    elif rows:
        out.table(_STREAMS, sorted(rows))
    else:
        out.note("no stream holds dead letters")


def _stream_of(link: Link, out: Output, key: bytes) -> bytes:
    """The stream of dead letters that is meant: `key`, or that of its dead letters."""
    if not key.endswith(SUFFIX):
        other = key + SUFFIX
        first = None
        if link.call("TYPE", key) == b"stream":
            first = link.call("XRANGE", key, "-", "+", "COUNT", 1)
        if not (first and letter_of(*first[0])) and link.call("TYPE", other) == b"stream":
            out.note(f"the dead letters of {shown(key)} are in {shown(other)}")
            return other
    link.require_stream(key)
    return key


def _entries(link: Link, key: bytes, end: bytes) -> Iterator[tuple[bytes, list[bytes]]]:
    pages = Pages()
    start = b"-"
    while True:
        size = pages.size
        rows = link.call("XRANGE", key, start, end, "COUNT", size)
        yield from rows
        if len(rows) < size:
            return
        start = b"(" + rows[-1][0]
        pages.came(rows)


def _age(letter: Letter, now_ms: int) -> int | None:
    at = letter.facts[b"dead_lettered_at"]
    return max(0, now_ms - int(at)) if at.isdigit() and len(at) < 16 else None


def _row(letter: Letter, now_ms: int) -> tuple[str, ...]:
    facts = letter.facts
    fields = " ".join(
        f"{shown(name, _FIELD_LETTERS)}={shown(value, _FIELD_LETTERS)}"
        for name, value in pairs_of(letter.fields)
    )
    return (
        letter.entry_id.decode(),
        shown(facts[b"original_stream"]),
        shown(facts[b"original_id"]),
        shown(facts[b"group"]),
        shown(facts[b"consumer"]) or "-",
        shown(facts[b"deliveries"]),
        shown(facts[b"reason"]),
        duration_words(_age(letter, now_ms)),
        fields,
    )


def _document(letter: Letter) -> dict[str, Any]:
    facts = {name.decode(): json_name(value) for name, value in letter.facts.items()}
    for name in ("deliveries", "dead_lettered_at"):
        if facts[name].isdigit():
            facts[name] = int(facts[name])  # type: ignore[assignment]
    return {
        "id": letter.entry_id.decode(),
        **facts,
        "fields": json_fields(pairs_of(letter.fields)),
    }


# --- redrive ---


@dead_letters.command("redrive", context_settings=CONTEXT)
@click.argument("key", type=KEY)
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option(
    "--to", type=KEY, metavar="KEY", help="Where they go, instead of where they are from."
)
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="The oldest N only.")
@server_command
def redrive(
    link: Link, out: Output, key: bytes, ids: tuple[str, ...], to: bytes | None, count: int | None
) -> None:
    """Send dead letters back to the streams that they come from; they are delivered again.

    \b
    headwater dead-letters redrive orders                   all of them
    headwater dead-letters redrive orders --count 10
    headwater dead-letters redrive orders 1700000000000-0   some of them
    headwater dead-letters redrive orders --to orders:again

    KEY is the stream that holds them, or the stream from which they come. Those that come while
    this works are left for another time. A dead letter is never lost or doubled on the way.
    """
    if ids and count:
        raise Failure("--count and IDs exclude each other", status=MISUSED)
    key = _stream_of(link, out, key)
    words = [to_bytes(entry_id) for entry_id in ids]
    work = _Native(link, key, to) if link.is_headwater else _Transactions(link, key, to)
    moved: list[tuple[bytes, bytes]] = []
    total = min(link.call("XLEN", key), len(ids) or count or (1 << 62))
    failed: Failure | None = None
    with out.progress("sending back", total) as bar:
        try:
            for page in work.move(words, total):
                moved += page
                bar.advance(len(page))
        except Failure as failure:
            failed = failure
        except redis.ResponseError as error:
            failed = Failure(str(error).partition(" ")[2] or str(error))
    if out.json:
        out.document([{"id": a.decode(), "new_id": b.decode()} for a, b in moved])
    else:
        one = "dead letter was" if len(moved) == 1 else "dead letters were"
        out.line(f"{number_words(len(moved))} {one} sent back")
    stay = len(set(words)) - len(moved) if words else 0
    if failed is not None:
        raise failed
    if stay > 0:
        raise Failure(f"{stay} of the IDs are not there, or have to stay", status=FAILED)


class _Native:
    """By XREDRIVE."""

    def __init__(self, link: Link, key: bytes, to: bytes | None) -> None:
        self._link = link
        self._words: list[Any] = ["XREDRIVE", key]
        if to is not None:
            self._words += ["TO", to]

    def move(self, ids: list[bytes], count: int) -> Iterator[list[tuple[bytes, bytes]]]:
        """Move those, or the oldest `count`; yields old and new IDs."""
        if ids:
            for begin in range(0, len(ids), AT_ONCE):
                page = ids[begin : begin + AT_ONCE]
                yield self._pairs("IDS", len(page), *page)
            return
        left = count
        while left > 0:
            try:
                pairs = self._pairs("COUNT", min(left, AT_ONCE))
            except redis.ResponseError as error:
                if left < count and _NO_LETTER in str(error):
                    return  # what is left are other entries
                raise
            if not pairs:
                return
            yield pairs
            left -= len(pairs)

    def _pairs(self, *words: Any) -> list[tuple[bytes, bytes]]:
        return [(old, new) for old, new in self._link.call(*self._words, *words)]


class _Transactions:
    """By MULTI with XADD and XDEL, for servers that have no XREDRIVE.

    The streams are watched from the look at the dead letters to EXEC: nobody else can have taken
    one of them meanwhile, and what they go to is a stream.
    """

    def __init__(self, link: Link, key: bytes, to: bytes | None) -> None:
        self._key = key
        self._to = to
        self._client: Any = redis.Redis(connection_pool=link.client.connection_pool)
        self._client.response_callbacks.clear()
        self._link = link

    def move(self, ids: list[bytes], count: int) -> Iterator[list[tuple[bytes, bytes]]]:
        """As _Native.move."""
        if ids:
            for begin in range(0, len(ids), IN_ONE_TRANSACTION):
                yield self._move_page(ids[begin : begin + IN_ONE_TRANSACTION])
            return
        newest = self._link.call("XREVRANGE", self._key, "+", "-", "COUNT", 1)
        if not newest:
            return
        left = count
        page: list[bytes] = []
        for entry_id, flat in _entries(self._link, self._key, newest[0][0]):
            if letter_of(entry_id, flat) is None:
                continue
            page.append(entry_id)
            if len(page) == min(left, IN_ONE_TRANSACTION):
                moved = self._move_page(page)
                yield moved
                left -= len(page)
                page = []
                if left <= 0:
                    return
        if page:
            yield self._move_page(page)

    def _move_page(self, ids: list[bytes]) -> list[tuple[bytes, bytes]]:
        for _ in range(ATTEMPTS):
            with self._client.pipeline(transaction=True) as pipeline:
                try:
                    return self._attempt(pipeline, ids)
                except redis.WatchError:
                    continue
        raise Failure(
            f"{shown(self._key)} changes all the time, so that no transaction came about",
            "What was moved before is told above; try again.",
        )

    def _attempt(self, pipeline: Any, ids: list[bytes]) -> list[tuple[bytes, bytes]]:
        pipeline.watch(self._key)
        letters = []
        for entry_id in ids:
            rows = pipeline.execute_command("XRANGE", self._key, entry_id, entry_id)
            letter = letter_of(*rows[0]) if rows else None
            if letter is not None:
                letters.append(letter)
        targets = {self._target(letter) for letter in letters} - {self._key}
        for target in targets:
            pipeline.watch(target)
            kind = pipeline.execute_command("TYPE", target)
            if kind not in (b"none", b"stream"):
                raise Failure(
                    f"{shown(target)} takes no dead letters: it is a {kind.decode()}",
                    "--to names another stream.",
                )
        if not letters:
            return []
        pipeline.multi()
        for letter in letters:
            pipeline.execute_command("XADD", self._target(letter), "*", *letter.fields)
            pipeline.execute_command("XDEL", self._key, letter.entry_id)
        replies = pipeline.execute()
        return [(letter.entry_id, new) for letter, new in zip(letters, replies[::2], strict=True)]

    def _target(self, letter: Letter) -> bytes:
        return self._to if self._to is not None else letter.facts[b"original_stream"]
