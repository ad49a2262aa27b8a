"""What differs between the versions of redis-py, for the clients that are made of it."""

from __future__ import annotations

import inspect
from typing import Any

import redis.utils

try:
    from redis.maint_notifications import MaintNotificationsConfig
except ImportError:  # before 7.0
    MaintNotificationsConfig = None  # type: ignore[assignment, misc]
try:
    from redis._parsers.base import AsyncPushNotificationsParser, PushNotificationsParser
except ImportError:  # before 5.3

    class PushNotificationsParser:  # type: ignore[no-redef]
        """Has a push handled by whom the client names."""

        pubsub_push_handler_func: Any
        invalidation_push_handler_func: Any

        def handle_push_response(self, response: Any) -> Any:
            handler = _handler(self, response)
            return None if handler is None else handler(response)

        def set_pubsub_push_handler(self, handler: Any) -> None:
            self.pubsub_push_handler_func = handler

        def set_invalidation_push_handler(self, handler: Any) -> None:
            self.invalidation_push_handler_func = handler

    class AsyncPushNotificationsParser(PushNotificationsParser):  # type: ignore[no-redef]
        """As PushNotificationsParser, for redis.asyncio."""

        async def handle_push_response(self, response: Any) -> Any:  # type: ignore[override]
            handler = _handler(self, response)
            return None if handler is None else await handler(response)


_MAINTENANCE = "maint_notifications_config"

__all__ = [
    "SENTINEL",
    "AsyncPushNotificationsParser",
    "PushNotificationsParser",
    "spare_maintenance",
]

SENTINEL: Any = getattr(redis.utils, "SENTINEL", object())
"""The `timeout` of a reply that goes by `socket_timeout`; older versions cannot ask for another."""


def spare_maintenance(kwargs: dict[str, Any], client: Any) -> None:
    """Have connections not ask for notices of a server's maintenance, unless they are told to.

    Only clients that know of it (redis.Redis from 7.0 on, redis.asyncio.Redis later) can be told.
    """
    known = _MAINTENANCE in inspect.signature(client.__init__).parameters
    if known and MaintNotificationsConfig is not None and kwargs.get(_MAINTENANCE) is None:
        kwargs[_MAINTENANCE] = MaintNotificationsConfig(enabled=False)


def _handler(parser: Any, response: Any) -> Any:
    if response[0] in (b"invalidate", "invalidate"):
        return parser.invalidation_push_handler_func
    return parser.pubsub_push_handler_func
