"""The benchmark's trials, redis beside redis with little data, and how they fail."""

from __future__ import annotations

import os
from contextlib import closing
from itertools import repeat
from pathlib import Path

import pytest
from bench import data, document, figures, reading, recovery, servers
from bench.disk import data_root, file_system
from bench.figures import Figure, Plan, Trial, run_trial
from bench.latency import Latency, Percentiles, adding, percentile
from bench.load import LoadError
from bench.report import Report
from bench.run import CaseError
from bench.servers import Launch
from bench.trials import TRIALS
from bench.wire import Control, encode

CORE = min(os.sched_getaffinity(0))
SCALE = 0.0025
ORDERS = 2_500
PING = encode(("PING",))
NOT_SAVING = b"rdb_bgsave_in_progress:0"


def pair(redis_binary: str) -> tuple[Launch, ...]:
    return tuple(servers.redis(redis_binary, label) for label in ("one", "other"))


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.name)
def test_a_trial_gives_figures_of_both_servers(
    trial: Trial, redis_binary: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "_STILL_S", 0.0)
    monkeypatch.setattr(reading, "_SLOW_S", 0.05)
    found = trial.measure(pair(redis_binary), Plan(CORE, 2, 0.02, SCALE))
    assert found
    for figure in found:
        assert {label: len(values) for label, values in figure.samples.items()} == {
            "one": 2,
            "other": 2,
        }
        if figure.unit in ("s", "ms"):
            assert all(value > 0 for values in figure.samples.values() for value in values)


def test_the_amount_of_data_is_scaled() -> None:
    assert Plan(CORE, 1, 1.0).amount(data.MILLION) == 1_000_000
    assert Plan(CORE, 1, 1.0, SCALE).amount(data.MILLION) == ORDERS


def test_small_streams_have_an_entry_and_an_expiry_each(control: Control) -> None:
    data.store_small_streams(control, 3)
    entries = control.call("XRANGE", "session:00000002", "-", "+")
    assert isinstance(entries, list)
    assert isinstance(entries[0], list)
    fields = entries[0][1]
    assert isinstance(fields, list)
    assert sum(len(word) for word in fields if isinstance(word, bytes)) == data.SMALL_BYTES
    assert control.call("PTTL", "session:00000002") not in (-1, -2)


def test_orders_that_are_gone_after_a_start_are_no_figure(redis_binary: str) -> None:
    forgetful = ("/bin/sh", "-c", 'exec "$0" "$@" --appendonly no', redis_binary)
    launch = Launch("forgetful", forgetful, ())
    with pytest.raises(CaseError, match="forgetful: 0 orders after a start"):
        recovery.measure((launch,), Plan(CORE, 1, 0.0, SCALE))


def test_the_stream_has_as_many_orders_as_asked_for(control: Control) -> None:
    data.store_orders(control, ORDERS)
    assert control.call("XLEN", data.ORDERS) == ORDERS


def test_every_request_is_timed(control: Control) -> None:
    with closing(Latency(control.port, 3)) as latency:
        taken = latency.run(repeat(PING), 0.02, 1)
        assert len(taken) >= 3
        assert all(value > 0 for value in taken)
        taken, seconds = latency.run_during(
            repeat(PING), encode(("BGSAVE",)), "persistence", NOT_SAVING, 1
        )
        assert len(taken) >= 3
        assert seconds > 0


def test_a_refused_request_is_no_latency(control: Control) -> None:
    wrong = encode(("XADD", "incoming"))
    with (
        closing(Latency(control.port, 2)) as latency,
        pytest.raises(LoadError, match="wrong number of arguments"),
    ):
        latency.run(repeat(wrong), 0.02, 1)
    with (
        closing(Latency(control.port, 2)) as latency,
        pytest.raises(LoadError, match="unknown command"),
    ):
        latency.run_during(repeat(PING), encode(("NO-SUCH",)), "persistence", NOT_SAVING, 1)


def test_requests_beside_a_reader_are_timed(control: Control) -> None:
    data.store_orders(control, ORDERS)
    words = ("XRANGE", data.ORDERS, "-", "+", "COUNT", ORDERS)
    size = control.size(*words)
    assert size == len(control.probe(encode(words), 1))
    with closing(Latency(control.port, 2)) as latency:
        taken, reply_s = latency.run_beside_reader(adding(data.ORDERS), 0.02, encode(words), size)
        assert len(taken) >= 2
        assert reply_s > 0
    with (
        closing(Latency(control.port, 2)) as latency,
        pytest.raises(LoadError, match="longer than expected"),
    ):
        latency.run_beside_reader(adding(data.ORDERS), 0.02, encode(words), 1)


def test_percentiles() -> None:
    values = list(range(1000))
    assert [percentile(values, share) for share in (0.5, 0.99, 0.999, 1.0)] == [500, 990, 999, 999]


def test_only_the_percentile_with_a_goal_has_one() -> None:
    percentiles = Percentiles("XADD {}", 1.0, 20.0)
    percentiles.add("ours", [1_000_000 * n for n in range(1, 1_001)])
    assert [(f.title, f.goal, f.limit, f.median("ours")) for f in percentiles.figures] == [
        ("XADD p50", None, None, 501.0),
        ("XADD p99", None, None, 991.0),
        ("XADD p99.9", 1.0, 20.0, 1000.0),
        ("XADD slowest", None, None, 1000.0),
    ]


def test_a_trial_that_fails_says_why(tmp_path: Path) -> None:
    def fail(*_: object) -> list[Figure]:
        raise CaseError("ours: a | b\nand its log")

    good = Figure("start", "s", 0.5, 1.5, {"ours": [1.0, 3.0, 2.0], "theirs": [1.0, 2.0, 4.0]})
    outcomes = [
        run_trial(Trial("broken", fail), (), Plan(CORE, 1, 0.0)),
        run_trial(Trial("works", lambda *_: [good]), (), Plan(CORE, 1, 0.0)),
    ]
    report = Report("ours", "theirs", {}, {}, [], outcomes)
    failed, row = report.trial_rows()
    assert failed == ["broken", "FAILED: ours: a / b", "", "", ""]
    assert row == ["start", "2 / 2 s !", "1.00 !", "0.50-1.50", "0.50, <= 1.5 s"]
    assert [table.title for table in report.tables()] == ["Persistence"]
    path = tmp_path / "figures.json"
    document.write(report, path)
    assert '"median": 2.0' in path.read_text()
    assert document.read(path).markdown() == report.markdown()


def test_the_data_lies_on_a_disk() -> None:
    assert not file_system(data_root()).startswith(("tmpfs", "ramfs"))
    assert file_system(Path("/proc")).startswith("proc")
