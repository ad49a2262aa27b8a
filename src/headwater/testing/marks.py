"""What `@pytest.mark.headwater(...)` says of a test's store and its clients.

A wrong mark fails the test in one line, which says what is wrong with it: a traceback through the
plugin would tell its reader nothing.
"""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import pytest
import redis
import redis.asyncio

from headwater.embedded.clients import OF_SOCKETS

_OF_STORES = ("durable", "config")


@dataclass(frozen=True, slots=True)
class Marked:
    """The marks of a test, those of its module and its class included."""

    durable: bool
    config: Mapping[str, str | int | bool] | None
    of_clients: Mapping[str, Any]

    def of_client(self, client: Any) -> dict[str, Any]:
        """Those of redis-py's arguments that a class of clients has."""
        known = _arguments(client)
        return {name: value for name, value in self.of_clients.items() if name in known}


def read_marks(node: pytest.Item) -> Marked:
    """What the marks of a test say; fails the test if that cannot be."""
    found: dict[str, Any] = {}
    for mark in reversed(list(node.iter_markers("headwater"))):
        if mark.args:
            refuse("it takes arguments by name only")
        found |= mark.kwargs
    durable = found.pop("durable", False)
    if not isinstance(durable, bool):
        refuse(f"durable is True or False, not {durable!r}")
    config = found.pop("config", None)
    if config is not None and not isinstance(config, Mapping):
        refuse(f"config is a dict of directives, not {config!r}")
    known = _arguments(redis.Redis) | _arguments(redis.asyncio.Redis)
    for name in found:
        if name in OF_SOCKETS or name.startswith("ssl"):
            refuse(f"{name!r} is for connections by a socket; the clients of a test have none")
        if name not in known:
            refuse(_unknown(name, known))
    return Marked(durable, config, found)


def refuse(text: str) -> NoReturn:
    """Fail the test for what its mark says."""
    pytest.fail(f"@pytest.mark.headwater: {text}", pytrace=False)


@functools.cache
def _arguments(client: Any) -> frozenset[str]:
    return frozenset(inspect.signature(client.__init__).parameters) - {"self"}


def _unknown(name: str, known: frozenset[str]) -> str:
    near = difflib.get_close_matches(name, [*_OF_STORES, *known], 1, 0.75)
    if near:
        return f"no argument {name!r}; did you mean {near[0]!r}?"
    return f"no argument {name!r}: it is neither durable, config nor one of redis-py's"
