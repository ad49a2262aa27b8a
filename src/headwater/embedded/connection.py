"""redis-py's connection to a store in the same process: no socket, no other thread."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, cast

from redis.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from headwater.embedded.packing import Packer
from headwater.embedded.parser import (
    CLOSED,
    ClosedConnection,
    LocalParser,
    check,
    checked,
    make_decoder,
)
from headwater.embedded.session import INCOMPLETE, LocalSession
from headwater.embedded.store import Store
from headwater.embedded.versions import SENTINEL
from headwater.errors import StoreClosed
from headwater.resp.decoder import Push


class Line:
    """What the connection has for a socket: one session, from connecting to hanging up."""

    __slots__ = ("session",)

    def __init__(self, session: LocalSession) -> None:
        self.session = session
        try:
            session.begin()
        except StoreClosed as error:
            raise ClosedConnection(str(error)) from None

    def shutdown(self, how: int) -> None:
        """Nothing is on its way."""

    def close(self) -> None:
        """Disconnect."""
        self.session.hang_up()


class LocalConnection(AbstractConnection):
    """A connection of `headwater.connect`. Commands are executed when they are sent."""

    _sock: Any
    _parser: Any
    next_health_check: Any

    def __init__(self, *, store: Store, **kwargs: Any) -> None:
        self.store = store
        kwargs.setdefault("socket_timeout", None)
        super().__init__(parser_class=LocalParser, **kwargs)
        if kwargs.get("command_packer") is None:
            self._command_packer = Packer(self.encoder)

    def repr_pieces(self) -> list[tuple[str, Any]]:
        pieces: list[tuple[str, Any]] = [("store", self.store.path or "in memory"), ("db", self.db)]
        if self.client_name:
            pieces.append(("client_name", self.client_name))
        return pieces

    @property
    def host(self) -> str:
        """What redis-py calls the server in errors and metrics."""
        return "embedded"

    @host.setter
    def host(self, value: str) -> None:
        """There is no other."""

    @property
    def port(self) -> int:
        """None is used."""
        return 0

    def _connect(self) -> Line:
        check(self.store)
        return Line(self.store.session(make_decoder(self)))

    def _connect_first(self) -> None:
        if hasattr(self, "connect_check_health"):
            self.connect_check_health(check_health=False)
        else:  # before 5.3
            self.connect()  # type: ignore[no-untyped-call]

    def _host_error(self) -> str:
        return f"the store {self.store.path or 'in memory'}"

    # --- sending ---

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        """Execute what is packed; replies are there when this returns, unless a command waits."""
        if self._sock is None:
            self._connect_first()
        if check_health and self.health_check_interval:
            self.check_health()  # type: ignore[no-untyped-call]
        try:
            self._sock.session.feed(joined(command))
        except OSError as error:
            self.disconnect()  # type: ignore[no-untyped-call]
            raise RedisConnectionError(f"Error while writing to the store: {error}.") from error
        except StoreClosed as error:
            self.disconnect()  # type: ignore[no-untyped-call]
            raise ClosedConnection(str(error)) from None
        except BaseException:
            self.disconnect()  # type: ignore[no-untyped-call]
            raise

    def pack_commands(self, commands: Iterable[Any]) -> list[bytes]:
        """All of a pipeline, in one piece."""
        packer = self._command_packer
        if isinstance(packer, Packer):
            return packer.pack_all(commands)
        packed: list[bytes] = super().pack_commands(commands)  # type: ignore[no-untyped-call]
        return packed

    # --- reading ---

    def can_read(self, timeout: float | None = 0) -> bool:
        """Whether there is something to read, or the store has ended the connection."""
        if self._sock is None:
            self.connect()  # type: ignore[no-untyped-call]
        session = self._sock.session
        if session.has_more() or (timeout != 0 and session.wait(timeout)):
            if session.lost and not session.unread_bytes():
                raise RedisConnectionError(CLOSED)
            return True
        return False

    def read_response(
        self,
        disable_decoding: bool = False,
        *,
        timeout: Any = SENTINEL,
        disconnect_on_error: bool = True,
        push_request: bool = False,
    ) -> Any:
        """The next reply; the thread sleeps until it is there."""
        try:
            if self._sock is None:
                raise RedisConnectionError(CLOSED)
            session = self._sock.session
            while True:
                reply = session.take(disable_decoding)
                if reply is INCOMPLETE:
                    within = self.socket_timeout if timeout is SENTINEL else timeout
                    reply = session.read(within, disable_decoding)
                if type(reply) is Push:
                    reply = self._parser.handle_push_response(list(reply))
                    if not push_request:
                        continue
                break
            checked(reply)
        except TimeoutError:
            if disconnect_on_error:
                self.disconnect()  # type: ignore[no-untyped-call]
            raise RedisTimeoutError(f"Timeout reading from {self._host_error()}") from None
        except EOFError:
            if disconnect_on_error:
                self.disconnect()  # type: ignore[no-untyped-call]
            check(self.store)
            raise RedisConnectionError(CLOSED) from None
        except BaseException:
            if disconnect_on_error:
                self.disconnect()  # type: ignore[no-untyped-call]
            raise
        if self.health_check_interval:
            self.next_health_check = time.monotonic() + self.health_check_interval
        if isinstance(reply, ResponseError):
            try:
                raise reply
            finally:
                del reply  # no cycle of an error and its frame
        return reply


def joined(command: str | bytes | Iterable[Any]) -> bytes:
    """The bytes of a packed command, or of many."""
    if isinstance(command, str):
        return command.encode()
    if isinstance(command, bytes):
        return command
    if isinstance(command, list) and len(command) == 1 and isinstance(command[0], bytes):
        return command[0]
    return b"".join(cast(Iterable[bytes], command))
