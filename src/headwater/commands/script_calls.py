"""The bridge between Lua and commands: what redis.call leads to, and what a script returns.

A command that a script calls runs on a session of the scripts' own, which has the caller's
database and rights, and writes into a reply of its own, which is taken apart into Lua's values.
"""

from __future__ import annotations

import hashlib
import logging
import math
from typing import Any

from headwater import errors
from headwater.acl.selectors import ALLOWED
from headwater.commands.failures import answer_failure
from headwater.commands.flags import ADMIN, DENYOOM, MAY_WRITE, NOSCRIPT, SKIP_MONITOR, WRITE
from headwater.commands.session import Session
from headwater.commands.state import ServerState
from headwater.limits import REPLY_REFERENCE_BYTES
from headwater.raw import cut, find_byte, monotonic_us, parse_int
from headwater.resp.reply import Reply
from headwater.resp.request import Request
from headwater.scripting.numbers import number_text

NO_WRITES, ALLOW_OOM, ALLOW_STALE, NO_CLUSTER, ALLOW_CROSS_SLOT = 1, 2, 4, 8, 16
"""What a script says of itself in its first line."""
COMPATIBLE = 32
"""It says nothing: what it may do is found out while it runs."""
_NO_WRITES, _ALLOW_OOM = NO_WRITES, ALLOW_OOM  # the same as C numbers

# The kinds of `sandbox.lua`'s `receive`.
_PLAIN_ARRAY, _STATUS, _FAILURE, _DEEP, _KILLED = 1, 2, 3, 4, 5
_NEVER_US = (1 << 63) - 1
_TURNS_US = 5000
_AT_ONCE = 4000
_TOKEN_BYTES = 64
_LOWEST = -(1 << 63)
_EXACT = 1 << 53
_LOG_LEVELS = (logging.DEBUG, 15, 25, logging.WARNING)
_log = logging.getLogger("headwater")


def sha1_of(text: bytes) -> bytes:
    """The SHA-1 of a text in hexadecimal: the name of a script, and redis.sha1hex."""
    return hashlib.sha1(text, usedforsecurity=False).hexdigest().encode()


class ScriptSession(Session):
    """Who runs the commands of a script. Nothing is ever sent to it."""

    __slots__ = ()

    def __init__(self, state: ServerState) -> None:
        super().__init__(state)
        state.last_client_id -= 1  # no client, and none shall miss a number
        self.address = "lua"
        self.deny_blocking = True

    def send(self, reply: Reply) -> None:
        reply.clear()

    def resume(self) -> None:
        pass

    def close(self) -> None:
        pass


