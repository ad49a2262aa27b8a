"""`headwater add`: append entries to a stream, from the command line or from JSON lines."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
import redis

from headwater.cli.connect import Link
from headwater.cli.failure import MISUSED, Failure
from headwater.cli.json_lines import Line, read_lines
from headwater.cli.output import Output, Progress
from headwater.cli.parameters import CONTEXT, KEY, server_command, to_bytes
from headwater.cli.words import counted, shown

BATCH_ENTRIES = 500
BATCH_BYTES = 1 << 20
"""What goes to the server in one turn; less when lines come slowly: none waits for others."""

_READ_BYTES = 256 * 1024


@click.command("add", context_settings=CONTEXT)
@click.argument("key", type=KEY)
@click.argument("fields", nargs=-1, metavar="[FIELD=VALUE]...")
@click.option(
    "--json-lines",
    "source",
    metavar="FILE",
    help="Add an entry for each line of a file, '-' for the standard input: objects of fields, or "
    "lines of `headwater export`.",
)
@click.option("--id", "entry_id", default=None, metavar="ID", help="The entry's ID.  [*]")
@click.option(
    "--keep-ids", is_flag=True, help="Of JSON lines: add entries under the IDs that they have."
)
@click.option(
    "--maxlen", type=click.IntRange(min=0), metavar="N", help="Trim the stream to about N entries."
)
@click.option(
    "--create/--no-create",
    default=True,
    help="Whether a stream that is not there is made.  [create]",
)
@server_command
def add(
    link: Link,
    out: Output,
    key: bytes,
    fields: tuple[str, ...],
    source: str | None,
    entry_id: str | None,
    keep_ids: bool,
    maxlen: int | None,
    create: bool,
) -> None:
    """Append entries to the stream KEY and print their IDs.

    \b
    headwater add orders customer=ada total=12.50
    headwater add orders --json-lines orders.jsonl
    make-events | headwater add orders --json-lines -

    What stands before the first '=' is the field's name.
    """
    before: list[bytes | str | int] = ["XADD", key]
    if not create:
        before.append("NOMKSTREAM")
    if maxlen is not None:
        before += ["MAXLEN", "~", maxlen]
    if source is None:
        if keep_ids:
            raise Failure("--keep-ids goes with --json-lines", status=MISUSED)
        reply = link.call(*before, entry_id or "*", *_words(fields))
        if reply is None:
            raise _no_stream(key)
        _tell(out, reply)
        return
    if fields or entry_id:
        raise Failure(
            "fields and --id are for one entry, --json-lines brings many",
            "--keep-ids adds lines under the IDs that they have.",
            MISUSED,
        )
    _Adding(link, out, key, before, keep_ids).add_all(source)


def _words(fields: tuple[str, ...]) -> list[bytes]:
    if not fields:
        raise Failure(
            "there is nothing to add",
            "Fields are written name=value: headwater add orders customer=ada total=12.50",
            MISUSED,
        )
    words: list[bytes] = []
    for field in fields:
        name, equals, value = field.partition("=")
        if not equals:
            raise Failure(
                f"{shown(field)} is no field",
                f"Fields are written name=value: {shown(field)}=...",
                MISUSED,
            )
        words += [to_bytes(name), to_bytes(value)]
    return words


def _no_stream(key: bytes) -> Failure:
    return Failure(f"there is no stream {shown(key)}", "Without --no-create it would be made.")


def _tell(out: Output, entry_id: bytes) -> None:
    if out.json:
        out.record({"id": entry_id.decode()})
    else:
        out.line(entry_id.decode())


class _Adding:
    """The lines of a file on their way into a stream. `added`: entries that are there."""

    def __init__(
        self, link: Link, out: Output, key: bytes, before: list[Any], keep_ids: bool
    ) -> None:
        self.added = 0
        self._link = link
        self._out = out
        self._key = key
        self._before = before
        self._keep_ids = keep_ids
        self._batch: list[Line] = []

    def add_all(self, source: str) -> None:
        """Add every line. Raises Failure, which says how many lines were added before."""
        name = "the standard input" if source == "-" else shown(source)
        with (
            opened(source) as file,
            self._out.progress("adding", None, not _is_shown(self._out)) as bar,
        ):
            try:
                self._read(file, name, bar)
            except Failure as failure:
                if self._batch and not failure.text.startswith("line "):
                    self._send(bar)
                raise self._with_count(failure) from None
            except redis.RedisError:
                certain = counted(self.added, "entry", "entries")
                self._out.note(f"{certain} added for certain, then this happened:")
                raise

    def _read(self, file: LineFile, name: str, bar: Progress) -> None:
        size = 0
        for line in read_lines(file, name):
            self._batch.append(line)
            size += sum(map(len, line.fields))
            if len(self._batch) >= BATCH_ENTRIES or size >= BATCH_BYTES or file.is_waiting():
                self._send(bar)
                size = 0
        self._send(bar)

    def _send(self, bar: Progress) -> None:
        batch, self._batch = self._batch, []
        commands = [(*self._before, self._id(line), *line.fields) for line in batch]
        for line, reply in zip(batch, self._link.calls(commands), strict=True):
            if isinstance(reply, redis.RedisError):
                text = str(reply)
                raise Failure(f"line {line.number}: {text}", self._hint(text))
            if reply is None:
                raise _no_stream(self._key)
            self.added += 1
            _tell(self._out, reply)
        self._out.flush()
        bar.advance(len(batch))

    def _id(self, line: Line) -> bytes:
        return line.entry_id or b"*" if self._keep_ids else b"*"

    def _hint(self, text: str) -> str:
        if "equal or smaller" in text:
            return "Entries go behind what the stream has; without --keep-ids they get new IDs."
        if text.startswith("WRONGTYPE"):
            return "The key holds no stream: `headwater ls` lists the streams."
        return ""

    def _with_count(self, failure: Failure) -> Failure:
        told = f"{counted(self.added, 'entry', 'entries')} added before it."
        hint = f"{failure.hint}\n{told}" if failure.hint else told
        return Failure(failure.text, hint, failure.status)


def _is_shown(out: Output) -> bool:
    return out.stream.isatty()


class LineFile:
    """Lines of a descriptor, and whether another one can be had without waiting."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._buffer = bytearray()
        self._searched = 0
        self._ended = False

    def readline(self, limit: int = -1) -> bytes:
        """The next line with its end; the rest at the end of the file, then nothing."""
        while (at := self._buffer.find(b"\n", self._searched)) < 0:
            self._searched = len(self._buffer)
            if self._ended or 0 <= limit <= len(self._buffer):
                return self._take(len(self._buffer))
            data = os.read(self._descriptor, _READ_BYTES)
            self._ended = not data
            self._buffer += data
        return self._take(at + 1)

    def _take(self, count: int) -> bytes:
        line = bytes(self._buffer[:count])
        del self._buffer[:count]
        self._searched = 0
        return line

    def is_waiting(self) -> bool:
        """Whether the next line would have to be waited for."""
        if self._ended or b"\n" in self._buffer:
            return False
        return not select.select([self._descriptor], [], [], 0)[0]


@contextmanager
def opened(source: str) -> Iterator[LineFile]:
    """A file to read lines from, '-' for the standard input. Raises Failure."""
    if source == "-":
        yield LineFile(sys.stdin.fileno())
        return
    try:
        descriptor = os.open(source, os.O_RDONLY)
    except OSError as error:
        raise Failure(f"{shown(source)}: {error.strerror}", status=MISUSED) from None
    try:
        yield LineFile(descriptor)
    finally:
        os.close(descriptor)
