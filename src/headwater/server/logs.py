"""Log lines: when, how serious, what; to the standard output or to `logfile`."""

from __future__ import annotations

import logging
import os
import sys
import time

VERBOSE = 15
NOTICE = 25
_LEVELS = {
    "debug": logging.DEBUG,
    "verbose": VERBOSE,
    "notice": NOTICE,
    "warning": logging.WARNING,
    "nothing": logging.CRITICAL + 1,
}


class _Format(logging.Formatter):
    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
        return f"{stamp}.{int(record.msecs):03d}"


def set_up(level: str, path: str) -> logging.Logger:
    """Send the log of this package to `path`, or to the standard output when it is empty.

    Raises OSError when the file cannot be opened.
    """
    logging.addLevelName(VERBOSE, "VERBOSE")
    logging.addLevelName(NOTICE, "NOTICE")
    handler: logging.Handler
    handler = logging.FileHandler(path) if path else logging.StreamHandler(sys.stdout)
    handler.setFormatter(_Format(f"%(asctime)s [{os.getpid()}] %(levelname)s %(message)s"))
    log = logging.getLogger("headwater")
    for old in list(log.handlers):
        log.removeHandler(old)
        old.close()
    log.addHandler(handler)
    log.propagate = False
    set_level(level)
    return log


def set_level(level: str) -> None:
    """Follow the directive `loglevel`."""
    logging.getLogger("headwater").setLevel(_LEVELS[level])
