"""`headwater completion`, and what a shell gets offered."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from headwater.cli.group import group
from headwater.cli.lazy import COMMANDS
from support.command_line import clean_environment, run, run_alone
from support.servers import Server, free_port


def offered(line: str, url: str = "") -> list[str]:
    """The words that bash is offered at the end of a command line."""
    words = line.split(" ")
    done = run_alone(
        url=url,
        _HEADWATER_COMPLETE="bash_complete",
        COMP_WORDS=line,
        COMP_CWORD=str(len(words) - 1),
    )
    assert (done.status, done.err) == (0, "")
    return [text.partition(",")[2] for text in done.lines if text]


@pytest.fixture
def url(headwater: Server) -> str:
    client = redis.Redis(port=headwater.port)
    for name in (b"orders", b"order[1]", b"other", "größe".encode(), b"bin\xff"):
        client.xadd(name, {"a": 1})
    client.set("order-text", "1")
    client.xgroup_create("orders", "billing", "0")
    client.xgroup_create("orders", "mail", "0")
    client.xgroup_createconsumer("orders", "billing", "worker-1")
    return f"redis://127.0.0.1:{headwater.port}"


def test_commands_and_options() -> None:
    assert {"ls", "tail", "serve", "completion"} <= set(offered("headwater "))
    assert offered("headwater pen") == ["pending"]
    assert "--follow" in offered("headwater tail --")
    assert offered("headwater completion ") == ["bash", "zsh", "fish"]
    assert "--appendfsync" in offered("headwater serve --append")
    assert offered("headwater ls --sort le") == ["length"]


def test_names_of_the_server(url: str) -> None:
    assert offered("headwater info ", url) == ["größe", "order[1]", "orders", "other"]
    assert offered("headwater info order", url) == ["order[1]", "orders"]
    assert offered("headwater tail order[", url) == ["order[1]"]
    assert offered("headwater pending orders ", url) == ["billing", "mail"]
    assert offered("headwater info orders m", url) == ["mail"]
    assert offered("headwater tail orders --group b", url) == ["billing"]
    assert offered("headwater pending orders billing -c ", url) == ["worker-1"]
    assert offered(f"headwater info -u {url} oth") == ["other"]


def test_nothing_to_offer(url: str, tmp_path: Path) -> None:
    assert offered("headwater pending nothing ", url) == []
    assert offered("headwater info ", f"redis://127.0.0.1:{free_port()}") == []
    assert offered("headwater info ", str(tmp_path)) == []
    assert offered("headwater info ", "nonsense://") == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts(shell: str, tmp_path: Path) -> None:
    done = run("completion", shell)
    assert (done.status, done.err) == (0, "")
    assert "_HEADWATER_COMPLETE" in done.out
    if shutil.which(shell) is None:
        return
    script = tmp_path / "script"
    script.write_text(done.out)
    subprocess.run([shell, "-n", str(script)], check=True)


def test_other_shells() -> None:
    done = run("completion", "tcsh")
    assert done.status == 2
    assert "bash" in done.err


def test_the_help_names_every_command_without_importing_it() -> None:
    done = run("--help")
    assert done.status == 0
    for name in (*COMMANDS, "serve", "check", "import", "config"):
        assert f"\n  {name} " in done.out
    code = (
        "import sys, headwater.cli.group as g\n"
        "try: g.group(['--help'])\n"
        "except SystemExit: pass\n"
        "print('redis' in sys.modules, 'rich' in sys.modules, file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stderr == "False False\n"


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help(name: str) -> None:
    done = run(name, "--help")
    assert done.status == 0
    assert f"Usage: headwater {name}" in done.out
    assert max(map(len, done.lines)) <= 100
    command = group.get_command(None, name)  # type: ignore[arg-type]
    assert command is not None
    for parameter in command.params:
        if parameter.param_type_name == "option":
            assert getattr(parameter, "help", None), parameter.name
