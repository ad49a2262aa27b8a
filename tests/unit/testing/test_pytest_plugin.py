"""The pytest plugin, as a test file of somebody else's sees it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytest_plugins = ["pytester"]

# By its module, whether or not the package that is installed registers it.
LOADED = ("-p", "no:headwater", "-p", "headwater.testing.plugin", "-p", "no:cacheprovider")
WARNINGS_FAIL = ("-W", "error", "-W", "ignore::pytest.PytestAssertRewriteWarning")


def passes(pytester: pytest.Pytester, code: str, count: int) -> None:
    """Run a test file of its own; all of it passes."""
    pytester.makepyfile(code)
    result = pytester.runpytest_inprocess(*LOADED, *WARNINGS_FAIL, "--strict-markers")
    result.assert_outcomes(passed=count)


def test_each_test_has_a_store_of_its_own(pytester: pytest.Pytester) -> None:
    passes(
        pytester,
        """
        import pytest, redis

        @pytest.mark.parametrize("n", range(3))
        def test_it_is_empty(headwater, n):
            assert isinstance(headwater, redis.Redis)
            assert headwater.dbsize() == 0
            headwater.xadd("orders", {"n": n})
            assert headwater.xlen("orders") == 1
        """,
        3,
    )


def test_all_fixtures_of_a_test_are_on_one_store(pytester: pytest.Pytester) -> None:
    passes(
        pytester,
        """
        import asyncio, redis

        def test_one_store(headwater, headwater_async, headwater_server, headwater_store):
            headwater.xadd("orders", {"n": 1})

            async def main():
                assert await headwater_async.xlen("orders") == 1
                async with redis.asyncio.Redis.from_url(headwater_server) as other:
                    await other.xadd("orders", {"n": 2})

            asyncio.run(main())
            assert headwater_store.client(decode_responses=True).xlen("orders") == 2
            assert headwater_store.serve() == headwater_server
        """,
        1,
    )


def test_the_mark_says_what_store_and_what_clients(pytester: pytest.Pytester) -> None:
    passes(
        pytester,
        """
        import os, pytest

        CONFIG = {"proto-max-bulk-len": "64mb"}
        pytestmark = pytest.mark.headwater(decode_responses=True, config=CONFIG)

        def test_as_the_module_says(headwater, headwater_store):
            headwater.set("a", "b")
            assert headwater.get("a") == "b"
            assert headwater.config_get("proto*") == {"proto-max-bulk-len": str(64 << 20)}
            assert headwater_store.path is None

        @pytest.mark.headwater(decode_responses=False, durable=True)
        def test_and_the_test_itself(headwater, headwater_store, tmp_path):
            headwater.set("a", "b")
            assert headwater.get("a") == b"b"
            assert os.path.dirname(headwater_store.path) == str(tmp_path)
        """,
        2,
    )


def test_an_asyncio_client_needs_no_closing(pytester: pytest.Pytester) -> None:
    passes(
        pytester,
        """
        import asyncio, gc, pytest

        @pytest.mark.parametrize("n", range(3))
        def test_left_open(headwater, headwater_async, n):
            async def main():
                reader = asyncio.create_task(headwater_async.xread({"s": "$"}, block=0))
                listener = headwater_async.pubsub()
                await listener.subscribe("channel")
                await headwater_async.xadd("other", {"a": 1})
                while headwater.info("clients")["blocked_clients"] == 0:
                    await asyncio.sleep(0)
                reader.cancel()

            asyncio.run(main())
            gc.collect()
        """,
        3,
    )


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("True", "it takes arguments by name only"),
        ("durabel=True", "no argument 'durabel'; did you mean 'durable'?"),
        ("sesame=1", "no argument 'sesame': it is neither durable, config nor one of redis-py's"),
        ("durable='no'", "durable is True or False, not 'no'"),
        ("config='appendonly no'", "config is a dict of directives, not 'appendonly no'"),
        ("config={'apendonly': 'no'}", "unknown directive 'apendonly'; did you mean 'appendonly'?"),
        ("config={'maxmemory': 'x'}", "'maxmemory x': argument must be a memory value"),
        ("config={'dir': 'x'}", "'dir' is the path"),
        ("host='x'", "'host' is for connections by a socket"),
    ],
)
def test_a_wrong_mark_is_refused_in_one_line(
    pytester: pytest.Pytester, words: str, text: str
) -> None:
    pytester.makepyfile(
        f"""
        import pytest

        @pytest.mark.headwater({words})
        def test_what(headwater_store): ...
        """
    )
    result = pytester.runpytest_inprocess(*LOADED)
    result.assert_outcomes(errors=1)
    said = [line for line in result.outlines if line.startswith("@pytest.mark.headwater: ")]
    assert len(said) == 1
    assert text in said[0]
    assert "plugin.py" not in result.stdout.str()


def test_arguments_that_one_of_the_two_clients_has_are_not_refused(
    pytester: pytest.Pytester,
) -> None:
    passes(
        pytester,
        """
        import pytest

        @pytest.mark.headwater(decode_responses=True, auto_close_connection_pool=None)
        def test_of_asyncio_alone(headwater_async): ...
        """,
        1,
    )


def test_a_clock_that_comes_too_late_is_refused(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        def test_late(headwater, request):
            request.getfixturevalue("headwater_clock")

        def test_early(request):
            clock = request.getfixturevalue("headwater_clock")
            store = request.getfixturevalue("headwater_store")
            assert store.clock is clock

        def test_by_another_fixture(headwater, by_the_way):
            headwater.set("lock", "1", ex=1)
            by_the_way.advance(1)
            assert not headwater.exists("lock")

        @pytest.fixture
        def by_the_way(headwater_clock):
            return headwater_clock
        """
    )
    result = pytester.runpytest_inprocess(*LOADED)
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*headwater_clock*has a store already*"])


