"""What a later run says beside a recorded one."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench import baseline
from bench.rows import CPU, FIGURE, RATE, Row

MACHINE = {"cpu": "a machine"}


def row(kind: str, ours: tuple[float, ...], theirs: tuple[float, ...] = ()) -> Row:
    return Row(kind, "requests", "XADD", "ms" if kind == FIGURE else "us", ours, theirs)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (row(CPU, (1.0, 1.1), (2.0, 2.0)), row(CPU, (1.3, 1.4), (2.0, 2.0)), "worse"),
        (row(CPU, (1.0, 1.1), (2.0, 2.0)), row(CPU, (0.8, 0.9), (2.0, 2.0)), "better"),
        # All is slower: another machine, or another hour.
        (row(CPU, (1.0, 1.1), (2.0, 2.0)), row(CPU, (2.0, 2.2), (4.0, 4.0)), None),
        # Within the spread of the rounds.
        (row(CPU, (1.0, 1.6), (2.0, 2.0)), row(CPU, (1.5, 1.7), (2.0, 2.0)), None),
        # Apart, but by next to nothing.
        (row(CPU, (1.0, 1.0), (2.0, 2.0)), row(CPU, (1.02, 1.02), (2.0, 2.0)), None),
        (row(RATE, (10.0, 11.0), (9.0, 9.0)), row(RATE, (12.0, 13.0), (9.0, 9.0)), "better"),
        # Values, where there is nothing to compare with; and one round tells less.
        (row(FIGURE, (10.0, 10.1)), row(FIGURE, (10.6, 10.7)), "worse"),
        (row(FIGURE, (10.0,)), row(FIGURE, (10.6,)), None),
        (row(FIGURE, (10.0,)), row(FIGURE, (11.5,)), "worse"),
    ],
)
def test_a_change_is_what_exceeds_the_noise_of_both(
    before: Row, after: Row, said: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "baseline.json"
    baseline.save(path, [before], MACHINE, {"rounds": 2})
    found = baseline.compare(path, [after])
    assert found.compared == 1
    text = found.text(MACHINE)
    if said is None:
        assert not found.changes
        assert "no row differs" in text
    else:
        assert [change.worse for change in found.changes] == [said == "worse"]
        assert f"{said} than the baseline: {after.name} " in text


def test_rows_that_only_one_run_has_are_no_changes(tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    baseline.save(path, [row(CPU, (1.0,), (1.0,))], MACHINE, {})
    found = baseline.compare(path, [row(RATE, (1.0,), (1.0,))])
    assert (found.compared, found.changes) == (0, [])
    assert found.new == ["XADD: requests/s"]
    assert "another machine" in found.text({"cpu": "another"})


def test_what_is_no_baseline_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    path.write_text("{}")
    with pytest.raises(KeyError):
        baseline.compare(path, [])
