"""The command line: what it lists, in which order rows run, when its exit status is 1."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench import baseline, document
from bench.cases import CASES, CONTRASTS, Case, ping
from bench.cli import grouped, main
from bench.report import Report
from bench.run import Outcome, Sample
from bench.trials import TRIALS
from click.testing import CliRunner


def _run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, words)
    return result.exit_code, result.output


def _document(path: Path, cpu_ns: int, failure: str | None = None) -> Path:
    reference = [Sample(1_000, 1_000_000, 2_000_000, 0, 0)] * 2
    samples = {"ours": [Sample(1_000, cpu_ns, 2_000_000, 0, 0)] * 2, "theirs": reference}
    case = next(case for case in CASES if case.name == "PING")
    outcome = Outcome(case, samples, failure)
    document.write(Report("ours", "theirs", {"cpu": "a machine"}, {}, [outcome]), path)
    return path


def test_every_row_is_listed_and_found_by_its_section() -> None:
    titles = [row.title for rows in (CASES, CONTRASTS) for row in rows]
    assert _run("--list")[1].splitlines() == [*titles, *(trial.name for trial in TRIALS)]
    listed = _run("--list", "--case", "memory")[1].splitlines()
    assert [trial.name for trial in TRIALS if trial.section == "memory"] == listed
    assert _run("--list", "--case", "no such row")[0] == 2


def test_rows_that_share_servers_run_one_after_the_other() -> None:
    alone = [Case(name, ping) for name in "ab"]
    shared = [Case(name, ping, shares="data") for name in "cd"]
    other = Case("e", ping, shares="data", fsync="always")  # other servers, in spite of the name
    rows = grouped([shared[0], alone[0], other, shared[1], alone[1]])
    assert [row.title[0] for row in rows] == ["c", "d", "a", "e", "b"]


def test_only_a_failure_is_a_failure_unless_asked(tmp_path: Path) -> None:
    known = tmp_path / "baseline.json"
    before = str(_document(tmp_path / "before.json", 1_000_000))
    after = str(_document(tmp_path / "after.json", 1_500_000))
    failed = str(_document(tmp_path / "failed.json", 1_000_000, "no reply"))
    assert _run("--from", before, "--save-baseline", str(known))[0] == 0
    status, text = _run("--from", after, "--baseline", str(known))
    assert status == 0
    assert "worse than the baseline: PING 1 -> 1.5" in text
    assert _run("--from", after, "--baseline", str(known), "--strict")[0] == 1
    assert _run("--from", before, "--baseline", str(known), "--strict")[0] == 0
    assert _run("--from", failed, "--baseline", str(known))[0] == 1


def test_without_a_baseline_nothing_is_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(baseline, "DEFAULT", tmp_path / "none.json")
    status, text = _run("--from", str(_document(tmp_path / "run.json", 1_000_000)), "--strict")
    assert status == 0
    assert "baseline" not in text
