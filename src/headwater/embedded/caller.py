"""The direct path: a program's call becomes a request, is executed by the caller's own thread, and
its reply becomes Python values. No socket, no other thread, no bytes in between.

One Call is one command at a time; a store has as many as there are callers at once, and keeps them
for the next ones.
"""

from __future__ import annotations

import os
from _thread import allocate_lock
from collections.abc import Callable
from typing import Any, Never, TypeVar, cast

from headwater.commands.blocking import end_wait
from headwater.commands.dispatch import POSTPONED, execute
from headwater.commands.leases import ENDED
from headwater.commands.session import Session
from headwater.commands.state import ServerState
from headwater.embedded.session import Entrance
from headwater.embedded.shapes import error_of
from headwater.errors import HeadwaterError
from headwater.limits import SEND_PIECE_BYTES
from headwater.raw import (
    alloc,
    copy,
    copy_bytes,
    copy_text,
    decimal_length,
    monotonic_us,
    put_decimal,
    text_bytes,
)
from headwater.resp.decoder import ReplyDecoder, ReplyError
from headwater.resp.entries import EntryReader
from headwater.resp.reply import Reply
from headwater.resp.request import Request
from headwater.server.gate import Gate

DONE, PENDING = 0, 1
"""What `run` returns: the reply is there, or `wait` and `when_done` tell when it is."""
_DONE, _PENDING = DONE, PENDING

VALUE, STREAMS, ENTRIES, CLAIMED = 0, 1, 2, 3
"""Shapes of replies: as it comes; of XREAD; of XRANGE; of XREADGROUP with CLAIM."""
_VALUE, _STREAMS, _ENTRIES, _CLAIMED = VALUE, STREAMS, ENTRIES, CLAIMED

T = TypeVar("T")

LATER: Any = object()
"""Of `_now`: the reply is still to come."""

AS_IS = cast("Callable[[Any], Never]", None)
"""For `parse`: the value is returned as it is, whatever it is declared to be."""

_INT64_MAX = (1 << 63) - 1
_IDLE_AT_REST = 8
_BUFFER_BYTES = 4096
_BUFFER_KEPT_BYTES = 1 << 20
_ERROR, _BULK, _INTEGER = 45, 36, 58


