"""One client's socket, the synchronous half: bytes in, requests run, bytes out.

Requests that arrive whole are executed out of one buffer of the server, which every connection
uses in its turn; only what is not executed at once (the piece of a request, requests behind one
that waits) is kept in a buffer of the connection's own.

Replies are gathered and handed to the transport when the input is used up. While the client
does not take what it is sent, its requests are not executed and not even read, so a client that
never reads costs its transport's buffer and no more (invariant 8).
"""

from __future__ import annotations

import logging
from collections import deque
from typing import Any

from headwater.commands.blocking import end_wait
from headwater.commands.channels import Subscriptions
from headwater.commands.dispatch import POSTPONED, execute
from headwater.commands.session import Session
from headwater.commands.state import ServerState
from headwater.limits import (
    PENDING_MIN_BYTES,
    READ_BUFFER_BYTES,
    REPLY_BUFFER_BYTES,
    SEND_PIECE_BYTES,
    TRANSPORT_HIGH_BYTES,
    TRANSPORT_LOW_BYTES,
)
from headwater.raw import alloc, copy, copy_bytes, monotonic_us
from headwater.resp.parser import FAILED, MORE, RequestParser
from headwater.resp.reply import Reply
from headwater.server.poller import SocketTransport
from headwater.server.shared import Shared

__all__ = ["Connection", "Shared"]

_EMPTY = bytearray()
_log = logging.getLogger("headwater")


