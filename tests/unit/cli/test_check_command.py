"""The words and the exit status of `headwater check`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from headwater.cli.check import UNABLE, run_check
from headwater.cli.group import group
from headwater.journal.disk import Disk
from headwater.journal.lock import DirectoryLock
from support import history
from support.history import ORDERS, Journaled

SEGMENT = "appendonlydir/segment.000001.hwj"


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory with a journal of ten commands and a snapshot."""
    monkeypatch.setattr(history, "DATA", str(tmp_path))
    monkeypatch.setattr(history, "JOURNAL", str(tmp_path / "appendonlydir"))
    journal = Journaled(Disk())
    journal.do(*ORDERS)
    journal.save(str(tmp_path / "dump.rdb"))
    journal.writer.close()
    return tmp_path


def check(path: Path, *, deep: bool = False, mend: bool = False, as_json: bool = False) -> int:
    return run_check(str(path), "appendonlydir", "dump.rdb", deep, mend, as_json)


def cut(path: Path, count: int) -> None:
    os.truncate(path, path.stat().st_size - count)


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(bytes(data))


def test_sound(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(directory, deep=True) == 0
    out = capsys.readouterr().out
    assert "ok        appendonlydir/journal.manifest, " in out
    assert f"ok        {SEGMENT}, 1.2 KB\n          10 batches, 10 records" in out
    assert "ok        dump.rdb, " in out
    assert "1 group" in out
    assert "in memory: 1 database, 3 keys" in out
    assert out.endswith("\nsound\n")
    assert not (directory / "headwater.lock").exists()


def test_torn(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cut(directory / SEGMENT, 3)
    assert check(directory) == 1
    out = capsys.readouterr().out
    assert f"torn      {SEGMENT}" in out
    assert "a start cuts off" in out


def test_damage_and_its_repair(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flip(directory / SEGMENT, 600)
    assert check(directory) == 2
    assert f"`headwater check --repair {directory}`" in capsys.readouterr().out
    assert check(directory, mend=True) == 0
    out = capsys.readouterr().out
    assert "dropped from the journal" in out
    assert "entry of 'other' in database 0: 5-5..5-5" in out
    [backup] = directory.glob("appendonlydir-backup-*")
    assert f"backup: {backup}" in out
    assert sorted(path.name for path in backup.iterdir()) == [
        "journal.manifest",
        "segment.000001.hwj",
    ]
    assert check(directory) == 0
    assert check(directory, mend=True) == 0
    assert "nothing to repair" in capsys.readouterr().out


def test_what_can_not_be_repaired(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flip(directory / "dump.rdb", 60)
    assert check(directory, mend=True) == 2
    out = capsys.readouterr().out
    assert "A snapshot cannot be cut or repaired" in out
    assert out.endswith("still damaged: this cannot be repaired, see above\n")
    (directory / SEGMENT).unlink()
    (directory / "appendonlydir" / "journal.manifest").write_bytes(b"nonsense\n")
    assert check(directory, mend=True) == UNABLE
    assert "cannot be made anew" in capsys.readouterr().err


def test_json(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(directory, as_json=True, deep=True) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["verdict"] == "sound"
    assert [file["kind"] for file in found["files"]] == ["manifest", "segment", "snapshot"]
    assert found["contents"]["keys"] == 3
    assert "repair" not in found
    flip(directory / SEGMENT, 600)
    assert check(directory, as_json=True, mend=True) == 0
    found = json.loads(capsys.readouterr().out)
    [dropped] = found["repair"]["dropped"]
    assert {"database": 0, "key": "other", "count": 1, "first": "5-5", "last": "5-5"} in dropped[
        "entries"
    ]


def test_while_a_server_runs(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with DirectoryLock(Disk(), str(directory)):
        cut(directory / SEGMENT, 3)
        assert check(directory) == 0
        assert f"process {os.getpid()} is using this directory" in capsys.readouterr().out
        assert check(directory, mend=True) == UNABLE
        assert f"process {os.getpid()} is using" in capsys.readouterr().err
    assert check(directory) == 1


def test_files_and_the_journals_directory(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(directory / "dump.rdb") == 0
    assert check(directory / SEGMENT) == 0
    assert check(directory / "appendonlydir" / "journal.manifest") == 0
    assert "dump.rdb" in capsys.readouterr().out
    assert check(directory / "appendonlydir") == 0
    assert "dump.rdb" not in capsys.readouterr().out
    assert check(directory / "dump.rdb", mend=True) == UNABLE
    assert check(directory / "nowhere") == UNABLE
    assert "No such file" in capsys.readouterr().err


def test_an_empty_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(tmp_path) == 0
    assert "begins empty" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_the_command_itself(directory: Path) -> None:
    search_path = os.pathsep.join(os.path.abspath(path) for path in sys.path if path)
    os.rename(directory / "dump.rdb", directory / "other.rdb")
    os.rename(directory / "appendonlydir", directory / "elsewhere")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "headwater", "check", str(directory), "--deep"),
            *("--appenddirname", "elsewhere", "--dbfilename", "other.rdb"),
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": search_path},
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "elsewhere/segment.000001.hwj" in done.stdout
    assert "other.rdb" in done.stdout


def test_it_is_among_the_commands() -> None:
    command = group.commands["check"]
    assert {parameter.name for parameter in command.params} >= {"path", "deep", "mend", "as_json"}
