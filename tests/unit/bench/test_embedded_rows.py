"""The benchmark's rows of the store in the process."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

import pytest
from bench import embedded, servers
from bench.embedded import HEADWATER, REDIS, Row, main
from bench.figures import Plan
from click.testing import CliRunner

CORE = min(os.sched_getaffinity(0))


def test_every_row_is_measured(redis_binary: str) -> None:
    with ExitStack() as stack:
        rows = embedded.through_redis_py(stack, redis_binary, CORE) + embedded.direct(stack)
        embedded.measure(rows, 1, 0.01)
    assert len({row.title for row in rows}) == len(rows) >= 12
    for row in rows:
        assert set(row.samples) == set(row.sides) >= set(row.goals)
        assert all(row.time_us(side) > 0 for side in row.sides)
    lines = embedded.table(rows).splitlines()
    assert len(lines) == len(rows) + 2
    assert {line.count("|") for line in lines} == {6}


def test_figures_have_both_labels_and_name_what_they_stand_beside(redis_binary: str) -> None:
    pair = (servers.redis(redis_binary, "one"), servers.redis(redis_binary, "other"))
    figures = embedded.trial(pair, Plan(CORE, 1, 0.02))
    assert all(set(figure.samples) == {"one", "other"} for figure in figures)
    assert len({figure.title for figure in figures}) == len(figures)


def test_a_ratio_is_of_the_rounds_and_a_goal_is_missed_above_it() -> None:
    row = Row("row", {}, {REDIS: 0.5})
    row.samples = {HEADWATER: [1.0, 2.0, 3.0], REDIS: [2.0, 4.0, 5.0]}
    assert row.ratio(REDIS) == 0.5
    assert not row.missed()
    row.samples[HEADWATER] = [2.0, 2.0, 3.0]
    assert row.ratio(REDIS) == 0.6
    assert row.missed()


def test_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_setaffinity", lambda *_: None)
    path = tmp_path / "samples.json"
    arguments = ["--only", "direct", "--rounds", "1", "--seconds", "0.01", "--json", str(path)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code in (0, 1), result.output
    assert "Engine.xadd" in result.output
    assert "Engine.xadd" in path.read_text()
