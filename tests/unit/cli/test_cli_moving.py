"""`headwater export` and `headwater import`: what goes out comes in again, and nothing else."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.command_line import COMMAND, Done, Terminal, clean_environment, run, run_alone
from support.servers import Server
from support.wire import Connection

StartServer = Callable[..., Server]
DEBUG = ("--enable-debug-command", "yes")


def url_of(server: Server, database: int = 0) -> str:
    return f"redis://127.0.0.1:{server.port}" + (f"/{database}" if database else "")


@pytest.fixture(params=["headwater", "reference"])
def server(request: pytest.FixtureRequest) -> Server:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Server)
    return found


def fill(connection: Connection) -> None:
    """Streams with groups and what is pending, of bytes of all kinds, in two databases."""
    chance = random.Random(7)
    for n in range(2500):
        connection.ok("XADD", "orders", f"{n + 1}-{n % 3}", "n", n, "text", "é\n" * (n % 4))
    connection.ok("XADD", "größe".encode(), "1-1", b"\xff\x00", chance.randbytes(100), "a", "1")
    connection.ok("XADD", b"bin\xfe", "1-1", "a", "1", "a", "2")
    connection.ok("XGROUP", "CREATE", "orders", "billing", "0")
    connection.ok("XGROUP", "CREATE", "orders", b"mail\xff", "100-0")
    connection.ok("XREADGROUP", "GROUP", "billing", "one", "COUNT", 30, "STREAMS", "orders", ">")
    connection.ok("XACK", "orders", "billing", "3-2", "5-1")
    connection.ok("XDEL", "orders", "9-2", "2500-0")
    connection.ok("XTRIM", "orders", "MINID", "3-0")
    connection.ok("SET", "text", "value", "PXAT", 4_000_000_000_000)
    connection.ok("RPUSH", "list", *range(300))
    connection.ok("SELECT", 3)
    connection.ok("XADD", "far", "5-5", "a", "1")
    connection.ok("SET", "number", "12")
    connection.ok("SELECT", 0)


def facts(server: Server, *keys: bytes | str) -> dict[Any, Any]:
    """What a server says about streams, but for what depends on the clock or its own structure."""
    connection = server.connect()
    found = {}
    for key in keys:
        entries = connection.ok("XRANGE", key, "-", "+")
        info = connection.ok("XINFO", "STREAM", key)
        groups = []
        for row in connection.ok("XINFO", "GROUPS", key):
            named = {row[i]: row[i + 1] for i in range(0, len(row), 2)}
            pending = connection.ok("XPENDING", key, named[b"name"], "-", "+", 1000)
            groups.append(
                (
                    named[b"name"], named[b"last-delivered-id"], named[b"lag"],
                    [(one[0], one[1], one[3]) for one in pending],
                )
            )  # fmt: skip
        found[key] = (
            entries, info[info.index(b"last-generated-id") + 1],
            info[info.index(b"entries-added") + 1], groups,
        )  # fmt: skip
    return found


def digest(server: Server) -> bytes:
    found = server.connect().ok("DEBUG", "DIGEST")
    assert isinstance(found, bytes)
    return found


def export(server: Server, path: Path, *words: str | bytes) -> Done:
    done = run("export", *words, "-o", str(path), url=url_of(server))
    assert done.status == 0, done.err
    return done


def import_into(server: Server, path: Path, *words: str) -> Done:
    return run("import", str(path), "--url", url_of(server), *words)


KEYS = ("orders", "größe".encode(), b"bin\xfe")


def test_rdb_into_the_same_kind_of_server(
    request: pytest.FixtureRequest, server: Server, start: StartServer, tmp_path: Path
) -> None:
    fill(server.connect())
    path = tmp_path / "all.rdb"
    export(server, path)
    if server.kind == "headwater":
        other = start(*DEBUG)
    else:
        other = request.getfixturevalue("start_reference")(*DEBUG)
    done = import_into(other, path)
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith("imported into ")
    assert "7 keys, 4 streams, " in done.out
    assert digest(other) == digest(server)
    assert facts(other, *KEYS) == facts(server, *KEYS)
    assert other.connect().ok("PEXPIRETIME", "text") == 4_000_000_000_000


def test_rdb_from_one_kind_of_server_into_the_other(
    headwater: Server, reference: Server, tmp_path: Path
) -> None:
    fill(headwater.connect())
    export(headwater, tmp_path / "ours.rdb")
    assert import_into(reference, tmp_path / "ours.rdb").status == 0
    wanted = facts(headwater, *KEYS)
    assert facts(reference, *KEYS) == wanted
    export(reference, tmp_path / "theirs.rdb")
    headwater.connect().ok("FLUSHALL")
    assert import_into(headwater, tmp_path / "theirs.rdb").status == 0
    assert facts(headwater, *KEYS) == wanted
    assert headwater.connect().ok("LRANGE", "list", 0, -1) == [b"%d" % i for i in range(300)]


def test_chosen_keys(server: Server, tmp_path: Path) -> None:
    connection = server.connect()
    fill(connection)
    path = tmp_path / "some.rdb"
    export(server, path, "text", b"bin\xfe")
    wanted = facts(server, b"bin\xfe")
    connection.ok("FLUSHALL")
    assert import_into(server, path).status == 0
    assert sorted(connection.ok("KEYS", "*")) == [b"bin\xfe", b"text"]
    assert facts(server, b"bin\xfe") == wanted


def test_the_redis_loads_the_file_at_its_start(
    headwater: Server, start_reference: StartServer, tmp_path: Path
) -> None:
    fill(headwater.connect())
    directory = tmp_path / "redis-data"
    directory.mkdir()
    export(headwater, directory / "dump.rdb")
    other = start_reference("--dir", str(directory))
    assert facts(other, *KEYS) == facts(headwater, *KEYS)


def test_libraries_of_functions(headwater: Server, start: StartServer, tmp_path: Path) -> None:
    code = "#!lua name=mine\nredis.register_function('f', function() return 7 end)"
    headwater.connect().ok("FUNCTION", "LOAD", code)
    try:
        export(headwater, tmp_path / "f.rdb")
    finally:
        headwater.connect().ok("FUNCTION", "FLUSH")
    other = start()
    assert "1 library of functions" in import_into(other, tmp_path / "f.rdb").out
    assert other.connect().ok("FCALL", "f", 0) == 7


def test_settings_that_dump_leaves_out_are_told(headwater: Server, tmp_path: Path) -> None:
    connection = headwater.connect()
    fill(connection)
    path = tmp_path / "all.rdb"
    assert "note" not in export(headwater, path).err
    connection.ok("XGROUP", "CFGSET", "orders", "billing", "ACKWAIT", 1000)
    connection.ok("XCFGSET", b"bin\xfe", "RETAIN-MAXLEN", 1000)
    connection.ok("SELECT", 3)
    connection.ok("XSCHEDULE", "ADD", "far", "IN", 10**9, "a", "1")
    assert "note: 3 streams have settings" in export(headwater, path).err
    assert "note: 1 stream has settings" in export(headwater, path, "orders").err


# --- a directory ---


def test_a_directory_that_a_server_uses(start: StartServer, tmp_path: Path) -> None:
    server = start("--appendonly", "yes", *DEBUG)
    connection = server.connect()
    fill(connection)
    before = {path: path.stat().st_mtime_ns for path in server.directory.rglob("*.hwj")}
    done = run("export", "--url", str(server.directory), "-o", str(tmp_path / "all.rdb"))
    assert done.status == 0, done.err
    assert {path: path.stat().st_mtime_ns for path in before} == before
    wanted = digest(server)
    other = start(*DEBUG)
    assert import_into(other, tmp_path / "all.rdb").status == 0
    assert digest(other) == wanted
    lines = run("export", "orders", "--url", str(server.directory)).out
    assert lines == run("export", "orders", url=url_of(server)).out
    far = run("export", "--db", "3", "--url", str(server.directory)).out
    assert far == '{"key":"far","id":"5-5","fields":{"a":"1"}}\n'
    server.kill()
    assert run("export", "orders", "--url", str(server.directory)).out == lines


def test_a_damaged_directory(start: StartServer, tmp_path: Path) -> None:
    server = start("--appendonly", "yes")
    fill(server.connect())
    server.stop()
    [segment] = server.directory.rglob("*.hwj")
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 1
    segment.write_bytes(data)
    done = run("export", "--url", str(server.directory), "-o", str(tmp_path / "x.rdb"))
    assert done.status == 1
    assert f"{segment}, byte " in done.err
    assert "headwater check" in done.err
    assert list(tmp_path.glob("x.rdb*")) == []


def test_a_directory_of_something_else(tmp_path: Path) -> None:
    done = run("export", "--url", str(tmp_path))
    assert done.status == 1
    assert "neither a journal nor a snapshot" in done.err


# --- JSON lines ---


def test_json_lines_round_trip(server: Server, start: StartServer, tmp_path: Path) -> None:
    connection = server.connect()
    fill(connection)
    path = tmp_path / "all.jsonl"
    done = export(server, path)
    assert "3 streams, " in done.err
    assert "2 keys that are no streams are left out" in done.err
    wanted = {key: connection.ok("XRANGE", key, "-", "+") for key in KEYS}
    assert len(path.read_text("utf-8").splitlines()) == sum(map(len, wanted.values()))
    for line in path.read_text("utf-8").splitlines():
        assert json.loads(line).keys() == {"key", "id", "fields"}
    other = start().connect()
    done = run("import", str(path), "--url", f"redis://127.0.0.1:{other.sock.getpeername()[1]}")
    assert (done.status, done.err) == (0, "")
    assert {key: other.ok("XRANGE", key, "-", "+") for key in KEYS} == wanted
    target = tmp_path / "directory"
    done = run("import", str(path), "--dir", str(target), "--json")
    assert done.status == 0, done.err
    assert json.loads(done.out)["entries"] == sum(map(len, wanted.values()))
    again = start("--dir", str(target), "--appendonly", "yes").connect()
    assert {key: again.ok("XRANGE", key, "-", "+") for key in KEYS} == wanted


def test_json_lines_are_imported_again(server: Server, tmp_path: Path) -> None:
    """An import that was interrupted goes on where it ended."""
    connection = server.connect()
    fill(connection)
    path = tmp_path / "all.jsonl"
    export(server, path, "orders")
    lines = path.read_bytes().splitlines(keepends=True)
    wanted = connection.ok("XRANGE", "orders", "-", "+")
    connection.ok("FLUSHALL")
    half = tmp_path / "half.jsonl"
    half.write_bytes(b"".join(lines[:1000]))
    assert import_into(server, half).status == 0
    done = import_into(server, path, "--json")
    assert done.status == 0
    found = json.loads(done.out)
    assert (found["present"], found["entries"]) == (1000, len(lines) - 1000)
    assert connection.ok("XRANGE", "orders", "-", "+") == wanted
    # What is not the same is told, and nothing is overwritten.
    connection.ok("XDEL", "orders", "7-0")
    half.write_bytes(b"".join(lines[:10]).replace(b'"n":"4"', b'"n":"x"'))
    done = import_into(server, half)
    assert done.status == 1
    assert "line 3: orders 5-1: there is another entry with its ID" in done.err
    assert "orders 7-0: the stream is past its ID" in done.err
    assert "2 refusals" in done.err


def test_lines_without_a_key_or_an_id(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_text('{"a": 1}\n{"a": 2}\n', "utf-8")
    done = import_into(server, path)
    assert done.status == 1
    assert "line 1: it has no key" in done.err
    assert import_into(server, path, "--key", "orders").status == 0
    found = server.connect().ok("XRANGE", "orders", "-", "+")
    assert [fields for _, fields in found] == [[b"a", b"1"], [b"a", b"2"]]


def test_from_the_standard_input(headwater: Server, reference: Server) -> None:
    fill(headwater.connect())
    text = run("export", "orders", url=url_of(headwater)).out
    done = run_alone("import", "-", "--url", url_of(reference), stdin=text)
    assert done.status == 0, done.err
    assert reference.connect().ok("XRANGE", "orders", "-", "+") == headwater.connect().ok(
        "XRANGE", "orders", "-", "+"
    )


# --- what goes wrong ---


def test_keys_that_are_there_already(server: Server, tmp_path: Path) -> None:
    connection = server.connect()
    connection.ok("XADD", "orders", "1-1", "a", "1")
    connection.ok("SET", "text", "old")
    path = tmp_path / "some.rdb"
    export(server, path)
    connection.ok("SET", "text", "new")
    connection.ok("DEL", "orders")
    done = import_into(server, path)
    assert done.status == 1
    assert "1 key there already, and left alone" in done.err
    assert connection.ok("GET", "text") == b"new"
    assert connection.ok("XLEN", "orders") == 1
    done = import_into(server, path, "--skip-existing")
    assert (done.status, done.err) == (0, "")
    assert import_into(server, path, "--replace").status == 0
    assert connection.ok("GET", "text") == b"old"


def test_types_that_are_not_known(reference: Server, headwater: Server, tmp_path: Path) -> None:
    connection = reference.connect()
    connection.ok("HSET", "hash", "a", "1")
    connection.ok("XADD", "orders", "1-1", "a", "1")
    path = tmp_path / "all.rdb"
    export(reference, path)
    done = import_into(headwater, path)
    assert done.status == 1
    assert "1 keys of type hash" in done.err
    assert headwater.connect().ok("KEYS", "*") == [b"orders"]
    assert import_into(headwater, path, "--skip-unknown", "--replace").status == 0


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (("export", "nothing"), 1, "there is no key nothing"),
        (("export", "orders.jsonl"), 1, "If that is the file to write: -o orders.jsonl"),
        (("export", "text", "-f", "jsonl"), 1, "text is no stream"),
        (("export", "-o", "{tmp}"), 2, "is a directory"),
        (("export", "-o", "{tmp}/not/there.jsonl"), 2, "No such file"),
        (("export", "--db", "1"), 2, "--db goes with a data directory"),
        (("import", "{tmp}/not-there", "--url", "{url}"), 1, "no such file"),
        (("import", "x", "--url", "{url}", "--dir", "y"), 2, "two places"),
        (("import", "x", "--replace"), 2, "go with --url"),
        (("import", "x"), 2, "Say which is meant: --url {url}, or --dir ."),
        (("import", "x", "--url", "{url}", "--replace", "--skip-existing"), 2, "exclude"),
        (("import", "{tmp}/garbage", "--url", "{url}"), 1, "garbage"),
        (("import", "{tmp}/garbage.rdb", "--url", "{url}"), 1, "garbage.rdb"),
        (("import", "{tmp}/lines", "--url", "{url}"), 1, "line 2: no JSON"),
        (("import", "{tmp}/lines", "--dir", "{tmp}/new"), 1, "line 2: no JSON"),
        (("import", "{tmp}/lines", "--url", "redis://127.0.0.1:1"), 1, "nothing listens"),
    ],
)
def test_wrong_use(
    headwater: Server, tmp_path: Path, words: tuple[str, ...], status: int, told: str
) -> None:
    headwater.connect().ok("SET", "text", "1")
    (tmp_path / "garbage").write_bytes(bytes(range(256)) * 10)
    (tmp_path / "garbage.rdb").write_bytes(b"REDIS0011\xff" + bytes(range(8)))
    (tmp_path / "lines").write_text('{"key":"k","id":"1-1","fields":{"a":"1"}}\n{"a"\n', "utf-8")
    filled = [word.format(tmp=tmp_path, url=url_of(headwater)) for word in words]
    done = run(*filled, url=url_of(headwater))
    assert done.status == status, done.err
    assert told.format(url=url_of(headwater)) in done.err
    assert not (tmp_path / "new").exists()


def test_a_torn_rdb_file_says_what_was_done(server: Server, tmp_path: Path) -> None:
    fill(server.connect())
    path = tmp_path / "all.rdb"
    export(server, path)
    os.truncate(path, path.stat().st_size - 20)
    server.connect().ok("FLUSHALL")
    done = import_into(server, path)
    assert done.status == 1
    assert "before this happened" in done.err
    assert "all.rdb" in done.err


def test_an_export_that_is_killed_leaves_the_old_file(headwater: Server, tmp_path: Path) -> None:
    connection = headwater.connect()
    path = tmp_path / "all.jsonl"
    path.write_text("old", "utf-8")
    for begin in range(0, 40_000, 1000):
        connection.pipeline([("XADD", "big", "*", "n", begin, "v", "x" * 500)] * 1000)
    for number in (signal.SIGINT, signal.SIGKILL):
        process = subprocess.Popen(
            [*COMMAND, "export", "-o", str(path)],
            env=clean_environment(url_of(headwater)),
            stderr=subprocess.PIPE,
        )
        deadline = time.monotonic() + 30
        while not any(one.stat().st_size for one in tmp_path.glob("all.jsonl.partial-*")):
            assert process.poll() is None
            assert time.monotonic() < deadline
        process.send_signal(number)
        process.communicate(timeout=30)
        assert process.returncode == (130 if number == signal.SIGINT else -signal.SIGKILL)
        assert path.read_text("utf-8") == "old"
    assert len(list(tmp_path.iterdir())) == 2  # what the killed one was at


def test_an_import_that_is_killed_goes_on(
    headwater: Server, start: StartServer, tmp_path: Path
) -> None:
    connection = headwater.connect()
    for begin in range(0, 20_000, 1000):
        connection.pipeline([("XADD", "big", "*", "n", begin + n) for n in range(1000)])
    path = tmp_path / "all.jsonl"
    export(headwater, path)
    other = start()
    process = subprocess.Popen(
        [*COMMAND, "import", str(path), "--url", url_of(other)], env=clean_environment()
    )
    deadline = time.monotonic() + 30
    watcher = other.connect()
    while watcher.ok("XLEN", "big") < 1000:
        assert time.monotonic() < deadline
    process.kill()
    process.wait(30)
    done = run("import", str(path), "--url", url_of(other), "--json")
    assert done.status == 0
    found = json.loads(done.out)
    assert found["present"] >= 1000
    assert found["present"] + found["entries"] == 20_000
    assert watcher.ok("XRANGE", "big", "-", "+") == connection.ok("XRANGE", "big", "-", "+")


def test_a_user_who_may_not_sync_or_ask_the_time_gets_it_key_by_key(
    start_reference: StartServer, tmp_path: Path
) -> None:
    server = start_reference()
    connection = server.connect()
    fill(connection)
    connection.ok(
        "ACL", "SETUSER", "reader", "on", ">pw", "~*", "+@all", "-sync", "-psync", "-time"
    )
    path = tmp_path / "all.rdb"
    url = f"redis://reader:pw@127.0.0.1:{server.port}"
    done = run("export", "-o", str(path), url=url)
    assert done.status == 0, done.err
    assert "the server sends no snapshot" in done.err
    wanted = facts(server, *KEYS)
    connection.ok("FLUSHALL")
    assert import_into(server, path).status == 0
    assert facts(server, *KEYS) == wanted
    assert connection.ok("SELECT", 3) == b"OK"
    assert connection.ok("GET", "number") == b"12"


def test_an_rdb_file_is_nothing_for_a_terminal(headwater: Server) -> None:
    with Terminal(("export", "--format", "rdb"), url_of(headwater)) as terminal:
        assert terminal.finish() == 2
    assert "an RDB file is nothing for a terminal" in terminal.text


def test_a_terminal_sees_progress_and_the_result(headwater: Server, tmp_path: Path) -> None:
    fill(headwater.connect())
    path = tmp_path / "all.jsonl"
    with Terminal(("export", "-o", str(path)), url_of(headwater)) as terminal:
        terminal.expect("exporting entries")
        assert terminal.finish() == 0
    assert "exported redis://" in terminal.text
    assert "3 streams" in terminal.text
