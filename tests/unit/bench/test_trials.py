"""The benchmark's trials, redis beside redis with little data, and how they fail."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from itertools import repeat
from pathlib import Path

import pytest
from bench import data, recovery, saving, servers
from bench.disk import data_root, file_system
from bench.latency import Latency, percentile
from bench.load import LoadError
from bench.report import Report
from bench.run import CaseError
from bench.servers import Launch
from bench.trials import Figure, Trial, run_trial
from bench.wire import Control, encode

CORE = min(os.sched_getaffinity(0))
ORDERS = 2_500
PING = encode(("PING",))
NOT_SAVING = b"rdb_bgsave_in_progress:0"


def pair(redis_binary: str) -> tuple[Launch, ...]:
    return tuple(servers.redis(redis_binary, label) for label in ("one", "other"))


@pytest.mark.parametrize("measure", [recovery.measure, saving.measure])
def test_a_trial_gives_figures_of_both_servers(
    measure: Callable[..., list[Figure]], redis_binary: str
) -> None:
    figures = measure(pair(redis_binary), CORE, 2, 0.02, ORDERS)
    assert figures
    for figure in figures:
        assert {label: len(values) for label, values in figure.samples.items()} == {
            "one": 2,
            "other": 2,
        }
        assert all(value > 0 for values in figure.samples.values() for value in values)


def test_orders_that_are_gone_after_a_start_are_no_figure(redis_binary: str) -> None:
    forgetful = ("/bin/sh", "-c", 'exec "$0" "$@" --appendonly no', redis_binary)
    launch = Launch("forgetful", forgetful, ())
    with pytest.raises(CaseError, match="forgetful: 0 orders after a start"):
        recovery.measure((launch,), CORE, 1, 0.0, ORDERS)


def test_the_stream_has_as_many_orders_as_asked_for(control: Control) -> None:
    data.store_orders(control, ORDERS)
    assert control.call("XLEN", data.ORDERS) == ORDERS


def test_every_request_is_timed(control: Control) -> None:
    with closing(Latency(control.port, 3)) as latency:
        taken = latency.run(repeat(PING), 1, 0.02)
        assert len(taken) >= 3
        assert all(value > 0 for value in taken)
        taken, seconds = latency.run_during(repeat(PING), 1, encode(("BGSAVE",)), NOT_SAVING)
        assert len(taken) >= 3
        assert seconds > 0


def test_a_refused_request_is_no_latency(control: Control) -> None:
    wrong = encode(("XADD", "incoming"))
    with (
        closing(Latency(control.port, 2)) as latency,
        pytest.raises(LoadError, match="wrong number of arguments"),
    ):
        latency.run(repeat(wrong), 1, 0.02)
    with (
        closing(Latency(control.port, 2)) as latency,
        pytest.raises(LoadError, match="unknown command"),
    ):
        latency.run_during(repeat(PING), 1, encode(("NO-SUCH",)), NOT_SAVING)


def test_percentiles() -> None:
    values = list(range(1000))
    assert [percentile(values, share) for share in (0.5, 0.99, 0.999, 1.0)] == [500, 990, 999, 999]


def test_a_trial_that_fails_says_why(tmp_path: Path) -> None:
    def fail(*_: object) -> list[Figure]:
        raise CaseError("ours: a | b\nand its log")

    good = Figure("start", "s", 0.5, {"ours": [1.0, 3.0, 2.0], "theirs": [1.0, 2.0, 4.0]})
    outcomes = [
        run_trial(Trial("broken", fail), (), CORE, 1, 0.0),
        run_trial(Trial("works", lambda *_: [good]), (), CORE, 1, 0.0),
    ]
    report = Report("ours", "theirs", {}, {}, [], outcomes)
    failed, row = report.trial_rows()
    assert failed == ["broken", "FAILED: ours: a / b", "", "", ""]
    assert row == ["start", "2 / 2 s", "1.00 !", "0.50-1.50", "0.50"]
    assert [table.title for table in report.tables()] == ["Trials, persistence"]
    report.write_json(tmp_path / "figures.json")
    assert '"median": 2.0' in (tmp_path / "figures.json").read_text()


def test_the_data_lies_on_a_disk() -> None:
    assert not file_system(data_root()).startswith(("tmpfs", "ramfs"))
    assert file_system(Path("/proc")).startswith("proc")
