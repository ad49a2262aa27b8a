"""The chart and the documents: what is drawn, what is written between the marks."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench import publish
from bench.cases import Case, ping
from bench.chart import bars
from bench.figures import Figure, Trial, TrialOutcome
from bench.report import Report
from bench.run import Outcome, Sample
from bench.trials import MEMORY

PNG = b"\x89PNG\r\n\x1a\n"


def _sample(cpu_ns: int) -> Sample:
    return Sample(requests=1000, cpu_ns=cpu_ns, wall_ns=10**9, waited_ns=0, load_waited_ns=0)


@pytest.fixture
def report() -> Report:
    good = Outcome(
        Case("PING", ping, goal=0.6), {"ours": [_sample(500_000)], "theirs": [_sample(1_000_000)]}
    )
    failed = Outcome(Case("other", ping), {"ours": [], "theirs": []}, failure="no reply")
    memory = Trial("memory", lambda *_: [], MEMORY)
    figures = [
        Figure("orders", "MB", 1.0, None, {"ours": [200.0], "theirs": [100.0]}),
        Figure("entry", "bytes", None, 64.0, {"ours": [80.0], "theirs": [200.0]}),
    ]
    trials = [TrialOutcome(memory, figures)]
    return Report("ours", "theirs", {"cpu": "a <machine>"}, {}, [good, failed], trials)


def test_a_bar_for_each_ratio(report: Report) -> None:
    drawn = [(heading, [row.title for row in rows]) for heading, rows in bars(report.figures())]
    assert drawn == [("in memory", ["PING"]), ("memory", ["orders"])]


def test_the_chart_is_a_png(report: Report, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    publish.draw(report, tmp_path / "chart.png")
    assert (tmp_path / "chart.png").read_bytes().startswith(PNG)


def test_the_readme_names_what_falls_short(report: Report) -> None:
    text = publish.readme(report)
    assert "| PING | 0.50 / 1.00 | **0.50** | 0.60 | 1.00k / 1.00k | 1.00 |" in text
    assert "| orders | 200 / 100 MB | 2.00 | 1.00 |" in text
    assert "Short of the goal: orders (2.00, goal 1.00); entry (80 bytes, goal 64 bytes)." in text


def test_only_what_stands_between_the_marks_is_rewritten(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "draw", lambda *_: None)
    (tmp_path / "docs").mkdir()
    for name in (publish.README, publish.PERFORMANCE):
        text = f"before\n{publish.BEGIN}\nstale figures\n{publish.END}\nafter\n"
        (tmp_path / name).write_text(text)
    publish.publish(report, tmp_path)
    once = (tmp_path / publish.README).read_text()
    assert once.startswith(f"before\n{publish.BEGIN}\n![")
    assert once.endswith(f"{publish.END}\nafter\n")
    assert "stale figures" not in once
    assert "(figures.png)" in (tmp_path / publish.PERFORMANCE).read_text()
    publish.publish(report, tmp_path)
    assert (tmp_path / publish.README).read_text() == once
    (tmp_path / publish.README).write_text("no marks")
    with pytest.raises(ValueError, match="has no"):
        publish.publish(report, tmp_path)