class ScriptHost:
    """The functions that the module `redis` of a VM leads to, and the state of one run.

    `flags`: those of the script that runs. `wrote`: it has called a command that writes.
    `kill`: it is to end. `limit_us`: how long a script may run before others are served
    meanwhile; -1: as long as it likes.
    """

    __slots__ = (
        "_left",
        "caller",
        "flags",
        "kill",
        "limit_us",
        "name",
        "next_us",
        "out_of_memory",
        "reply",
        "request",
        "room_for",
        "runs_function",
        "session",
        "started_us",
        "state",
        "words",
        "wrote",
    )

    def __init__(self, state: ServerState) -> None:
        self.state = state
        self.session = ScriptSession(state)
        self.request = Request()
        self.reply = Reply()
        self.caller: Session | None = None
        self.room_for: Any = None
        self.runs_function = False
        self.words: list[bytes] = []  # of the call of a function
        self.flags = 0
        self.name = b""
        self.wrote = False
        self.kill = False
        self.out_of_memory = False
        self.started_us = 0
        self.next_us = _NEVER_US
        self.limit_us = -1
        self._left: list[Any] = []

    # --- a run ---

    def begin(
        self, caller: Session, name: bytes, flags: int, runs_function: bool, room_for: Any
    ) -> None:
        """A script of `caller` begins."""
        session = self.session
        session.database = caller.database
        session.user = caller.user
        session.permissions = caller.permissions
        session.no_touch = caller.no_touch
        session.is_local = caller.is_local
        session.resp3 = False
        self.reply.resp3 = False
        self.caller = caller
        self.name = name
        self.flags = flags
        self.runs_function = runs_function
        self.room_for = room_for
        self.wrote = False
        self.kill = False
        self.out_of_memory = False
        self.started_us = monotonic_us()
        self.next_us = self.started_us + self.limit_us if self.limit_us >= 0 else _NEVER_US

    def end(self) -> None:
        """It has ended, however. The machine's hook asks `tick` between runs too."""
        self.caller = None
        self.kill = self.out_of_memory = False
        self.next_us = _NEVER_US
        self.room_for = None  # the machine's: it would not be freed otherwise
        self.words = []
        self._left = []
        self.request.release()

    # --- what scripts call ---

    def call(self, *words: Any) -> Any:
        """Run a command. Returns its reply for `receive`."""
        arguments: list[bytes] = []
        for word in words:
            if type(word) is bytes:
                arguments.append(word)
            elif type(word) is int:
                arguments.append(
                    b"%d" % word if -_EXACT < word < _EXACT else number_text(float(word))
                )
            elif type(word) is float:
                arguments.append(number_text(word))
            else:
                return errors.CALL_ARGUMENT_TYPE.text(), _FAILURE
        if not arguments:
            return errors.CALL_WITHOUT_ARGUMENTS.text(), _FAILURE
        return self._run(arguments)

    def packed(self, words: bytes, lengths: bytes) -> Any:
        """`call` for many arguments."""
        arguments: list[bytes] = []
        pos = 0
        for length in lengths.split():
            end = pos + int(length)
            arguments.append(words[pos:end])
            pos = end
        return self._run(arguments)

    def _run(self, words: list[bytes]) -> Any:
        if self.kill:
            return b"", _KILLED  # the hook would tell later, and every call costs a collection
        request = self.request
        session = self.session
        state = self.state
        request.set_words(words)
        command = state.table.resolve(request)
        if command is None:
            return self._refused(errors.CALL_UNKNOWN.text())
        if not command.accepts(request.argc) or command.handler is None:
            command.rejected_calls += 1
            return self._refused(errors.CALL_ARITY.text())
        flags = command.flags
        if flags & (NOSCRIPT | WRITE | DENYOOM | MAY_WRITE) or session.permissions is not None:
            text = self._refusal(command, flags)
            if text is not None:
                command.rejected_calls += 1
                return self._refused(text)
            if flags & WRITE:
                self.wrote = True
        reply = self.reply
        start = monotonic_us()
        try:
            command.handler(session, request, reply)
        except Exception as error:
            reply.clear()
            answer_failure(state, command, error, reply)
        end = monotonic_us()
        command.observe(end - start)
        state.commands_processed += 1
        if end >= self.next_us:
            self._run_long(end)
            if self.kill:
                reply.clear()
                return b"", _KILLED
        if state.monitors and not flags & (SKIP_MONITOR | ADMIN):
            _feed_monitors(session, request)
        return self._received()

    def _refusal(self, command: Any, flags: int) -> bytes | None:
        state = self.state
        session = self.session
        if flags & NOSCRIPT:
            return errors.CALL_NOT_ALLOWED.text()
        if session.permissions is not None:
            refused: bytes | None = session.permissions.refusal_in_script(
                self.caller, command, self.request
            )
            if refused is not None:
                return refused
        if flags & (WRITE | MAY_WRITE) and self.flags & _NO_WRITES:
            return errors.CALL_WRITES.text()
        if flags & WRITE and state.write_refusal:
            return state.write_refusal
        if flags & DENYOOM and state.over_memory and not self.flags & _ALLOW_OOM and not self.wrote:
            return errors.OUT_OF_MEMORY.text()
        return None

    def _refused(self, text: bytes) -> Any:
        self.state.count_error(text)
        return text, _FAILURE, True

    def _received(self) -> Any:
        """Take the reply apart."""
        reply = self.reply
        if reply.parts:
            data = bytearray(b"".join([_whole(part) for part in reply.take_parts()]))
            n = len(data)
        else:
            data = reply.buf
            n = reply.pos
        if not self.room_for(n):
            self.kill = self.out_of_memory = True
            reply.clear()
            return errors.CALL_MEMORY.text(), _FAILURE
        kind = data[0]
        end = find_byte(data, 13, 1, n)
        if kind == 58:
            _ok, number = parse_int(data, 1, end - 1)
            result: Any = number
        elif kind == 36:
            if data[1] == 45:
                result = False
            else:
                result = cut(data, end + 2, n - end - 4)
        elif kind == 43:
            result = (cut(data, 1, end - 1), _STATUS)
        elif kind == 45:
            result = (cut(data, 1, end - 1), _FAILURE, True)
        elif kind == 95:
            result = None
        else:
            result = self._taken_apart(data, n)
        reply.reset()
        return result

    def _taken_apart(self, data: bytearray, n: int) -> Any:
        parts = Parts()
        parts.add(data, 0)
        shape, values = parts.shape, parts.values
        if not self.room_for(n + _TOKEN_BYTES * len(shape)):
            self.kill = self.out_of_memory = True
            return errors.CALL_MEMORY.text(), _FAILURE
        if parts.is_plain and 1 < len(values) <= _AT_ONCE:
            values[0] = values[1]
            values[1] = _PLAIN_ARRAY
            return tuple(values)
        if len(values) > _AT_ONCE:
            self._left = values
            return (bytes(shape), _DEEP, *self.more())
        return (bytes(shape), _DEEP, *values)

    def more(self) -> Any:
        """The next values of a nested reply."""
        some = self._left[:_AT_ONCE]
        del self._left[:_AT_ONCE]
        return tuple(some)

    def protocol(self, resp3: bool) -> None:
        """redis.setresp"""
        self.session.resp3 = resp3
        self.reply.resp3 = resp3

    def log(self, level: int, text: bytes) -> None:
        """redis.log"""
        _log.log(_LOG_LEVELS[level], "%s", text.decode("utf-8", "replace"))

    def sha1(self, text: bytes) -> bytes:
        """redis.sha1hex"""
        return sha1_of(text)

    def acl(self, *words: bytes) -> bool | None:
        """redis.acl_check_cmd: whether the caller may; None if there is no such command."""
        request = self.request
        request.set_words(list(words))
        command = self.state.table.resolve(request)
        if command is None:
            return None
        permissions = self.session.permissions
        if permissions is None:
            return True
        return bool(permissions.verdict(command, request) == ALLOWED)

    def reason(self) -> bytes:
        """Why `tick` says that the script is to end."""
        if self.out_of_memory:
            return b"the script uses too much memory"
        return b"Script killed by user with SCRIPT KILL..."

    def _run_long(self, now_us: int) -> None:
        """Let others have their turn, and next time when the script had as long."""
        self.state.scripting.run_long()
        end = monotonic_us()
        self.next_us = end + max(_TURNS_US, end - now_us)

    def tick(self) -> bool:
        """Called now and then while a script runs: whether it is to end."""
        if not self.kill:
            now = monotonic_us()
            if now >= self.next_us:
                self._run_long(now)
        return self.kill


