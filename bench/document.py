"""A run as a JSON document: every round of every row, written and read back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.cases import CASES, CONTRASTS, Case
from bench.figures import Figure, Trial, TrialOutcome
from bench.report import Report
from bench.run import ContrastOutcome, Outcome, Sample


def write(report: Report, path: Path) -> None:
    """Everything measured, for a later look."""
    document = {
        "subject": report.subject,
        "reference": report.reference,
        "machine": report.machine,
        "settings": report.settings,
        "cases": [_case(outcome) for outcome in report.outcomes],
        "contrasts": [
            {
                "contrast": outcome.contrast.title,
                "failure": outcome.failure,
                "burdened": _case(outcome.burdened),
                "plain": _case(outcome.plain),
            }
            for outcome in report.contrasts
        ],
        "trials": [_trial(outcome) for outcome in report.tried],
    }
    path.write_text(json.dumps(document, indent=1) + "\n")


def read(path: Path) -> Report:
    """The report of such a document; cases no longer known are left out, goals are today's.

    Raises OSError, ValueError, KeyError when it is none.
    """
    document: dict[str, Any] = json.loads(path.read_text())
    cases = {case.title: case for case in CASES}
    contrasts = {contrast.title: contrast for contrast in CONTRASTS}
    return Report(
        document["subject"],
        document["reference"],
        document["machine"],
        document["settings"],
        [
            _read_case(cases[entry["case"]], entry)
            for entry in document["cases"]
            if entry["case"] in cases
        ],
        [_read_trial(entry) for entry in document["trials"]],
        [
            ContrastOutcome(
                contrast,
                _read_case(contrast.burdened, entry["burdened"]),
                _read_case(contrast.plain, entry["plain"]),
                entry["failure"],
            )
            for entry in document["contrasts"]
            if (contrast := contrasts.get(entry["contrast"])) is not None
        ],
    )


def _case(outcome: Outcome) -> dict[str, object]:
    entry: dict[str, object] = {
        "case": outcome.case.title,
        "goal": outcome.case.goal,
        "rate_goal": outcome.case.rate_goal,
        "failure": outcome.failure,
        "servers": {},
    }
    if outcome.failure is not None:
        return entry
    entry["servers"] = {
        label: {
            **{name: outcome.median(name, label) for name in ("cpu_us", "rate", "busy")},
            "rounds": [
                {name: getattr(sample, name) for name in Sample.__slots__} for sample in samples
            ],
        }
        for label, samples in outcome.samples.items()
        if samples
    }
    return entry


def _read_case(case: Case, entry: dict[str, Any]) -> Outcome:
    samples = {
        label: [Sample(**sample) for sample in server["rounds"]]
        for label, server in entry["servers"].items()
    }
    return Outcome(case, samples, entry["failure"])


def _trial(outcome: TrialOutcome) -> dict[str, object]:
    figures = [
        {
            "figure": figure.title,
            "unit": figure.unit,
            "goal": figure.goal,
            "limit": figure.limit,
            "detail": figure.detail,
            "servers": {
                label: {"median": figure.median(label), "rounds": rounds}
                for label, rounds in figure.samples.items()
            },
        }
        for figure in outcome.figures
    ]
    return {
        "trial": outcome.trial.name,
        "section": outcome.trial.section,
        "failure": outcome.failure,
        "disturbed": outcome.disturbed,
        "figures": figures,
    }


def _read_trial(entry: dict[str, Any]) -> TrialOutcome:
    figures = [
        Figure(
            figure["figure"],
            figure["unit"],
            figure["goal"],
            figure["limit"],
            {label: server["rounds"] for label, server in figure["servers"].items()},
            figure["detail"],
        )
        for figure in entry["figures"]
    ]
    trial = Trial(entry["trial"], _measured, entry["section"])
    return TrialOutcome(trial, figures, entry["failure"], entry["disturbed"])


def _measured(*_: object) -> list[Figure]:
    raise RuntimeError("a trial that was read from a document cannot be run")
