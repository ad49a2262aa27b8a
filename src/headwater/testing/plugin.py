"""pytest's plugin: the fixtures `headwater`, `headwater_async`, `headwater_server`,
`headwater_store` and `headwater_clock`.

All of one test are on the same store, which is made for this test alone. The mark
`headwater(durable=..., config=..., ...)` says what store and what clients. Loading this module
costs nothing: what is heavy is imported by the first test that asks for a fixture.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import redis
    import redis.asyncio

    from headwater.testing.clock import Clock
    from headwater.testing.store import Store

_MARK = (
    "headwater(durable=False, config=None, **redis_kwargs): the store of the fixtures headwater_*. "
    "durable: in a directory, so that it can crash; config: directives of redis.conf; all else "
    "are redis-py's arguments for its clients, such as decode_responses=True"
)
_OF_STORES = ("durable", "config")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", _MARK)


@pytest.fixture
def headwater_clock() -> Clock:
    """The time of the test's store, which stands still until `headwater_clock.advance(...)`."""
    from headwater.testing.clock import Clock

    return Clock()


@pytest.fixture
def headwater_store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """The test's store itself: more clients, `kill()`, `crash()` and `reopen()`."""
    from headwater.testing.store import Store

    marked = _marked(request)
    clock = None
    if "headwater_clock" in request.fixturenames:
        clock = request.getfixturevalue("headwater_clock")
    path = None
    if marked.get("durable"):
        path = request.getfixturevalue("tmp_path") / "events.hw"
    store = Store(path, config=marked.get("config"), clock=clock)
    yield store
    store.close()


@pytest.fixture
def headwater(request: pytest.FixtureRequest, headwater_store: Store) -> redis.Redis:
    """A redis.Redis on the test's store: empty, and nobody else's."""
    return headwater_store.client(**_of_clients(request))


@pytest.fixture
def headwater_async(request: pytest.FixtureRequest, headwater_store: Store) -> redis.asyncio.Redis:
    """A redis.asyncio.Redis on the test's store, for the event loop that uses it first."""
    return headwater_store.async_client(**_of_clients(request))


@pytest.fixture
def headwater_server(headwater_store: Store) -> str:
    """The URL of a server on a free port of 127.0.0.1: the test's store, for any client."""
    return headwater_store.serve()


def _marked(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What the marks of the test say, those of its module and class included."""
    found: dict[str, Any] = {}
    for mark in reversed(list(request.node.iter_markers("headwater"))):
        if mark.args:
            raise pytest.UsageError("the mark headwater(...) takes arguments by name only")
        found |= mark.kwargs
    return found


def _of_clients(request: pytest.FixtureRequest) -> dict[str, Any]:
    marked = _marked(request)
    return {name: value for name, value in marked.items() if name not in _OF_STORES}
