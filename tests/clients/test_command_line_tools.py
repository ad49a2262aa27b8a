"""redis-cli and redis-benchmark, as Debian's redis-tools has them."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from support.servers import Server

TOOL_SECONDS = 120


def tool(name: str, server: Server, *words: str, given: str | None = None) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not on this machine (Debian: redis-tools)")
    done = subprocess.run(
        [path, "-h", "127.0.0.1", "-p", str(server.port), *words],
        input=given,
        stdin=None if given is not None else subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TOOL_SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("protocol", [[], ["-3"]], ids=["resp2", "resp3"])
def test_redis_cli(headwater: Server, protocol: list[str]) -> None:
    def cli(*words: str) -> str:
        return tool("redis-cli", headwater, *protocol, *words).strip()

    assert cli("PING") == "PONG"
    assert cli("XADD", "s", "1-0", "f", "v") == "1-0"
    assert cli("XADD", "s", "2-0", "f", "a b\n") == "2-0"
    assert cli("XRANGE", "s", "-", "+").split() == ["1-0", "f", "v", "2-0", "f", "a", "b"]
    assert "WRONGTYPE" in cli("GET", "s")
    assert "redis_version:" in cli("INFO", "server")
    assert cli("--no-raw", "XLEN", "s") == "(integer) 2"
    assert cli("-n", "3", "DBSIZE") == "0"


def test_redis_cli_reads_commands_from_a_pipe(headwater: Server) -> None:
    lines = "SET k v\nGET k\nXADD s 1-0 f 'a \"b'\nXLEN s\nHELP\n"
    output = tool("redis-cli", headwater, given=lines).split("\n")
    assert output[:4] == ["OK", "v", "1-0", "1"]


def test_redis_cli_mass_insertion(headwater: Server) -> None:
    """--pipe sends raw protocol and ends with an ECHO whose answer it waits for."""
    lines = "".join(
        f"*5\r\n$4\r\nXADD\r\n$1\r\ns\r\n$1\r\n*\r\n$1\r\nf\r\n$4\r\n{n:04}\r\n"
        for n in range(5000)
    )
    output = tool("redis-cli", headwater, "--pipe", given=lines)
    assert "errors: 0, replies: 5000" in output
    assert headwater.connect().ok("XLEN", "s") == 5000


def test_redis_cli_scans_and_monitors_sizes(headwater: Server) -> None:
    headwater.connect().ok("XADD", "stream", "*", "f", "v")
    assert "stream" in tool("redis-cli", headwater, "--scan", "--pattern", "str*")


def test_redis_benchmark(headwater: Server) -> None:
    output = tool("redis-benchmark", headwater, "-t", "ping,set,get", "-n", "2000", "-q")
    for name in ("PING_INLINE", "PING_MBULK", "SET", "GET"):
        assert f"{name}: " in output
    command = ["XADD", "s", "*", "field", "__rand_int__"]
    output = tool(
        "redis-benchmark", headwater, "-n", "3000", "-P", "16", "-r", "1000", "--csv", *command
    )
    assert "requests" in output or "rps" in output
    assert headwater.connect().ok("XLEN", "s") >= 3000
