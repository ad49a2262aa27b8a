"""pytest's plugin: the fixtures `headwater`, `headwater_async`, `headwater_server`,
`headwater_store` and `headwater_clock`.

All of one test are on the same store, which is made for this test alone. The mark
`headwater(durable=..., config=..., ...)` says what store and what clients. Loading this module
costs nothing: what is heavy is imported by the first test that asks for a fixture.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

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
_NO_CLOCK = pytest.StashKey[bool]()
"""Of a test whose store was made without headwater_clock."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", _MARK)


@pytest.fixture
def headwater_clock(request: pytest.FixtureRequest) -> Clock:
    """The time of the test's store, which stands still until `headwater_clock.advance(...)`."""
    from headwater.testing.clock import Clock

    if request.node.stash.get(_NO_CLOCK, False):
        pytest.fail(
            "headwater_clock: the test has a store already, which goes by the machine's time; "
            "name headwater_clock among the test's fixtures, or before the others",
            pytrace=False,
        )
    return Clock()


@pytest.fixture
def headwater_store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """The test's store itself: more clients, `kill()`, `crash()` and `reopen()`."""
    from headwater.errors import HeadwaterError
    from headwater.testing.marks import read_marks, refuse
    from headwater.testing.store import Store

    marked = read_marks(request.node)
    clock = None
    if "headwater_clock" in request.fixturenames:
        clock = request.getfixturevalue("headwater_clock")
    else:
        request.node.stash[_NO_CLOCK] = True
    path = request.getfixturevalue("tmp_path") / "events.hw" if marked.durable else None
    try:
        store = Store(path, config=marked.config, clock=clock)
    except HeadwaterError as error:
        refuse(str(error))
    yield store
    store.close()


@pytest.fixture
def headwater(request: pytest.FixtureRequest, headwater_store: Store) -> redis.Redis:
    """A redis.Redis on the test's store: empty, and nobody else's."""
    import redis

    from headwater.testing.marks import read_marks

    return headwater_store.client(**read_marks(request.node).of_client(redis.Redis))


@pytest.fixture
def headwater_async(request: pytest.FixtureRequest, headwater_store: Store) -> redis.asyncio.Redis:
    """A redis.asyncio.Redis on the test's store, for the event loop that uses it first."""
    import redis.asyncio

    from headwater.testing.marks import read_marks

    marked = read_marks(request.node)
    return headwater_store.async_client(**marked.of_client(redis.asyncio.Redis))


@pytest.fixture
def headwater_server(headwater_store: Store) -> str:
    """The URL of a server on a free port of 127.0.0.1: the test's store, for any client."""
    return headwater_store.serve()
