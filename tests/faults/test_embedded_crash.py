"""A process that is killed while it uses its store: what was acknowledged is found again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import headwater
from headwater.errors import StoreInUse

PROGRAM = Path(__file__).parents[1] / "programs" / "embedded_writer.py"
WAYS = ("client", "pipeline", "engine", "threads", "async")


def start(directory: Path, policy: str, how: str) -> subprocess.Popen[bytes]:
    """A process that writes to the store and says what was acknowledged."""
    return subprocess.Popen(
        [sys.executable, str(PROGRAM), str(directory), policy, how], stdout=subprocess.PIPE
    )


def acknowledged(process: subprocess.Popen[bytes], at_least: int) -> list[bytes]:
    """Let it have so many replies, kill it, and return all that it has said; whole lines."""
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(at_least)]
    process.kill()
    lines += process.stdout.readlines()
    process.wait()
    process.stdout.close()
    assert lines[0], "the program has failed"
    return [line.strip() for line in lines if line.endswith(b"\n")]


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("policy", ["always", "everysec", "no"])
def test_nothing_acknowledged_is_lost(tmp_path: Path, policy: str, how: str) -> None:
    said: list[bytes] = []
    for at_least in (1, 150, 700):
        said += acknowledged(start(tmp_path / "s", policy, how), at_least)
        with headwater.connect(tmp_path / "s", protocol=2) as client:
            found = [entry_id for entry_id, _ in client.xrange("s")]
            assert set(said) <= set(found)
            assert len(found) == len(set(found))
            if how == "pipeline":
                assert len(found) % 20 == 0, "half of a transaction is nothing"


def test_the_directory_is_free_when_its_user_is_dead(tmp_path: Path) -> None:
    process = start(tmp_path / "s", "everysec", "client")
    assert process.stdout is not None
    process.stdout.readline()
    with pytest.raises(StoreInUse) as raised:
        headwater.open(tmp_path / "s")
    assert raised.value.pid == process.pid
    acknowledged(process, 1)
    with headwater.open(tmp_path / "s") as engine:
        assert engine.execute("XLEN", "s") > 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_that_lives_on_does_not_keep_the_directory(tmp_path: Path) -> None:
    """The parent closes its store; its child, forked meanwhile, is still there."""
    came, goes = os.pipe()
    engine = headwater.open(tmp_path / "s")
    child = os.fork()
    if child == 0:
        os.close(goes)
        os.read(came, 1)
        os._exit(0)
    os.close(came)
    engine.xadd("s", {"a": 1})
    engine.close()
    program = "import sys, headwater; print(headwater.open(sys.argv[1]).execute('XLEN', 's'))"
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "s")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "1\n"
    os.close(goes)
    os.waitpid(child, 0)
