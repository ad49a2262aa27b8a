"""Users in files: what a start takes, what it refuses, what CONFIG REWRITE leaves."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.servers import Server, free_port, headwater_command

from .test_starting import refused

pytestmark = pytest.mark.skipif(
    os.environ.get("HEADWATER_TEST_SUBJECT", "") == "redis", reason="about Headwater's own files"
)
Start = Callable[..., Server]


def write(tmp_path: Path, name: str, *lines: str) -> Path:
    path = tmp_path / name
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def start_with(tmp_path: Path, path: Path, port: int) -> Server:
    """A server that was given a configuration file."""
    command = headwater_command(port, tmp_path)
    command.insert(command.index("serve") + 1, str(path))
    environment = {"PYTHONPATH": os.pathsep.join(sys.path)}  # another working directory
    server = Server("headwater", command, port, tmp_path, environment)
    server.wait_ready()
    return server


def users_of(server: Server) -> list[str]:
    return [line.decode() for line in server.connect().ok("ACL", "LIST")]


def test_users_in_two_places(tmp_path: Path) -> None:
    write(tmp_path, "users.acl", "user bob on")
    path = write(tmp_path, "headwater.conf", "aclfile users.acl", "user alice on")
    output = refused(tmp_path, "--include", str(path), port=free_port())
    assert "headwater.conf, line 2" in output
    assert "users.acl" in output


def test_rewrite_keeps_users_without_their_passwords(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "headwater.conf",
        "# before",
        "user alice on >hunter2 ~a* +@read (~b* +set)",
        "# between",
        "user bob off",
        "# after",
    )
    port = free_port()
    server = start_with(tmp_path, path, port)
    try:
        client = server.connect()
        client.ok("ACL", "DELUSER", "bob")
        client.ok("ACL", "SETUSER", "carol", "on", "nopass", '~"quote', "~back\\slash", "&c")
        client.ok("CONFIG", "REWRITE")
        before = users_of(server)
    finally:
        server.stop()
    text = path.read_text()
    assert "hunter2" not in text
    assert "bob" not in text
    assert [line for line in text.split("\n") if line.startswith("#")][:3] == [
        *("# before", "# between", "# after")
    ]
    assert text.index("# before") < text.index("user alice") < text.index("# between")
    again = start_with(tmp_path, path, port)
    try:
        assert users_of(again) == before
        assert again.connect().call("AUTH", "alice", "hunter2") == ("+", b"OK")
        again.connect().ok("CONFIG", "REWRITE")
        assert path.read_text() == text
    finally:
        again.stop()


def test_passwords_are_in_no_log(tmp_path: Path) -> None:
    path = write(tmp_path, "headwater.conf", "loglevel debug", "user alice on >hunter2 +@all ~*")
    port = free_port()
    server = start_with(tmp_path, path, port)
    try:
        client = server.connect()
        client.call("ACL", "SETUSER", "alice", ">hunter3", "<hunter9", "nonsense")
        client.call("AUTH", "alice", "hunter4")
        client.call("CONFIG", "SET", "requirepass", "hunter5")
        client.call("AUTH", "alice", "hunter2")
        assert b"hunter" not in client.ok("INFO")
        client.ok("CONFIG", "SET", "requirepass", "")
    finally:
        server.stop()
    assert "hunter" not in server.log_text()
