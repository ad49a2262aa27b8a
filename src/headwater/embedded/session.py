"""A client in the process: bytes of requests in, replies out, executed by the caller's own thread.

It is the server's connection on a transport without a socket, so pipelines, transactions, waits,
pushes and limits are the server's. What it is sent goes into a decoder; whoever reads takes
replies from there, or sleeps until there is one.

Guarantees: everything of a session happens under the store's lock, except where a reader sleeps.
A thread that is inside already (a destructor, a signal's handler) gets an error instead of a
store that is in the middle of something.
"""

from __future__ import annotations

import os
from _thread import allocate_lock
from time import monotonic, sleep
from typing import Any

from headwater.commands.state import ServerState
from headwater.errors import StoreError
from headwater.limits import READ_BUFFER_BYTES, SEND_PIECE_BYTES, TRANSPORT_HIGH_BYTES
from headwater.resp.decoder import INCOMPLETE, ReplyDecoder
from headwater.resp.reply import Reply
from headwater.server.connection import Connection
from headwater.server.gate import Gate
from headwater.server.shared import Shared

__all__ = ["INCOMPLETE", "Entrance", "LocalSession", "Pipe"]

DRAW_BYTES = 1024 * 1024
"""So much of a big reply is taken out of the store at once; the rest when this was read."""

ASIDE_S = 0.002
"""For so long others are let in while a script runs for too long: who sleeps has to wake up."""

_SEND_PIECE_BYTES, _TRANSPORT_HIGH_BYTES = SEND_PIECE_BYTES, TRANSPORT_HIGH_BYTES  # as C numbers
_DRAW_BYTES = DRAW_BYTES
_INSIDE = "this thread is in the middle of a command of the same store (is this a destructor, a \
signal's handler or a log handler?); do it from another thread, or later"


class Entrance:
    """The one way into a store: its lock, and what is due when somebody leaves.

    `inside`: somebody is, and runs something. `refusal`: why nobody may enter any more.
    `sleeping`: the store's own thread waits for something to happen. `aside`: others are let in
    in the middle of somebody's request, which runs for long. `interrupt`: what came up in their
    thread meanwhile (KeyboardInterrupt), raised when they leave.
    """

    __slots__ = (
        "aside",
        "gate",
        "inside",
        "interrupt",
        "leaving",
        "lock",
        "loop",
        "refusal",
        "sleeping",
    )

    def __init__(self, lock: Any) -> None:
        self.lock = lock
        self.gate: Gate | None = None
        self.loop: Any = None
        self.inside = False
        self.sleeping = False
        self.aside = False
        self.refusal: Any = None
        self.interrupt: Any = None
        self.leaving: list[Any] = []

    def check(self) -> None:
        """Raise why the store cannot be used, if it cannot."""
        if self.refusal is not None:
            raise self.refusal()

    def enter(self) -> None:
        """Take the lock and begin a round. Raises StoreClosed, StoreError."""
        self.lock.acquire()
        if self.inside or self.refusal is not None:
            inside = self.inside
            self.lock.release()
            if inside:
                raise StoreError(_INSIDE)
            self.check()
        self.inside = True
        gate = self.gate
        assert gate is not None
        gate.in_round = True

    def leave(self) -> None:
        """End the round: write the journal, let go what may go; and release the lock."""
        gate = self.gate
        assert gate is not None
        gate.in_round = False
        try:
            gate.end_round()
            if self.leaving:
                self.bury()
        finally:
            self.inside = False
            interrupt = self.interrupt
            self.interrupt = None
            self.lock.release()
        if interrupt is not None:
            raise interrupt

    def step_aside(self) -> None:
        """Let other clients in for a moment, in the middle of what is executed inside.

        Only them: the store's own thread waits until all of it is done. Raises what interrupts
        the thread, so that its script ends; whatever comes of that, `leave` raises it again.
        """
        gate = self.gate
        assert gate is not None
        in_round = gate.in_round
        interrupt = self.interrupt
        self.interrupt = None
        self.aside = True
        self.inside = False
        self.lock.release()
        came = None
        try:
            sleep(ASIDE_S)
        except BaseException as error:
            came = error
        while True:  # without the lock there is no way back
            try:
                self.lock.acquire()
                break
            except BaseException as error:
                came = error
        self.inside = True
        self.aside = False
        gate.in_round = in_round
        self.interrupt = interrupt if came is None else came
        if came is not None:
            raise came

    def bury(self) -> None:
        """Forget the sessions whose transports were closed."""
        while self.leaving:
            self.leaving.pop().connection_lost(None)


