"""taskiq with taskiq-redis, unmodified: the application of programs/taskiq_jobs.py."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clients.applications import (
    PROGRAMS,
    SECONDS,
    AnyServer,
    Application,
    abandon,
    ask,
    of_kind,
    until,
    wait_acknowledged,
)
from clients.conftest import CrashingServer
from support.servers import Server

pytestmark = pytest.mark.frameworks


@pytest.fixture(autouse=True)
def _installed(framework: Callable[[str], None]) -> None:
    framework("taskiq_redis")


def url(server: AnyServer) -> str:
    return f"redis://127.0.0.1:{server.port}"


def cli(server: AnyServer, *words: str, **settings: str) -> Application:
    """The `taskiq` command, as a user starts it."""
    environment = {**os.environ, "JOBS_URL": url(server), **settings}
    folder = ("--app-dir", str(PROGRAMS))
    return Application("-m", "taskiq", *words, *folder, environment=environment)


def worker(server: AnyServer, **settings: str) -> Application:
    program = cli(server, "worker", "taskiq_jobs:broker", "--workers", "1", **settings)
    program.expect("Listening started")
    return program


def scheduler(server: AnyServer) -> Application:
    program = cli(
        server, "scheduler", "taskiq_jobs:scheduler", "--update-interval", "1", "--skip-first-run"
    )
    program.expect("Startup completed")
    return program


class Caller:
    """What an application that gives work away has in hand."""

    def __init__(self, server: AnyServer, kind: str) -> None:
        from taskiq_redis import (
            ListQueueBroker,
            ListRedisScheduleSource,
            PubSubBroker,
            RedisAsyncResultBackend,
            RedisStreamBroker,
        )

        brokers = {"stream": RedisStreamBroker, "list": ListQueueBroker, "pubsub": PubSubBroker}
        where = url(server)
        results: Any = RedisAsyncResultBackend(where, prefix_str="result")
        self.broker = brokers[kind](where, queue_name="jobs").with_result_backend(results)
        self.schedules = ListRedisScheduleSource(where, prefix="schedules")

    def task(self, name: str, **labels: Any) -> Any:
        from taskiq.kicker import AsyncKicker

        return AsyncKicker(f"taskiq_jobs:{name}", self.broker, labels)

    async def results(self, name: str, calls: list[tuple[Any, ...]], **labels: Any) -> list[Any]:
        kicked = [await self.task(name, **labels).kiq(*call) for call in calls]
        return [
            (await one.wait_result(check_interval=0.01, timeout=SECONDS)).return_value
            for one in kicked
        ]


def call(server: AnyServer, use: Callable[[Caller], Awaitable[Any]], kind: str = "stream") -> Any:
    async def main() -> Any:
        caller = Caller(server, kind)
        try:
            return await use(caller)
        finally:
            await caller.broker.shutdown()
            await caller.schedules.shutdown()

    return asyncio.run(main())


def test_tasks_and_results(headwater: Server) -> None:
    from taskiq.depends.progress_tracker import TaskState

    async def use(caller: Caller) -> None:
        assert await caller.results("add", [(n, 1000) for n in range(200)]) == [
            n + 1000 for n in range(200)
        ]
        parcel = {"address": "Größe ½\n", "grams": 300}
        [sent] = await caller.results("send", [(parcel,)], queue_name="urgent")
        assert sent == {"address": "GRÖSSE ½\n", "grams": 320}

        failing = await caller.task("fail").kiq("no luck")
        result = await failing.wait_result(check_interval=0.01, timeout=SECONDS)
        assert result.is_err
        assert isinstance(result.error, ValueError)
        assert result.error.args == ("no luck",)

        long = await caller.task("long").kiq()
        result = await long.wait_result(check_interval=0.01, timeout=SECONDS)
        assert result.return_value == "whole"
        progress = await long.get_progress()
        assert (progress.state, progress.meta) == (TaskState.STARTED, "half")

    with worker(headwater):
        call(headwater, use)
        wait_acknowledged(headwater, "jobs", "taskiq")
    keys = ask(headwater, "KEYS", "result:*")
    assert len(keys) == 204
    assert 0 < ask(headwater, "TTL", keys[0]) <= 1000
    assert ask(headwater, "XLEN", "jobs") == 202


@pytest.mark.parametrize("kind", ["list", "pubsub"])
def test_the_other_brokers(headwater: Server, kind: str) -> None:
    async def use(caller: Caller) -> None:
        assert await caller.results("add", [(n, 5) for n in range(50)]) == list(range(5, 55))

    with worker(headwater, JOBS_BROKER=kind):
        if kind == "pubsub":
            channels = ("PUBSUB", "NUMSUB", "jobs")
            until(lambda: ask(headwater, *channels)[1] == 1, "the subscription")
        call(headwater, use, kind)
    assert ask(headwater, "EXISTS", "jobs") == 0


def test_a_list_keeps_tasks_until_a_worker_comes(crashing: CrashingServer) -> None:
    async def give(caller: Caller) -> None:
        for number in range(5):
            await caller.task("careful").kiq(number)

    call(crashing, give, "list")
    crashing.crash()
    with worker(crashing, JOBS_BROKER="list") as listening:
        assert of_kind(listening.all_told(5), "careful") == [{"number": n} for n in range(5)]


def test_a_killed_worker(headwater: Server) -> None:
    """What it had not acknowledged, the next one takes over, once it is given something to do."""

    async def use(caller: Caller) -> None:
        stalled = await caller.task("careful").kiq(1)
        with worker(headwater, JOBS_STALL="1") as first:
            assert first.told() == {"kind": "careful", "number": 1}
            first.kill()
        assert abandon(headwater, "jobs", "taskiq") == 1
        with worker(headwater) as second:
            assert await caller.results("add", [(1, 2)]) == [3]
            result = await stalled.wait_result(check_interval=0.01, timeout=SECONDS)
            assert result.return_value == "done 1"
            assert second.told() == {"kind": "careful", "number": 1}
            wait_acknowledged(headwater, "jobs", "taskiq")

    call(headwater, use)
    assert ask(headwater, "EXISTS", "autoclaim:taskiq:jobs") == 0


def test_schedules_and_retries(headwater: Server) -> None:
    """Cron, interval, a point in time; a failed task comes again by way of a schedule."""

    async def use(caller: Caller) -> None:
        await caller.schedules.startup()
        every_minute = await caller.task("tick").schedule_by_cron(
            caller.schedules, "* * * * *", "cron"
        )
        await caller.task("tick").schedule_by_interval(caller.schedules, 1, "interval")
        soon = datetime.now(UTC) + timedelta(seconds=1)
        at = await caller.task("tick").schedule_by_time(caller.schedules, soon, "once")
        found = {one.schedule_id: one for one in await caller.schedules.get_schedules()}
        assert found[every_minute.schedule_id].cron == "* * * * *"
        assert {one.args[0] for one in found.values()} >= {"cron", "interval"}

        fragile = await caller.task("fragile", retry_on_error=True, max_retries=5).kiq()
        with worker(headwater) as working, scheduler(headwater):
            ticks: list[str] = []
            attempts: list[int] = []
            while ticks.count("interval") < 2 or "once" not in ticks or len(attempts) < 3:
                line = working.told()
                if line["kind"] == "tick":
                    ticks.append(line["name"])
                else:
                    attempts.append(line["attempt"])
            assert attempts == [0, 1, 2]
            assert ticks.count("once") == 1
            result = await fragile.wait_result(check_interval=0.01, timeout=SECONDS)
            assert result.return_value == 2
        assert at.schedule_id not in {
            one.schedule_id for one in await caller.schedules.get_schedules()
        }
        await caller.schedules.delete_schedule(every_minute.schedule_id)
        assert {one.args[0] for one in await caller.schedules.get_schedules()} == {"interval"}

    call(headwater, use)


def test_schedules_survive_and_move(crashing: CrashingServer) -> None:
    """Those of the old, plain source move into the new one; a crash in between takes none."""
    from taskiq import ScheduledTask
    from taskiq_redis import ListRedisScheduleSource, RedisScheduleSource

    def names(found: list[Any]) -> list[str]:
        return sorted(one.args[0] for one in found)

    async def fill() -> None:
        with pytest.warns(DeprecationWarning, match="ListRedisScheduleSource"):
            plain = RedisScheduleSource(url(crashing), prefix="plain")
        for number in range(120):
            schedule = ScheduledTask(
                task_name="taskiq_jobs:tick",
                labels={},
                args=[f"n{number:03}"],
                kwargs={},
                schedule_id=str(number),
                cron=f"{number % 60} * * * *",
            )
            await plain.add_schedule(schedule)
        assert names(await plain.get_schedules()) == [f"n{n:03}" for n in range(120)]
        await plain.shutdown()

    async def move() -> None:
        with pytest.warns(DeprecationWarning, match="ListRedisScheduleSource"):
            plain = RedisScheduleSource(url(crashing), prefix="plain")
        source = ListRedisScheduleSource(url(crashing), prefix="new").with_migrate_from(plain)
        await source.startup()
        assert names(await source.get_schedules()) == [f"n{n:03}" for n in range(120)]
        assert await plain.get_schedules() == []
        await source.delete_schedule("7")
        await source.shutdown()
        await plain.shutdown()

    async def check() -> None:
        source = ListRedisScheduleSource(url(crashing), prefix="new")
        assert names(await source.get_schedules()) == [f"n{n:03}" for n in range(120) if n != 7]
        await source.shutdown()

    asyncio.run(fill())
    crashing.crash()
    asyncio.run(move())
    crashing.crash()
    asyncio.run(check())


def test_a_crash_of_the_server(crashing: CrashingServer) -> None:
    """The worker is given after the crash what was kicked before it; results are still there."""

    async def before(caller: Caller) -> list[str]:
        assert await caller.results("add", [(1, 2)]) == [3]
        working.pause()
        return [(await caller.task("add").kiq(n, 7)).task_id for n in range(50)]

    async def after(caller: Caller) -> None:
        from taskiq import AsyncTaskiqTask

        for number, task_id in enumerate(kicked):
            task: Any = AsyncTaskiqTask(task_id, caller.broker.result_backend)
            async with asyncio.timeout(SECONDS):
                while not await task.is_ready():
                    # What a broken connection has cost comes again: once its lease is over, and
                    # when a worker was given new work, as only then it claims.
                    abandon(crashing, "jobs", "taskiq")
                    await caller.task("add").kiq(2, 2)
                    await asyncio.sleep(0.05)
            assert (await task.get_result()).return_value == number + 7

    with worker(crashing) as working:
        kicked = call(crashing, before)
        crashing.crash()
        abandon(crashing, "jobs", "taskiq")
        working.resume()
        call(crashing, after)
    crashing.crash()
    call(crashing, after)