class Call(Session):
    """A client of the store that has its commands given by words and its replies taken as values.

    Between `begin` and `take` it belongs to one caller. `run` and everything that Session has are
    called with the store's lock held, `wait` and `take` without.
    `_answer`: the bytes of the reply that came later, `_later` that it is one. `_waiting`: nobody
    has been told yet that it came; `future` is the caller's own until then.
    `closed`: it was killed, or its store is closed.
    """

    __slots__ = (
        "_again",
        "_answer",
        "_buf",
        "_capacity",
        "_decoder",
        "_gate",
        "_held",
        "_later",
        "_loop",
        "_on_done",
        "_parts",
        "_pos",
        "_reader",
        "_reply",
        "_request",
        "_run_from",
        "_waiting",
        "_wake",
        "closed",
        "future",
    )

    def __init__(self, state: ServerState, gate: Gate) -> None:
        super().__init__(state)
        self._gate = gate
        self._request = Request()
        self._buf = alloc(_BUFFER_BYTES)
        self._capacity = _BUFFER_BYTES
        self._pos = 0
        self._reply = Reply()
        self._decoder = ReplyDecoder()
        self._reader = EntryReader()
        self._answer: bytes | None = None
        self._parts: list[bytes] = []
        self._later = False
        self._again = False
        self._waiting = False
        self._held = 0
        self._run_from = 0
        self._wake: Any = None
        self._loop: Any = None
        self._on_done: Callable[[], None] | None = None
        self.future: Any = None
        self.closed = False

    # --- the request ---

    def begin(self, words: int) -> None:
        """A request of so many words begins; `add` each of them."""
        self._request.clear()
        self._buf[0] = 42
        pos = put_decimal(self._buf, 1, words)
        self._buf[pos] = 13
        self._buf[pos + 1] = 10
        self._pos = pos + 2

    def add(self, word: Any) -> None:
        """The next word: bytes, str (as UTF-8), int or float.

        Raises TypeError for anything else, True and False included, as redis-py does.
        """
        if isinstance(word, bytes):
            self._add_bytes(word)
        elif isinstance(word, str):
            n = text_bytes(word)
            pos = self._announce(n)
            self._buf[copy_text(self._buf, pos, word)] = 13
            self._end_word(pos, n)
        elif type(word) is int and 0 <= word <= _INT64_MAX:
            self._add_number(word)
        else:
            self._add_bytes(plain(word))

    def _add_number(self, value: int) -> None:
        n = decimal_length(value)
        pos = self._announce(n)
        self._buf[put_decimal(self._buf, pos, value)] = 13
        self._end_word(pos, n)

    def _add_bytes(self, word: bytes) -> None:
        n = len(word)
        pos = self._announce(n)
        self._buf[copy_bytes(self._buf, pos, word)] = 13
        self._end_word(pos, n)

    def _announce(self, n: int) -> int:
        """Write a word's length, and return the position that its bytes have to be put at."""
        if self._pos + n + 26 > self._capacity:
            capacity = max(2 * self._capacity, self._pos + n + 26)
            bigger = alloc(capacity)
            copy(bigger, 0, self._buf, 0, self._pos)
            self._buf = bigger
            self._capacity = capacity
        self._buf[self._pos] = 36
        pos = put_decimal(self._buf, self._pos + 1, n)
        self._buf[pos] = 13
        self._buf[pos + 1] = 10
        return pos + 2

    def _end_word(self, pos: int, n: int) -> None:
        self._buf[pos + n + 1] = 10
        self._pos = pos + n + 2
        self._request.push(pos, n)

    # --- executing it ---

    def run(self) -> int:
        """Execute the request; returns DONE, or PENDING: its reply comes later."""
        state = self.state
        at_us = monotonic_us()
        state.clock.follow(at_us)
        self.last_ms = state.clock.now_ms
        state.at_us = at_us
        gate = self._gate
        channels = gate.channels
        request = self._request
        request.buf = self._buf
        self._run_from = gate.recorder.end
        self._later = self._again = self._waiting = False
        try:
            result = execute(self, request, self._reply)
        finally:
            state.at_us = 0
        if gate.recorder.end != gate.recorder.released or (channels is not None and channels.owing):
            gate.end_round()
        if result == _DONE and (gate.recorder.end == gate.recorder.released or not self._holds()):
            if self._reply.parts:
                self._gather()
            return _DONE
        return self._put_off(result)

    def _holds(self) -> bool:
        """Whether the reply waits for the journal although all was done that could be.

        While the journal cannot be written, what only reads is answered.
        """
        return not self._gate.failing or self._gate.recorder.end != self._run_from

    def _put_off(self, result: int) -> int:
        """The reply does not come at once: from now on it may come at any time."""
        if self._answer is not None or self.closed:
            return _DONE  # it came while it was asked for
        self._later = True
        self._waiting = True
        self._again = result == POSTPONED
        if result == _DONE:
            self._hand_over(self._reply)
        return _DONE if self._answer is not None else _PENDING

    def _gather(self) -> None:
        """Read what is attached to the reply, which only the lock's holder may."""
        self._later = True
        for part in self._reply.take_parts():
            self._keep(part)
        self._answer = b"".join(self._parts)
        self._parts = []

    def wait(self) -> None:
        """Have the calling thread sleep until the reply is there.

        What interrupts it (KeyboardInterrupt) leaves the call as it is: `give_up` then.
        """
        self._wake.acquire()

    def prepare_wait(self) -> None:
        """`wait` will be called; the lock is held, and the reply is PENDING."""
        self._wake = allocate_lock()
        self._wake.acquire()

    def when_done(self, loop: Any, on_done: Callable[[], None]) -> None:
        """Have an event loop call this when the reply is there, instead of `wait`."""
        self._loop = loop
        self._on_done = on_done

    def must_run_again(self) -> bool:
        """Whether what came is no reply, but leave to execute the request now (CLIENT PAUSE)."""
        return self._again and not self.closed

    def give_up(self) -> None:
        """Nobody waits for the reply any more: end as a client that hangs up."""
        self._waiting = False
        self.close()

    # --- what the engine tells ---

    def send(self, reply: Reply) -> None:
        self.last_ms = self.state.clock.now_ms
        self._again = False
        self._later = True
        self._hand_over(reply)

    def _hand_over(self, reply: Reply) -> None:
        """Take all of a reply; what the journal does not have yet goes by the gate."""
        gate = self._gate
        waits = gate.recorder.end != gate.recorder.released and self._holds()
        for part in reply.take_parts():
            if waits or self._held:
                self._held += 1
                gate.hold(self, part, len(part) if isinstance(part, bytes) else part.left())
            else:
                self._keep(part)
        if not self._held:
            self._arrive()

    def let_out(self, part: Any, size: int) -> None:
        self._held -= 1
        if self.closed:
            if not isinstance(part, bytes):
                self.state.keyspace.graveyard.extend(part.parts())
            return
        self._keep(part)
        if not self._held:
            self._arrive()

    def _keep(self, part: Any) -> None:
        if isinstance(part, bytes):
            self._parts.append(part)
            return
        while piece := part.read(SEND_PIECE_BYTES):
            self._parts.append(piece)

    def _arrive(self) -> None:
        """The reply is whole: wake whoever waits for it."""
        self._answer = b"".join(self._parts)
        self._parts = []
        self._notify()

    def _notify(self) -> None:
        if not self._waiting:
            return
        self._waiting = False
        if self._on_done is not None:
            on_done, self._on_done = self._on_done, None
            try:
                self._loop.call_soon_threadsafe(on_done)
            except RuntimeError:
                self.close()  # the caller's loop is closed: nobody waits
        elif self._wake is not None:
            self._wake.release()

    def push(self, data: bytes) -> None:
        """Nothing that a call can do has anything pushed to it."""

    def resume(self) -> None:
        if self._again:
            self._notify()

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            end_wait(self)
            self.state.clients.pop(self.id, None)
            if self.postponed and self in self.state.postponed:
                self.state.postponed.remove(self)
            self._notify()

    # --- the reply ---

    def take(self, shape: int) -> Any:
        """Return the reply's value, or a ReplyError; ready for the next request then."""
        reply = self._reply
        if self._later or reply.pos == 0:
            return self._take_later(shape)
        value = self._value(reply.buf, reply.pos, shape)
        reply.reset()
        if self._capacity > _BUFFER_KEPT_BYTES:
            self._shrink()
        return value

    def _take_later(self, shape: int) -> Any:
        data = self._answer
        self._answer = None
        self._later = False
        if not data:
            return ReplyError("ERR this call was ended by CLIENT KILL")
        buf = bytearray(data)
        return self._value(buf, len(data), shape)

    def _value(self, buf: bytearray, n: int, shape: int) -> Any:
        reader = self._reader
        kind = buf[0]
        reader.begin(buf, n)
        if shape == _VALUE or kind == _ERROR:
            if kind == _BULK:
                return reader.bulk()
            if kind == _INTEGER:
                return reader.integer()
            self._decoder.borrow(buf, n)
            return self._decoder.decode()
        if shape == _ENTRIES:
            return reader.entries(False)
        return reader.streams(shape == _CLAIMED)

    def _shrink(self) -> None:
        self._buf = alloc(_BUFFER_BYTES)
        self._capacity = _BUFFER_BYTES
        self._request.release()


