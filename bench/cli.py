"""Command line of the benchmark."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from bench import machine, recovery, saving, servers
from bench.cases import CLIENTS, PERSISTENCE, Case, matches, select
from bench.report import Report
from bench.run import Outcome, run_case
from bench.servers import Launch, ServerError
from bench.trials import Trial, TrialOutcome, run_trial

ROUNDS, SECONDS = 5, 1.0
QUICK_ROUNDS, QUICK_SECONDS = 3, 0.25
QUICK_TRIAL_ROUNDS = 1  # they take seconds each, whatever is asked for

TRIALS = (recovery.TRIAL, saving.TRIAL)


@click.command()
@click.option("--case", "patterns", multiple=True, help="Cases whose title has this, or a section.")
@click.option("--list", "list_cases", is_flag=True, help="List the cases and stop.")
@click.option("--rounds", type=click.IntRange(min=1), help=f"Rounds of each case ({ROUNDS}).")
@click.option("--seconds", type=float, help=f"Measured time of a round and server ({SECONDS:g}).")
@click.option("--quick", is_flag=True, help=f"{QUICK_ROUNDS} rounds of {QUICK_SECONDS:g} s.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write all figures.")
@click.option("--chart", type=click.Path(path_type=Path), help="Draw the CPU ratios as an SVG.")
@click.option("--markdown", type=click.Path(path_type=Path), help="Write the table as Markdown.")
@click.option("--self", "self_check", is_flag=True, help="redis with redis: shows the noise.")
@click.option("--redis", "redis_path", help="The redis-server to compare with.")
@click.option("--headwater-env", "environment", multiple=True, metavar="NAME=VALUE")
@click.option("--headwater-arg", "arguments", multiple=True, help="More arguments of `serve`.")
@click.option("--server-core", default=0, show_default=True)
@click.option("--load-core", default=1, show_default=True)
def main(
    patterns: tuple[str, ...],
    list_cases: bool,
    rounds: int | None,
    seconds: float | None,
    quick: bool,
    json_path: Path | None,
    chart: Path | None,
    markdown: Path | None,
    self_check: bool,
    redis_path: str | None,
    environment: tuple[str, ...],
    arguments: tuple[str, ...],
    server_core: int,
    load_core: int,
) -> None:
    """Compare Headwater with a redis-server: server CPU per request, then throughput.

    Both servers are started here, pinned to one core; the load runs on another core. Persistence is
    off in most cases and on in those of its own section. Exit status 1 when a case failed.
    """
    cases = select(patterns)
    trials = tuple(trial for trial in TRIALS if matches(trial.name, PERSISTENCE, patterns))
    if not cases and not trials:
        raise click.UsageError("no case matches; see --list")
    if list_cases:
        for title in (*(case.title for case in cases), *(trial.name for trial in trials)):
            click.echo(title)
        return
    trial_rounds = rounds or (QUICK_TRIAL_ROUNDS if quick else ROUNDS)
    rounds = rounds or (QUICK_ROUNDS if quick else ROUNDS)
    seconds = seconds or (QUICK_SECONDS if quick else SECONDS)
    try:
        reference = servers.redis(redis_path)
        if self_check:
            subject = servers.redis(redis_path, label="redis again")
        else:
            subject = servers.headwater(_environment(environment), arguments)
        settings = {"rounds": rounds, "seconds": seconds, "clients": CLIENTS}
        description = machine.describe((subject, reference), server_core, load_core)
        outcomes: list[Outcome] = []
        tried: list[TrialOutcome] = []
        report = Report(subject.label, reference.label, description, settings, outcomes, tried)
        _pin(server_core, load_core)
        both = (subject, reference)
        _measure(cases, both, server_core, rounds, seconds, outcomes)
        _try(trials, both, server_core, trial_rounds, seconds, tried)
    except ServerError as error:
        raise click.ClickException(str(error)) from error
    report.print()
    if json_path is not None:
        report.write_json(json_path)
    if chart is not None:
        chart.write_text(report.chart())
    if markdown is not None:
        markdown.write_text(report.markdown())
    if any(outcome.failure for outcome in outcomes) or any(trial.failure for trial in tried):
        raise SystemExit(1)


def _measure(
    cases: tuple[Case, ...],
    launches: tuple[Launch, Launch],
    core: int,
    rounds: int,
    seconds: float,
    outcomes: list[Outcome],
) -> None:
    """Run the cases one after the other, with progress and failures on stderr."""
    for number, case in enumerate(cases, 1):
        print(f"[{number}/{len(cases)}] {case.title}", file=sys.stderr, flush=True)
        outcome = run_case(case, launches, core, rounds, seconds)
        outcomes.append(outcome)
        if outcome.failure is not None:
            print(outcome.failure, file=sys.stderr, flush=True)


def _try(
    trials: tuple[Trial, ...],
    launches: tuple[Launch, Launch],
    core: int,
    rounds: int,
    seconds: float,
    outcomes: list[TrialOutcome],
) -> None:
    """The same for the trials."""
    for trial in trials:
        print(f"[{trial.name}]", file=sys.stderr, flush=True)
        outcome = run_trial(trial, launches, core, rounds, seconds)
        outcomes.append(outcome)
        if outcome.failure is not None:
            print(outcome.failure, file=sys.stderr, flush=True)


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
