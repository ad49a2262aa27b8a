"""`headwater bench`: a server measured for some seconds, on a stream of its own."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click
import redis

from headwater.cli.connect import Link
from headwater.cli.failure import Failure
from headwater.cli.output import Column, Output
from headwater.cli.parameters import CONTEXT, server_command
from headwater.cli.reading import connection_of
from headwater.cli.words import number_words, shown

GROUP, CONSUMER = b"bench", b"bench"
FIELD = b"data"
LIFE_SECONDS = 600
"""The stream expires then, if nobody was left to delete it."""

SINGLE_SHARE = 10
"""One at a time, so many times fewer entries are sent than in a pipeline."""

_COLUMNS = (
    Column("WHAT"),
    Column("ENTRIES", right=True),
    Column("A SECOND", right=True, style="strong"),
    Column("P50", right=True),
    Column("P95", right=True),
    Column("P99", right=True),
    Column("MAX", right=True),
)


@dataclass(slots=True)
class Result:
    """One measurement. times: seconds of each turn, sorted."""

    name: str
    entries: int
    seconds: float
    times: list[float]

    def percentile(self, share: float) -> float:
        """The time in which so large a share of turns was over; microseconds."""
        if not self.times:
            return 0.0
        return 1e6 * self.times[min(len(self.times) - 1, int(share * len(self.times)))]

    @property
    def rate(self) -> float:
        """Entries a second."""
        return self.entries / self.seconds if self.seconds else 0.0


@click.command("bench", context_settings=CONTEXT)
@click.option(
    "--entries",
    "-n",
    type=click.IntRange(1, 100_000_000),
    default=100_000,
    metavar="N",
    help="Entries at most.  [100000]",
)
@click.option(
    "--seconds",
    "-s",
    type=click.FloatRange(min=0.05, max=3600),
    default=5.0,
    metavar="S",
    help="Seconds at most, for each measurement.  [5]",
)
@click.option(
    "--size",
    type=click.IntRange(0, 64 * 1024 * 1024),
    default=100,
    metavar="BYTES",
    help="Bytes of an entry's value.  [100]",
)
@click.option(
    "--pipeline",
    "-P",
    "depth",
    type=click.IntRange(1, 10_000),
    default=100,
    metavar="N",
    help="Entries in a pipeline, and in a read.  [100]",
)
@click.option("--key", metavar="KEY", help="The stream to make; it must not be there.")
@server_command
def bench(
    link: Link, out: Output, entries: int, seconds: float, size: int, depth: int, key: str | None
) -> None:
    """Measure appending and reading with one connection, for some seconds.

    It works on a stream of its own, which it deletes in the end; keys that are there are never
    touched. What is measured is server, network and this client together: a program in Python
    with one connection. Times are those of a turn: one command, or one pipeline of --pipeline.
    """
    name = key.encode() if key else b"headwater-bench:" + os.urandom(6).hex().encode()
    try:
        if link.call("EXISTS", name):
            _refuse(name)
        link.call("XGROUP", "CREATE", name, GROUP, "0", "MKSTREAM")
        link.call("EXPIRE", name, LIFE_SECONDS + int(6 * seconds))
        results = _Bench(link, out, name, entries, seconds, size, depth).run()
    except redis.ResponseError as error:
        if str(error).startswith(("WRONGTYPE", "BUSYGROUP")):
            _refuse(name)
        raise
    if out.json:
        out.document(
            {
                "server": link.server,
                "url": link.url,
                "size_bytes": size,
                "pipeline": depth,
                "results": [_document(result) for result in results],
            }
        )
        return
    out.line(f"{link.server} at {link.url}, values of {size} bytes", "dim")
    out.table(_COLUMNS, [_row(result) for result in results])


def _refuse(name: bytes) -> None:
    raise Failure(
        f"the key {shown(name)} is there already, and is left alone",
        "Without --key a new name is taken.",
    )


class _Bench:
    """The measurements, in their order, on one connection."""

    def __init__(
        self,
        link: Link,
        out: Output,
        key: bytes,
        entries: int,
        seconds: float,
        size: int,
        depth: int,
    ) -> None:
        self._link = link
        self._out = out
        self._key = key
        self._entries = entries
        self._seconds = seconds
        self._depth = depth
        self._value = bytes(ord("a") + i % 26 for i in range(min(size, 1024)))
        self._value = (self._value * (size // 1024 + 1))[:size] if size else b""
        pool: Any = link.client.connection_pool
        self._pool = pool
        self._connection: Any = connection_of(pool)

    def run(self) -> list[Result]:
        """Measure everything, and delete the stream whatever happens."""
        single = max(1, self._entries // SINGLE_SHARE)
        results = []
        try:
            add = self._packed(1)
            results.append(self._measure("XADD", single, lambda: self._turn(add, 1)))
            many = self._packed(self._depth)
            results.append(
                self._measure(
                    f"XADD, {self._depth} in a pipeline",
                    max(0, self._entries - results[0].entries),
                    lambda: self._turn(many, self._depth),
                )
            )
            there = results[0].entries + results[1].entries
            results.append(
                self._measure("XREADGROUP 1 + XACK", min(single, there // 2), lambda: self._read(1))
            )
            left = there - results[2].entries
            results.append(
                self._measure(
                    f"XREADGROUP {self._depth} + XACK",
                    left,
                    lambda: self._read(self._depth),
                )
            )
            return [result for result in results if result.entries]
        finally:
            self._clean()

    def _clean(self) -> None:
        """Delete the stream; an interrupted connection may have replies on the way."""
        self._connection.disconnect()
        self._pool.release(self._connection)
        try:
            self._link.call("UNLINK", self._key)
        except redis.RedisError:
            self._out.note(f"{shown(self._key)} could not be deleted; it expires by itself")

    def _packed(self, count: int) -> list[bytes]:
        words = ("XADD", self._key, "*", FIELD, self._value)
        return [b"".join(self._connection.pack_command(*words)) * count]

    def _turn(self, packed: list[bytes], count: int) -> int:
        connection = self._connection
        connection.send_packed_command(packed)
        for _ in range(count):
            connection.read_response()
        return count

    def _read(self, count: int) -> int:
        """Read new entries and acknowledge them; how many there were."""
        connection = self._connection
        connection.send_command(
            *("XREADGROUP", "GROUP", GROUP, CONSUMER, "COUNT", count, "STREAMS", self._key, ">")
        )
        reply = connection.read_response()
        if not reply:
            return 0
        ids = [entry[0] for entry in reply[0][1]]
        connection.send_command("XACK", self._key, GROUP, *ids)
        connection.read_response()
        return len(ids)

    def _measure(self, name: str, count: int, turn: Callable[[], int]) -> Result:
        """Take turns until `count` entries are through, or the time is over."""
        clock = time.perf_counter
        times: list[float] = []
        done = 0
        with self._out.progress(name, count) as bar:
            begun = shown_at = before = clock()
            until = begun + self._seconds
            while done < count:
                moved = turn()
                now = clock()
                if not moved:
                    break
                times.append(now - before)
                done += moved
                if now - shown_at > 0.1:
                    bar.update(done)
                    shown_at = now
                    now = clock()  # drawing is not the server's time
                before = now
                if now >= until:
                    break
            seconds = sum(times)
        times.sort()
        return Result(name, done, seconds, times)


def _row(result: Result) -> tuple[str, ...]:
    spans = [result.percentile(share) for share in (0.5, 0.95, 0.99, 1.0)]
    return (
        result.name,
        number_words(result.entries),
        number_words(round(result.rate)),
        *map(_span, spans),
    )


def _span(us: float) -> str:
    return f"{us:.0f} us" if us < 9999.5 else f"{us / 1000:.1f} ms"


def _document(result: Result) -> dict[str, Any]:
    return {
        "name": result.name,
        "entries": result.entries,
        "seconds": round(result.seconds, 6),
        "entries_per_second": round(result.rate, 1),
        "p50_us": round(result.percentile(0.5), 1),
        "p95_us": round(result.percentile(0.95), 1),
        "p99_us": round(result.percentile(0.99), 1),
        "max_us": round(result.percentile(1.0), 1),
    }