class Starter:
    """Gives a store commands from any thread, as far as that needs no waiting.

    `_idle` holds the calls that are free, on top of some None: so taking one and putting it back
    allocates nothing, and is one step for each. `_lease` is of all calls together: what one of
    them took in a group with LEASE connection is held until `_shut`, whatever becomes of the call.
    """

    __slots__ = ("_entrance", "_idle", "_lease", "_store")

    def __init__(self, store: Any) -> None:
        self._store = store
        self._entrance: Entrance = store.entrance
        self._idle: list[Call | None] = [None] * _IDLE_AT_REST
        self._lease: Any = None

    def _open(self) -> Call:
        """A call that is free; the caller of this has it to itself."""
        call = self._idle.pop()
        return self._new() if call is None else call

    def _shut(self, refusal: Callable[[], Exception]) -> None:
        """Let go of the store: whatever comes from now on gets this exception."""
        entrance = self._entrance
        refused = Entrance(allocate_lock())
        refused.refusal = refusal
        self._entrance = refused
        try:
            entrance.enter()
        except HeadwaterError:
            return  # the store is gone
        try:
            state: ServerState = self._store.state
            for client in list(state.clients.values()):
                if isinstance(client, Call) and client.lease is self._lease:
                    client.close()
                    client.lease = ENDED
            if self._lease is not None:
                state.leases.end(self._lease)
                self._lease = None
        finally:
            entrance.leave()

    def _new(self) -> Call:
        self._idle.append(None)
        entrance = self._entrance
        entrance.enter()
        try:
            state = self._store.state
            call = Call(state, self._store.gate)
            # The program itself is the one that calls: users and passwords are for its clients.
            call.authenticated = True
            call.permissions = None
            call.address = f"embedded:{os.getpid()}"
            call.is_unix = True
            call.library_name = b"headwater"  # so XINFO GROUPS shows what Redis does not have
            if self._lease is None:
                self._lease = state.leases.of(call)
            call.lease = self._lease
            state.clients[call.id] = call
        finally:
            entrance.leave()
        return call

    def _written(self, words: Any) -> Call:
        """A call with a request of these words (a list or tuple)."""
        call = self._open()
        try:
            call.begin(len(words))
            for word in words:
                call.add(word)
        except BaseException:
            self._idle.append(call)
            raise
        return call

    def _entry(self, name: Any, fields: Any, entry_id: Any) -> Call:
        """A call with `XADD name entry_id` and the fields of a dict."""
        call = self._open()
        try:
            call.begin(3 + 2 * len(fields))
            call.add(b"XADD")
            call.add(name)
            call.add(entry_id)
            for field, value in fields.items():
                call.add(field)
                call.add(value)
        except BaseException:
            self._idle.append(call)
            raise
        return call

    def _ids(self, command: bytes, name: Any, groupname: Any, ids: Any) -> Call:
        """A call with `command name groupname` and the IDs of a tuple."""
        call = self._open()
        try:
            call.begin(3 + len(ids))
            call.add(command)
            call.add(name)
            call.add(groupname)
            for entry_id in ids:
                call.add(entry_id)
        except BaseException:
            self._idle.append(call)
            raise
        return call

    def _group_read(
        self, groupname: Any, consumername: Any, streams: Any, count: Any, block: Any
    ) -> Call:
        """A call with `XREADGROUP GROUP groupname consumername [COUNT] [BLOCK] STREAMS`."""
        call = self._open()
        try:
            words = 5 + 2 * len(streams)
            if count is not None:
                words += 2
            if block is not None:
                words += 2
            call.begin(words)
            call.add(b"XREADGROUP")
            call.add(b"GROUP")
            call.add(groupname)
            call.add(consumername)
            if count is not None:
                call.add(b"COUNT")
                call.add(count)
            if block is not None:
                call.add(b"BLOCK")
                call.add(block)
            call.add(b"STREAMS")
            for key in streams:
                call.add(key)
            for entry_id in streams.values():
                call.add(entry_id)
        except BaseException:
            self._idle.append(call)
            raise
        return call

    def _later(self, call: Call) -> None:
        """The call's reply comes later: arrange for it. The lock is held."""
        raise NotImplementedError

    def _start(self, call: Call) -> int:
        """Execute a call's request; returns DONE, or PENDING: then `_later` was called."""
        entrance = self._entrance
        try:
            entrance.enter()
        except BaseException:
            self._idle.append(call)
            raise
        try:
            status = call.run()
            if status == _PENDING:
                self._later(call)
        except BaseException:
            call.close()
            raise
        finally:
            entrance.leave()
        return status

    def _abandon(self, call: Call) -> None:
        """Whoever waits for the reply was interrupted."""
        entrance = self._entrance
        try:
            entrance.enter()
        except HeadwaterError:
            return  # the store is gone, and the wait with it
        try:
            call.give_up()
        finally:
            entrance.leave()

    def _finish(self, call: Call, shape: int) -> Any:
        """The reply's value; the call is free then. Raises redis-py's error for an error reply."""
        try:
            value = call.take(shape)
        except BaseException:
            self._abandon(call)
            raise
        if not call.closed:
            self._idle.append(call)
        if type(value) is ReplyError:
            if call.closed:
                self._entrance.check()
            raise error_of(value.text)
        return value

    def _now(self, call: Call, shape: int) -> Any:
        """Execute a call's request; its value, or LATER if there is none yet."""
        return self._finish(call, shape) if self._start(call) == _DONE else LATER


class Caller(Starter):
    """Gives a store commands from any thread, which sleeps until it has the reply."""

    __slots__ = ()

    def _later(self, call: Call) -> None:
        call.prepare_wait()

    def _run(self, call: Call, shape: int) -> Any:
        """Execute a call's request, wait for its reply if need be, and return its value."""
        while self._start(call) == _PENDING:
            try:
                call.wait()
            except BaseException:
                self._abandon(call)
                raise
            if not call.must_run_again():
                break
        return self._finish(call, shape)

    def _call(self, words: Any, shape: int, parse: Callable[[Any], T]) -> T:
        """Execute words; `parse` makes what is returned of the reply's value, or is AS_IS."""
        value: T = self._run(self._written(words), shape)
        return value if parse is None else parse(value)


def plain(word: Any) -> bytes:
    """The bytes that stand for a word that is neither bytes nor str."""
    if isinstance(word, bool) or not isinstance(word, int | float | bytearray | memoryview):
        raise TypeError(f"a word is bytes, str, int or float, not {type(word).__name__}")
    return repr(word).encode() if isinstance(word, int | float) else bytes(word)
