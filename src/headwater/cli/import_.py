"""`headwater import`: data from files into a data directory, or into a running server."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from typing import Any

import click
import redis

from headwater.cli.add import opened
from headwater.cli.connect import URL_VARIABLE, Link, open_link, shown_url
from headwater.cli.ending import held, undisturbed
from headwater.cli.failure import FAILED, MISUSED, Failure
from headwater.cli.output import Output
from headwater.cli.parameters import CONTEXT, KEY, json_option, reported
from headwater.cli.reading import Caller
from headwater.cli.sending import REFUSE, REPLACE, SKIP, KeySender, LineSender, Sent
from headwater.cli.words import counted, number_words, shown
from headwater.clock import Clock, ManualClock
from headwater.config import Config
from headwater.engine import Engine
from headwater.journal.disk import Disk
from headwater.journal.format import JournalError
from headwater.persistence.creating import NewJournal
from headwater.persistence.datadir import DataDirectory
from headwater.persistence.importing import Imported, Importer, find_files
from headwater.persistence.loading import SnapshotLoader
from headwater.rdb.types import MAGIC
from headwater.streams.stream import Stream

DATABASES = "1024"
"""More than any Redis has that somebody imports; they cost next to nothing."""

STEP_US = 20_000
_LOOK_BYTES = 4096
_REFUSALS = 10
_SIGNALLED = (KeyboardInterrupt, SystemExit)
"""What a signal raises: see headwater.cli.ending."""


@click.command("import", context_settings=CONTEXT)
@click.argument("source", type=click.Path(allow_dash=True))
@click.option("--dir", "directory", metavar="DIR", help="The data directory to fill (.).")
@click.option("--url", "-u", metavar="URL", help="The running server to fill, instead.")
@click.option("--force", is_flag=True, help="Replace the data that the directory has already.")
@click.option("--replace", is_flag=True, help="Replace keys that the server has already.")
@click.option("--skip-existing", is_flag=True, help="Leave keys alone that the server has already.")
@click.option("--skip-unknown", is_flag=True, help="Leave out what Headwater does not have.")
@click.option("--key", type=KEY, help="Of JSON lines: the stream that all of them go to.")
@json_option
def import_(
    source: str,
    directory: str | None,
    url: str | None,
    force: bool,
    replace: bool,
    skip_existing: bool,
    skip_unknown: bool,
    key: bytes | None,
    as_json: bool,
) -> None:
    """Take over data into a data directory, on which no server runs, or into a running server.

    \b
    headwater import dump.rdb --dir /var/lib/headwater
    headwater import orders.jsonl --url redis://127.0.0.1:6379

    SOURCE is an RDB file, an append-only file, the manifest or the directory of append-only files,
    Redis's data directory, or JSON lines as `headwater export` writes them ('-': from the standard
    input).

    A data directory is filled completely or not at all. A server gets keys by RESTORE and entries
    by XADD under their own IDs; when that was interrupted, the same command with --skip-existing
    goes on: entries of JSON lines that are there already are passed over anyway.
    """
    out = Output(as_json)
    with reported(url or directory or "."):
        if url is not None and directory is not None:
            raise Failure("--dir and --url are two places; one of them is filled", status=MISUSED)
        if replace and skip_existing:
            raise Failure("--replace and --skip-existing exclude each other", status=MISUSED)
        if url is None and (replace or skip_existing):
            raise Failure("--replace and --skip-existing go with --url", status=MISUSED)
        if url is None and directory is None and os.environ.get(URL_VARIABLE):
            raise Failure(
                f"{URL_VARIABLE} names a server, and `import` by itself fills the directory it is "
                "called in",
                f"Say which is meant: --url {shown_url(os.environ[URL_VARIABLE])}, or --dir .",
                MISUSED,
            )
        if url is not None:
            present = REPLACE if replace else SKIP if skip_existing else REFUSE
            with open_link(url) as link:
                status = _into_server(out, link, source, present, skip_unknown, key)
        else:
            status = run_import(source, directory, force, skip_unknown, out, key)
    sys.exit(status)


def is_json_lines(source: str) -> bool:
    """Whether a file begins as an object of JSON does; what is read from '-' is nothing else."""
    if source == "-":
        return True
    if not os.path.isfile(source):
        return False
    with open(source, "rb") as file:
        return file.read(_LOOK_BYTES).lstrip()[:1] == b"{"


# --- into a data directory ---


def run_import(
    source: str,
    directory: str | None,
    force: bool,
    skip_unknown: bool,
    out: Output | None = None,
    key: bytes | None = None,
) -> int:
    """Import `source` into the data directory; returns the exit status. Raises Failure, OSError."""
    out = out or Output()
    config = Config()
    config.assign("databases", [DATABASES])
    if directory is not None:
        config.assign("dir", [directory])
    disk, target = Disk(), config.get_text("dir")
    place = DataDirectory(
        disk, target, config.get_text("appenddirname"), config.get_text("dbfilename")
    )
    journal = NewJournal(disk, place, force)
    try:
        return _into_directory(out, source, config, journal, skip_unknown, key)
    except _SIGNALLED:
        done = "everything was imported already" if journal.complete else "nothing was imported"
        out.note(f"headwater: interrupted; {done}")
        raise
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        raise Failure(f"{name}{error.strerror or error}") from None


def _into_directory(
    out: Output, source: str, config: Config, journal: NewJournal, skip: bool, key: bytes | None
) -> int:
    journal.check()
    clock = ManualClock(Clock().now_ms)
    engine = Engine(config, clock)
    if is_json_lines(source):
        result = _read_lines(out, source, engine, key)
    else:
        importer = Importer(Disk(), source, engine.state, clock)
        with out.progress("reading, bytes", importer.total) as bar:
            for _ in importer.steps():
                bar.update(importer.done)
        result = importer.result
    for warning in result.warnings:
        _say(out, f"warning: {warning}")
    missing = result.missing()
    if missing:
        _say(out, "not supported by Headwater: " + "; ".join(missing))
        if not skip:
            _say(out, "headwater: nothing was imported; with --skip-unknown everything else is")
            return FAILED
    with (
        out.progress("writing keys", result.keys) as bar,
        undisturbed(closing(journal.steps(engine.keyspace))) as steps,
    ):
        while not journal.complete:
            with held():  # whatever comes in the last step, it is known what was done
                next(steps, None)
            bar.update(journal.keys_written)
    _tell(out, result, source, config.get_text("dir"))
    return 0


def _read_lines(out: Output, source: str, engine: Engine, key: bytes | None) -> Imported:
    """Entries of JSON lines, into the engine's database 0."""
    caller = Caller(engine, 0)

    def calls(commands: list[tuple[Any, ...]]) -> list[Any]:
        replies = []
        for words in commands:
            try:
                replies.append(caller.call(*words))
            except Failure as failure:
                replies.append(redis.ResponseError(failure.text))
        return replies

    sender = LineSender(caller.call, calls)
    with opened(source) as file, out.progress("reading, bytes", _size(source)) as bar:
        sender.send_all(file, _name(source), key, bar.update)
    if sender.sent.refused:
        raise _refusal(sender.sent, "nothing was imported")
    result = Imported([source])
    result.databases = 1
    for value in engine.keyspace.databases[0].values.values():
        result.keys += 1
        assert isinstance(value, Stream)
        result.streams += 1
        result.entries += value.length
    return result


