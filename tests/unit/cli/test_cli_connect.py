"""How a command finds its server, and what it says when it does not."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

import headwater
from headwater.cli.connect import has_password, open_link, shown_url
from headwater.cli.explaining import explain
from headwater.cli.failure import Failure
from support.certificates import Certificates
from support.command_line import run, run_alone
from support.servers import Server, free_port

StartServer = Callable[..., Server]

SECRET = "s3cret"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://127.0.0.1:6379", "redis://127.0.0.1:6379"),
        ("redis://:s3cret@host:1/2", "redis://:***@host:1/2"),
        ("redis://ann:s3cret@host", "redis://ann:***@host"),
        ("redis://ann@host", "redis://ann@host"),
        ("unix:///run/x.sock?db=1&password=s3cret", "unix:///run/x.sock?db=1&password=***"),
        ("unix://ann:s3cret@/run/x.sock", "unix://ann:***@/run/x.sock"),
        (
            "rediss://h:1?ssl_password=s3cret&ssl_ca_certs=/a",
            "rediss://h:1?ssl_password=***&ssl_ca_certs=/a",
        ),
        ("redis://:s3cret/@host", "redis://***@host"),
        ("redis://:s3#cret@host", "redis://***@host"),
        ("redis://:s3]cret@[host", "redis://***@[host"),
        ("http://u:s3cret@h", "http://u:***@h"),
        ("some/path", "some/path"),
    ],
)
def test_no_password_is_shown(url: str, shown: str) -> None:
    assert shown_url(url) == shown


def test_whether_a_url_has_a_password() -> None:
    assert has_password("redis://:p@h")
    assert not has_password("redis://u@h")
    assert not has_password("redis://h:1")


@pytest.mark.parametrize(
    "url",
    [
        "redis://:s3cret@host:port",
        "http://:s3cret@host",
        "redis://:s3]cret@[host",
        "redis://:s3cret@host:1?unknown_option=1",
        "redis://:s3cret/x@host",
        "redis://:s3cret@host:99999999",
    ],
)
def test_wrong_urls(url: str) -> None:
    done = run("ls", "--url", url)
    assert done.status in (1, 2)
    assert done.err.startswith("headwater: ")
    assert SECRET not in done.err + done.out
    assert "Traceback" not in done.err


def test_nobody_listens() -> None:
    url = f"redis://:{SECRET}@127.0.0.1:{free_port()}"
    done = run("ls", url=url)
    assert done.status == 1
    assert "connection refused" in done.err
    assert "`headwater serve`" in done.err
    assert "HEADWATER_URL" in done.err
    assert SECRET not in done.err


def test_no_socket(tmp_path: Path) -> None:
    done = run("ls", "-u", f"unix://{tmp_path}/nothing.sock")
    assert done.status == 1
    assert f"there is no socket at unix://{tmp_path}/nothing.sock" in done.err


def test_an_empty_address() -> None:
    done = run("ls", "--url", "")
    assert (done.status, "the address is empty" in done.err) == (2, True)


def test_no_such_database(headwater: Server) -> None:
    done = run("ls", "--url", f"redis://127.0.0.1:{headwater.port}/99")
    assert done.status == 1
    assert "/99 has no database of that number" in done.err
    assert "CONFIG GET databases" in done.err


def test_no_such_directory(tmp_path: Path) -> None:
    done = run("ls", "-u", str(tmp_path / "nowhere"))
    assert done.status == 2
    assert f"there is no directory {tmp_path}/nowhere" in done.err
    done = run("ls", "-u", "localhost:6379")
    assert done.status == 2
    assert "redis://localhost:6379" in done.err


def test_a_directory(tmp_path: Path) -> None:
    done = run("ls", "-u", str(tmp_path))
    assert done.status == 1
    assert f"{tmp_path} is a directory without any data of Headwater" in done.err
    assert list(tmp_path.iterdir()) == []
    with headwater.connect(tmp_path) as client:
        client.xadd("orders", {"a": 1}, id="1-0")
        client.xgroup_create("orders", "billing", "0")
        client.xreadgroup("billing", "worker-1", {"orders": ">"})
    for words in (
        ("ls",),
        ("info", "orders"),
        ("pending", "orders", "billing"),
        ("tail", "orders"),  # ends: nobody else can add anything
        ("top", "--once", "-i", "0.1"),
    ):
        done = run(*words, url=str(tmp_path))
        assert (done.status, done.err) == (0, "")
        assert "1-0" in done.out or "orders" in done.out


def test_a_directory_that_is_in_use(start: StartServer) -> None:
    server = start()
    done = run("ls", url=str(server.directory))
    assert (done.status, done.out) == (1, "")
    assert f"process {server.pid}" in done.err


def test_a_unix_socket(start: StartServer, tmp_path: Path) -> None:
    server = start("--unixsocket", str(tmp_path / "s"))
    server.connect().call("XADD", "orders", "*", "a", "1")
    done = run("ls", "--json", "-u", f"unix://{tmp_path}/s")
    assert done.status == 0, done.err
    assert [row["key"] for row in json.loads(done.out)] == ["orders"]


def test_passwords(start: StartServer) -> None:
    server = start("--requirepass", SECRET)
    connection = server.connect(password=SECRET)
    connection.call("ACL", "SETUSER", "ann", "on", ">other", "~*", "+@read")
    connection.call("XADD", "orders", "*", "a", "1")
    place = f"127.0.0.1:{server.port}"
    done = run("ls", url=f"redis://{place}")
    assert done.status == 1
    assert "asks for a password" in done.err
    assert "HEADWATER_PASSWORD" in done.err
    done = run("ls", url=f"redis://:wrong@{place}")
    assert done.status == 1
    assert "refused the user name or the password" in done.err
    assert run("ls", url=f"redis://:{SECRET}@{place}").status == 0
    done = run("info", "orders", url=f"redis://:{SECRET}@{place}")
    assert SECRET not in done.out
    assert run("ls", url=f"redis://{place}", environment={"HEADWATER_PASSWORD": SECRET}).status == 0
    done = run("ls", url=f"redis://ann@{place}", environment={"HEADWATER_PASSWORD": "other"})
    assert (done.status, done.err) == (0, "")  # though TIME and INFO are not for ann
    assert "orders" in done.out
    connection.call("ACL", "SETUSER", "ann", "-scan")
    done = run("ls", url=f"redis://ann:other@{place}")
    assert done.status == 1
    assert "this user may not do that" in done.err
    assert "ACL SETUSER" in done.err


def test_tls(start: StartServer, certificates: Certificates) -> None:
    server = start(
        *certificates.flags(port := free_port()),
        *("--tls-auth-clients", "no"),
    )
    server.connect().call("XADD", "orders", "*", "a", "1")
    url = f"rediss://127.0.0.1:{port}"
    done = run("ls", "-u", f"{url}?ssl_ca_certs={certificates.authority.path}")
    assert done.status == 0, done.err
    assert "orders" in done.out
    done = run("ls", "-u", url)
    assert done.status == 1
    assert "ssl_ca_certs" in done.err
    done = run("ls", "-u", f"redis://127.0.0.1:{port}")
    assert done.status == 1
    assert "rediss://" in done.err


@pytest.mark.parametrize(
    ("error", "text", "hint"),
    [
        (redis.exceptions.MovedError("3999 127.0.0.1:6381"), "127.0.0.1:6381", "--url redis://"),
        (redis.ReadOnlyError("READONLY ..."), "read-only replica", "master"),
        (redis.OutOfMemoryError("OOM ..."), "at its memory limit", "maxmemory"),
        (redis.BusyLoadingError("LOADING ..."), "still loading its data", "Try again"),
        (redis.ResponseError("unknown command 'XNACK'"), "does not have that", ""),
        (redis.ResponseError("ERR something else"), "something else", ""),
        (redis.TimeoutError("Timeout reading from socket"), "did not answer in time", "--url"),
    ],
)
def test_what_a_server_may_say(error: Exception, text: str, hint: str) -> None:
    failure = explain(error, "redis://h:1")
    assert text in failure.text
    assert hint in failure.hint
    assert failure.status == 1


def test_a_server_that_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with (
            pytest.raises(Exception, match=r"[Tt]ime"),
            open_link(f"redis://127.0.0.1:{port}", timeout=0.2) as link,
        ):
            link.call("PING")


def test_a_server_that_hangs_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            listener.accept()[0].close()

        threading.Thread(target=hang_up, daemon=True).start()
        done = run("ls", url=f"redis://127.0.0.1:{listener.getsockname()[1]}")
    assert done.status == 1
    assert "was closed" in done.err


def test_a_link(headwater: Server, reference: Server) -> None:
    for server, name in ((headwater, "Headwater"), (reference, "Redis")):
        with open_link(f"redis://127.0.0.1:{server.port}") as link:
            link.call("XADD", "s", "1-1", "a", "1", "a", "2")
            assert link.call("XRANGE", "s", "-", "+") == [[b"1-1", [b"a", b"1", b"a", b"2"]]]
            assert link.client.xrange("s") == [(b"1-1", {b"a": b"2"})]
            ok, wrong = link.calls([("XLEN", "s"), ("NONSENSE",)])
            assert ok == 1
            assert isinstance(wrong, Exception)
            assert link.calls([]) == []
            assert link.server.startswith(name)
            assert link.is_headwater is (name == "Headwater")
            assert link.stream_info(b"s")["length"] == 1
            with pytest.raises(Failure, match="there is no key t"):
                link.stream_info(b"t")
            link.call("SET", "t", "1")
            with pytest.raises(Failure, match="t is no stream: it is a string"):
                link.require_stream(b"t")
            with pytest.raises(Failure, match="s has no group g") as caught:
                link.group_info(b"s", b"g")
            assert caught.value.hint == "It has no groups at all."


def test_serve_is_not_touched_by_any_of_this() -> None:
    done = run_alone("serve", "--help", url="nonsense://")
    assert done.status == 0
    assert "Usage: headwater serve [CONFIG_FILE]" in done.out