class Parts:
    """A reply, taken apart for `decode` of sandbox.lua: one letter for each part, and values."""

    __slots__ = ("is_plain", "shape", "values")

    def __init__(self) -> None:
        self.shape = bytearray()
        self.values: list[Any] = []
        self.is_plain = True

    def add(self, data: bytearray, pos: int) -> int:
        """Add what begins at `pos`; returns where it ends."""
        kind = data[pos]
        end = find_byte(data, 13, pos, len(data))
        n = end - pos - 1
        after = end + 2
        shape, values = self.shape, self.values
        if kind == 36:
            _ok, length = parse_int(data, pos + 1, n)
            if length < 0:
                shape.append(70)
                self.is_plain = False
                return after
            shape.append(118)
            values.append(cut(data, after, length))
            return after + length + 2
        if kind == 58:
            shape.append(118)
            _ok, length = parse_int(data, pos + 1, n)
            values.append(length)
            return after
        if kind == 42 or kind == 62:
            if shape:
                self.is_plain = False
            _ok, count = parse_int(data, pos + 1, n)
            if count < 0:
                shape.append(70)
                self.is_plain = False
                return after
            shape.append(42)
            values.append(count)
            pos = after
            for _i in range(count):
                pos = self.add(data, pos)
            return pos
        self.is_plain = False
        return self._add_rare(data, pos, kind, n, after)

    def _add_rare(self, data: bytearray, pos: int, kind: int, n: int, after: int) -> int:
        shape, values = self.shape, self.values
        text = cut(data, pos + 1, n)
        if kind == 43:
            shape.append(107)
            values.append(text)
        elif kind == 45:
            shape.append(101)
            values.append(text)
        elif kind == 95:
            shape.append(78)
        elif kind == 35:
            shape.append(118)
            values.append(text == b"t")
        elif kind == 44:
            shape.append(100)
            values.append(float(text))
        elif kind == 40:
            shape.append(98)
            values.append(text)
        elif kind == 61:
            length = int(text)
            shape.append(116)
            values.append(cut(data, after, 3))
            values.append(cut(data, after + 4, length - 4))
            return after + length + 2
        else:
            count = int(text)
            if kind == 124:
                # An attribute is about what follows it, and scripts are not told.
                ignored = Parts()
                for _i in range(2 * count):
                    after = ignored.add(data, after)
                return self.add(data, after)
            shape.append(kind)
            values.append(count)
            for _i in range(2 * count if kind == 37 else count):
                after = self.add(data, after)
        return after


