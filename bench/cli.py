"""Command line of the benchmark."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import click

from bench import baseline, document, machine, publish, servers
from bench.cases import CLIENTS, CROWD, Case, Contrast, matches, select, select_contrasts
from bench.crowd import allow_files
from bench.figures import Plan, Trial, run_trial
from bench.report import Report
from bench.run import ContrastOutcome, Outcome, Pool, run_case, run_contrast
from bench.servers import Launch, ServerError
from bench.trials import TRIALS

ROUNDS, SECONDS = 5, 0.5
QUICK_ROUNDS, QUICK_SECONDS = 1, 0.15
QUICK_SCALE = 0.1  # of the data of trials
QUICK_TRIAL_ROUNDS = 1

PathOption = click.Path(path_type=Path)


@click.command()
@click.option("--case", "patterns", multiple=True, help="Rows whose title has this, or a section.")
@click.option("--list", "list_rows", is_flag=True, help="List the rows and stop.")
@click.option("--rounds", type=click.IntRange(min=1), help=f"Rounds of each row ({ROUNDS}).")
@click.option("--seconds", type=float, help=f"Measured time of a round and server ({SECONDS:g}).")
@click.option("--quick", is_flag=True, help="Everything in two minutes, with less data in trials.")
@click.option("--json", "json_path", type=PathOption, help="Write every round of every row.")
@click.option("--from", "from_path", type=PathOption, help="Measure nothing: take such a file.")
@click.option("--chart", type=PathOption, help="Draw the ratios as a PNG.")
@click.option("--markdown", type=PathOption, help="Write the tables as Markdown.")
@click.option("--publish", "publishing", is_flag=True, help="Rewrite README, docs and their chart.")
@click.option("--baseline", "known", type=PathOption, help="Compare with it (bench/baseline.json).")
@click.option("--save-baseline", type=PathOption, help="Record this run as a baseline.")
@click.option("--strict", is_flag=True, help="Status 1 also when a row is worse than the baseline.")
@click.option("--self", "self_check", is_flag=True, help="redis with redis: shows the noise.")
@click.option("--redis", "redis_path", help="The redis-server to compare with.")
@click.option("--headwater-env", "environment", multiple=True, metavar="NAME=VALUE")
@click.option("--headwater-arg", "arguments", multiple=True, help="More arguments of `serve`.")
@click.option("--server-core", default=0, show_default=True)
@click.option("--load-core", default=1, show_default=True)
def main(
    patterns: tuple[str, ...],
    list_rows: bool,
    rounds: int | None,
    seconds: float | None,
    quick: bool,
    json_path: Path | None,
    from_path: Path | None,
    chart: Path | None,
    markdown: Path | None,
    publishing: bool,
    known: Path | None,
    save_baseline: Path | None,
    strict: bool,
    self_check: bool,
    redis_path: str | None,
    environment: tuple[str, ...],
    arguments: tuple[str, ...],
    server_core: int,
    load_core: int,
) -> None:
    """Compare Headwater with a redis-server: server CPU, throughput, memory, latency.

    Both servers are started here, pinned to one core; the load runs on another core. Persistence is
    off in most rows and on in those of its own section. Exit status 1 when a row failed.
    """
    cases, contrasts = select(patterns), select_contrasts(patterns)
    trials = tuple(trial for trial in TRIALS if matches(trial.name, trial.section, patterns))
    if not cases and not contrasts and not trials:
        raise click.UsageError("no row matches; see --list")
    if list_rows:
        titles = (row.title for rows in (cases, contrasts) for row in rows)
        for title in (*titles, *(trial.name for trial in trials)):
            click.echo(title)
        return
    try:
        if from_path is not None:
            report = document.read(from_path)
        else:
            plan = Plan(
                server_core,
                rounds or (QUICK_ROUNDS if quick else ROUNDS),
                seconds or (QUICK_SECONDS if quick else SECONDS),
                QUICK_SCALE if quick else 1.0,
            )
            trial_rounds = rounds or (QUICK_TRIAL_ROUNDS if quick else ROUNDS)
            reference = servers.redis(redis_path)
            if self_check:
                subject = servers.redis(redis_path, label="redis again")
            else:
                subject = servers.headwater(_environment(environment), arguments)
            report = Report(
                subject.label,
                reference.label,
                machine.describe((subject, reference), server_core, load_core),
                {"rounds": plan.rounds, "seconds": plan.seconds, "clients": CLIENTS},
                [],
            )
            _pin(server_core, load_core)
            allow_files(2 * CROWD)
            launches = (subject, reference)
            _measure(cases, contrasts, launches, plan, report)
            _try(trials, launches, plan, trial_rounds, report)
    except (ServerError, OSError, ValueError, KeyError) as error:
        raise click.ClickException(str(error)) from error
    report.print()
    worse = _compare(report, known)
    if json_path is not None:
        document.write(report, json_path)
    if chart is not None:
        publish.draw(report, chart)
    if markdown is not None:
        markdown.write_text(report.markdown())
    if publishing:
        publish.publish(report)
    if save_baseline is not None:
        baseline.save(save_baseline, report.figures(), report.machine, report.settings)
    if report.failed or (strict and worse):
        raise SystemExit(1)


def _measure(
    cases: tuple[Case, ...],
    contrasts: tuple[Contrast, ...],
    launches: tuple[Launch, Launch],
    plan: Plan,
    report: Report,
) -> None:
    """Run the cases and contrasts; those that share servers one after the other.

    The outcomes stand in the report in the order of the tables.
    """
    kinds = {launch.kind for launch in launches}
    known = [case for case in cases if kinds & set(case.kinds)]
    crossed = [row for row in contrasts if kinds & set(row.plain.kinds)]
    outcomes: dict[str, Outcome | ContrastOutcome] = {}
    rows: list[Case | Contrast] = [*known, *crossed]
    with Pool(launches, plan.core) as pool:
        for number, row in enumerate(grouped(rows), 1):
            with _Progress(f"[{number}/{len(rows)}] {row.title}") as progress:
                arguments = (launches, plan.core, plan.rounds, plan.seconds, pool)
                if isinstance(row, Case):
                    outcome: Outcome | ContrastOutcome = run_case(row, *arguments)
                else:
                    outcome = run_contrast(row, *arguments)
                outcomes[row.title] = outcome
                progress.failure = outcome.failure
    for row in rows:
        outcome = outcomes[row.title]
        if isinstance(outcome, Outcome):
            report.outcomes.append(outcome)
        else:
            report.contrasts.append(outcome)


def grouped(rows: list[Case | Contrast]) -> list[Case | Contrast]:
    """The rows, those that share servers moved up to the first of them."""
    first: dict[tuple[object, ...], int] = {}
    places = []
    for number, row in enumerate(rows):
        case = row if isinstance(row, Case) else row.burdened
        key = (case.shares, case.settings)
        place = first.setdefault(key, number) if case.shares is not None else number
        places.append((place, number, row))
    return [row for _, _, row in sorted(places, key=lambda place: place[:2])]


def _try(
    trials: tuple[Trial, ...],
    launches: tuple[Launch, Launch],
    plan: Plan,
    rounds: int,
    report: Report,
) -> None:
    """The same for the trials."""
    plan = Plan(plan.core, rounds, plan.seconds, plan.scale)
    for trial in trials:
        with _Progress(f"[{trial.name}]") as progress:
            outcome = run_trial(trial, launches, plan)
            report.tried.append(outcome)
            progress.failure = outcome.failure


class _Progress:
    """A line on standard error: what is measured, how long it took, why it failed."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._began = time.monotonic()
        self.failure: str | None = None

    def __enter__(self) -> _Progress:
        print(self._title, end="", file=sys.stderr, flush=True)
        return self

    def __exit__(self, *exc_info: object) -> None:
        print(f"  {time.monotonic() - self._began:.0f} s", file=sys.stderr)
        if self.failure is not None:
            print(self.failure, file=sys.stderr, flush=True)


def _compare(report: Report, path: Path | None) -> bool:
    """Print what differs from the baseline, if there is one; whether anything is worse."""
    if path is None:
        if not baseline.DEFAULT.exists():
            return False
        path = baseline.DEFAULT
    try:
        found = baseline.compare(path, report.figures())
    except (OSError, ValueError, KeyError) as error:
        raise click.ClickException(f"the baseline {path}: {error}") from error
    print("\n" + found.text(report.machine))
    return bool(found.worse)


def _pin(server_core: int, load_core: int) -> None:
    """Bind this process to the load core; refuse when there are no two cores to keep apart."""
    allowed = os.sched_getaffinity(0)
    if server_core == load_core or not {server_core, load_core} <= allowed:
        raise click.UsageError(f"two different cores of {sorted(allowed)} are needed")
    os.sched_setaffinity(0, {load_core})


def _environment(pairs: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator:
            raise click.BadParameter(f"{pair!r} is not NAME=VALUE", param_hint="--headwater-env")
        found[name] = value
    return found
