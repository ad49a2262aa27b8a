"""What a server can do, by asking it which commands it has; its name does not matter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from redis.exceptions import ResponseError

from headwater.worker.errors import ConfigurationError
from headwater.worker.wire import Flow, is_passing


@dataclass(frozen=True, slots=True)
class Features:
    """settings: groups have settings (XGROUP CFGSET), and the server looks after deliveries.
    idempotent: XADD takes IDMP. autoclaim: there is XAUTOCLAIM, as in Redis 6.2 and later."""

    settings: bool = False
    idempotent: bool = False
    autoclaim: bool = True


COMMANDS = ("xgroup|cfgset", "xnack", "xcfgset", "xautoclaim")


def ask() -> Flow[Features]:
    """Ask for each command; a user who may not ask is taken for one of a plain Redis."""
    try:
        answer = yield ("COMMAND INFO", *COMMANDS)
    except ResponseError as error:
        if is_passing(error):
            raise
        return Features()
    cfgset, nack, stream_cfgset, autoclaim = [bool(row) for row in _rows(answer)]
    return Features(cfgset and nack, stream_cfgset, autoclaim)


def check(features: Features) -> None:
    if not features.autoclaim:
        raise ConfigurationError("the server has no XAUTOCLAIM: Redis 6.2 or later is needed")


def _rows(answer: Any) -> list[Any]:
    """One item for each command, nothing for one that does not exist."""
    if isinstance(answer, dict):  # as redis-py forms it: only those that exist, by name
        return [name in answer for name in COMMANDS]
    return list(answer)
