"""How a server starts, refuses to start, and ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.servers import Server, free_port, headwater_command
from support.wire import encode

pytestmark = pytest.mark.skipif(
    os.environ.get("HEADWATER_TEST_SUBJECT", "") == "redis", reason="about Headwater's own start"
)
SECONDS = 30


def refused(directory: Path, *flags: str, port: int = 0) -> str:
    """Start a server that must refuse; return what it prints."""
    command = headwater_command(port or free_port(), directory, flags)
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=SECONDS, stdin=subprocess.DEVNULL
    )
    output = done.stdout + done.stderr
    assert done.returncode not in (0, None), output
    assert "Traceback" not in output, output
    return output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["TERM", "INT"])
def test_a_signal_ends_gracefully(start: Callable[..., Server], number: int) -> None:
    server = start()
    idle, blocked = server.connect(), server.connect()
    idle.ok("XADD", "s", "1-0", "f", "v")
    blocked.send("XREAD", "BLOCK", 0, "STREAMS", "s", "$")
    idle.ok("PING")
    server.signal(number)
    assert server.wait_ended() == 0, server.log_text()
    assert idle.read_rest() == b""
    assert "Traceback" not in server.log_text()


@pytest.mark.parametrize("words", [(), ("NOSAVE",), ("NOW",), ("FORCE",)], ids=str)
def test_shutdown(start: Callable[..., Server], words: tuple[str, ...]) -> None:
    server = start()
    connection = server.connect()
    connection.send("SHUTDOWN", *words)
    assert connection.read_rest() == b""
    assert server.wait_ended() == 0, server.log_text()


def test_messages_of_the_last_round(start: Callable[..., Server]) -> None:
    """Who publishes to very many, and is answered, has done so: the end of the server waits."""
    server = start()
    listeners = [server.connect(timeout=SECONDS) for _ in range(400)]
    for listener in listeners:
        listener.ok("SUBSCRIBE", "c")
    server.connect().send_raw(encode(["PUBLISH", "c", "m"]) + encode(["SHUTDOWN", "NOSAVE"]))
    message = encode(["message", "c", "m"])
    assert [listener.read_rest() for listener in listeners] == [message] * len(listeners)
    assert server.wait_ended() == 0, server.log_text()


def test_the_port_is_free_again_at_once(start: Callable[..., Server]) -> None:
    server = start()
    server.connect().ok("PING")
    port = server.port
    server.stop()
    assert start(port=port).connect().ok("PING") == b"PONG"


def test_a_taken_port_is_a_clear_error(start: Callable[..., Server], tmp_path: Path) -> None:
    server = start()
    output = refused(tmp_path, port=server.port)
    assert str(server.port) in output
    assert "in use" in output.lower()


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (("--no-such-directive", "1"), "no-such-directive"),
        (("--maxclients", "many"), "maxclients"),
        (("--maxclients", "0"), "maxclients"),
        (("--databases", "-1"), "databases"),
        (("--loglevel", "shouting"), "loglevel"),
        (("--client-output-buffer-limit", "normal 1 2"), "client-output-buffer-limit"),
        (("--maxclients",), "maxclients"),
    ],
)
def test_a_wrong_flag_is_a_clear_error(tmp_path: Path, flags: tuple[str, ...], named: str) -> None:
    assert named in refused(tmp_path, *flags)


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    assert "file" in refused(file)


def test_a_wrong_line_in_the_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "headwater.conf"
    file.write_text("# comment\nmaxclients 100\nno-such-directive 5\n")
    done = subprocess.run(
        [sys.executable, "-m", "headwater", "serve", str(file)],
        capture_output=True, text=True, timeout=SECONDS, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    output = done.stdout + done.stderr
    assert done.returncode != 0
    assert "no-such-directive" in output
    assert "3" in output
    assert "Traceback" not in output


def test_unix_socket(start: Callable[..., Server], tmp_path: Path) -> None:
    path = tmp_path / "server.sock"
    server = start("--unixsocket", str(path), "--unixsocketperm", "700")
    server.connect().ok("SET", "k", "v")
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(SECONDS)
        client.connect(str(path))
        client.sendall(encode(["GET", "k"]))
        assert client.recv(100) == b"$1\r\nv\r\n"
    assert path.stat().st_mode & 0o777 == 0o700
    server.stop()
    assert not path.exists()


def test_log_file(start: Callable[..., Server], tmp_path: Path) -> None:
    log = tmp_path / "own.log"
    server = start("--logfile", str(log), "--loglevel", "notice")
    server.stop()
    assert log.read_text().strip()


def test_password(start: Callable[..., Server]) -> None:
    server = start("--requirepass", "secret")
    connection = server.connect()
    assert connection.call("XLEN", "s") == ("-", b"NOAUTH Authentication required.")
    assert connection.call("AUTH", "wrong")[1].startswith(b"WRONGPASS")
    assert connection.ok("AUTH", "secret") == b"OK"
    assert connection.ok("XLEN", "s") == 0
    other = server.connect()
    assert other.call("HELLO", "3")[1].startswith(b"NOAUTH")
    assert other.call("HELLO", "3", "AUTH", "default", "secret", "SETNAME", "me")[0] == "%"
    assert other.ok("CLIENT", "GETNAME") == b"me"


def test_config_rewrite_is_read_again(start: Callable[..., Server], tmp_path: Path) -> None:
    file = tmp_path / "headwater.conf"
    file.write_text("# mine\nmaxclients 77\n")
    port = free_port()
    server = Server(
        "headwater",
        [sys.executable, "-m", "headwater", "serve", str(file), "--port", str(port),
         "--dir", str(tmp_path)],
        port,
        tmp_path,
        {"PYTHONPATH": os.pathsep.join(
            str(Path(p).resolve()) for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p
        )},
    )  # fmt: skip
    try:
        server.wait_ready()
        connection = server.connect()
        assert connection.ok("CONFIG", "GET", "maxclients") == [b"maxclients", b"77"]
        connection.ok("CONFIG", "SET", "timeout", "123")
        assert connection.ok("CONFIG", "REWRITE") == b"OK"
    finally:
        server.stop()
    text = file.read_text()
    assert "# mine" in text
    assert "timeout 123" in text
    assert "maxclients 77" in text


def test_version_says_the_mode() -> None:
    import headwater

    done = subprocess.run(
        [sys.executable, "-m", "headwater", "--version"],
        capture_output=True, text=True, timeout=SECONDS, check=True,
    )  # fmt: skip
    assert headwater.__version__ in done.stdout
    assert headwater.mode() in done.stdout