class Pipe:
    """What a LocalSession has for a transport."""

    __slots__ = ("_entrance", "_session", "closing")

    def __init__(self, session: LocalSession, entrance: Entrance) -> None:
        self._session: LocalSession | None = session
        self._entrance = entrance
        self.closing = False

    def write(self, data: bytes) -> None:
        """Have the client read this."""
        if self._session is not None:
            self._session.receive(data)

    def close(self) -> None:
        """The client reads what there is, and then the end."""
        session = self._session
        if session is None or self.closing:
            return
        self.closing = True
        session.ring()
        self._entrance.leaving.append(session)
        self._entrance.loop.call_soon(self._entrance.bury)

    def abort(self) -> None:
        """As `close`: what was sent is there already."""
        self.close()

    def detach(self) -> None:
        """The session is gone."""
        self.closing = True
        self._session = None

    def get_write_buffer_size(self) -> int:
        """Bytes that the client has not read."""
        return 0 if self._session is None else self._session.unread_bytes()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """The addresses are the process's."""
        if name in ("peername", "sockname"):
            return ("embedded", os.getpid())
        if name == "embedded":
            return True
        return default

    def set_write_buffer_limits(self, high: int, low: int) -> None:
        """There is no buffer to limit."""

    def pause_reading(self) -> None:
        """The client's thread executes what it sends, or leaves it where it is."""

    def resume_reading(self) -> None:
        """As `pause_reading`."""


