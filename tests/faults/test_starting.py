"""What a start leaves alone and sets up when not all is as it should be."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.servers import Server, free_port, headwater_command

pytestmark = pytest.mark.skipif(
    os.environ.get("HEADWATER_TEST_SUBJECT", "") == "redis", reason="about Headwater's own start"
)
SECONDS = 30


def refused(directory: Path, *flags: str, port: int) -> str:
    """Start a server that must refuse; return what it prints."""
    done = subprocess.run(
        headwater_command(port, directory, flags),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        stdin=subprocess.DEVNULL,
    )
    output = done.stdout + done.stderr
    assert done.returncode == 1, output
    assert "Traceback" not in output, output
    return output


MAIN = "from headwater.__main__ import main; main()"


@contextlib.contextmanager
def started_behind(prelude: str, directory: Path, *flags: str) -> Iterator[Server]:
    """A server in whose process some statements were executed first."""
    port = free_port()
    command = [sys.executable, "-c", f"{prelude}; {MAIN}"]
    paths = [str(Path(one).resolve()) for one in os.environ.get("PYTHONPATH", "").split(":") if one]
    environment = {"PYTHONPATH": os.pathsep.join(paths)} if paths else {}
    command += headwater_command(port, directory, flags)[3:]
    server = Server("headwater", command, port, directory, environment)
    try:
        server.wait_ready()
        yield server
    finally:
        server.stop()
    assert server.process.returncode == 0
    assert "Traceback" not in server.log_text()


def test_few_open_files_lower_maxclients_and_nothing_else(tmp_path: Path) -> None:
    prelude = "import resource as r; r.setrlimit(r.RLIMIT_NOFILE, (300, 300))"
    flags = ("--proto-max-bulk-len", "1mb", "--timeout", "77")
    with started_behind(prelude, tmp_path, *flags) as server:
        connection = server.connect()
        found = connection.ok("CONFIG", "GET", "maxclients", "timeout")
        assert int(found[found.index(b"maxclients") + 1]) < 300
        assert connection.call("CONFIG", "SET", "maxclients", "9000")[0] == "-"
        assert connection.ok("CONFIG", "SET", "timeout", "78") == b"OK"
        connection.send_raw(b"*2\r\n$4\r\nECHO\r\n$%d\r\n" % ((1 << 20) + 1))
        assert connection.read() == ("-", b"ERR Protocol error: invalid bulk length")


def test_another_servers_pidfile_stays(start: Callable[..., Server], tmp_path: Path) -> None:
    pidfile = tmp_path / "pid"
    server = start("--pidfile", str(pidfile))
    assert pidfile.read_text() == f"{server.pid}\n"
    output = refused(tmp_path, "--pidfile", str(pidfile), port=server.port)
    assert "in use" in output
    assert pidfile.read_text() == f"{server.pid}\n"
    server.stop()
    assert not pidfile.exists()


def test_a_pidfile_that_cannot_be_written(start: Callable[..., Server], tmp_path: Path) -> None:
    server = start("--pidfile", str(tmp_path / "none" / "pid"))
    assert "cannot write the pidfile" in server.log_text()
    assert server.connect().ok("PING") == b"PONG"


def test_nowhere_to_listen(tmp_path: Path) -> None:
    assert "nothing to listen on" in refused(tmp_path, "--port", "0", port=free_port())


@pytest.mark.parametrize(
    ("path", "reason"), [("x" * 150, "too long"), ("none/socket", "No such file")]
)
def test_a_unix_socket_that_cannot_be(tmp_path: Path, path: str, reason: str) -> None:
    whole = str(tmp_path / path)
    output = refused(tmp_path, "--unixsocket", whole, port=free_port())
    assert whole in output
    assert reason in output


def test_without_uvloop(tmp_path: Path) -> None:
    with started_behind("import sys; sys.modules['uvloop'] = None", tmp_path) as server:
        serves(server)


def test_without_epoll(tmp_path: Path) -> None:
    with started_behind("import select; del select.epoll", tmp_path) as server:
        serves(server)


def test_without_either(tmp_path: Path) -> None:
    prelude = "import sys, select; sys.modules['uvloop'] = None; del select.epoll"
    with started_behind(prelude, tmp_path) as server:
        serves(server)


def serves(server: Server) -> None:
    """It answers pipelines and big replies, wakes and times out, and lets clients go."""
    blocked, other = server.connect(), server.connect()
    blocked.send("XREAD", "BLOCK", 0, "STREAMS", "s", "$")
    while b"flags=b" not in other.ok("CLIENT", "LIST"):
        server.check_alive()
    pipeline = [("XADD", "s", f"{n}-0", "f", "x" * 1000) for n in range(1, 2001)]
    assert len(other.pipeline(pipeline)) == 2000
    assert blocked.read()[0] == "*"
    for reply in other.pipeline([("XRANGE", "s", "-", "+")] * 5):
        assert len(reply[1]) == 2000
    blocked.send("XREAD", "BLOCK", 20, "STREAMS", "s", "$")
    assert blocked.read() == ("nil", "*")
    blocked.send("XREAD", "BLOCK", 0, "STREAMS", "s", "$")
    blocked.close()
    while b"connected_clients:1\r\n" not in other.ok("INFO", "clients"):
        server.check_alive()
    assert b"blocked_clients:0\r\n" in other.ok("INFO", "clients")
    assert other.ok("CONFIG", "SET", "port", str(free_port())) == b"OK"
    assert other.ok("QUIT") == b"OK"
    assert other.read_rest() == b""
