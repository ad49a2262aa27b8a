"""The direct path: blocking, threads, interruptions, durability, what cannot be asked for."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

import headwater
from headwater import aio
from headwater.embedded.caller import Call
from headwater.errors import StoreClosed

WAIT_S = 30


class InThread(threading.Thread):
    """A call in a thread of its own; `result` waits for what it returns or raises."""

    def __init__(self, call: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(daemon=True)
        self._call = (call, args, kwargs)
        self._found: Any = None
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        call, args, kwargs = self._call
        try:
            self._found = call(*args, **kwargs)
        except BaseException as error:
            self._error = error

    def result(self) -> Any:
        self.join(WAIT_S)
        assert not self.is_alive()
        if self._error is not None:
            raise self._error
        return self._found


def until(condition: Any) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def blocked(engine: headwater.Engine) -> int:
    return int(engine.info("clients")["blocked_clients"])


class TestBlocking:
    def test_a_read_sleeps_until_an_entry_comes(self) -> None:
        with headwater.open() as engine:
            reader = InThread(engine.xread, {"s": "$"}, block=0)
            until(lambda: blocked(engine) == 1)
            entry_id = engine.xadd("s", {"a": 1})
            assert reader.result() == [[b"s", [(entry_id, {b"a": b"1"})]]]
            assert blocked(engine) == 0

    def test_a_timeout_is_kept(self) -> None:
        with headwater.open() as engine:
            begun = time.monotonic()
            assert engine.xread({"s": "$"}, block=50) == []
            assert time.monotonic() - begun >= 0.05
            assert engine.blpop("l", timeout=0.01) is None

    def test_a_waiting_read_burns_no_time(self) -> None:
        with headwater.open() as engine:
            before = time.process_time()
            engine.xread({"s": "$"}, block=500)
            assert time.process_time() - before < 0.2

    def test_groups_and_lists_wake_as_well(self) -> None:
        with headwater.open() as engine:
            engine.xgroup_create("s", "g", mkstream=True)
            reader = InThread(engine.xreadgroup, "g", "c", {"s": ">"}, block=0)
            popper = InThread(engine.blpop, "l", "l2")
            until(lambda: blocked(engine) == 2)
            entry_id = engine.xadd("s", {"a": 1})
            engine.rpush("l2", "x")
            assert reader.result() == [[b"s", [(entry_id, {b"a": b"1"})]]]
            assert popper.result() == (b"l2", b"x")

    def test_client_pause_holds_a_call_back(self) -> None:
        with headwater.open() as engine:
            engine.execute("CLIENT", "PAUSE", 10_000, "WRITE")
            writer = InThread(engine.xadd, "s", {"a": 1}, "1-1")
            writer.join(0.05)
            assert writer.is_alive()
            assert engine.xlen("s") == 0
            engine.execute("CLIENT", "UNPAUSE")
            assert writer.result() == b"1-1"

    def test_a_killed_call_ends_with_an_error_and_the_next_works(self) -> None:
        with headwater.open() as engine:
            reader = InThread(engine.xread, {"s": "$"}, block=0)
            until(lambda: blocked(engine) == 1)
            (line,) = (
                line for line in engine.execute("CLIENT", "LIST").split(b"\n") if b"xread" in line
            )
            client_id = line.split()[0].partition(b"=")[2]
            assert engine.execute("CLIENT", "KILL", "ID", client_id) == 1
            with pytest.raises(redis.ResponseError, match="CLIENT KILL"):
                reader.result()
            assert engine.xread({"s": "$"}, block=1) == []

    def test_a_huge_reply_to_a_waiting_reader(self) -> None:
        with headwater.open() as engine:
            reader = InThread(engine.xread, {"s": "$"}, block=0)
            until(lambda: blocked(engine) == 1)
            big = b"x" * 3_000_000
            entry_id = engine.xadd("s", {"a": big})
            assert reader.result() == [[b"s", [(entry_id, {b"a": big})]]]
            assert engine.xrange("s") == [(entry_id, {b"a": big})]


class TestInterruption:
    def test_an_interrupted_wait_takes_no_entry(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with headwater.open() as engine:
            engine.xgroup_create("s", "g", mkstream=True)
            call = engine._written(
                ("XREADGROUP", "GROUP", "g", "c", "BLOCK", 0, "STREAMS", "s", ">")
            )
            assert engine._start(call) != 0
            engine._abandon(call)  # as _run does when KeyboardInterrupt wakes it
            assert blocked(engine) == 0
            engine.xadd("s", {"a": 1})
            assert engine.xpending("s", "g")["pending"] == 0

    def test_a_cancelled_task_takes_no_entry(self) -> None:
        async def run() -> None:
            async with aio.open() as engine:
                await engine.xgroup_create("s", "g", mkstream=True)
                task = asyncio.create_task(engine.xreadgroup("g", "c", {"s": ">"}, block=0))
                while (await engine.info("clients"))["blocked_clients"] == 0:
                    await asyncio.sleep(0.002)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                await engine.xadd("s", {"a": 1})
                assert (await engine.xpending("s", "g"))["pending"] == 0
                assert len(await engine.xreadgroup("g", "c", {"s": ">"}, block=0)) == 1

        asyncio.run(run())

    def test_closing_wakes_who_waits(self) -> None:
        engine = headwater.open()
        reader = InThread(engine.xread, {"s": "$"}, block=0)
        until(lambda: blocked(engine) == 1)
        engine.close()
        with pytest.raises(StoreClosed):
            reader.result()
        with pytest.raises(StoreClosed):
            engine.xlen("s")

    def test_one_share_is_closed_and_another_goes_on(self, tmp_path: Path) -> None:
        first, second = headwater.open(tmp_path), headwater.open(tmp_path)
        first.xadd("s", {"a": 1})
        first.close()
        with pytest.raises(StoreClosed):
            first.xadd("s", {"a": 1})
        assert second.xlen("s") == 1
        assert second.execute("CLIENT", "LIST").count(b"embedded:") == 1
        second.close()


class TestLeases:
    def test_what_was_taken_is_held_until_the_engine_is_closed(self, tmp_path: Path) -> None:
        with headwater.open(tmp_path) as other:
            engine = headwater.open(tmp_path)
            engine.xgroup_create("s", "g", mkstream=True)
            engine.xgroup_cfgset("s", "g", lease="CONNECTION", ackwait=1)
            entry_id = engine.xadd("s", {"a": 1})
            assert engine.xreadgroup("g", "c", {"s": ">"}) == [[b"s", [(entry_id, {b"a": b"1"})]]]
            # A wait that is given up ends its call, not what others of the engine took.
            reader = InThread(engine.xread, {"none": "$"}, block=0)
            until(lambda: blocked(engine) == 1)
            for line in engine.execute("CLIENT", "LIST").split(b"\n"):
                if b"cmd=xread " in line:
                    engine.execute("CLIENT", "KILL", "ID", line.split()[0].partition(b"=")[2])
            with pytest.raises(redis.ResponseError):
                reader.result()
            assert other.xreadgroup("g", "d", {"s": ">"}, block=50) == []
            waiting = InThread(engine.blpop, "l")
            until(lambda: blocked(other) == 1)
            engine.close()
            with pytest.raises(StoreClosed):
                waiting.result()
            found = other.xreadgroup("g", "d", {"s": ">"}, block=10_000)
            assert found == [[b"s", [(entry_id, {b"a": b"1"})]]]


class TestThreads:
    def test_eight_threads_share_an_engine(self) -> None:
        threads, entries = 8, 300
        with headwater.open() as engine:
            engine.xgroup_create("s", "g", mkstream=True)
            left = threading.Semaphore(0)

            def work(number: int) -> list[bytes]:
                got: list[bytes] = []
                for i in range(entries):
                    engine.xadd("s", {"thread": number, "i": i})
                    for _, found in engine.xreadgroup("g", f"c{number}", {"s": ">"}, count=2):
                        got += [entry_id for entry_id, _ in found]
                        engine.xack("s", "g", *(entry_id for entry_id, _ in found))
                left.release()
                return got

            workers = [InThread(work, number) for number in range(threads)]
            got = [entry_id for worker in workers for entry_id in worker.result()]
            while rest := engine.xreadgroup("g", "last", {"s": ">"}, count=100):
                got += [entry_id for entry_id, _ in rest[0][1]]
            assert len(got) == len(set(got)) == threads * entries
            assert engine.xlen("s") == threads * entries

    def test_three_event_loops_share_a_store(self, tmp_path: Path) -> None:
        tasks, entries = 5, 40

        def loop_of(number: int) -> int:
            async def run() -> int:
                async with aio.open(tmp_path) as engine:

                    async def produce() -> None:
                        for i in range(entries):
                            await engine.xadd("s", {"loop": number, "i": i})
                            await asyncio.sleep(0)

                    async def consume() -> int:
                        got = 0
                        while found := await engine.xread({f"done{number}": "$"}, block=20):
                            got += len(found)
                        return got

                    await asyncio.gather(consume(), *(produce() for _ in range(tasks)))
                    return await engine.xlen("s")

            return asyncio.run(run())

        with headwater.open(tmp_path) as engine:
            workers = [InThread(loop_of, number) for number in range(3)]
            assert all(worker.result() > 0 for worker in workers)
            assert engine.xlen("s") == 3 * tasks * entries


class TestDurability:
    @pytest.mark.parametrize("policy", ["everysec", "always"])
    def test_what_was_returned_survives_a_crash(self, tmp_path: Path, policy: str) -> None:
        with headwater.open(tmp_path, config={"appendfsync": policy}) as engine:
            ids = [engine.xadd("s", {"i": i}) for i in range(50)]
            engine.xgroup_create("s", "g", "0")
            engine.xreadgroup("g", "c", {"s": ">"}, count=10)
            engine.xack("s", "g", *ids[:3])
            engine.crash()
        with headwater.open(tmp_path, config={"appendfsync": policy}) as engine:
            assert [entry_id for entry_id, _ in engine.xrange("s")] == ids
            assert engine.xpending("s", "g")["pending"] == 7

    def test_under_always_a_reply_waits_for_the_disk(self, tmp_path: Path) -> None:
        async def run() -> None:
            async with aio.open(tmp_path, config={"appendfsync": "always"}) as engine:
                ids = await asyncio.gather(*(engine.xadd("s", {"i": i}) for i in range(20)))
                assert len(set(ids)) == 20
                engine.crash()
            with headwater.open(tmp_path, config={"appendfsync": "always"}) as reopened:
                assert {entry_id for entry_id, _ in reopened.xrange("s")} == set(ids)

        asyncio.run(run())

    def test_a_woken_reader_has_what_is_on_disk(self, tmp_path: Path) -> None:
        with headwater.open(tmp_path, config={"appendfsync": "always"}) as engine:
            reader = InThread(engine.blpop, "l")
            until(lambda: blocked(engine) == 1)
            engine.rpush("l", "x", "y")
            assert reader.result() == (b"l", b"x")
            engine.crash()
        with headwater.open(tmp_path, config={"appendfsync": "always"}) as engine:
            assert engine.lrange("l", 0, -1) == [b"y"]


class TestWords:
    @given(st.lists(st.one_of(st.binary(max_size=9000), st.text(max_size=300)), max_size=20))
    def test_every_word_arrives_as_it_is(self, values: list[Any]) -> None:
        engine = shared_engine()
        engine.delete("l")
        if values:
            engine.rpush("l", *values)
        expected = [v.encode() if isinstance(v, str) else v for v in values]
        assert engine.lrange("l", 0, -1) == expected

    def test_numbers_and_buffers(self) -> None:
        with headwater.open() as engine:
            engine.rpush("l", 5, -7, 2.5, 10**30, bytearray(b"a"), memoryview(b"b"))
            expected = [b"5", b"-7", b"2.5", b"%d" % 10**30, b"a", b"b"]
            assert engine.lrange("l", 0, -1) == expected

    @pytest.mark.parametrize("word", [None, True, [1], object()])
    def test_other_types_are_refused_and_nothing_is_lost(self, word: Any) -> None:
        with headwater.open() as engine:
            with pytest.raises(TypeError, match="a word is bytes, str, int or float"):
                engine.xadd("s", {"a": word})
            with pytest.raises(TypeError):
                engine.execute("SET", "k", word)
            assert engine.xlen("s") == 0

    def test_half_a_surrogate_is_refused(self) -> None:
        with headwater.open() as engine:
            with pytest.raises(UnicodeEncodeError):
                engine.xadd("s", {"a": "\ud800"})
            assert engine.xlen("s") == 0

    @pytest.mark.parametrize(
        "command",
        [
            ("MULTI",),
            (b"select", 1),
            ("Subscribe", "c"),
            ("CLIENT", "REPLY", "OFF"),
            ("HELLO", 3),
            (),
        ],
    )
    def test_what_is_about_a_connection_is_refused(self, command: tuple[Any, ...]) -> None:
        with headwater.open() as engine, pytest.raises(ValueError, match=r"connect|one word"):
            engine.execute(*command)

    def test_any_command_by_its_words(self) -> None:
        with headwater.open() as engine:
            assert engine.execute("XADD", "s", "1-1", "a", 1) == b"1-1"
            assert engine.execute("XRANGE", "s", "-", "+") == [[b"1-1", [b"a", b"1"]]]
            assert engine.execute("GET", "none") is None
            with pytest.raises(redis.ResponseError, match="unknown command"):
                engine.execute("NOSUCH")

    def test_a_big_request_leaves_no_big_buffer(self) -> None:
        with headwater.open() as engine:
            for _ in range(3):
                engine.set("k", b"x" * 5_000_000)
                assert len(engine.get("k") or b"") == 5_000_000
            assert engine.xadd("s", {"a": 1}, "1-1") == b"1-1"


class TestOwnCommands:
    def test_schedules_and_settings(self) -> None:
        with headwater.open() as engine:
            handle = engine.xschedule_add("s", {"a": 1}, in_ms=60_000, every_ms=1000)
            (item,) = engine.xschedule_list("s")
            assert (item["handle"], item["every"], item["fields"]) == (handle, 1000, {b"a": b"1"})
            assert engine.xschedule_cancel("s", handle) == 1
            engine.xgroup_create("s", "g", mkstream=True)
            assert engine.xgroup_cfgset("s", "g", ackwait=1000, backoff=[10, 20], orderby="k")
            settings = engine.xgroup_cfgget("s", "g")
            assert (settings["ackwait"], settings["backoff"]) == (1000, [10, 20])
            assert settings["orderby"] == "k"
            assert engine.xcfgset("s", retain_maxlen=5, retain_acked=True)
            assert engine.xcfgget("s")["retain-acked"] == "yes"

    def test_positions_dead_letters_and_ids(self) -> None:
        with headwater.open() as engine:
            for i in range(1, 4):
                engine.xadd("s", {"i": i}, id=f"{i}-0")
            engine.xgroup_create("s", "g")
            assert engine.xgroup_reset("s", "g", "TIME 2", dryrun=True) == {
                "first": b"2-0",
                "entries": 2,
                "dropped": 0,
            }
            assert engine.xgroup_reset("s", "g", "-")["entries"] == 3
            engine.xgroup_cfgset("s", "g", maxdeliveries=1)
            engine.xreadgroup("g", "c", {"s": ">"}, count=1)
            engine.xnack("s", "g", "FATAL", "1-0")
            (letter,) = engine.xrange("s:dead-letter")
            ((old, new),) = engine.xredrive("s:dead-letter", letter[0])
            assert old == letter[0]
            assert engine.xrevrange("s", count=1)[0][0] == new
            assert engine.xsetid("s", "9999999999999-0", entries_added=10)

    def test_schemas(self) -> None:
        pytest.importorskip("jsonschema_rs")
        with headwater.open() as engine:
            schema = '{"type": "object", "required": ["a"]}'
            assert engine.xschema_check("s", schema) == []
            assert engine.xschema_set("s", schema, compat="none") == 1
            assert engine.xschema_get("s") is not None
            assert engine.xschema_list("s")[0]["compat"] == "none"
            with pytest.raises(redis.ResponseError):
                engine.xadd("s", {"b": 1})
            assert engine.xschema_del("s") == 1


_engines: list[headwater.Engine] = []


def shared_engine() -> headwater.Engine:
    """One engine for the many examples of a property."""
    if not _engines:
        _engines.append(headwater.open())
    return _engines[0]


def test_a_call_is_a_client_of_the_list() -> None:
    with headwater.open() as engine:
        listed = engine.execute("CLIENT", "LIST")
        assert b"addr=embedded:" in listed
        assert isinstance(next(iter(engine.store.state.clients.values())), Call)
