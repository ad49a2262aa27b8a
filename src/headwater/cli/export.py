"""`headwater export`: data of a server or a data directory into an RDB file or JSON lines."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any

import click

from headwater._version import REDIS_VERSION
from headwater.cli.connect import SCHEMES, Link, open_link, shown_url
from headwater.cli.entries import Pages
from headwater.cli.failure import MISUSED, Failure, no_such_key, not_a_stream
from headwater.cli.files import whole_file
from headwater.cli.json_lines import entry_line, key_text
from headwater.cli.output import Output
from headwater.cli.parameters import CONTEXT, KEY, json_option, reported, url_option
from headwater.cli.rdb_files import (
    NoSync,
    RdbWriter,
    Written,
    copy_as_replica,
    databases_of,
    dump_everything,
    dump_keys,
)
from headwater.cli.reading import Caller, Databases, FastCaller, bytes_of, keys_of, load_directory
from headwater.cli.words import counted, facts_of, number_words, shown, size_words
from headwater.engine import Engine
from headwater.journal.disk import Disk
from headwater.keyspace.cut import Cut
from headwater.persistence.datadir import DataDirectory
from headwater.persistence.snapshot import WORKING, Snapshot
from headwater.rdb.encoder import dump_payload, standard_aux

RDB, JSONL = "rdb", "jsonl"
STEP_US = 20_000
_ENDINGS = {".rdb": RDB, ".jsonl": JSONL, ".ndjson": JSONL, ".json": JSONL}

_COUNTED = {"keys": ("key",), "streams": ("stream",), "entries": ("entry", "entries")}


@click.command("export", context_settings=CONTEXT)
@click.argument("keys", type=KEY, nargs=-1, metavar="[KEY]...")
@click.option(
    "--format",
    "-f",
    "form",
    type=click.Choice((RDB, JSONL)),
    help="RDB, for any Redis; or JSON lines, an entry each.  [by the file's ending; jsonl]",
)
@click.option("--output", "-o", "path", default="-", metavar="FILE", help="Where to.  [-]")
@click.option(
    "--db", type=click.IntRange(min=0), help="The database, where it is a directory.  [0]"
)
@click.option(
    "--appenddirname", default="appendonlydir", metavar="NAME", help="As in the configuration."
)
@click.option("--dbfilename", default="dump.rdb", metavar="NAME", help="As in the configuration.")
@url_option
@json_option
def export(
    keys: tuple[bytes, ...],
    form: str | None,
    path: str,
    db: int | None,
    appenddirname: str,
    dbfilename: str,
    url: str,
    as_json: bool,
) -> None:
    """Write the data of a server, or of a data directory, into a file.

    \b
    headwater export -o backup.rdb                    everything
    headwater export orders -o orders.jsonl           one stream
    headwater export --url /var/lib/headwater -o backup.rdb

    RDB has everything: all databases and types, groups and what is pending, times of expiry. Of a
    Redis it is one moment, as a replica gets it; of a Headwater each key is as it was when its turn
    came; of a data directory, which a server may be using, one moment, with all settings.

    JSON lines have the entries of streams, one a line: {"key": ..., "id": ..., "fields": {...}}.
    Bytes that are not UTF-8 stand as {"base64": "..."}. `headwater import` reads both.
    """
    with reported(url):
        form = form or _ENDINGS.get(os.path.splitext(path)[1].lower(), JSONL)
        out = Output(as_json)
        if form == RDB and path == "-" and sys.stdout.isatty():
            raise Failure("an RDB file is nothing for a terminal", "Give -o FILE.", MISUSED)
        begun = time.monotonic()
        place = "://" not in url and os.path.isdir(url)
        if place:
            told = _from_directory(
                out, _directory(url, appenddirname, dbfilename), list(keys), form, path, db or 0
            )
        else:
            if db is not None:
                raise Failure("--db goes with a data directory", "A URL ends in /DB.", MISUSED)
            if "://" in url and url.partition("://")[0].lower() not in SCHEMES:
                pass  # open_link says what is wrong
            with open_link(url) as link:
                told = _from_server(out, link, list(keys), form, path)
        _tell(out, told, url, path, time.monotonic() - begun)


def _missing(key: bytes) -> Failure:
    """The failure for a key that is not there; it may be the name of the file to write."""
    name = shown(key)
    if os.path.splitext(name)[1].lower() in _ENDINGS:
        return Failure(f"there is no key {name}", f"If that is the file to write: -o {name}")
    return no_such_key(name)


def _directory(url: str, appenddirname: str, dbfilename: str) -> DataDirectory:
    return DataDirectory(Disk(), os.path.normpath(url), appenddirname, dbfilename)


def _tell(out: Output, told: dict[str, Any], url: str, path: str, seconds: float) -> None:
    if out.json and path != "-":
        out.document({"file": path, **told, "seconds": round(seconds, 3)})
        return
    parts = [
        counted(told[name], *one) for name, one in _COUNTED.items() if told.get(name) is not None
    ]
    parts.append(size_words(told["bytes"]))
    target = "the standard output" if path == "-" else shown(path)
    if "entries" in told and seconds >= 1:
        parts.append(f"{number_words(int(told['entries'] / seconds))} entries a second")
    out.note(f"exported {shown_url(url)} to {target}: {', '.join(parts)}")


# --- from a server ---


def _from_server(
    out: Output, link: Link, keys: list[bytes], form: str, path: str
) -> dict[str, Any]:
    if form == JSONL:
        reader = FastCaller(link)
        try:
            return _json_lines(out, reader.call, keys, path)
        finally:
            reader.close()
    for key in keys:
        if not link.call("EXISTS", key):
            raise _missing(key)
    with whole_file(path) as file:
        if keys:
            with out.progress("exporting keys", len(keys)):
                written = dump_keys(link, keys, file)
        else:
            written = _everything(out, link, file)
    if link.is_headwater and (lost := _streams_with_settings(link, keys)):
        what = "1 stream has" if lost == 1 else f"{lost:,} streams have"
        out.note(
            f"note: {what} settings, a schedule or a schema, which are not in what DUMP gives; "
            "`headwater export --url DATA_DIRECTORY` has them"
        )
    return {"format": RDB, "keys": written.keys, "bytes": written.size}


def _everything(out: Output, link: Link, file: IO[bytes]) -> Written:
    if not link.is_headwater and not link.embedded:
        try:
            with out.progress("receiving a snapshot, bytes") as bar:
                return copy_as_replica(link, file, bar.update)
        except NoSync as refused:
            out.note(f"the server sends no snapshot ({shown(str(refused))}): key by key, then")
    with out.progress("exporting keys") as bar:
        return dump_everything(link, file, bar.update)


_PLAIN: tuple[Any, ...] = (0, b"", b"no", b"time", [], None)
"""Settings of a stream or a group that are as they come."""


def _streams_with_settings(link: Link, keys: list[bytes]) -> int:
    """How many streams of a Headwater have what DUMP leaves out."""
    databases = Databases(link)
    count = 0
    for number in [databases.own] if keys else sorted(databases_of(link)):
        pages = iter([keys]) if keys else keys_of(databases.caller(number), "stream")
        for page in pages:
            commands = [
                words
                for key in page
                for words in (
                    ("XCFGGET", key),
                    ("XINFO", "GROUPS", key),
                    ("XSCHEDULE", "LIST", key, "COUNT", 1),
                    ("XSCHEMA", "LIST", key),
                )
            ]
            replies = databases.calls(number, commands)
            for i in range(0, len(replies), 4):
                count += _has_settings(*replies[i : i + 4])
    return count


def _has_settings(stream: Any, groups: Any, schedule: Any, schemas: Any) -> bool:
    if any(isinstance(reply, Exception) for reply in (stream, groups, schedule, schemas)):
        return False
    for flat, names in [(stream, _OF_STREAM), *((row, _OF_GROUP) for row in groups)]:
        facts = facts_of(flat)
        if any(facts.get(name) not in _PLAIN for name in names):
            return True
    return bool(schedule or schemas)


_OF_STREAM = ("retain-maxlen", "retain-maxage", "retain-maxbytes", "retain-acked")
_OF_GROUP = (
    *("ackwait", "backoff", "maxdeliveries", "maxpending", "groupmaxpending", "orderby"),
    *("lease", "consumerttl", "groupttl"),
)


# --- from a directory ---


def _from_directory(
    out: Output, directory: DataDirectory, keys: list[bytes], form: str, path: str, database: int
) -> dict[str, Any]:
    with out.progress("reading files, bytes", bytes_of(directory)) as bar:
        engine = load_directory(
            directory.path,
            os.path.basename(directory.journal),
            os.path.basename(directory.snapshot),
            bar.advance,
        )
    if database >= len(engine.keyspace.databases):
        raise Failure(f"there is no database {database}", status=MISUSED)
    caller = Caller(engine, database)
    if form == JSONL:
        return _json_lines(out, caller.call, keys, path)
    with whole_file(path) as file:
        if keys:
            written = _chosen(engine, database, keys, file)
        else:
            written = _all_of(out, engine, file)
    return {"format": RDB, "keys": written.keys, "bytes": written.size}


class _Sink:
    """A file as Snapshot writes to one."""

    def __init__(self, file: IO[bytes]) -> None:
        self.error: str | None = None
        self.done = False
        self.written = 0
        self._file = file

    def is_full(self) -> bool:
        return False

    def put(self, piece: bytes) -> None:
        self._file.write(piece)
        self.written += len(piece)

    def finish(self) -> None:
        self.done = True

    def abort(self) -> None:
        self.done = True

    def join(self) -> None:
        """Nothing is done to the file elsewhere."""


def _all_of(out: Output, engine: Engine, file: IO[bytes]) -> Written:
    keyspace = engine.keyspace
    aux = standard_aux(REDIS_VERSION, keyspace.clock.now_ms // 1000, 0, False)
    sink: Any = _Sink(file)
    snapshot = Snapshot(Cut(keyspace, True), sink, aux, compress=True, checksum=True)
    with out.progress("writing keys", snapshot.keys) as bar:
        while snapshot.state == WORKING:
            snapshot.step(STEP_US)
            bar.update(snapshot.keys_done)
    if snapshot.error is not None:
        raise Failure(f"the snapshot could not be written: {snapshot.error}")
    return Written(snapshot.keys_done, sink.written)


def _chosen(engine: Engine, database: int, keys: list[bytes], file: IO[bytes]) -> Written:
    writer = RdbWriter(file, engine.clock.now_ms // 1000)
    table = engine.keyspace.databases[database]
    for key in keys:
        value = table.lookup_read(key)
        if value is None:
            raise _missing(key)
        writer.add(database, key, dump_payload(value, True), value.expire_at)
    return writer.finish()


# --- JSON lines ---


def _json_lines(
    out: Output, call: Callable[..., Any], keys: list[bytes], path: str
) -> dict[str, Any]:
    """Write the entries of streams; each stream is as it was when its turn came."""
    for key in keys:
        kind = call("TYPE", key).decode()
        if kind == "none":
            raise _missing(key)
        if kind != "stream":
            raise not_a_stream(shown(key), kind)
    total, others = 0, 0
    if not keys:
        keys = [key for page in keys_of(call, "stream") for key in page]
        keys.sort()
        others = max(0, call("DBSIZE") - len(keys))
    total = sum(call("XLEN", key) for key in keys)
    entries = size = 0
    seen = path == "-" and sys.stdout.isatty()
    with _text_file(path) as file, out.progress("exporting entries", total, not seen) as bar:
        for key in keys:
            for page in _pages(call, key):
                name = key_text(key)
                text = "".join([entry_line(name, row[0], row[1]) for row in page]).encode()
                file.write(text)
                size += len(text)
                entries += len(page)
                bar.advance(len(page))
    if others:
        what = (
            "1 key that is no stream is"
            if others == 1
            else f"{others:,} keys that are no streams are"
        )
        out.note(f"{what} left out; --format rdb has them")
    return {"format": JSONL, "streams": len(keys), "entries": entries, "bytes": size}


def _pages(call: Callable[..., Any], key: bytes) -> Iterator[list[Any]]:
    """The entries of a stream up to the last that it has now."""
    last = call("XREVRANGE", key, "+", "-", "COUNT", 1)
    if not last:
        return
    pages = Pages()
    start, end = b"-", last[0][0]
    while True:
        size = pages.size
        rows = call("XRANGE", key, start, end, "COUNT", size)
        if rows:
            yield rows
            start = b"(" + rows[-1][0]
        if len(rows) < size or rows[-1][0] == end:
            return
        pages.came(rows)


@contextmanager
def _text_file(path: str) -> Iterator[IO[bytes]]:
    if path == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with whole_file(path) as file:
        yield file
