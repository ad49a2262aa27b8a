"""LATENCY, and how the durations of a command's calls are counted."""

from __future__ import annotations

import pytest

from headwater.commands.info_sections import percentile_us
from headwater.commands.latency import MAX_SAMPLES, LatencyEvent
from headwater.commands.latency_report import age, doctor, graph
from headwater.commands.spec import SPECS
from headwater.commands.table import DURATION_BUCKETS, Command
from support.embedded import NOW_MS, Embedded, refused_alike
from support.servers import Server
from support.wire import pairs

NOW_S = NOW_MS // 1000


@pytest.fixture(params=[2, 3], ids=["resp2", "resp3"])
def world(request: pytest.FixtureRequest) -> Embedded:
    return Embedded(request.param)


def record(world: Embedded, event: str, took_ms: int) -> None:
    world.state.latency.record(event.encode(), world.clock.now_ms, took_ms)


def test_latest_and_history(world: Embedded) -> None:
    record(world, "command", 5)
    record(world, "command", 9)
    record(world, "command", 7)
    record(world, "expire-cycle", 30)
    world.pass_ms(1000)
    record(world, "command", 2)
    client = world.main
    assert client.ok("LATENCY", "LATEST") == [
        [b"command", NOW_S + 1, 2, 9],
        [b"expire-cycle", NOW_S, 30, 30],
    ]
    assert client.ok("LATENCY", "HISTORY", "command") == [[NOW_S, 9], [NOW_S + 1, 2]]
    assert client.ok("LATENCY", "HISTORY", "nosuch") == []


def test_history_is_bounded() -> None:
    event = LatencyEvent()
    for second in range(MAX_SAMPLES + 40):
        event.add(second, second)
    assert event.samples[0] == (40, 40)
    assert len(event.samples) == MAX_SAMPLES


def test_reset(world: Embedded) -> None:
    for event in ("a", "b", "c"):
        record(world, event, 5)
    client = world.main
    assert client.ok("LATENCY", "RESET", "a", "nosuch", "a") == 1
    assert [event[0] for event in client.ok("LATENCY", "LATEST")] == [b"b", b"c"]
    assert client.ok("LATENCY", "RESET") == 2
    assert client.ok("LATENCY", "LATEST") == []


def test_the_dispatcher_records_what_takes_long() -> None:
    client = Embedded(enable_debug_command="yes").main
    client.ok("DEBUG", "SLEEP", "0.002")
    assert client.ok("LATENCY", "LATEST") == []
    client.ok("CONFIG", "SET", "latency-monitor-threshold", 2)
    client.ok("DEBUG", "SLEEP", "0.002")
    events = client.ok("LATENCY", "LATEST")
    assert [event[0] for event in events] == [b"command"]
    assert events[0][2] >= 2


def test_graph(world: Embedded) -> None:
    record(world, "command", 5)
    world.pass_ms(90_000)
    record(world, "command", 30)
    text = world.main.ok("LATENCY", "GRAPH", "command").removeprefix(b"txt:").decode()
    assert text.splitlines() == [
        "command - high 30 ms, low 5 ms (all time high 30 ms)",
        "-" * 80,
        " #",
        " #",
        " #",
        "_#",
        "",
        "10",
        "ms",
    ]


def test_a_graph_has_as_many_columns_as_fit() -> None:
    samples = [(second, second) for second in range(160)]
    lines = graph("command", samples, 159, 200).splitlines()
    assert lines[0] == "command - high 159 ms, low 80 ms (all time high 159 ms)"
    assert max(map(len, lines)) == 80


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0s"), (0, "0s"), (59, "59s"), (60, "1m"), (3600, "1h"), (86399, "23h"), (200000, "2d")],
)
def test_ages(seconds: int, text: str) -> None:
    assert age(seconds) == text


def test_doctor(world: Embedded) -> None:
    client = world.main
    assert b"latency-monitor-threshold" in client.ok("LATENCY", "DOCTOR")
    client.ok("CONFIG", "SET", "latency-monitor-threshold", 100)
    assert b"Nothing took 100 ms" in client.ok("LATENCY", "DOCTOR")
    record(world, "command", 100)
    world.pass_ms(4000)
    record(world, "command", 300)
    text = client.ok("LATENCY", "DOCTOR")
    assert b"1. command: samples 2, mean 200 ms, mean deviation 100 ms, one in 4 s" in text
    assert b"worst ever 300 ms" in text


def test_doctor_of_one_sample() -> None:
    assert "seen once" in doctor({"fork": ([(1, 2)], 2)}, 1)


def test_durations_fall_in_powers_of_two() -> None:
    command = Command(SPECS["PING"], None, False)
    for took_us in (0, 1, 2, 3, 4, 5, 1000, 1024, 1025, 1 << 40):
        command.observe(took_us)
    assert command.duration_counts() == [
        (1, 2),
        (2, 1),
        (4, 2),
        (8, 1),
        (1024, 2),
        (2048, 1),
        (1 << DURATION_BUCKETS - 1, 1),
    ]
    assert command.calls == 10
    command.reset_statistics()
    assert command.duration_counts() == []


def test_percentiles() -> None:
    counts = [(1, 50), (4, 49), (1024, 1)]
    assert [percentile_us(counts, 100, share) for share in (0.5, 0.99, 0.999)] == [1, 4, 1024]
    assert percentile_us([(8, 1)], 1, 0.999) == 8


def test_histogram(world: Embedded) -> None:
    client = world.main
    table = world.state.table
    for name, durations in (("ping", (1, 1, 3)), ("client|id", (2,)), ("client|info", (9,))):
        command = table.find(name.encode())
        assert command is not None
        for took_us in durations:
            command.observe(took_us)
    found = pairs(client.call("LATENCY", "HISTOGRAM", "PING", "nosuch", "get"))
    assert list(found) == [b"ping"]
    ping = pairs(found[b"ping"])
    assert ping[b"calls"] == (":", 3)
    assert pairs(ping[b"histogram_usec"]) == {1: (":", 2), 4: (":", 3)}
    found = pairs(client.call("LATENCY", "HISTOGRAM", "client", "ping"))
    assert list(found) == [b"client|id", b"client|info", b"ping"]
    everything = pairs(client.call("LATENCY", "HISTOGRAM"))
    assert set(everything) == {b"client|id", b"client|info", b"ping", b"latency|histogram"}
    client.ok("CONFIG", "RESETSTAT")
    assert set(pairs(client.call("LATENCY", "HISTOGRAM"))) == {b"config|resetstat"}


REFUSED = [
    "LATENCY",
    "LATENCY NOSUCH",
    "LATENCY LATEST x",
    "LATENCY HISTORY",
    "LATENCY GRAPH nosuch",
    "LATENCY DOCTOR x",
]


@pytest.mark.parametrize("line", REFUSED)
def test_refused_as_redis_does(world: Embedded, redis_server: Server, line: str) -> None:
    refused_alike(world.main, redis_server.port, line)
