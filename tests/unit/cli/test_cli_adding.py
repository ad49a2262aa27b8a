"""`headwater add`."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from support.command_line import COMMAND, Terminal, clean_environment, run, run_alone
from support.servers import Server

StartServer = Callable[..., Server]


@pytest.fixture(params=["headwater", "reference"])
def server(request: pytest.FixtureRequest) -> Server:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Server)
    return found


def url_of(server: Server) -> str:
    return f"redis://127.0.0.1:{server.port}"


def entries(server: Server, key: bytes | str = "orders") -> list[tuple[bytes, list[bytes]]]:
    found = server.connect().ok("XRANGE", key, "-", "+")
    return [(entry_id, fields) for entry_id, fields in found]


def test_one_entry(server: Server) -> None:
    done = run("add", "orders", "customer=ada", "note=a=b", "empty=", url=url_of(server))
    assert (done.status, done.err) == (0, "")
    [(entry_id, fields)] = entries(server)
    assert done.out == f"{entry_id.decode()}\n"
    assert fields == [b"customer", b"ada", b"note", b"a=b", b"empty", b""]


def test_bytes_and_an_id_and_json(server: Server) -> None:
    done = run("add", b"k\xff", b"a\xff=\xfe", "--id", "5-1", "--json", url=url_of(server))
    assert json.loads(done.out) == {"id": "5-1"}
    assert entries(server, b"k\xff") == [(b"5-1", [b"a\xff", b"\xfe"])]


def test_trimming_and_no_create(server: Server) -> None:
    url = url_of(server)
    done = run("add", "orders", "a=1", "--no-create", url=url)
    assert done.status == 1
    assert done.err.startswith("headwater: there is no stream orders\n")
    assert server.connect().ok("EXISTS", "orders") == 0
    for _ in range(300):
        server.connect().ok("XADD", "orders", "*", "a", "1")
    assert run("add", "orders", "a=1", "--no-create", "--maxlen", "10", url=url).status == 0
    assert len(entries(server)) < 301


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("orders",), "nothing to add"),
        (("orders", "a"), "a is no field"),
        (("orders", "a=1", "--json-lines", "x"), "for one entry"),
        (("orders", "--json-lines", "x", "--id", "1-1"), "for one entry"),
        (("orders", "a=1", "--keep-ids"), "goes with --json-lines"),
        (("orders", "--json-lines", "not-there"), "not-there: No such file"),
    ],
)
def test_wrong_use(headwater: Server, words: tuple[str, ...], told: str) -> None:
    done = run("add", *words, url=url_of(headwater))
    assert done.status == 2
    assert told in done.err


def test_what_the_server_refuses(server: Server) -> None:
    server.connect().ok("SET", "text", "1")
    server.connect().ok("XADD", "orders", "5-1", "a", "1")
    done = run("add", "text", "a=1", url=url_of(server))
    assert (done.status, done.out) == (1, "")
    assert "no stream" in done.err
    done = run("add", "orders", "a=1", "--id", "5-0", url=url_of(server))
    assert done.status == 1
    assert "equal or smaller" in done.err


def test_json_lines(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "lines"
    file.write_bytes(
        b'{"a": 1}\n\n{"key": "other", "id": "7-7", "fields": [["b", "1"], ["b", "2"]]}\n'
        b'{"c": {"base64": "/w=="}}'
    )
    done = run("add", "orders", "--json-lines", str(file), url=url_of(server))
    assert done.status == 0
    found = entries(server)
    assert done.lines == [entry_id.decode() for entry_id, _ in found]
    assert [fields for _, fields in found] == [
        [b"a", b"1"], [b"b", b"1", b"b", b"2"], [b"c", b"\xff"],
    ]  # fmt: skip


def test_many_lines_with_their_ids(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "lines"
    file.write_text(
        "".join(f'{{"id":"{i}-1","fields":{{"n":"{i}"}}}}\n' for i in range(1, 2501)), "utf-8"
    )
    words = ("add", "orders", "--json-lines", str(file), "--keep-ids")
    done = run(*words, url=url_of(server))
    assert done.lines == [f"{i}-1" for i in range(1, 2501)]
    assert entries(server) == [(b"%d-1" % i, [b"n", b"%d" % i]) for i in range(1, 2501)]
    done = run(*words, url=url_of(server))
    assert done.status == 1
    assert "line 1: " in done.err
    assert "0 entries added before it." in done.err


def test_a_line_that_is_no_entry_ends_it_behind_those_before(
    server: Server, tmp_path: Path
) -> None:
    file = tmp_path / "lines"
    file.write_text('{"a": 1}\n{"a": 2}\nnonsense\n{"a": 3}\n', "utf-8")
    done = run("add", "orders", "--json-lines", str(file), url=url_of(server))
    assert done.status == 1
    assert "line 3: no JSON" in done.err
    assert "2 entries added before it." in done.err
    assert len(entries(server)) == len(done.lines) == 2


def test_lines_that_come_slowly_are_added_at_once(server: Server) -> None:
    process = subprocess.Popen(
        [*COMMAND, "add", "orders", "--json-lines", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=clean_environment(url_of(server)),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        for i in range(3):
            process.stdin.write(b'{"n": %d}\n' % i)
            process.stdin.flush()
            assert select.select([process.stdout], [], [], 30)[0]
            entry_id = os.read(process.stdout.fileno(), 100).strip()
            assert entries(server)[-1] == (entry_id, [b"n", b"%d" % i])
        process.stdin.close()
        assert process.wait(30) == 0


def test_from_the_standard_input(server: Server) -> None:
    text = "".join(f'{{"n": {i}}}\n' for i in range(3000))
    done = run_alone("add", "orders", "--json-lines", "-", url=url_of(server), stdin=text)
    assert done.status == 0, done.err
    assert [fields[1] for _, fields in entries(server)] == [b"%d" % i for i in range(3000)]
    assert len(done.lines) == 3000


def test_interrupted(headwater: Server) -> None:
    with Terminal(("add", "orders", "--json-lines", "-"), url_of(headwater)) as terminal:
        terminal.press('{"a": 1}\n')
        terminal.expect("-0")
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.finish() == 130
    assert len(entries(headwater)) == 1


def test_a_server_that_goes_away(start: StartServer) -> None:
    server = start()
    process = subprocess.Popen(
        [*COMMAND, "add", "orders", "--json-lines", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=clean_environment(url_of(server)),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    with process:
        process.stdin.write(b'{"n": 0}\n')
        process.stdin.flush()
        assert process.stdout.readline()
        server.kill()
        process.stdin.write(b'{"n": 1}\n')
        process.stdin.close()
        told = process.stderr.read().decode()
        assert process.wait(30) == 1
    assert "1 entry added for certain" in told
    assert "nothing listens at" in told
