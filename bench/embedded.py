"""The store in the process beside what one would use instead: `python -m bench.embedded`.

All of it runs in one program, in turns, so that what disturbs the machine disturbs everybody:
redis-py on an embedded store and on a redis-server's unix socket; the direct path (Engine) and
burner-redis and fakeredis, engines that run in the process as well. Times are of the program's
own thread, waiting for a server included.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

import click
import redis

import headwater
from bench import servers
from bench.figures import Figure, Plan
from bench.servers import Launch, ServerError
from headwater import aio

FIELDS = {"order": "1042", "state": "paid", "amount": "19.99", "customer": "c-775"}
ROUNDS, SECONDS = 7, 0.3
KEPT = 50_000
"""Entries after which a stream is dropped and begun anew."""

HEADWATER, REDIS, BURNER, FAKE = "headwater", "redis-server", "burner-redis", "fakeredis"
Work = Callable[[], int]
"""Does some of it and returns how many units that was."""


@dataclass(slots=True)
class Row:
    """One line: microseconds per unit of each side; `goals`: the most that a ratio may be."""

    title: str
    sides: dict[str, Work]
    goals: dict[str, float] = field(default_factory=dict)
    samples: dict[str, list[float]] = field(default_factory=dict)

    def time_us(self, side: str) -> float:
        """Median over the rounds."""
        return median(self.samples[side])

    def ratio(self, side: str) -> float:
        """Headwater's time relative to another's: the median of those of the rounds."""
        pairs = zip(self.samples[HEADWATER], self.samples[side], strict=True)
        return median(mine / other for mine, other in pairs)

    def missed(self) -> bool:
        return any(self.ratio(side) > goal for side, goal in self.goals.items())


def measure(rows: list[Row], rounds: int, seconds: float) -> None:
    """Fill the samples: each round has every side of every row once, in changing order."""
    for number in range(rounds + 1):  # the first one warms up
        for row in rows:
            sides = list(row.sides.items())
            for side, work in sides if number % 2 == 0 else sides[::-1]:
                taken = _time_us(work, seconds if number else seconds / 3)
                if number:
                    row.samples.setdefault(side, []).append(taken)


def _time_us(work: Work, seconds: float) -> float:
    done = 0
    begun = time.perf_counter()
    until = begun + seconds
    while time.perf_counter() < until:
        done += work()
    return (time.perf_counter() - begun) / done * 1e6


# --- what is done ---


def adding(client: Any) -> Work:
    """100 times XADD, call by call; the unit is a call."""

    def work() -> int:
        xadd = client.xadd
        for _ in range(100):
            xadd("orders", FIELDS)
        if client.xlen("orders") > KEPT:
            client.delete("orders")
        return 100

    return work


def pipelining(client: Any, size: int) -> Work:
    """A pipeline of XADD, no transaction; the unit is one XADD."""

    def work() -> int:
        for _ in range(max(1, 100 // size)):
            pipeline = client.pipeline(transaction=False)
            for _ in range(size):
                pipeline.xadd("orders", FIELDS)
            pipeline.execute()
        if client.xlen("orders") > KEPT:
            client.delete("orders")
        return max(1, 100 // size) * size

    return work


def consuming(client: Any, count: int) -> Work:
    """XREADGROUP COUNT and XACK of what it gave; the unit is one such pair.

    The entries are the same again and again: XGROUP SETID 0 when all were read.
    """
    key = f"work{count}"
    for _ in range(1000):
        client.xadd(key, FIELDS)
    client.xgroup_create(key, "billing", "0")

    def work() -> int:
        for _ in range(50):
            found = client.xreadgroup("billing", "worker", {key: ">"}, count=count)
            if not found:
                client.xgroup_setid(key, "billing", "0")
                continue
            (entries,) = found.values() if isinstance(found, dict) else (found[0][1],)
            client.xack(key, "billing", *[entry_id for entry_id, _ in entries])
        return 50

    return work


def awaited(runner: asyncio.Runner, make: Callable[[], Awaitable[int]]) -> Work:
    """Work that is a coroutine."""
    return lambda: runner.run(_of(make))


async def _of(make: Callable[[], Awaitable[int]]) -> int:
    return await make()


def async_adding(client: Any) -> Callable[[], Awaitable[int]]:
    async def work() -> int:
        xadd = client.xadd
        for _ in range(1000):
            await xadd("orders", FIELDS)
        if await client.xlen("orders") > KEPT:
            await client.delete("orders")
        return 1000

    return work


async def async_prepare(client: Any, key: str) -> None:
    for _ in range(1000):
        await client.xadd(key, FIELDS)
    await client.xgroup_create(key, "billing", "0")


def async_consuming(client: Any, key: str, count: int) -> Callable[[], Awaitable[int]]:
    """As `consuming`; the group is made anew when all were read: not all can set its ID."""

    async def work() -> int:
        for _ in range(50):
            found = await client.xreadgroup("billing", "worker", {key: ">"}, count=count)
            if not found:
                await client.xgroup_destroy(key, "billing")
                await client.xgroup_create(key, "billing", "0")
                continue
            (entries,) = found.values() if isinstance(found, dict) else (found[0][1],)
            await client.xack(key, "billing", *[entry_id for entry_id, _ in entries])
        return 50

    return work


# --- the sides ---


@contextmanager
def redis_on_a_socket(binary: str, core: int, durable: bool) -> Iterator[redis.Redis]:
    """redis-py on the unix socket of a redis-server, which has a core to itself."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hw-bench-")))
        path = folder / "socket"
        persistence = ["--appendonly", "yes" if durable else "no", "--save", ""]
        where = ["--port", "0", "--unixsocket", str(path), "--dir", str(folder)]
        server = subprocess.Popen(
            [binary, *where, *persistence], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.sched_setaffinity(server.pid, {core})
        stack.callback(server.wait)
        stack.callback(server.terminate)
        deadline = time.monotonic() + 10
        while not _answers(path):
            if server.poll() is not None or time.monotonic() > deadline:
                raise ServerError(f"{binary} does not start")
            time.sleep(0.01)
        client = redis.Redis(unix_socket_path=str(path))
        yield client
        client.close()


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


@contextmanager
def embedded(durable: bool) -> Iterator[headwater.Engine]:
    """An Engine; `connect` gives redis-py on the same store."""
    with ExitStack() as stack:
        path = None
        if durable:
            path = stack.enter_context(tempfile.TemporaryDirectory(prefix="hw-bench-"))
        yield stack.enter_context(headwater.open(path))


def through_redis_py(stack: ExitStack, binary: str, core: int) -> list[Row]:
    """redis-py embedded and on a socket, in memory and with a journal synced every second."""
    rows = []
    for durable in (False, True):
        kind = "appendfsync everysec" if durable else "memory"
        engine = stack.enter_context(embedded(durable))
        mine = engine.connect()
        theirs = stack.enter_context(redis_on_a_socket(binary, core, durable))
        for size in (16, 100):
            rows.append(
                Row(
                    f"redis-py, pipeline of {size} XADD, {kind}",
                    {HEADWATER: pipelining(mine, size), REDIS: pipelining(theirs, size)},
                    {REDIS: 1.0},
                )
            )
        rows.append(
            Row(
                f"redis-py, XADD call by call, {kind}",
                {HEADWATER: adding(mine), REDIS: adding(theirs)},
                {REDIS: 1 / 1.5},
            )
        )
        rows.append(
            Row(
                f"redis-py, XREADGROUP COUNT 10 and XACK, {kind}",
                {HEADWATER: consuming(mine, 10), REDIS: consuming(theirs, 10)},
                {REDIS: 1 / 1.5},
            )
        )
    return rows


def direct(stack: ExitStack) -> list[Row]:
    """Engine beside the other engines in the process; those that are not installed are left out."""
    runner = stack.enter_context(asyncio.Runner())
    engine = stack.enter_context(embedded(False))
    consumer = stack.enter_context(embedded(False))
    durable = stack.enter_context(embedded(True))
    coroutines = aio.open()
    stack.callback(coroutines.close)
    add = Row("Engine.xadd", {HEADWATER: adding(engine)})
    add_async = Row("await aio.Engine.xadd", {HEADWATER: awaited(runner, async_adding(coroutines))})
    one = Row("Engine.xreadgroup COUNT 1 and xack", {HEADWATER: consuming(consumer, 1)})
    ten = Row("Engine.xreadgroup COUNT 10 and xack", {HEADWATER: consuming(consumer, 10)})
    rows = [add, add_async, one, ten]
    burner = _burner()
    if burner is not None:
        for row in rows:
            row.goals[BURNER] = 1 / 1.2
        add.sides[BURNER] = awaited(runner, async_adding(burner))
        add_async.sides[BURNER] = awaited(runner, async_adding(burner))
        for row, count in ((one, 1), (ten, 10)):
            runner.run(async_prepare(burner, f"work{count}"))
            row.sides[BURNER] = awaited(runner, async_consuming(burner, f"work{count}", count))
    fake = _fake()
    if fake is not None:
        add.sides[FAKE] = adding(fake)
        one.sides[FAKE] = consuming(fake, 1)
        ten.sides[FAKE] = consuming(fake, 10)
    rows.append(Row("Engine.xadd, appendfsync everysec", {HEADWATER: adding(durable)}))
    return rows


def _burner() -> Any:
    try:
        return import_module("burner_redis").BurnerRedis()
    except ImportError:
        return None


def _fake() -> Any:
    try:
        return import_module("fakeredis").FakeRedis()
    except ImportError:
        return None


def trial(launches: tuple[Launch, ...], plan: Plan) -> list[Figure]:
    """All rows as figures; the second server's place is taken by what a row's title names."""
    subject, reference = launches[0], launches[-1]
    with ExitStack() as stack:
        rows = through_redis_py(stack, reference.command[0], plan.core) + direct(stack)
        measure(rows, plan.rounds, plan.seconds / 2)
    figures = []
    for row in rows:
        for side, samples in row.samples.items():
            if side == HEADWATER:
                continue
            title = row.title if side == REDIS else f"{row.title}, beside {side}"
            figure = Figure(title, "us", row.goals.get(side), detail=side == FAKE)
            figure.samples = {subject.label: row.samples[HEADWATER], reference.label: samples}
            figures.append(figure)
    return figures


# --- the report ---


def table(rows: list[Row]) -> str:
    """As Markdown: microseconds, and how many times faster than each of the others."""
    lines = ["| us per call or entry | headwater | the others | times faster | goal |"]
    lines.append("| --- | ---: | ---: | ---: | ---: |")
    for row in rows:
        others = [side for side in row.sides if side != HEADWATER]
        cells = [
            row.title,
            f"{row.time_us(HEADWATER):.2f}",
            ", ".join(f"{side} {row.time_us(side):.2f}" for side in others),
            ", ".join(f"{1 / row.ratio(side):.2f}" for side in others),
            ", ".join(f"{1 / row.goals[side]:.1f}" for side in others if side in row.goals),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def versions(binary: str | None) -> str:
    """Of all that is compared."""
    found = [f"headwater {headwater.__version__} ({headwater.mode()})"]
    for name in ("redis", "hiredis", BURNER, FAKE):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"no {name}")
    if binary is not None:
        output = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True)
        found.append("redis-server " + output.stdout.split("v=")[1].split()[0])
    return ", ".join(found)