def test_time_is_the_tests(pytester: pytest.Pytester) -> None:
    passes(
        pytester,
        """
        from datetime import timedelta

        def test_idle_and_ttl(headwater_clock, headwater):
            start = headwater_clock.now
            headwater.xadd("orders", {"n": 1})
            headwater.xgroup_create("orders", "g", 0)
            headwater.xreadgroup("g", "c", {"orders": ">"})
            headwater.set("lock", "1", ex=60)
            headwater_clock.advance(59)
            assert headwater.ttl("lock") == 1
            headwater_clock.advance(timedelta(minutes=1))
            assert headwater.get("lock") is None
            (pending,) = headwater.xpending_range("orders", "g", "-", "+", 10)
            assert pending["time_since_delivered"] == 119_000
            assert headwater_clock.now - start == timedelta(seconds=119)

        def test_the_machines_clock_otherwise(headwater):
            import time
            before = int(time.time() * 1000)
            assert int(headwater.xadd("a", {"b": "c"}).split(b"-")[0]) >= before
        """,
        2,
    )


def test_a_store_crashes_and_comes_back(pytester: pytest.Pytester) -> None:
    passes(
        pytester,
        """
        import pytest, redis, headwater as hw

        @pytest.mark.headwater(durable=True)
        def test_what_was_acknowledged_is_there(headwater, headwater_store, headwater_server):
            other = redis.Redis.from_url(headwater_server)
            headwater.xadd("orders", {"n": 1})
            other.xadd("orders", {"n": 2})
            headwater_store.crash()
            with pytest.raises(hw.StoreClosed):
                headwater.ping()
            headwater_store.reopen()
            assert headwater.xlen("orders") == 2
            assert other.xlen("orders") == 2
            assert headwater.store.is_open
            headwater_store.reopen()
            assert headwater.xlen("orders") == 2
            other.close()

        def test_in_memory_nothing_would_be_left(headwater_store):
            with pytest.raises(hw.StoreError, match="durable=True"):
                headwater_store.crash()
        """,
        2,
    )


def test_nothing_heavy_is_loaded_with_the_plugin() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, pytest, _pytest.pytester\n"
            "before = set(sys.modules)\n"
            "import headwater.testing.plugin\n"
            "print(*sorted(set(sys.modules) - before))",
        ],
        env=os.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [
        "headwater",
        "headwater._version",
        "headwater.testing",
        "headwater.testing.plugin",
    ]
