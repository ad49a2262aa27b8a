"""TLS: who is let in, what a client may do to the handshake, certificates that are replaced."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from faults.test_starting import refused
from support.certificates import Authority, Certificates
from support.secure import ByHand, SecureConnection
from support.servers import Server, free_port
from support.wire import Connection, encode

pytestmark = pytest.mark.skipif(
    os.environ.get("HEADWATER_TEST_SUBJECT", "") == "redis", reason="that one has no TLS built in"
)
MEGABYTE = 1 << 20
VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
Secured = Callable[..., tuple[Server, int]]


@pytest.fixture
def secured(start: Callable[..., Server], certificates: Certificates) -> Secured:
    """A function that starts a server with TLS beside TCP; gives it and its port for TLS."""

    def run(*flags: str) -> tuple[Server, int]:
        port = free_port()
        return start(*certificates.flags(port), *flags), port

    return run


def wait_for_log(server: Server, text: str) -> None:
    deadline = time.monotonic() + 20
    while text not in server.log_text():
        assert time.monotonic() < deadline, server.log_text()
        time.sleep(0.01)


def serial(connection: SecureConnection) -> int:
    """Which certificate the server showed."""
    shown = connection.sock.getpeercert()
    assert shown is not None
    return int(str(shown["serialNumber"]), 16)


def is_let_in(port: int, context: ssl.SSLContext) -> bool:
    """Whether the server serves such a client; TLS 1.3 tells it with the first answer."""
    with contextlib.suppress(OSError, EOFError), SecureConnection(port, context) as one:
        return one.call("PING") == ("+", b"PONG")
    return False


# --- who is let in ---


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_who_may_come_in(
    secured: Secured, certificates: Certificates, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    """The certificate that a client shows, and what `tls-auth-clients` makes of it."""
    server, port = secured()
    other = Authority(tmp_path, "other")
    shown = {
        "none": None,
        "sound": certificates.client,
        "expired": certificates.authority.issue("late", is_client=True, expired=True),
        "of another authority": other.issue("stranger", is_client=True),
        "a server's": certificates.server,
    }
    plain = server.connect()
    found = {}
    for mode in ("yes", "optional", "no"):
        assert plain.ok("CONFIG", "SET", "tls-auth-clients", mode) == b"OK"
        found[mode] = {
            name
            for name, pair in shown.items()
            if is_let_in(port, certificates.context(pair, version=version))
        }
    assert found == {
        "yes": {"sound"},
        "optional": {"sound", "none"},
        "no": set(shown),
    }
    log = server.log_text()
    assert "certificate has expired" in log
    assert "peer did not return a certificate" in log


def test_clients_check_the_server(
    start: Callable[..., Server], certificates: Certificates, tmp_path: Path
) -> None:
    """An expired certificate is served, as in Redis, and refused by whoever looks at it."""
    port = free_port()
    expired = certificates.authority.issue("server", expired=True, file="expired-server")
    server = start(*certificates.flags(port, expired), "--tls-auth-clients", "no")
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        SecureConnection(port, certificates.context())
    with pytest.raises(ssl.SSLCertVerificationError, match=r"unable to get local issuer|self"):
        SecureConnection(port, certificates.context(authority=Authority(tmp_path, "other")))
    careless = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    careless.check_hostname = False
    careless.verify_mode = ssl.CERT_NONE
    with SecureConnection(port, careless) as connection:
        assert connection.ok("PING") == b"PONG"
    assert "unknown ca" in server.log_text()


def test_versions_and_ciphers(secured: Secured, certificates: Certificates) -> None:
    server, port = secured("--tls-auth-clients", "no", "--tls-protocols", "TLSv1.2")
    plain = server.connect()
    old = certificates.context(version=ssl.TLSVersion.TLSv1_2)
    new = certificates.context(version=ssl.TLSVersion.TLSv1_3)
    assert (is_let_in(port, old), is_let_in(port, new)) == (True, False)
    chosen = "ECDHE-ECDSA-AES128-GCM-SHA256"
    assert plain.ok("CONFIG", "SET", "tls-ciphers", chosen) == b"OK"
    with SecureConnection(port, old) as connection:
        assert connection.sock.cipher()[0] == chosen
    assert plain.ok("CONFIG", "SET", "tls-protocols", "TLSv1.3", "tls-ciphers", "") == b"OK"
    assert (is_let_in(port, old), is_let_in(port, new)) == (False, True)
    assert plain.ok("CONFIG", "SET", "tls-protocols", "TLSv1.2 tlsv1.3") == b"OK"
    assert (is_let_in(port, old), is_let_in(port, new)) == (True, True)


def test_sessions_are_resumed(secured: Secured, certificates: Certificates) -> None:
    server, port = secured("--tls-auth-clients", "no")
    context = certificates.context(version=ssl.TLSVersion.TLSv1_3)

    def reused(session: ssl.SSLSession | None) -> tuple[bool, ssl.SSLSession | None]:
        raw = socket.create_connection(("127.0.0.1", port), timeout=20)
        with context.wrap_socket(raw, server_hostname="127.0.0.1", session=session) as sock:
            sock.sendall(encode(["PING"]))
            assert sock.recv(100) == b"+PONG\r\n"
            return bool(sock.session_reused), sock.session

    first, session = reused(None)
    assert not first
    assert reused(session)[0]
    assert server.connect().ok("CONFIG", "SET", "tls-session-caching", "no") == b"OK"
    _, session = reused(None)
    assert not reused(session)[0]


# --- start, and CONFIG SET ---


def test_what_is_wrong_is_said_at_the_start(certificates: Certificates, tmp_path: Path) -> None:
    """On the screen, with a status; tests/unit/server/test_certificates.py has all the texts."""
    flags = ["--tls-port", str(free_port()), "--tls-cert-file", certificates.server.certificate]
    assert "'tls-key-file' is not set" in refused(tmp_path, *flags, port=0)


def test_a_locked_key_and_only_tls(
    certificates: Certificates, start: Callable[..., Server], tmp_path: Path
) -> None:
    """A password for the key, `port 0`, and the port for TLS moved while the server runs."""
    locked = certificates.authority.issue("locked", password="river")
    port, later, plain = free_port(), free_port(), free_port()
    server = start(*certificates.flags(port, locked), "--tls-key-file-pass", "river", port=plain)
    context = certificates.context(certificates.client)
    with SecureConnection(port, context) as connection:
        assert connection.ok("CONFIG", "SET", "port", 0) == b"OK"
        with pytest.raises(ConnectionRefusedError):
            Connection("127.0.0.1", plain)
        information = connection.ok("INFO", "server").decode()
        assert f"tcp_port:{port}\r\n" in information
        assert f"listener2:name=tls,bind=127.0.0.1,bind=-::1,port={port}\r\n" in information
        assert connection.ok("CONFIG", "SET", "tls-port", later) == b"OK"
        assert connection.ok("PING") == b"PONG", "clients that are connected stay"
        assert not is_let_in_quietly(port, context)
        assert is_let_in(later, context)
        taken = socket.create_server(("127.0.0.1", 0))
        assert connection.call("CONFIG", "SET", "tls-port", taken.getsockname()[1]) == (
            "-",
            b"ERR CONFIG SET failed (possibly related to argument 'tls-port') - "
            b"Unable to listen on this port. Check server logs.",
        )
        taken.close()
        assert is_let_in(later, context)
        assert connection.ok("CONFIG", "GET", "tls-port") == [b"tls-port", str(later).encode()]
        assert connection.ok("CONFIG", "SET", "port", plain, "tls-port", 0) == b"OK"
        with Connection("127.0.0.1", plain) as other:
            assert other.ok("PING") == b"PONG"
        assert not is_let_in_quietly(later, context)
    server.check_alive()


def is_let_in_quietly(port: int, context: ssl.SSLContext) -> bool:
    with contextlib.suppress(ConnectionRefusedError):
        SecureConnection(port, context).close()
        return True
    return False


def test_refused_certificates_change_nothing(
    secured: Secured, certificates: Certificates, tmp_path: Path
) -> None:
    server, port = secured("--tls-auth-clients", "no")
    plain = server.connect()
    text = tmp_path / "text.pem"
    text.write_text("no PEM in here\n")
    before = plain.ok("CONFIG", "GET", "tls-*")
    with SecureConnection(port, certificates.context()) as connection:
        number = serial(connection)
    for name, value in (
        ("tls-cert-file", "/none"),
        ("tls-cert-file", str(text)),
        ("tls-cert-file", ""),
        ("tls-key-file", certificates.client.key),
        ("tls-ca-cert-file", "/none"),
        ("tls-protocols", "TLSv7"),
        ("tls-ciphers", "rot13"),
    ):
        reply = plain.call("CONFIG", "SET", "maxclients", 4321, name, value)
        assert reply == (
            "-",
            b"ERR CONFIG SET failed (possibly related to argument '%b') - "
            b"Unable to update TLS configuration. Check server logs." % name.encode(),
        )
        with SecureConnection(port, certificates.context()) as connection:
            assert serial(connection) == number
    assert plain.ok("CONFIG", "GET", "tls-*") == before
    assert plain.ok("CONFIG", "GET", "maxclients") == [b"maxclients", b"10000"]
    assert "/none: No such file or directory" in server.log_text()
    assert plain.call("CONFIG", "SET", "tls-replication", "yes")[0] == "-"
    assert plain.ok("CONFIG", "SET", "tls-port", 0, "tls-cert-file", "/none") == b"OK"
    assert plain.call("CONFIG", "SET", "tls-port", port)[1].endswith(
        b"argument 'tls-port') - Unable to update TLS configuration. Check server logs."
    )
    assert plain.ok("CONFIG", "GET", "tls-port") == [b"tls-port", b"0"]


def test_certificates_are_replaced_under_load(
    start: Callable[..., Server], certificates: Certificates, tmp_path: Path
) -> None:
    """The same names with other contents, as certbot does; nobody loses a connection."""
    port = free_port()
    first = certificates.authority.issue("server", file="first")
    second = certificates.authority.issue("server", file="second")
    current = certificates.authority.issue("server", file="current")
    shutil.copy(first.certificate, current.certificate)
    shutil.copy(first.key, current.key)
    server = start(*certificates.flags(port, current), "--tls-auth-clients", "no")
    plain = server.connect()
    done = threading.Event()
    failures: list[BaseException] = []
    served = [0] * 4

    def work(number: int) -> None:
        try:
            with SecureConnection(port, certificates.context()) as connection:
                while not done.is_set():
                    connection.ok("XADD", "s", "*", "f", "v" * 1000)
                    served[number] += 1
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(len(served))]
    for thread in threads:
        thread.start()
    seen = set()
    try:
        for turn in range(10):
            pair = (second, first)[turn % 2]
            shutil.copy(pair.certificate, current.certificate)
            # In between, the files do not belong together: that must be refused.
            assert plain.call("CONFIG", "SET", "tls-cert-file", current.certificate)[0] == "-"
            shutil.copy(pair.key, current.key)
            assert plain.ok("CONFIG", "SET", "tls-cert-file", current.certificate) == b"OK"
            with SecureConnection(port, certificates.context()) as connection:
                seen.add(serial(connection))
            before = list(served)
            while not failures and any(a == b for a, b in zip(before, served, strict=True)):
                time.sleep(0.001)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert not failures
    assert len(seen) == 2
    assert plain.ok("XLEN", "s") == sum(served)


# --- the handshake ---


def test_plain_text_and_garbage(secured: Secured, certificates: Certificates) -> None:
    server, port = secured("--tls-auth-clients", "no")
    with Connection("127.0.0.1", port) as lost:
        lost.send_raw(b"PING\r\n")
        answer = lost.read_rest()
        assert not answer.startswith(b"+"), answer
    wait_for_log(server, "is not TLS")
    hello = ByHand(port, certificates.context()).hello()
    for data in (
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        os.urandom(5000),
        b"\x16\x03\x01\xff\xff" + b"\0" * 70000,
        b"\x16\x03\x01\x00\x00" * 3000,
        hello[:5] + bytes(len(hello) - 5),
        hello[:-1] + b"\xff" + hello,
        b"\x17\x03\x03\x00\x05hello",
        b"\x15\x03\x03\x00\x02\x02\x28",
    ):
        with Connection("127.0.0.1", port) as one:
            with contextlib.suppress(OSError):
                one.send_raw(data)
                one.sock.shutdown(socket.SHUT_WR)
            one.read_rest()
    assert is_let_in(port, certificates.context())
    assert server.connect().ok("INFO", "clients").count(b"connected_clients:1\r\n") == 1
    assert "Traceback" not in server.log_text()


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_a_handshake_in_pieces(
    secured: Secured, certificates: Certificates, version: ssl.TLSVersion
) -> None:
    """Byte by byte, with others served in between; then requests in pieces and in one go."""
    server, port = secured("--tls-auth-clients", "no")
    other = server.connect()
    context = certificates.context(version=version)
    with ByHand(port, context) as client:
        for byte in client.hello():
            client.sock.sendall(bytes((byte,)))
            assert other.ok("PING") == b"PONG"
        client.take()
        client.shake()
        for byte in client.seal(encode(["ECHO", "x" * 100])):
            client.sock.sendall(bytes((byte,)))
            assert other.ok("PING") == b"PONG"
        assert client.read(108) == b"$100\r\n" + b"x" * 100 + b"\r\n"
        # A thousand records at once, which no event of the socket tells apart.
        client.sock.sendall(b"".join(client.seal(encode(["PING"])) for _ in range(1000)))
        assert client.read(7000) == b"+PONG\r\n" * 1000


def test_a_request_in_the_same_segment_as_the_last_of_the_handshake(
    secured: Secured, certificates: Certificates
) -> None:
    _, port = secured("--tls-auth-clients", "no")
    with ByHand(port, certificates.context(version=ssl.TLSVersion.TLSv1_3)) as client:
        client.shake()
        client.sock.sendall(client.seal(encode(["PING"])) + client.seal(encode(["PING"])))
        assert client.read(14) == b"+PONG\r\n" * 2


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_clients_torn_away_in_the_handshake(
    secured: Secured, certificates: Certificates, version: ssl.TLSVersion
) -> None:
    server, port = secured()
    context = certificates.context(certificates.client, version=version)
    for size in (0, 1, 5, 50, None):
        with ByHand(port, context) as client:
            client.sock.sendall(client.hello()[:size])
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        with ByHand(port, context) as client:
            client.sock.sendall(client.hello()[:size])
            client.sock.shutdown(socket.SHUT_WR)
            with contextlib.suppress(EOFError):
                while True:
                    client.take()
    assert is_let_in(port, context)
    assert "Traceback" not in server.log_text()


def test_silent_clients_take_the_places_of_no_others_for_long(
    secured: Secured, certificates: Certificates
) -> None:
    """Who does not finish the handshake counts as a client, and no more than `maxclients` do."""
    server, port = secured("--tls-auth-clients", "no", "--maxclients", "5")
    plain = server.connect()
    plain.ok("PING")
    silent = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(4)]
    with Connection("127.0.0.1", port) as refused_client:
        assert refused_client.read_rest() == b""
    assert b"rejected_connections:1\r\n" in plain.ok("INFO", "stats")
    silent.pop().close()
    deadline = time.monotonic() + 20
    while not is_let_in(port, certificates.context()):
        assert time.monotonic() < deadline
    for one in silent:
        one.close()


# --- what a connection relies on ---


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_big_arguments_and_replies(
    secured: Secured, certificates: Certificates, version: ssl.TLSVersion
) -> None:
    _, port = secured("--tls-auth-clients", "no")
    value = os.urandom(1 << 16) * 80
    with SecureConnection(port, certificates.context(version=version)) as connection:
        connection.ok("SET", "k", value)
        assert connection.ok("GET", "k") == value
        connection.pipeline(
            [("XADD", "s", f"{n}-0", "f", value[n : n + 10_000]) for n in range(1, 501)]
        )
        found = connection.ok("XRANGE", "s", "-", "+")
        assert [entry[1][1] for entry in found] == [value[n : n + 10_000] for n in range(1, 501)]
        assert connection.pipeline([("PING",)] * 20_000) == [("+", b"PONG")] * 20_000


def test_a_client_that_does_not_read(secured: Secured, certificates: Certificates) -> None:
    """It costs little, holds nobody up, and gets all its replies when it reads at last."""
    server, port = secured("--tls-auth-clients", "no")
    plain = server.connect()
    value = os.urandom(1 << 16) * 16
    plain.ok("SET", "k", value)
    before = server.resident_bytes()
    with SecureConnection(port, certificates.context(), receive_bytes=128 * 1024) as lazy:
        for _ in range(200):
            lazy.send("GET", "k")
        lazy.send("XADD", "s", "*", "f", "v")
        for _ in range(300):
            assert plain.ok("PING") == b"PONG"
        assert server.resident_bytes() - before < 30 * MEGABYTE
        assert plain.ok("EXISTS", "s") == 0, "its requests are not executed"
        for _ in range(200):
            assert lazy.read() == ("$", value)
        assert lazy.read()[0] == "$"


def test_blocking_reads(secured: Secured, certificates: Certificates) -> None:
    server, port = secured("--tls-auth-clients", "no")
    plain = server.connect()
    readers = [SecureConnection(port, certificates.context()) for _ in range(20)]
    for reader in readers:
        reader.send("XREAD", "BLOCK", 0, "STREAMS", "s", "$")
    deadline = time.monotonic() + 20
    while b"blocked_clients:20\r\n" not in plain.ok("INFO", "clients"):
        assert time.monotonic() < deadline
    readers[0].close()
    while b"blocked_clients:19\r\n" not in plain.ok("INFO", "clients"):
        assert time.monotonic() < deadline
    plain.ok("XADD", "s", "1-0", "f", "v")
    for reader in readers[1:]:
        assert reader.read()[0] == "*"
        reader.close()


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_goodbyes(secured: Secured, certificates: Certificates, version: ssl.TLSVersion) -> None:
    """close_notify ends a connection, from either side; what was asked before is answered."""
    server, port = secured("--tls-auth-clients", "no")
    context = certificates.context(version=version)
    with SecureConnection(port, context) as connection:
        connection.send("QUIT")
        assert connection.read_rest() == b"+OK\r\n"  # a torn connection would be an error
    with SecureConnection(port, context) as connection:
        number = connection.ok("CLIENT", "ID")
        assert server.connect().ok("CLIENT", "KILL", "ID", number) == 1
        assert connection.read_rest() == b""
    with ByHand(port, context) as client:
        client.shake()
        asked = client.seal(encode(["PING"]))
        with contextlib.suppress(ssl.SSLWantReadError):
            client.tls.unwrap()
        client.sock.sendall(asked)
        client.flush()
        assert client.read(100) == b"+PONG\r\n"
    with ByHand(port, context) as client:
        client.shake()
        client.sock.sendall(client.seal(encode(["PING"])))
        client.sock.shutdown(socket.SHUT_WR)
        assert client.read(100) == b"+PONG\r\n"
    with ByHand(port, context) as client:
        client.shake()
        broken = bytearray(client.seal(encode(["SET", "k", "v"])))
        broken[-1] ^= 1
        client.sock.sendall(broken)
        with contextlib.suppress(OSError, EOFError):
            while True:
                client.take()
    assert server.connect().ok("EXISTS", "k") == 0
    assert "Traceback" not in server.log_text()


def test_killed_and_started_again(
    start: Callable[..., Server], certificates: Certificates, tmp_path: Path
) -> None:
    port = free_port()
    flags = [*certificates.flags(port), "--appendfsync", "always", "--dir", str(tmp_path / "data")]
    server = start(*flags)
    context = certificates.context(certificates.client)
    with SecureConnection(port, context) as connection:
        for number in range(1, 51):
            connection.ok("XADD", "s", f"{number}-0", "f", "v")
        server.kill()
        with pytest.raises((OSError, EOFError)):
            connection.ok("PING")
    start(*flags)
    with SecureConnection(port, context) as connection:
        assert connection.ok("XLEN", "s") == 50
        assert b" fd=" in connection.ok("CLIENT", "LIST")
