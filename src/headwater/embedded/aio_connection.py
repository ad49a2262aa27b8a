"""redis-py's asyncio connection to a store in the same process.

Commands are executed in the event loop's own thread, when they are sent. Who waits for a reply
waits as a task; the store's thread, or whichever gives the reply, wakes the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable, Iterable
from typing import Any

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from headwater.embedded.connection import Line, joined
from headwater.embedded.packing import Packer
from headwater.embedded.parser import (
    CLOSED,
    AsyncLocalParser,
    ClosedConnection,
    check,
    checked,
    make_decoder,
)
from headwater.embedded.session import INCOMPLETE, LocalSession
from headwater.embedded.store import Store
from headwater.errors import StoreClosed
from headwater.resp.decoder import Push


class AsyncLine(Line):
    """What the connection has for a stream's reader and writer."""

    __slots__ = ()

    async def wait_closed(self) -> None:
        """It is closed when `close` returns."""


class AsyncLocalConnection(AbstractConnection):
    """A connection of `headwater.aio.connect`."""

    _reader: Any
    _writer: Any
    _parser: Any

    def __init__(self, *, store: Store, **kwargs: Any) -> None:
        self.store = store
        kwargs.setdefault("socket_timeout", None)
        super().__init__(parser_class=AsyncLocalParser, **kwargs)
        self._packer = Packer(self.encoder)

    def repr_pieces(self) -> list[tuple[str, Any]]:
        pieces: list[tuple[str, Any]] = [("store", self.store.path or "in memory"), ("db", self.db)]
        if self.client_name:
            pieces.append(("client_name", self.client_name))
        return pieces

    async def connect_check_health(self, *args: Any, **kwargs: Any) -> None:
        check(self.store)
        if hasattr(AbstractConnection, "connect_check_health"):
            await super().connect_check_health(*args, **kwargs)
        else:  # before 5.3
            await super().connect()  # type: ignore[no-untyped-call]

    async def connect(self) -> None:
        await self.connect_check_health()

    async def _connect(self) -> None:
        line = AsyncLine(self.store.session(make_decoder(self)))
        self._reader = self._writer = line

    def _host_error(self) -> str:
        return f"the store {self.store.path or 'in memory'}"

    # --- sending ---

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        """Execute what is packed; replies are there when this returns, unless a command waits."""
        if self._writer is None:
            await self.connect_check_health(check_health=False)
        if check_health and self.health_check_interval:
            await self.check_health()  # type: ignore[no-untyped-call]
        try:
            self._writer.session.feed(joined(command))
        except OSError as error:
            await self.disconnect(nowait=True)
            raise RedisConnectionError(f"Error while writing to the store: {error}.") from error
        except StoreClosed as error:
            await self.disconnect(nowait=True)
            raise ClosedConnection(str(error)) from None
        except BaseException:
            await self.disconnect(nowait=True)
            raise

    def pack_command(self, *args: Any) -> list[bytes]:
        """One command, in one piece."""
        return self._packer.pack(*args)

    def pack_commands(self, commands: Iterable[Any]) -> list[bytes]:
        """All of a pipeline, in one piece."""
        return self._packer.pack_all(commands)

    # --- reading ---

    async def can_read(self) -> bool:
        """Whether there is something to read, or the store has ended the connection."""
        if self._reader is None:
            raise RedisConnectionError(CLOSED)
        session = self._reader.session
        if not session.has_more():
            return False
        if session.lost and not session.unread_bytes():
            raise RedisConnectionError(CLOSED)
        return True

    async def can_read_destructive(self) -> bool:
        """What `can_read` was called before 8.0."""
        return await self.can_read()

    async def read_response(
        self,
        disable_decoding: bool = False,
        timeout: float | None = None,
        *,
        disconnect_on_error: bool = True,
        push_request: bool | None = False,
    ) -> Any:
        """The next reply; the task waits until it is there."""
        reader = self._reader
        if reader is not None and not self.health_check_interval:
            try:
                reply = reader.session.take(disable_decoding)
            except Exception:
                reply = INCOMPLETE  # the same happens below, where it is dealt with
            if type(reply) is Push:
                reply = await self._parser.handle_push_response(list(reply))
                if push_request:
                    return reply
            elif reply is not INCOMPLETE and not isinstance(reply, Exception):
                return reply
            elif isinstance(reply, ResponseError) and not isinstance(reply, RedisConnectionError):
                raise reply from None  # an error reply ends no connection
            elif isinstance(reply, Exception):
                if disconnect_on_error:
                    await self.disconnect(nowait=True)
                raise reply
        within = self.socket_timeout if timeout is None else timeout
        if within == math.inf:
            within = None
        try:
            async with asyncio.timeout(within):
                reply = await self._next_reply(disable_decoding, push_request)
        except TimeoutError:
            if timeout is not None:
                return None  # as asked for; one may go on waiting
            if disconnect_on_error:
                await self.disconnect(nowait=True)
            raise RedisTimeoutError(f"Timeout reading from {self._host_error()}") from None
        except BaseException:
            if disconnect_on_error:
                await self.disconnect(nowait=True)
            raise
        if self.health_check_interval:
            now = asyncio.get_running_loop().time()
            self.next_health_check = now + self.health_check_interval
        if isinstance(reply, ResponseError):
            raise reply from None
        return reply

    async def _next_reply(self, disable_decoding: bool, push_request: bool | None) -> Any:
        if self._reader is None:
            raise RedisConnectionError(CLOSED)
        session = self._reader.session
        while True:
            try:
                reply = session.take(disable_decoding)
            except EOFError:
                check(self.store)
                raise RedisConnectionError(CLOSED) from None
            if reply is INCOMPLETE:
                await _something_to_read(session)
                continue
            if type(reply) is Push:
                reply = await self._parser.handle_push_response(list(reply))
                if not push_request:
                    continue
                return reply
            return checked(reply)


async def _something_to_read(session: LocalSession) -> None:
    """Return when there may be something to read."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()
    if not session.listen(_bell(loop, future)):
        await future


def _bell(loop: asyncio.AbstractEventLoop, future: asyncio.Future[None]) -> Callable[[], None]:
    def done() -> None:
        if not future.done():
            future.set_result(None)

    def ring() -> None:
        with contextlib.suppress(RuntimeError):  # the program's loop is closed: nobody listens
            loop.call_soon_threadsafe(done)

    return ring