@click.command()
@click.option("--rounds", default=ROUNDS, show_default=True)
@click.option("--seconds", default=SECONDS, show_default=True, help="Of a side in a round.")
@click.option("--only", type=click.Choice(["redis-py", "direct"]))
@click.option("--redis", "redis_path", help="The redis-server to compare with.")
@click.option("--server-core", default=0, show_default=True)
@click.option("--core", default=1, show_default=True, help="Of the program.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write every sample.")
def main(
    rounds: int,
    seconds: float,
    only: str | None,
    redis_path: str | None,
    server_core: int,
    core: int,
    json_path: Path | None,
) -> None:
    """Compare the store in the process with a redis-server and with other engines like it.

    Exit status 1 when a goal is missed.
    """
    binary = None
    rows: list[Row] = []
    os.sched_setaffinity(0, {core} & os.sched_getaffinity(0) or os.sched_getaffinity(0))
    with ExitStack() as stack:
        if only != "direct":
            try:
                binary = servers.redis(redis_path).command[0]
                rows += through_redis_py(stack, binary, server_core)
            except ServerError as error:
                raise click.ClickException(str(error)) from error
        if only != "redis-py":
            rows += direct(stack)
        measure(rows, rounds, seconds)
    click.echo(versions(binary) + "\n\n" + table(rows))
    if json_path is not None:
        samples = {row.title: row.samples for row in rows}
        json_path.write_text(json.dumps(samples, indent=1) + "\n")
    if any(row.missed() for row in rows):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