class LocalSession(Connection):
    """One client of an embedded store. `lost`: it is disconnected, from whichever side.

    `_bell()` is called once when there is something to read. `_pipe` is its transport.
    """

    __slots__ = ("_bell", "_decoder", "_entrance", "_pipe", "lost")

    def __init__(
        self, state: ServerState, shared: Shared, entrance: Entrance, decoder: ReplyDecoder
    ) -> None:
        super().__init__(state, shared)
        self._entrance = entrance
        self._decoder = decoder
        self._bell: Any = None
        self.lost = False
        self._pipe = Pipe(self, entrance)

    def begin(self) -> None:
        """Connect. Raises StoreClosed."""
        self._entrance.enter()
        try:
            self.connection_made(self._pipe)
        finally:
            self._entrance.leave()

    # --- called by the client ---

    def feed(self, data: bytes) -> None:
        """Execute requests; what is behind one that waits is executed when that is done.

        Raises BrokenPipeError when the session has ended, StoreClosed, StoreError.
        """
        entrance = self._entrance
        end = len(data)
        pos = 0
        while pos < end:
            piece = data if end <= READ_BUFFER_BYTES else data[pos : pos + READ_BUFFER_BYTES]
            entrance.enter()
            try:
                if not self.closed:
                    self.data_received(piece)
                elif not self.has_unread():
                    raise BrokenPipeError("the store has ended this connection")
            finally:
                entrance.leave()
            pos += len(piece)

    def take(self, raw: bool = False) -> Any:
        """Return the next reply, or INCOMPLETE. Raises EOFError when there will be none."""
        entrance = self._entrance
        entrance.lock.acquire()
        try:
            return self._take(raw)
        finally:
            entrance.lock.release()

    def _take(self, raw: bool) -> Any:
        while True:
            value = self._decoder.decode(raw)
            if value is not INCOMPLETE:
                return value
            if self._outbox is None:
                break
            self._draw()
        if self.lost or self._pipe.closing:
            raise EOFError
        return INCOMPLETE

    def take_bytes(self) -> bytes:
        """Return what there is of replies as bytes. Raises EOFError when there will be none."""
        entrance = self._entrance
        entrance.lock.acquire()
        try:
            while self._outbox is not None:
                self._draw()
            if self._decoder.waiting() == 0 and (self.lost or self._pipe.closing):
                raise EOFError
            return self._decoder.take_bytes()
        finally:
            entrance.lock.release()

    def read(self, timeout: float | None, raw: bool = False) -> Any:
        """Return the next reply; the calling thread sleeps until it is there.

        Raises TimeoutError after `timeout` seconds, EOFError when there will be none.
        """
        entrance = self._entrance
        until = 0.0
        while True:
            entrance.lock.acquire()
            try:
                value = self._take(raw)
                if value is not INCOMPLETE:
                    return value
                bell = allocate_lock()
                bell.acquire()
                self._bell = bell.release
            finally:
                entrance.lock.release()
            if timeout is None:
                bell.acquire()
                continue
            if until == 0.0:
                until = monotonic() + timeout
            left = until - monotonic()
            if left <= 0 or not bell.acquire(True, min(left, 1e6)):
                value = self.take(raw)
                if value is INCOMPLETE:
                    raise TimeoutError
                return value

    def wait(self, timeout: float | None) -> bool:
        """Have the calling thread sleep until there is something to read; False: there is not."""
        bell = allocate_lock()
        bell.acquire()
        if self.listen(bell.release):
            return True
        if timeout is None:
            return bell.acquire()
        return bell.acquire(True, min(timeout, 1e6)) if timeout > 0 else False

    def listen(self, bell: Any) -> bool:
        """Have `bell()` called once when something comes, unless (True) something is there.

        It is called under the store's lock, by any thread; None: nobody listens any more.
        """
        entrance = self._entrance
        entrance.lock.acquire()
        try:
            if self.has_more():
                return True
            self._bell = bell
            return False
        finally:
            entrance.lock.release()

    def has_more(self) -> bool:
        """Whether a reply, or a piece of one, or the end can be read."""
        return self.has_unread() or self.lost or self._pipe.closing

    def has_unread(self) -> bool:
        """Whether a reply, or a piece of one, can be read."""
        return self._decoder.waiting() > 0 or self._outbox is not None

    def hang_up(self) -> None:
        """The client disconnects. May be called from anywhere, twice too."""
        entrance = self._entrance
        if entrance.refusal is not None or self.lost:
            return
        if entrance.lock._is_owned():
            # In the middle of something: a destructor that the collector runs.
            entrance.loop.call_soon(self._hang_up)
            return
        entrance.lock.acquire()
        entrance.inside = self._gate.in_round = True
        try:
            self._hang_up()
        finally:
            entrance.leave()

    def _hang_up(self) -> None:
        if not self.lost:
            self.connection_lost(None)

    # --- called by the store ---

    def connection_lost(self, error: Any) -> None:
        if self.lost:
            return
        self.lost = True
        self._drain()
        Connection.connection_lost(self, error)
        self._pipe.detach()
        self._write = None
        self.ring()

    def receive(self, data: bytes) -> None:
        """These bytes are the client's."""
        self._decoder.feed(data)
        self.ring()

    def unread_bytes(self) -> int:
        """Bytes that the client has not read."""
        return self._decoder.waiting()

    def ring(self) -> None:
        """Wake whoever waits for something to read."""
        bell = self._bell
        if bell is not None:
            self._bell = None
            bell()

    def send(self, reply: Reply) -> None:
        Connection.send(self, reply)
        if self._is_behind():
            self._shared.on_pushed(self)

    def end(self) -> None:
        self._drain()
        Connection.end(self)

    def _is_behind(self) -> bool:
        return self._decoder.waiting() > _TRANSPORT_HIGH_BYTES

    def _flush(self, reply: Reply) -> None:
        if (
            reply.parts
            or self._outbox is not None
            or self._held
            or self.closed
            or self._shared.limits_output
        ):
            Connection._flush(self, reply)
            return
        gate = self._gate
        if self._running and not gate.is_open():
            gate.write()
        if not gate.is_open() and self._must_hold():
            self._hold(reply)
        elif reply.pos:
            self._count_written(reply.pos)
            self._decoder.feed_span(reply.buf, 0, reply.pos)
            reply.reset()
            self.ring()

    def _pump(self) -> int:
        """Leave the outbox to the reader."""
        self.ring()
        if self.close_after_reply:
            self._drain()
            self._close_when_sent()
        return 0

    def _draw(self) -> None:
        """Take more of a big reply; behind it, go on with the requests."""
        self._take_out(_DRAW_BYTES)
        if self._outbox is None and self._filled and not self.closed:
            entrance = self._entrance
            gate = self._gate
            entrance.inside = gate.in_round = True
            try:
                self._resume_now()
            finally:
                gate.in_round = False
                entrance.inside = False
                gate.end_round()

    def _drain(self) -> None:
        while self._outbox is not None:
            self._take_out(_DRAW_BYTES)

    def _take_out(self, wanted: int) -> None:
        """Move about so many bytes from the outbox to the reader."""
        outbox = self._outbox
        moved = 0
        while outbox and moved < wanted:
            part = outbox[0]
            if isinstance(part, bytes):
                data = part
                outbox.popleft()
            else:
                data = part.read(_SEND_PIECE_BYTES)
                if not data:
                    outbox.popleft()
            size = len(data)
            if size:
                moved += size
                self._outbox_bytes -= size
                self._count_written(size)
                self._decoder.feed(data)
        if not outbox:
            self._outbox = None
            self._outbox_bytes = 0