def _whole(part: Any) -> bytes:
    """All bytes of a part of a reply."""
    if isinstance(part, bytes):
        return part
    pieces: list[bytes] = []
    while True:
        piece = part.read(1 << 20)
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)


def finish(host: ScriptHost, reply: Reply, result: Any) -> None:
    """Write what a script returned (`VM.run`); raises the error that it ended with."""
    if type(result) is bytes:
        reply.bulk(result)
    elif result is None:
        reply.null()
    elif result is True or result is False:
        if host.session.resp3:
            reply.boolean(result)
        elif result:
            reply.integer(1)
        else:
            reply.null()
    elif type(result) is int:
        reply.integer(result)
    elif type(result) is float:
        reply.integer(_truncated(result))
    else:
        _finish_tuple(host, reply, result)


def _finish_tuple(host: ScriptHost, reply: Reply, result: Any) -> None:
    kind = result[0]
    if kind == b"R":
        data = result[1]
        if len(data) >= REPLY_REFERENCE_BYTES:
            reply.attach_bytes(data)
        else:
            reply.raw_bytes(data)
        return
    text = result[1]
    if kind == b"E" and host.name:
        if result[3] >= 0:
            text = b"%b script: %b, on %b:%d." % (text, host.name, result[2], result[3])
        else:
            text = b"%b script: %b" % (text, host.name)
    raise ScriptFailure(
        text.replace(b"\r", b" ").replace(b"\n", b" "), bool(result[len(result) - 1])
    )


class ScriptFailure(errors.CommandError):
    """The error that a script ended with; `counted`: it is in the statistics already."""

    def __init__(self, text: bytes, counted: bool) -> None:
        super().__init__(text)
        self.counted = counted


def _truncated(value: float) -> int:
    """A number of Lua's as an integer of RESP, the way C does it on the usual machines."""
    if not math.isfinite(value) or not -9.3e18 < value < 9.3e18:
        return _LOWEST
    whole = int(value)
    return whole if _LOWEST <= whole < -_LOWEST else _LOWEST


def _feed_monitors(session: Session, request: Request) -> None:
    from headwater.commands.monitor import feed

    feed(session, request)
