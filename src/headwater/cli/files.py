"""A file that is there whole or not at all: what `export` writes."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from headwater.cli.failure import MISUSED, Failure
from headwater.cli.words import shown

PIECE_BYTES = 1 << 20


@contextmanager
def whole_file(path: str) -> Iterator[IO[bytes]]:
    """A file to write, read and seek in; it takes its name when the block ends well.

    Whatever happens before, a file that had the name stays as it was. '-' is the standard output,
    which gets everything at the end.
    """
    if path == "-":
        with tempfile.TemporaryFile() as file:
            yield file
            file.seek(0)
            shutil.copyfileobj(file, sys.stdout.buffer, PIECE_BYTES)
            sys.stdout.buffer.flush()
        return
    if os.path.isdir(path):
        raise Failure(f"{shown(path)} is a directory", "-o names the file to write.", MISUSED)
    if os.path.exists(path) and not os.path.isfile(path):
        with open(path, "wb") as device, tempfile.TemporaryFile() as file:
            yield file
            file.seek(0)
            shutil.copyfileobj(file, device, PIECE_BYTES)
        return
    temporary = f"{path}.partial-{os.getpid()}"
    try:
        file = open(temporary, "w+b")  # noqa: SIM115 - closed below, before it is renamed
    except OSError as error:
        raise Failure(f"{shown(path)}: {error.strerror}", status=MISUSED) from None
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.remove(temporary)
        raise
