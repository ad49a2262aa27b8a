"""redis-py's parsers for connections whose replies are decoded already."""

from __future__ import annotations

from typing import Any

from redis._parsers.base import BaseParser
from redis.exceptions import ConnectionError as RedisConnectionError

from headwater.embedded.versions import AsyncPushNotificationsParser, PushNotificationsParser
from headwater.errors import StoreClosed
from headwater.resp.decoder import ReplyDecoder

CLOSED = "Connection closed by server."


class ClosedConnection(StoreClosed, RedisConnectionError):  # noqa: N818 - as its base
    """StoreClosed, for those too who expect redis-py's ConnectionError when a server is gone."""


def make_decoder(connection: Any) -> ReplyDecoder:
    """A decoder that gives what the connection's settings ask for."""
    encoder = connection.encoder
    encoding = encoder.encoding if encoder.decode_responses else None
    return ReplyDecoder(
        connection.protocol in (3, "3"),
        encoding,
        encoder.encoding_errors,
        BaseParser.parse_error,
    )


def check(store: Any) -> None:
    """Raise ClosedConnection if the store is closed."""
    try:
        store.check()
    except StoreClosed as error:
        raise ClosedConnection(str(error)) from None


def checked(reply: Any) -> Any:
    """The reply, unless it is an error that redis-py's parsers raise rather than return."""
    if isinstance(reply, RedisConnectionError):
        raise reply
    return reply


class LocalParser(BaseParser, PushNotificationsParser):
    """Holds what redis-py's clients set at a parser: who is told of pushes."""

    def __init__(self, socket_read_size: int) -> None:
        self.pubsub_push_handler_func = self.handle_pubsub_push_response
        self.node_moving_push_handler_func = None
        self.maintenance_push_handler_func = None
        self.oss_cluster_maint_push_handler_func = None
        self.invalidation_push_handler_func = None

    def handle_pubsub_push_response(self, response: Any) -> Any:
        return response

    def on_connect(self, connection: Any) -> None:
        """The decoder is the connection's."""

    def on_disconnect(self) -> None:
        """The decoder is the connection's."""


class AsyncLocalParser(BaseParser, AsyncPushNotificationsParser):
    """As LocalParser, for redis.asyncio."""

    def __init__(self, socket_read_size: int) -> None:
        self.pubsub_push_handler_func = self.handle_pubsub_push_response
        self.node_moving_push_handler_func = None
        self.maintenance_push_handler_func = None
        self.oss_cluster_maint_push_handler_func = None
        self.invalidation_push_handler_func = None

    async def handle_pubsub_push_response(self, response: Any) -> Any:
        return response

    def on_connect(self, connection: Any) -> None:
        """The decoder is the connection's."""

    def on_disconnect(self) -> None:
        """The decoder is the connection's."""