def _tell(out: Output, result: Imported, source: str, target: str) -> None:
    many = result.databases > Config().get_int("databases")
    more = f" --databases {result.databases}" if many else ""
    if out.json:
        out.document(
            {
                "directory": target,
                "keys": result.keys,
                "streams": result.streams,
                "entries": result.entries,
                "groups": result.groups,
                "pending": result.pending,
                "libraries": result.libraries,
                "databases": result.databases,
                "commands": result.commands,
                "left_out": {**result.missing_types, **result.missing_commands},
                "warnings": result.warnings,
            }
        )
        return
    commands = f" ({counted(result.commands, 'command')})" if result.commands else ""
    libraries = f", {_libraries(result.libraries)}" if result.libraries else ""
    streams = f"{result.streams} of them streams" if result.streams != 1 else "1 of them a stream"
    groups = counted(result.groups, "group")
    pending = counted(result.pending, "pending entry", "pending entries")
    out.line(
        f"imported {source}{commands} into {target}: {counted(result.keys, 'key')}, {streams} "
        f"with {counted(result.entries, 'entry', 'entries')}, {groups} with {pending}{libraries}\n"
        f"start with: headwater serve --dir {target}{more}"
    )


# --- into a server ---


def _into_server(
    out: Output, link: Link, source: str, present: str, skip_unknown: bool, key: bytes | None
) -> int:
    link.call("PING")
    if is_json_lines(source):
        return _lines_into_server(out, link, source, key)
    if key is not None:
        raise Failure("--key goes with JSON lines", status=MISUSED)
    sender = KeySender(link, present)
    try:
        missing = _send_keys(out, source, sender)
    except (*_SIGNALLED, redis.RedisError, JournalError):
        out.note(_done_words(sender.sent, link.url, "before this happened"))
        raise
    return _end(out, link, sender.sent, missing, skip_unknown, present)