class Connection(Session):
    """A session with a socket; a protocol of asyncio.

    `_pending[parser.begin:_filled]` is input that is not executed yet. `_outbox` holds parts of
    replies that wait for the transport. `_stalled`: the transport asked not to be given more.
    `_waits_turn`: more of the outbox is sent when it is this client's turn.
    `_held` parts of replies, `_held_bytes` in all, wait at the gate for the journal (invariant 1);
    `_run_from` is where the journal ended when requests of this client began to run.
    """

    __slots__ = (
        "_choked",
        "_filled",
        "_gate",
        "_held",
        "_held_bytes",
        "_outbox",
        "_outbox_bytes",
        "_parser",
        "_paused_reading",
        "_pending",
        "_pending_bytes",
        "_resume_scheduled",
        "_run_from",
        "_running",
        "_shared",
        "_socket",
        "_stalled",
        "_waits_turn",
        "_write",
        "closed",
        "output_over_since_ms",
        "transport",
    )

    def __init__(self, state: ServerState, shared: Shared) -> None:
        super().__init__(state)
        self._shared = shared
        self._gate = shared.gate
        self._held = self._held_bytes = 0
        self._choked = False
        self._run_from = 0
        self._parser = RequestParser(shared.request, shared.max_bulk_bytes)
        self._parser.authenticated = self.authenticated
        self._pending = _EMPTY
        self._pending_bytes = 0
        self._filled = 0
        self._outbox: deque[Any] | None = None
        self._outbox_bytes = 0
        self._stalled = False
        self._waits_turn = False
        self._paused_reading = False
        self._resume_scheduled = False
        self._running = False
        self.transport: Any = None
        self._write: Any = None
        self._socket: SocketTransport | None = None
        self.closed = False
        self.output_over_since_ms = 0

    # --- called by the event loop ---

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._write = transport.write
        if isinstance(transport, SocketTransport):
            self._socket = transport
        else:
            transport.set_write_buffer_limits(TRANSPORT_HIGH_BYTES, TRANSPORT_LOW_BYTES)
        self._shared.on_new(self)

    def data_received(self, data: bytes) -> None:
        for begin in range(0, len(data), READ_BUFFER_BYTES):
            piece = data[begin : begin + READ_BUFFER_BYTES]
            copy_bytes(self._shared.read_buffer, 0, piece)
            self.input_received(len(piece))

    def input_received(self, n: int) -> None:
        """The first `n` bytes of the server's read buffer are this client's next input."""
        state = self.state
        shared = self._shared
        state.read_bytes += n
        self.read_bytes += n
        at_us = monotonic_us()
        state.clock.follow(at_us)
        self.last_ms = state.clock.now_ms
        if self._filled == 0 and self._may_run():
            self._parser.pos = 0
            state.at_us = at_us
            self._run(shared.read_buffer, n)
            return
        if self.closed or self.close_after_reply:
            return
        if self._filled + n > self._pending_bytes:
            self._make_room(n)
        copy(self._pending, self._filled, shared.read_buffer, 0, n)
        self._filled += n
        if self._may_run():
            state.at_us = at_us
            self._run(self._pending, self._filled)
        elif self._filled - self._parser.begin > shared.max_query_bytes:
            self._refuse_more()
        else:
            self._limit_reading()

    def eof_received(self) -> bool:
        # A client that is gone takes no entry with it; but one that has said all it will say may
        # still listen for the replies that wait: for the journal, their turn, or the client.
        end_wait(self)
        if self.output_bytes() == 0:
            return False
        self.close_after_reply = True
        self._close_when_sent()
        return True

    def pause_writing(self) -> None:
        self._stalled = True
        self._shared.on_stalled(self, True)

    def resume_writing(self) -> None:
        self._stalled = False
        self.last_ms = self.state.clock.now_ms
        self._shared.on_stalled(self, False)
        if self._outbox is None:
            self._schedule_resume()
        else:
            # Many sockets may be empty at once: each one waits for its turn.
            self._join_turns()

    def connection_lost(self, error: Any) -> None:
        self.closed = True
        end_wait(self)
        if self._outbox is not None:
            for part in self._outbox:
                self._drop(part)
            self._outbox = None
        self._outbox_bytes = self._held = self._held_bytes = 0
        self._pending = _EMPTY
        self._pending_bytes = self._filled = 0
        # The transport stays: one of its methods may be what led here, and a C call holds no
        # reference to the object it is made on.
        self._shared.on_gone(self)

    # --- running requests ---

    def _may_run(self) -> bool:
        """Whether nothing keeps the next request from being executed."""
        return (
            self.blocked is None
            and not self._stalled
            and self._outbox is None
            and not self._choked
            and self._held_bytes <= TRANSPORT_HIGH_BYTES
            and not self.closed
            and not self.close_after_reply
        )

    def _run(self, buf: bytearray, end: int) -> None:
        """Execute the requests of `buf[parser.pos:end]`; keep what is left of them."""
        try:
            self._run_requests(buf, end)
            self.state.at_us = 0
            if not self._gate.in_round and not self._gate.is_open():
                self._gate.schedule()
        except Exception:
            # What is half written must not reach the next client.
            _log.exception("client %d at %s closed: its request failed", self.id, self.address)
            self._running = False
            self.state.at_us = 0
            self._shared.reply.clear()
            self.close()

    def _run_requests(self, buf: bytearray, end: int) -> None:
        parser = self._parser
        reply = self._shared.reply
        reply.resp3 = self.resp3
        postponed = False
        if self.subscriptions is not None:
            self._write_owed(self.subscriptions, reply)
        # Behind a wait very much may have come: others get their turn in between.
        stop = parser.pos + READ_BUFFER_BYTES
        self._run_from = self._gate.recorder.end
        self._running = True
        while True:
            parser.authenticated = self.authenticated
            status = parser.parse(buf, end)
            if status == MORE:
                break
            if status == FAILED:
                reply.error(parser.error)
                self.state.count_error(parser.error)
                self.close_after_reply = True
                break
            listened: Subscriptions | None = self.subscriptions
            result = execute(self, parser.request, reply)
            if result == POSTPONED:
                postponed = True
                break
            if listened is not None:
                self._write_owed(listened, reply)
            if self.subscriptions is not None and self.subscriptions is not listened:
                self._write_owed(self.subscriptions, reply)
            if reply.pos >= REPLY_BUFFER_BYTES or reply.parts:
                self._flush(reply)
            if self._gate.recorder.recording and self._gate.is_choked():
                self._choked = True
                self._gate.choke(self)
            if not self._may_run():
                break
            if parser.pos > stop:
                self._schedule_resume()
                break
        self._running = False
        self._flush(reply)
        if self.closed:
            return
        if self.close_after_reply:
            self._close_when_sent()
            return
        if postponed:
            parser.restart()
        self._keep(buf, parser.begin if status == MORE else parser.pos, end)

    def _keep(self, buf: bytearray, begin: int, end: int) -> None:
        """Keep the input from `begin` on for later, in the connection's own buffer."""
        left = end - begin
        parser = self._parser
        if self.transaction is not None:
            queued = self.transaction.queued_bytes
            if queued + left > self._shared.max_query_bytes:
                self._refuse_more()
                return
        if left == 0:
            if self._pending_bytes:
                self._pending = _EMPTY
                self._pending_bytes = self._filled = 0
                parser.release()
            parser.begin = parser.pos = 0
            return
        if left > self._shared.max_query_bytes:
            self._refuse_more()
            return
        parser.begin = begin
        if buf is self._pending:
            if begin <= left:
                # Moved only once it is the smaller part, so that all moves together cost no
                # more than the bytes, even if every request waits.
                self._limit_reading()
                return
            if parser.remaining < 0:
                parser.release()
        own = alloc(max(PENDING_MIN_BYTES, left + left // 2))
        copy(own, 0, buf, begin, left)
        parser.moved(-begin)
        self._pending = own
        self._pending_bytes = len(own)
        self._filled = left
        self._limit_reading()

    def _make_room(self, n: int) -> None:
        """Have room for `n` more bytes of input.

        Room grows with what is there, and up to what the argument at hand announces; never by
        more than what has arrived, because announcing is free.
        """
        parser = self._parser
        begin = parser.begin
        left = self._filled - begin
        size = left + n + min(max(left // 2, parser.wanted() - left), left + n)
        bigger = alloc(max(size, PENDING_MIN_BYTES))
        copy(bigger, 0, self._pending, begin, left)
        parser.moved(-begin)
        self._pending = bigger
        self._pending_bytes = len(bigger)
        self._filled = left

    def _refuse_more(self) -> None:
        text = "client %d at %s closed: what it sent and was not executed exceeds"
        text += " client-query-buffer-limit (%d bytes)"
        _log.warning(text, self.id, self.address, self._shared.max_query_bytes)
        self.close()

    def _limit_reading(self) -> None:
        """Stop reading while the client does not take its replies, or the disk is too slow."""
        wants_pause = (
            self._stalled
            or self._outbox is not None
            or self._choked
            or self._held_bytes > TRANSPORT_HIGH_BYTES
        )
        if wants_pause and not self._paused_reading:
            self._paused_reading = True
            self.transport.pause_reading()

    def _schedule_resume(self) -> None:
        if not self._resume_scheduled and not self.closed:
            self._resume_scheduled = True
            self._shared.loop.call_soon(self._resume_now)

    def _resume_now(self) -> None:
        self._resume_scheduled = False
        if not self._may_run():
            return
        if self._paused_reading:
            self._paused_reading = False
            self.transport.resume_reading()
        if self._filled:
            self.state.clock.refresh()
            self._run(self._pending, self._filled)

    # --- Session ---

    def resume(self) -> None:
        # A session is resumed in the middle of somebody else's command: its turn comes later.
        if self._filled or self._paused_reading:
            self._schedule_resume()

    def send(self, reply: Reply) -> None:
        self.last_ms = self.state.clock.now_ms
        if self.subscriptions is not None and not self._running:
            earlier = Reply()
            self._write_owed(self.subscriptions, earlier)
            self._flush(earlier)
        if self._running and reply is not self._shared.reply:
            # Behind what this connection's own commands have written so far.
            self._flush(self._shared.reply)
        self._flush(reply)
        if self._stalled or self._held or self._outbox is not None:
            self._shared.on_pushed(self)

    def push(self, data: bytes) -> None:
        if self.closed or self.close_after_reply:
            return
        size = len(data)
        self.last_ms = self.state.clock.now_ms
        # While the journal cannot be written, all is shown: as with reads.
        if self._held or not (self._gate.is_open() or self._gate.failing):
            self._hold_part(data, size)
        else:
            self._add_part(data, size)
        if self._stalled or self._held or self._outbox is not None or self._is_behind():
            self._shared.on_pushed(self)

    def _is_behind(self) -> bool:
        """Whether the socket has not taken all it was given."""
        return self._socket is not None and self._socket.get_write_buffer_size() > 0

    def _write_owed(self, listened: Subscriptions, reply: Reply) -> None:
        """Messages that were published up to now come before the replies of what runs next."""
        if not self._gate.meanwhile:
            listened.write_owed(reply)

    def close(self) -> None:
        if not self.closed and self.transport is not None:
            self.closed = True
            end_wait(self)
            self.transport.abort()

    def end(self) -> None:
        """Execute nothing more, and close when all replies are sent."""
        self.close_after_reply = True
        self._close_when_sent()

    def set_max_bulk(self, max_bytes: int) -> None:
        """Follow `proto-max-bulk-len`."""
        self._parser.max_bulk_bytes = max_bytes

    def input_bytes(self) -> int:
        return self._filled - self._parser.begin if self._filled else 0

    def output_bytes(self) -> int:
        total = self._outbox_bytes + self._held_bytes
        if self.subscriptions is not None:
            subscriptions: Subscriptions = self.subscriptions
            total += subscriptions.owed_bytes
        if self.transport is not None and not self.closed:
            total += self.transport.get_write_buffer_size()
        return total

    def descriptor(self) -> int:
        if self.transport is None or self.closed:
            return -1
        sock = self.transport.get_extra_info("socket")
        return -1 if sock is None else int(sock.fileno())

    def refuse(self, text: bytes) -> None:
        """Tell a client that has just connected why it is not served, and close."""
        transport = self.transport
        transport.write(b"-" + text + b"\r\n")
        self.closed = True
        transport.close()

    # --- output ---

    def _flush(self, reply: Reply) -> None:
        """Hand all of `reply` to the transport, or to the outbox when it is stalled.

        While the gate is closed it is held.
        """
        if self.closed:
            reply.clear()
            return
        if self._shared.limits_output and not self._may_add(reply):
            reply.clear()
            return
        if (self._held or not self._gate.is_open()) and self._must_hold():
            self._hold(reply)
            return
        if not reply.parts and self._outbox is None:
            if reply.pos:
                self._count_written(reply.pos)
                if self._socket is not None:
                    self._socket.write_span(reply.buf, reply.pos)
                    reply.reset()
                else:
                    self._write(reply.take())
            return
        parts = reply.take_parts()
        if not parts:
            return
        if self._outbox is None:
            self._outbox = deque()
        for part in parts:
            self._outbox_bytes += len(part) if isinstance(part, bytes) else part.left()
        self._outbox.extend(parts)
        self._pump()

    def _may_add(self, reply: Reply) -> bool:
        """Whether the reply keeps to the output limit; if not, the client is closed."""
        size = reply.pos
        for part in reply.parts:
            size += len(part) if isinstance(part, bytes) else part.left()
        if size:
            self._shared.on_output(self, size)
        return not self.closed

    def _must_hold(self) -> bool:
        """Whether what is flushed now waits for the journal.

        It does, but for one case: the journal cannot be written, and nothing was changed since
        requests of this client began to run; then reads go on.
        """
        gate = self._gate
        return self._held > 0 or not gate.failing or gate.recorder.end != self._run_from

    def _hold(self, reply: Reply) -> None:
        """Leave all of `reply` at the gate."""
        if not reply.parts:
            if reply.pos:
                size = reply.pos
                self._hold_part(reply.take(), size)
            return
        for part in reply.take_parts():
            self._hold_part(part, len(part) if isinstance(part, bytes) else part.left())

    def _hold_part(self, part: Any, size: int) -> None:
        self._held += 1
        self._held_bytes += size
        self._gate.hold(self, part, size)

    def let_out(self, part: Any, size: int) -> None:
        if self.closed:
            self._drop(part)
            return
        was_full = self._held_bytes > TRANSPORT_HIGH_BYTES
        self._held -= 1
        self._held_bytes -= size
        self._add_part(part, size)
        if self.close_after_reply:
            self._close_when_sent()
        elif was_full and self._held_bytes <= TRANSPORT_HIGH_BYTES:
            self._schedule_resume()

    def _add_part(self, part: Any, size: int) -> None:
        """Send a part, or put it behind what waits in the outbox."""
        if self._outbox is None and isinstance(part, bytes):
            self._give(part, size)
            return
        if self._outbox is None:
            self._outbox = deque()
        self._outbox.append(part)
        self._outbox_bytes += size
        self._pump()

    def unchoke(self) -> None:
        """The disk has caught up: go on."""
        self._choked = False
        self._schedule_resume()

    def _give(self, data: bytes, size: int) -> None:
        """Hand all of some output to the transport."""
        self._count_written(size)
        if self._socket is not None:
            self._socket.write(data)
        else:
            self._write(data)

    def _count_written(self, n: int) -> None:
        self.written_bytes += n
        self.state.written_bytes += n

    def take_turn(self) -> int:
        self._waits_turn = False
        if self._outbox is None or self._stalled or self.closed:
            return 0
        self.last_ms = self.state.clock.now_ms
        sent = self._pump()
        if self._outbox is None and not self._stalled:
            self._schedule_resume()
        return sent

    def _drop(self, part: Any) -> None:
        """Let go of a part that is not sent any more."""
        if not isinstance(part, bytes):
            self.state.keyspace.graveyard.extend(part.parts())

    def _pump(self) -> int:
        """Move a piece of the outbox to the transport unless it stalls; returns its bytes.

        For what is left the client takes its turns.
        """
        outbox = self._outbox
        moved = 0
        if self._waits_turn:
            return moved
        while outbox and moved < SEND_PIECE_BYTES and not self._stalled and not self.closed:
            part = outbox[0]
            if isinstance(part, bytes):
                data = part
                outbox.popleft()
            else:
                data = part.read(SEND_PIECE_BYTES)
                if not data:
                    outbox.popleft()
                    continue
            if data:
                size = len(data)
                moved += size
                self._outbox_bytes -= size
                self._give(data, size)
        if not outbox:
            self._outbox = None
            self._outbox_bytes = 0
            if self.close_after_reply:
                self._close_when_sent()
        elif not self._stalled and not self.closed:
            self._join_turns()
        return moved

    def _join_turns(self) -> None:
        if not self._waits_turn:
            self._waits_turn = True
            self._shared.turns.join(self)

    def _close_when_sent(self) -> None:
        if self._outbox is None and not self._held and not self._running and not self.closed:
            end_wait(self)
            self.transport.close()
