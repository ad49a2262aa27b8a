"""What a client has queued since MULTI: the requests' bytes as they came, until EXEC.

All requests of a transaction lie in one buffer, and where their words are in another: so queueing
costs a copy, and no object for a request or a word.
"""

from __future__ import annotations

from headwater.commands.table import Command
from headwater.raw import alloc, copy, get_u64, put_u64
from headwater.resp.request import Request

_FIRST_BYTES = 512
_SPARE_BYTES = 16_384
_REQUEST_BYTES = 100  # what a queued request takes beside its words and their places


class Transaction:
    """The queue of one client, and later of another (`reset`).

    `failed`: a request was refused, so that EXEC will be too. `_marks` has three numbers for each
    request, and two for each word behind them: how many words, where in `_buf` the request begins,
    whether it is wellformed; where the word begins in `_buf`, its length.
    """

    __slots__ = ("_buf", "_commands", "_filled", "_flags", "_marked", "_marks", "failed", "request")

    def __init__(self) -> None:
        self._buf = alloc(_FIRST_BYTES)
        self._marks = alloc(_FIRST_BYTES)
        self.request = Request()
        self._commands: list[Command] = []
        self._filled = 0
        self._marked = 0
        self._flags = 0
        self.failed = False

    def __len__(self) -> int:
        return len(self._commands)

    @property
    def queued_bytes(self) -> int:
        """About how many bytes the queue takes."""
        return self._filled + self._marked + _REQUEST_BYTES * len(self._commands)

    def queue(self, command: Command, request: Request) -> None:
        """Keep a copy of the request until EXEC; of no use, and not kept, if that will fail."""
        if not self.failed:
            self._keep(command, request)

    def _keep(self, command: Command, request: Request) -> None:
        argc = request.argc
        first = request.spans[0]
        n = request.spans[2 * argc - 2] + request.spans[2 * argc - 1] - first
        if request.wellformed:
            n += 2  # the end of the line belongs to what may be stored as it is
        if self._filled + n > len(self._buf):
            self._buf = _bigger(self._buf, self._filled, n)
        if self._marked + 16 * argc + 24 > len(self._marks):
            self._marks = _bigger(self._marks, self._marked, 16 * argc + 24)
        base = self._filled
        copy(self._buf, base, request.buf, first, n)
        self._filled = base + n
        marks = self._marks
        at = self._marked
        put_u64(marks, at, argc)
        put_u64(marks, at + 8, 1 if request.wellformed else 0)
        at += 16
        for i in range(argc):
            put_u64(marks, at, base + request.spans[2 * i] - first)
            put_u64(marks, at + 8, request.spans[2 * i + 1])
            at += 16
        self._marked = at
        self._commands.append(command)
        self._flags |= command.flags

    def fail(self) -> None:
        """A request was refused: EXEC will run nothing, and what is queued is of no use."""
        self.reset()
        self.failed = True

    def has(self, flags: int) -> bool:
        """Whether any queued command has one of these flags (commands/flags.py)."""
        return self._flags & flags != 0

    def take(self) -> list[Command]:
        """The commands in order; `fill` gives their requests. Nothing may be queued from now on."""
        return self._commands

    def fill(self, at: int) -> int:
        """Let `request` be the one whose marks begin at `at`: 0, then what this returns."""
        marks = self._marks
        request = self.request
        request.clear()
        request.buf = self._buf
        argc = get_u64(marks, at)
        request.wellformed = get_u64(marks, at + 8) != 0
        at += 16
        for _ in range(argc):
            request.push(get_u64(marks, at), get_u64(marks, at + 8))
            at += 16
        return at

    def reset(self) -> None:
        """Be as new, for the next client; room that a big transaction took is given back."""
        self.request.release()
        self._commands = []
        self._filled = 0
        self._marked = 0
        self._flags = 0
        self.failed = False
        if len(self._buf) > _SPARE_BYTES:
            self._buf = alloc(_FIRST_BYTES)
        if len(self._marks) > _SPARE_BYTES:
            self._marks = alloc(_FIRST_BYTES)


def _bigger(buf: bytearray, filled: int, more: int) -> bytearray:
    """A copy of a buffer with room for so much more, and for as much again as there is."""
    bigger = alloc(2 * filled + more)
    copy(bigger, 0, buf, 0, filled)
    return bigger