def _send_keys(out: Output, source: str, sender: KeySender) -> list[str]:
    """Send every key of the source; returns what was left out of it, in words."""
    disk = Disk()
    files = find_files(disk, source)
    if len(files) == 1 and _begins_as_rdb(files[0]):
        loader = SnapshotLoader(disk, files[0], sender, skip_unknown=True)
        try:
            with out.progress("sending, bytes", disk.size(files[0])) as bar:
                while not loader.step(STEP_US):
                    bar.update(loader.loaded)
        finally:
            loader.close()
        sender.flush()
        return [f"{n} keys of type {kind}" for kind, n in sorted(sender.sent.missing_types.items())]
    # Commands change keys again and again: they are run here, and what comes out is sent.
    clock = ManualClock(Clock().now_ms)
    config = Config()
    config.assign("databases", [DATABASES])
    engine = Engine(config, clock)
    importer = Importer(disk, source, engine.state, clock)
    with out.progress("reading, bytes", importer.total) as bar:
        for _ in importer.steps():
            bar.update(importer.done)
    for warning in importer.result.warnings:
        out.note(f"warning: {warning}")
    for code in engine.keyspace.libraries.codes.values():
        sender.function(code)
    with out.progress("sending keys", importer.result.keys) as bar:
        for table in engine.keyspace.databases:
            for name, value in table.values.items():
                sender.key(table.index, name, value, value.expire_at, -1, -1)
                bar.advance()
    sender.flush()
    return importer.result.missing()


def _begins_as_rdb(path: str) -> bool:
    with open(path, "rb") as file:
        return file.read(len(MAGIC)) == MAGIC and not path.endswith(".aof")


def _lines_into_server(out: Output, link: Link, source: str, key: bytes | None) -> int:
    sender = LineSender(link.call, link.calls)
    try:
        with opened(source) as file, out.progress("sending, bytes", _size(source)) as bar:
            sender.send_all(file, _name(source), key, bar.update)
    except (*_SIGNALLED, redis.RedisError, Failure):
        out.note(_done_words(sender.sent, link.url, "before this happened"))
        raise
    return _end(out, link, sender.sent, [], True, SKIP)


def _end(
    out: Output, link: Link, sent: Sent, missing: list[str], skip_unknown: bool, present: str
) -> int:
    """Tell what was done; returns the exit status."""
    if out.json:
        out.document(
            {
                "url": link.url,
                "keys": sent.keys,
                "streams": sent.streams,
                "entries": sent.entries,
                "present": sent.present,
                "libraries": sent.libraries,
                "refused": sent.refused,
                "left_out": missing,
            }
        )
    else:
        out.line(_done_words(sent, link.url))
    if sent.settings:
        out.note(
            f"note: {counted(sent.settings, 'stream')} with settings that no RESTORE carries; "
            "`headwater import --dir` takes them over"
        )
    status = 0
    if missing:
        out.note("not known to this program, and left out: " + "; ".join(missing))
        status = status if skip_unknown else FAILED
    if sent.present and present == REFUSE:
        out.note(
            f"{counted(sent.present, 'key')} there already, and left alone: --replace replaces, "
            "--skip-existing finds that in order"
        )
        status = FAILED
    if sent.refused:
        failure = _refusal(sent, counted(len(sent.refused), "refusal"))
        out.note(f"headwater: {failure.text}\n{failure.hint}")
        status = FAILED
    return status


def _done_words(sent: Sent, url: str, when: str = "") -> str:
    what = [counted(sent.keys, "key")] if sent.keys or not sent.entries else []
    if sent.streams:
        what.append(counted(sent.streams, "stream"))
    if sent.entries:
        what.append(counted(sent.entries, "entry", "entries"))
    if sent.libraries:
        what.append(_libraries(sent.libraries))
    if sent.present:
        what.append(f"{number_words(sent.present)} there already")
    return f"imported into {url}{' ' + when if when else ''}: {', '.join(what)}"


def _libraries(count: int) -> str:
    return counted(count, "library of functions", "libraries of functions")


def _refusal(sent: Sent, told: str) -> Failure:
    lines = sent.refused[:_REFUSALS]
    more = len(sent.refused) - len(lines)
    return Failure("\n".join(lines + ([f"... and {more} more"] if more else [])), told)


def _name(source: str) -> str:
    return "the standard input" if source == "-" else shown(source)


def _size(source: str) -> int | None:
    return os.path.getsize(source) if source != "-" and os.path.isfile(source) else None


def _say(out: Output, text: str) -> None:
    out.note(text.encode("utf-8", "backslashreplace").decode())
