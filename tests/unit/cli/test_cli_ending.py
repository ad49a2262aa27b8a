"""How signals end a command: at any moment in order, with the status a shell has for them."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from headwater.cli import ending
from support.command_line import COMMAND, clean_environment

STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


@pytest.fixture
def listening() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in STATUS}
    for number in STATUS:
        signal.signal(number, signal.default_int_handler)
    ending.listen()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@contextmanager
def told(events: list[str], entering: int = 0, leaving: int = 0) -> Iterator[str]:
    """A manager to which a signal comes while it is entered, or while it is left."""
    if entering:
        signal.raise_signal(entering)
    events.append("entered")
    try:
        yield "value"
    finally:
        if leaving:
            signal.raise_signal(leaving)
        events.append("left")


@pytest.mark.usefixtures("listening")
@pytest.mark.parametrize("number", STATUS)
def test_a_signal_waits_for_a_step(number: signal.Signals) -> None:
    events = []

    def step() -> None:
        with ending.held():
            with ending.held():
                signal.raise_signal(number)
                events.append("inner")
            events.append("outer")
        events.append("behind")

    with pytest.raises((KeyboardInterrupt, SystemExit)) as caught:
        step()
    assert events == ["inner", "outer"]
    assert ending_status(caught.value) == STATUS[number]


@pytest.mark.usefixtures("listening")
def test_a_signal_while_something_is_set_up() -> None:
    events: list[str] = []
    with pytest.raises(SystemExit), ending.undisturbed(told(events, entering=signal.SIGTERM)):
        events.append("body")
    assert events == ["entered", "left"]


@pytest.mark.usefixtures("listening")
def test_a_signal_while_something_is_taken_down() -> None:
    events: list[str] = []
    manager = ending.undisturbed(told(events, leaving=signal.SIGINT))
    with pytest.raises(KeyboardInterrupt), manager as value:
        events.append(value)
    assert events == ["entered", "value", "left"]


@pytest.mark.usefixtures("listening")
def test_what_cannot_be_set_up() -> None:
    @contextmanager
    def broken() -> Iterator[None]:
        signal.raise_signal(signal.SIGTERM)
        raise OSError("no")
        yield

    with pytest.raises(SystemExit) as caught, ending.undisturbed(broken()):
        raise AssertionError("the block began")
    assert isinstance(caught.value.__context__, OSError)
    with pytest.raises(KeyboardInterrupt):  # nothing is kept waiting any more
        signal.raise_signal(signal.SIGINT)


def ending_status(error: BaseException) -> int:
    return 130 if isinstance(error, KeyboardInterrupt) else int(str(error))


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    path = tmp_path / "orders.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for n in range(1, 40_001):
            line = {"key": f"orders-{n % 400}", "id": f"{n}-0", "fields": {"n": str(n)}}
            file.write(json.dumps(line) + "\n")
    return path


@pytest.mark.parametrize("number", STATUS)
def test_an_import_into_a_directory_is_ended(
    lines: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """From the moment that the target begins to be there; then it is gone, or complete."""
    target = tmp_path / "target"
    process = subprocess.Popen(
        [*COMMAND, "import", str(lines), "--dir", str(target)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=clean_environment(),
        text=True,
    )
    deadline = time.monotonic() + 60
    while not target.exists() and process.poll() is None:
        assert time.monotonic() < deadline
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert "Traceback" not in err
    if "imported" in out:
        assert target.exists()
    elif "everything was imported already" in err:
        assert target.exists()
        assert process.returncode == STATUS[number]
    else:
        assert "interrupted; nothing was imported" in err
        assert not target.exists()
        assert process.returncode == STATUS[number]


def test_signals_that_are_ignored_stay_so(lines: Path, tmp_path: Path) -> None:
    """As `nohup` has it, and a shell for what runs in its background."""
    target = tmp_path / "target"
    process = subprocess.Popen(
        [*COMMAND, "import", str(lines), "--dir", str(target)],
        stdout=subprocess.PIPE,
        env=clean_environment(),
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    deadline = time.monotonic() + 60
    while not target.exists() and process.poll() is None:
        process.send_signal(signal.SIGHUP)
        assert time.monotonic() < deadline
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "imported" in out
