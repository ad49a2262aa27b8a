"""The command table: what binds a declaration to the function that runs it, and finds it by name.

A module of commands writes

    @command("XACK")
    def xack(session: Session, request: Request, reply: Reply) -> None: ...

Arity, flags, key positions and what is told to people are found by that name in
`headwater.commands.spec`. A name without a declaration, or one bound twice, is an import error;
a declaration that no function is bound to is left out of the table and fails a test (`unbound`).

Containers (XGROUP) and their subcommands (XGROUP CREATE) are commands alike; a container that
does nothing by itself has no handler.

Each server has a `CommandTable` of its own, because a `Command` also counts its calls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from headwater.commands.spec import SPECS, Spec
from headwater.raw import equal_bytes, get_u64, put_u64
from headwater.resp.request import Request

Handler = Callable[[Any, Any, Any], Any]  # (session, request, reply)
_H = TypeVar("_H", bound=Handler)

DURATION_BUCKETS = 32
"""Calls are counted by duration: bucket k has those of up to 2**k us, the last all longer ones."""
_BUCKETS = DURATION_BUCKETS  # the same as a C number
MAX_SPELLINGS = 4096  # remembered ways to write names in mixed case; beyond, they are folded anew
_RECENT = 64  # a power of two

_handlers: dict[str, Handler] = {}


def command(name: str) -> Callable[[_H], _H]:
    """Bind the decorated function to the declaration called `name` ("XADD", "XGROUP CREATE").

    Raises KeyError if nothing is declared under that name, ValueError if it is bound already.
    """
    if name not in SPECS:
        raise KeyError(f"command {name} has no declaration in headwater.commands.spec")
    if name in _handlers:
        raise ValueError(f"command {name} is bound twice")

    def bind(handler: _H) -> _H:
        _handlers[name] = handler
        return handler

    return bind


def unbound() -> list[str]:
    """Names that are declared, are more than a container, and have no function."""
    containers = {spec.container for spec in SPECS.values()}
    return [name for name in SPECS if name not in _handlers and name not in containers]


class Command:
    """One command or subcommand of one server, and how often it was called."""

    __slots__ = (
        "arity",
        "calls",
        "categories",
        "durations",
        "failed_calls",
        "first_key",
        "flags",
        "handler",
        "key_step",
        "last_key",
        "name",
        "rejected_calls",
        "spec",
        "subcommands",
        "usec",
    )

    def __init__(self, spec: Spec, handler: Handler | None, container: bool) -> None:
        self.spec = spec
        self.name = spec.full_name.encode()
        self.arity = spec.arity
        self.flags = spec.all_flags
        self.categories = spec.category_bits
        self.first_key, self.last_key, self.key_step = spec.fixed_range
        self.handler = handler
        self.subcommands: dict[bytes, Command] | None = {} if container else None
        self.calls = 0
        self.usec = 0
        self.rejected_calls = 0
        self.failed_calls = 0
        self.durations = bytearray(8 * DURATION_BUCKETS)

    def accepts(self, argc: int) -> bool:
        """Whether a request of `argc` words, the names included, has the right number."""
        if self.arity > 0:
            return argc == self.arity
        return argc >= -self.arity

    def subcommand(self, name: bytes) -> Command | None:
        """The subcommand called `name`, in any letter case; None if there is none."""
        if self.subcommands is None:
            return None
        found = self.subcommands.get(name)
        if found is None:
            found = self.subcommands.get(name.lower())
        return found

    def observe(self, took_us: int) -> None:
        """Count a call that took so many microseconds."""
        self.calls += 1
        self.usec += took_us
        bucket = 0
        above = took_us - 1
        while above > 0 and bucket < _BUCKETS - 1:
            above >>= 1
            bucket += 1
        put_u64(self.durations, 8 * bucket, get_u64(self.durations, 8 * bucket) + 1)

    def duration_counts(self) -> list[tuple[int, int]]:
        """How many calls took more than half of so many microseconds, and no more than that.

        Pairs of microseconds and calls, rising, without those of no calls.
        """
        counts = [get_u64(self.durations, 8 * k) for k in range(DURATION_BUCKETS)]
        return [(1 << k, count) for k, count in enumerate(counts) if count]

    def reset_statistics(self) -> None:
        self.durations = bytearray(8 * DURATION_BUCKETS)
        self.calls = 0
        self.usec = 0
        self.rejected_calls = 0
        self.failed_calls = 0


class CommandTable:
    """The commands of one server.

    commands: by lower-case name, without subcommands (those are in `Command.subcommands`).
    everything: by full name ("xgroup|create"), containers and subcommands included.

    The functions are those that `command` has bound so far, unless others are given by name.
    """

    __slots__ = ("_recent", "_recent_names", "_spellings", "commands", "everything")

    def __init__(self, handlers: Mapping[str, Handler] | None = None) -> None:
        if handlers is None:
            handlers = _handlers
        self.commands: dict[bytes, Command] = {}
        self.everything: dict[bytes, Command] = {}
        containers = {spec.container for spec in SPECS.values()}
        for name, spec in SPECS.items():
            handler = handlers.get(name)
            if handler is None and name not in containers:
                continue
            found = Command(spec, handler, name in containers)
            self.everything[found.name] = found
            if spec.container:
                self._add_subcommand(spec.container, found)
            else:
                self.commands[found.name] = found
        # What was found last, by how the name was spelled.
        self._recent: list[Command | None] = [None] * _RECENT
        self._recent_names: list[bytes] = [b""] * _RECENT
        self._spellings: dict[bytes, Command] = {}
        for text, found in self.commands.items():
            self._spellings[text] = found
            self._spellings[text.upper()] = found

    def _add_subcommand(self, container: str, found: Command) -> None:
        subcommands = self.commands[container.lower().encode()].subcommands
        if subcommands is not None:
            subcommands[found.name.partition(b"|")[2]] = found

    def of_request(self, request: Request) -> Command | None:
        """The command that a request names, as `lookup`; no object is made for its name."""
        pos = request.spans[0]
        n = request.spans[1]
        buf = request.buf
        if n == 0:
            return None
        slot = (31 * n + buf[pos] + 7 * buf[pos + n - 1] + 3 * buf[pos + n // 2]) & (_RECENT - 1)
        known = self._recent_names[slot]
        if len(known) == n and equal_bytes(buf, pos, known):
            return self._recent[slot]
        name = request.arg(0)
        found = self.lookup(name)
        if found is not None:
            self._recent_names[slot] = name
            self._recent[slot] = found
        return found

    def resolve(self, request: Request) -> Command | None:
        """The command or subcommand that a request would run; None if there is none."""
        found = self.of_request(request)
        if found is not None and found.subcommands is not None and request.argc > 1:
            return found.subcommand(request.arg(1))
        return found

    def lookup(self, name: bytes) -> Command | None:
        """The command called `name`, in any letter case; None if there is none."""
        found = self._spellings.get(name)
        if found is None:
            found = self.commands.get(name.lower())
            if found is not None and len(self._spellings) < MAX_SPELLINGS:
                self._spellings[name] = found
        return found

    def find(self, full_name: bytes) -> Command | None:
        """The command or subcommand called `full_name` ("xadd", "XGROUP|CREATE")."""
        return self.everything.get(full_name.lower())

    def reset_statistics(self) -> None:
        """Set the counters of every command to zero (CONFIG RESETSTAT)."""
        for found in self.everything.values():
            found.reset_statistics()
