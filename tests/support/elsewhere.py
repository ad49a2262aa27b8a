"""Python as it is on another system: what that lacks is taken out of this one.

`simulate()` must come before the first import of headwater. Other packages keep what they have
already taken. Nothing can bring Windows' own calls here, so its file locks are played by this
system's.
"""

from __future__ import annotations

import asyncio
import errno
import functools
import os
import select
import selectors
import signal
import socket
import subprocess
import sys
import types
from typing import Any

import click
import redis.asyncio

_HAVE_IT_ALL = (asyncio, subprocess, click, redis.asyncio)
"""What looks at the system when it is imported, and would miss what cannot be brought here."""

_MODULES = ("fcntl", "grp", "pwd", "resource", "termios", "uvloop")
_OF_OS = (
    "O_CLOEXEC",
    "O_DIRECTORY",
    "fdatasync",
    "fork",
    "posix_fadvise",
    "posix_fallocate",
    "pread",
    "preadv",
    "pwrite",
    "pwritev",
    "readv",
    "register_at_fork",
    "sysconf",
    "writev",
)
_OF_SOCKET = ("AF_UNIX", "TCP_INFO", "TCP_KEEPCNT", "TCP_KEEPIDLE", "TCP_KEEPINTVL")
_OF_SIGNAL = ("SIGHUP", "SIGUSR1", "SIGUSR2")


def simulate(system: str) -> None:
    """Take out what "windows" or "macos" does not have."""
    _take(select, ("epoll",))
    selectors.DefaultSelector = selectors.SelectSelector  # type: ignore[misc, assignment]
    sys.modules["uvloop"] = None  # type: ignore[assignment]
    if system == "macos":
        _take(os, ("fdatasync", "posix_fadvise", "posix_fallocate"))
        _take(socket, ("TCP_INFO", "TCP_KEEPIDLE"))
        sys.platform = "darwin"
        return
    sys.modules["msvcrt"] = _locks()
    # asyncio's own pair of sockets stays what it is here.
    socket.socketpair = functools.partial(socket.socketpair, socket.AF_UNIX)  # type: ignore[assignment]
    for name in _MODULES:
        sys.modules[name] = None  # type: ignore[assignment]
    _take(os, _OF_OS)
    _take(socket, _OF_SOCKET)
    _take(signal, _OF_SIGNAL)
    asyncio.SelectorEventLoop.add_signal_handler = _no_signals  # type: ignore[assignment]
    socket.SO_EXCLUSIVEADDRUSE = socket.SO_REUSEADDR  # type: ignore[attr-defined]
    for name in ("remove", "rename", "replace", "unlink"):
        setattr(os, name, _only_closed(getattr(os, name)))
    sys.platform = "win32"


def _take(module: types.ModuleType, names: tuple[str, ...]) -> None:
    for name in names:
        if hasattr(module, name):
            delattr(module, name)


def _no_signals(*_: Any) -> Any:
    raise NotImplementedError


def _only_closed(call: Any) -> Any:
    """`call`, for paths of files that nobody in this process has open."""

    def checked(*paths: Any, **others: Any) -> Any:
        there = [os.path.realpath(path) for path in paths]
        for descriptor in os.listdir("/proc/self/fd"):
            try:
                path = os.readlink(f"/proc/self/fd/{descriptor}")
            except FileNotFoundError:
                continue  # that of the listing itself
            if path in there:
                raise PermissionError(errno.EACCES, "it is open here", path)
        return call(*paths, **others)

    return checked


def _locks() -> types.ModuleType:
    """msvcrt, whose locks are of byte ranges, and told apart by process."""
    import fcntl

    module: Any = types.ModuleType("msvcrt")
    module.LK_NBLCK, module.LK_UNLCK = 2, 0

    def locking(descriptor: int, how: int, count: int) -> None:
        start = os.lseek(descriptor, 0, os.SEEK_CUR)
        try:
            # What is open for reading can be locked there, and here only be shared.
            writable = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY
            kind = fcntl.LOCK_EX if writable else fcntl.LOCK_SH
            fcntl.lockf(descriptor, kind | fcntl.LOCK_NB if how else fcntl.LOCK_UN, count, start)
        except OSError:
            raise OSError(errno.EACCES, "Permission denied") from None

    module.locking = locking
    return module  # type: ignore[no-any-return]
