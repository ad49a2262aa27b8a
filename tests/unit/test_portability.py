"""What runs on Windows and macOS, as far as Linux can tell: without what they do not have."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
SYSTEMS = ("windows", "macos")


def run(system: str, program: str, *words: str) -> list[str]:
    """The words that a program prints, on a system without what `system` lacks."""
    before = (
        f"import sys; sys.path.insert(0, {str(TESTS)!r})\n"
        f"from support.elsewhere import simulate; simulate({system!r})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", before + program, *words],
        # Modules that were compiled here were compiled for a system that has it all.
        env={**os.environ, "HEADWATER_PURE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_module_can_be_imported(system: str) -> None:
    program = (
        "import headwater, importlib, pkgutil\n"
        "for m in pkgutil.walk_packages(headwater.__path__, 'headwater.'):\n"
        "    if m.name not in ('headwater.__main__', 'headwater._shared'):\n"
        "        importlib.import_module(m.name)\n"
        "print('all')\n"
    )
    assert run(system, program) == ["all"]


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_durable_store(system: str, tmp_path: Path) -> None:
    program = (
        "import headwater, redis, sys\n"
        "for n in (1, 2):\n"
        "    client = headwater.connect(sys.argv[1], config={'appendfsync': 'always'})\n"
        "    client.xadd('orders', {'n': n})\n"
        "    client.bgrewriteaof()\n"
        "    while client.info('persistence')['aof_rewrite_in_progress']: pass\n"
        "    assert client.info('persistence')['aof_last_bgrewrite_status'] == 'ok'\n"
        "    client.save()\n"
        "    client.set('big', b'x' * 100_000)\n"
        "    with redis.Redis.from_url(client.store.serve()) as other:\n"
        "        print(other.xlen('orders'), len(other.info('all')) > 100)\n"
        "    client.store.crash()\n"
        "with headwater.open(sys.argv[1]) as engine:\n"
        "    print(engine.xlen('orders'), engine.execute('STRLEN', 'big'))\n"
    )
    assert run(system, program, str(tmp_path / "a.hw")) == [
        *("1", "True"),
        *("2", "True"),
        *("2", "100000"),
    ]


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_directory_has_one_user(system: str, tmp_path: Path) -> None:
    holder = (
        "import headwater, sys, os\n"
        "from headwater.cli.check import _user_of\n"
        "path = sys.argv[1]\n"
        "print(_user_of(path) if os.path.exists(path) else None)\n"
        "try:\n"
        "    client = headwater.connect(path)\n"
        "except headwater.StoreInUse as error:\n"
        "    print('in', 'use', error.pid, os.getppid(), _user_of(path))\n"
        "    sys.exit()\n"
        "os.environ['PASS'] = '1'\n"
        "import subprocess\n"
        "subprocess.run([sys.executable, '-c', os.environ['PROGRAM'], path], check=True)\n"
        "client.close()\n"
        "print(_user_of(path))\n"
    )
    before = (
        f"import sys; sys.path.insert(0, {str(TESTS)!r})\n"
        f"from support.elsewhere import simulate; simulate({system!r})\n"
    )
    done = subprocess.run(
        [sys.executable, "-u", "-c", before + holder, str(tmp_path)],
        env={**os.environ, "HEADWATER_PURE": "1", "PROGRAM": before + holder},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    first, seen, told, last = done.stdout.splitlines()
    assert (first, last) == ("None", "None")
    *words, pid, parent, user = told.split()
    assert words == ["in", "use"]
    assert pid == parent == user == seen


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_server_of_its_own(system: str, tmp_path: Path) -> None:
    program = (
        "import os, signal, socket, subprocess, sys, threading, time\n"
        "import redis\n"
        "from headwater.cli.group import group\n"
        "with socket.socket() as probe:\n"
        "    probe.bind(('127.0.0.1', 0))\n"
        "    port = probe.getsockname()[1]\n"
        "def use():\n"
        "    client = redis.Redis(port=port)\n"
        "    while True:\n"
        "        try:\n"
        "            client.ping()\n"
        "            break\n"
        "        except redis.ConnectionError:\n"
        "            pass\n"
        "    client.xadd('orders', {'n': 1})\n"
        "    print(client.xlen('orders'), flush=True)\n"
        "    signal.raise_signal(signal.SIGTERM)\n"
        "threading.Thread(target=use, daemon=True).start()\n"
        "group(['serve', '--port', str(port), '--dir', sys.argv[1], '--logfile', "
        "os.path.join(sys.argv[1], 'log')], standalone_mode=False)\n"
    )
    assert run(system, program, str(tmp_path)) == ["1"]
    assert "received SIGTERM" in (tmp_path / "log").read_text()


def test_a_unix_socket_is_refused_in_words() -> None:
    program = (
        "import headwater, sys\n"
        "with headwater.open() as engine:\n"
        "    try:\n"
        "        engine.serve(unixsocket='here')\n"
        "    except OSError as error:\n"
        "        print(error)\n"
    )
    assert "this system has none" in " ".join(run("windows", program))
