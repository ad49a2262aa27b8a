"""The benchmark's measuring: a run of redis beside redis, failures told as failures, the report."""

from __future__ import annotations

import json
import os
from contextlib import closing
from itertools import repeat
from pathlib import Path

import pytest
from bench import data, document, servers
from bench.blocked import BlockedLoad
from bench.cases import (
    Case,
    Contrast,
    Readers,
    ping,
    wait_for_next,
    wait_in_group,
    xadd,
)
from bench.crowd import crowd
from bench.load import Load, LoadError
from bench.report import Report
from bench.run import Outcome, Pool, Sample, run_case, run_contrast
from bench.wire import Control, Words, encode, info

CORE = min(os.sched_getaffinity(0))


def wrong(client: int, number: int) -> Words:
    return ("XADD", "incoming")


def run_on_redis(case: Case, redis_binary: str) -> Outcome:
    launches = tuple(servers.redis(redis_binary, label) for label in ("one", "other"))
    return run_case(case, launches, CORE, rounds=2, seconds=0.02)


def test_every_round_measures_both_servers(redis_binary: str) -> None:
    outcome = run_on_redis(Case("PING", ping), redis_binary)
    assert outcome.failure is None
    assert {label: len(samples) for label, samples in outcome.samples.items()} == {
        "one": 2,
        "other": 2,
    }
    for samples in outcome.samples.values():
        assert all(sample.requests >= 50 and sample.cpu_ns > 0 for sample in samples)


def test_an_error_reply_fails_the_case_with_its_text(redis_binary: str) -> None:
    outcome = run_on_redis(Case("wrong", wrong), redis_binary)
    assert outcome.failure is not None
    assert "wrong number of arguments for 'xadd'" in outcome.failure


@pytest.mark.parametrize("lines", [True, False])
def test_an_error_under_load_is_no_figure(lines: bool, control: Control) -> None:
    feeds = [repeat(encode(("XADD", "incoming")), 3) for _ in range(2)]
    with (
        closing(Load(control.port, 2)) as load,
        pytest.raises(LoadError, match="wrong number of arguments"),
    ):
        load.run(feeds, 2 if lines else 100_000, lines=lines, seconds=None)


@pytest.mark.parametrize("lines", [True, False])
def test_a_longer_reply_than_probed_is_no_figure(lines: bool, control: Control) -> None:
    feeds = [repeat(encode(("CONFIG", "GET", "maxmemory")), 3)]
    with (
        closing(Load(control.port, 1)) as load,
        pytest.raises(LoadError, match="longer than expected"),
    ):
        load.run(feeds, 2, lines=lines, seconds=None)


def test_a_server_that_does_not_start_is_told_with_its_log() -> None:
    launch = servers.Launch("broken", ("/bin/sh", "-c", "echo no such setting; exit 3"), ())
    outcome = run_case(Case("PING", ping), (launch,), CORE, rounds=1, seconds=0.01)
    assert outcome.failure is not None
    assert "broken ended with status 3" in outcome.failure
    assert "no such setting" in outcome.failure


def test_a_report_shows_ratios_of_medians_and_failures(tmp_path: Path) -> None:
    measured = Outcome(
        Case("PING", ping),
        {
            "ours": [Sample(1_000, cpu, 10_000_000, 0, 0) for cpu in (1, 3_000_000, 3_000_000)],
            "theirs": [Sample(1_000, 2_000_000, 2_000_000, 0, 0)] * 3,
        },
    )
    failed = Outcome(Case("other", ping), {}, failure="ours: a | b\nand its log")
    report = Report("ours", "theirs", {"cpu": "a machine"}, {"rounds": 3}, [measured, failed])
    first, second = report.rows()
    assert first[:4] == ["PING", "3.00 / 2.00", "1.50 !", "0.000-1.50"]
    assert first[4:] == ["1.00", "100k / 500k", "0.20", "", "30% ~ / 100%"]
    assert second[:2] == ["other", "FAILED: ours: a / b"]
    assert len(first) == len(second) == len(report.header())
    path = tmp_path / "figures.json"
    document.write(report, path)
    cases = json.loads(path.read_text())["cases"]
    assert [case["failure"] for case in cases] == [None, failed.failure]
    assert cases[0]["servers"]["ours"]["cpu_us"] == 3.0
    assert report.failed
    assert report.missed() == ["PING (1.50, goal 1.00)"]
    known = Report("ours", "theirs", {"cpu": "a machine"}, {"rounds": 3}, [measured])
    document.write(known, path)
    assert document.read(path).markdown() == known.markdown()


@pytest.mark.parametrize(
    ("readers", "clients", "deliveries"),
    [(Readers(7, wait_for_next, 29, True), 1, 7), (Readers(7, wait_in_group, 29, False), 3, 1)],
    ids=["XREAD", "XREADGROUP"],
)
def test_every_entry_reaches_the_readers_it_is_for(
    readers: Readers, clients: int, deliveries: int, control: Control
) -> None:
    case = Case("XADD", xadd, clients=clients, prepare=data.waiting_group, readers=readers)
    control.call("DEL", data.INCOMING)
    case.prepare(control)
    before = served(control)
    with closing(BlockedLoad(control.port, clients, readers)) as load:
        added = 0
        for _ in range(2):
            added += load.run(case.feeds(case.batches()), 2, lines=True, seconds=0.02)
        assert added >= 2 * clients
        assert control.call("XLEN", data.INCOMING) == added
        assert served(control) - before == added * deliveries
    pending = control.call("XPENDING", data.INCOMING, data.GROUP)
    assert isinstance(pending, list)
    assert pending[0] == (0 if readers.everyone else added)


def served(control: Control) -> int:
    """How many requests of readers the server has answered: those that wait do not count yet."""
    stats = info(control, "commandstats")
    calls = 0
    for name in ("xread", "xreadgroup"):
        fields = stats.get(f"cmdstat_{name}", "calls=0").split(",")[0]
        calls += int(fields.removeprefix("calls="))
    return calls


def test_a_crowd_is_there_and_gone(control: Control) -> None:
    before = int(info(control, "clients")["connected_clients"])
    with crowd(control.port, 30):
        assert int(info(control, "clients")["connected_clients"]) == before + 30


def test_a_contrast_measures_both_halves_on_the_same_servers(redis_binary: str) -> None:
    contrast = Contrast("crowded", Case("PING", ping, clients=1, crowd=20), Case("PING", ping))
    launches = tuple(servers.redis(redis_binary, label) for label in ("one", "other"))
    outcome = run_contrast(contrast, launches, CORE, rounds=2, seconds=0.02)
    assert outcome.failure is None
    assert len(outcome.ratios("one")) == len(outcome.ratios("other")) == 2


def test_a_pool_keeps_servers_for_cases_that_share_them(redis_binary: str) -> None:
    launches = (servers.redis(redis_binary),)
    first, second = (Case(name, ping, shares="data") for name in ("first", "second"))
    alone = Case("alone", ping)
    unknown = Case("unknown", ping, kinds=(servers.HEADWATER,))
    with Pool(launches, CORE) as pool:
        kept = pool.servers(first)
        assert pool.servers(second) == kept
        fresh = pool.servers(alone)
        assert fresh != kept
        assert pool.servers(alone) != fresh
        assert pool.servers(unknown) == ()
