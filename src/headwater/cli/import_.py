"""`headwater import`: the data of a Redis becomes the journal of a data directory."""

from __future__ import annotations

import sys

import click

from headwater.clock import Clock, ManualClock
from headwater.config import Config
from headwater.engine import Engine
from headwater.errors import HeadwaterError
from headwater.journal.disk import Disk
from headwater.persistence.creating import NewJournal
from headwater.persistence.datadir import DataDirectory
from headwater.persistence.importing import Imported, Importer

DATABASES = "1024"
"""More than any Redis has that somebody imports; they cost next to nothing."""


def run_import(source: str, directory: str | None, force: bool, skip_unknown: bool) -> int:
    """Import `source` into the data directory; returns the exit status."""
    try:
        result = _import(source, directory, force, skip_unknown)
    except HeadwaterError as error:
        return _failed(str(error))
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        return _failed(f"{name}{error.strerror or error}")
    except KeyboardInterrupt:
        return _failed("interrupted; nothing was imported")
    return 0 if result else 1


def _import(source: str, directory: str | None, force: bool, skip_unknown: bool) -> bool:
    config = Config()
    config.assign("databases", [DATABASES])
    if directory is not None:
        config.assign("dir", [directory])
    target = config.get_text("dir")
    disk = Disk()
    place = DataDirectory(
        disk, target, config.get_text("appenddirname"), config.get_text("dbfilename")
    )
    journal = NewJournal(disk, place, force)
    journal.check()
    clock = ManualClock(Clock().now_ms)
    engine = Engine(config, clock)
    importer = Importer(disk, source, engine.state, clock)
    with click.progressbar(length=importer.total, label="reading", file=sys.stderr) as bar:
        for _ in importer.steps():
            bar.update(importer.done - bar.pos)
        bar.update(importer.total - bar.pos)
    result = importer.result
    for warning in result.warnings:
        _say(f"warning: {warning}")
    missing = result.missing()
    if missing:
        _say("not supported by Headwater: " + "; ".join(missing))
        if not skip_unknown:
            _failed("nothing was imported; with --skip-unknown everything else is")
            return False
    with click.progressbar(length=result.keys, label="writing", file=sys.stderr) as bar:
        for _ in journal.steps(engine.keyspace):
            bar.update(journal.keys_written - bar.pos)
    _tell(result, source, target)
    return True


def _tell(result: Imported, source: str, target: str) -> None:
    commands = f" ({result.commands} commands)" if result.commands else ""
    more = (
        f" --databases {result.databases}"
        if result.databases > Config().get_int("databases")
        else ""
    )
    libraries = f", {result.libraries} libraries of functions" if result.libraries else ""
    click.echo(
        f"imported {source}{commands} into {target}: {result.keys} keys, {result.streams} of them "
        f"streams with {result.entries} entries, {result.groups} groups with {result.pending} "
        f"pending entries{libraries}\nstart with: headwater serve --dir {target}{more}"
    )


def _say(text: str) -> None:
    click.echo(text.encode("utf-8", "backslashreplace").decode(), err=True)


def _failed(text: str) -> int:
    _say(f"headwater: {text}")
    return 1
