"""`headwater import` of what a real redis-server has left behind: afterwards both answer the same.

A redis-server is given random commands and killed. Its files are imported, and a Headwater that
starts on them has to answer the same as a redis-server that starts on the original ones.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from support import servers
from support.pair import NEWER_FIELDS, UNSTABLE_FIELDS
from support.servers import Server
from support.wire import Connection, Word

pytestmark = pytest.mark.skipif(
    os.environ.get("HEADWATER_TEST_SUBJECT", "") == "redis", reason="only Headwater imports"
)
SECONDS = 60
SET = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n"
COMMANDS = 500
TOGETHER = 10  # commands whose IDs are looked up before they are sent
DATABASES = 4
KEYS = ("s0", "s1", "s2", "s3")
GROUPS = ("g0", "g1")
CONSUMERS = ("ann", "bob", "cy")
AOF = (
    "--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0",
    "--aof-timestamp-enabled", "yes",
)  # fmt: skip
AS_COMMANDS = ("--aof-use-rdb-preamble", "no")

StartServer = Callable[..., Server]


class Source:
    """A redis-server that gets random commands."""

    def __init__(self, server: Server, seed: str) -> None:
        self.server = server
        self.random = Random(seed)
        self.connection = server.connect()

    def work(self, commands: int) -> None:
        """Give it so many commands, some in transactions; it may refuse any."""
        for _ in range(commands // TOGETHER):
            self.connection.pipeline(self.requests(TOGETHER))

    def requests(self, count: int) -> list[tuple[Word, ...]]:
        requests: list[tuple[Word, ...]] = []
        while len(requests) < count:
            if self.random.random() < 0.05:
                requests.append(("MULTI",))
                requests += [self.command() for _ in range(self.random.randint(1, 5))]
                requests.append(("EXEC",))
            elif self.random.random() < 0.02:
                requests.append(("SELECT", self.random.randrange(DATABASES)))
            else:
                requests.append(self.command())
        return requests

    def command(self) -> tuple[Word, ...]:
        random = self.random
        key, other = random.choice(KEYS), random.choice(KEYS)
        group, consumer = random.choice(GROUPS), random.choice(CONSUMERS)
        place = f"{random.randrange(1, 40)}-{random.randrange(3)}"
        count = random.randrange(1, 6)
        fields = [word for i in range(random.randint(1, 3)) for word in (f"f{i}", random.random())]
        add = ("XADD", key)
        words = [str(field) for field in fields]
        common: tuple[tuple[Word, ...], ...] = (
            (*add, "*", *words),
            (*add, "*", *words),
            (*add, "*", "bytes", random.randbytes(random.choice((1, 30, 3000)))),
            (*add, "MAXLEN", "~", 150, "*", *words),
            (*add, "MAXLEN", random.randrange(50, 200), "*", *words),
            (*add, place, *words),
            ("XREADGROUP", "GROUP", group, consumer, "COUNT", count, "STREAMS", key, ">"),
            ("XREADGROUP", "GROUP", group, consumer, "COUNT", count, "STREAMS", key, ">"),
            ("XREADGROUP", "GROUP", group, consumer, "NOACK", "COUNT", 2, "STREAMS", key, ">"),
            ("XREADGROUP", "GROUP", group, consumer, "COUNT", count, "STREAMS", key, 0),
            ("XAUTOCLAIM", key, group, consumer, 0, "-", "COUNT", count),
            ("XAUTOCLAIM", key, group, consumer, 0, "-", "COUNT", count, "JUSTID"),
            ("XGROUP", "CREATE", key, group, random.choice(("0", "$", place)), "MKSTREAM"),
            ("XGROUP", "CREATECONSUMER", key, group, consumer),
            ("XACKSOME", key, group),
            ("XCLAIMSOME", key, group, consumer),
            ("XDELSOME", key),
        )
        rare: tuple[tuple[Word, ...], ...] = (
            ("XTRIM", key, "MAXLEN", random.randrange(100)),
            ("XTRIM", key, "MINID", "~", place),
            ("XSETID", key, "9999999999999-7", "ENTRIESADDED", 5000, "MAXDELETEDID", "3-3"),
            ("XGROUP", "SETID", key, group, random.choice(("$", place)), "ENTRIESREAD", 3),
            ("XGROUP", "DELCONSUMER", key, group, consumer),
            ("XGROUP", "DESTROY", key, group),
            ("DEL", key),
            ("RENAME", key, other),
            ("COPY", key, other, "REPLACE"),
            ("MOVE", key, random.randrange(DATABASES)),
            ("SWAPDB", 0, random.randrange(DATABASES)),
            ("EXPIRE", key, random.randrange(1000, 100_000)),
            ("PERSIST", key),
            ("SET", f"text{count}", random.random(), "PX", random.choice((1, 10**8))),
            ("SET", f"text{count}", "kept", "KEEPTTL"),
            ("PEXPIRE", f"text{count}", random.choice((1, 10**9))),
        )
        words = random.choice(common if random.random() < 0.93 else rare)
        return self.with_ids(words)

    def with_ids(self, words: tuple[Word, ...]) -> tuple[Word, ...]:
        """Commands on IDs of entries, which have to be asked for."""
        random = self.random
        if words[0] not in ("XACKSOME", "XCLAIMSOME", "XDELSOME"):
            return words
        with Connection("127.0.0.1", self.server.port) as connection:
            if words[0] == "XDELSOME":
                kind, entries = connection.call("XREVRANGE", words[1], "+", "-", "COUNT", 30)
                ids = [entry[1][0][1] for entry in entries] if kind == "*" else []
            else:
                kind, entries = connection.call("XPENDING", *words[1:3], "-", "+", 20)
                ids = [entry[1][0][1] for entry in entries] if kind == "*" else []
        chosen = random.sample(ids, min(len(ids), 4)) or [b"5-1"]
        if words[0] == "XACKSOME":
            return ("XACK", *words[1:], *chosen)
        if words[0] == "XDELSOME":
            return ("XDEL", words[1], *chosen)
        options: tuple[tuple[Word, ...], ...] = (
            (),
            ("JUSTID",),
            ("IDLE", 5000),
            ("TIME", 1_600_000_000_123, "RETRYCOUNT", 9),
            ("FORCE", "RETRYCOUNT", 3),
        )
        return ("XCLAIM", *words[1:], 0, *chosen, *random.choice(options))

    def finish(self, start: StartServer) -> dict[tuple[int, bytes], Any]:
        """Kill it, and return the data of a redis-server that loads what it has left.

        Not all of it was in its files: Redis does not write down a consumer that XCLAIM made
        and gave nothing.
        """
        self.server.kill()
        command = [*self.server.command]
        at = command.index("--dir") + 1
        copy = self.server.directory.with_name(self.server.directory.name + "-copy")
        shutil.copytree(self.server.directory, copy)
        again = start(*command[at + 1 :], "--dir", str(copy))
        return data_of(again.connect())


def data_of(connection: Connection) -> dict[tuple[int, bytes], Any]:
    """What a server answers about every key, but for what follows the clock."""
    found: dict[tuple[int, bytes], Any] = {}
    for index in range(DATABASES):
        connection.ok("SELECT", index)
        for key in connection.ok("KEYS", "*"):
            if connection.ok("TYPE", key) == b"stream":
                facts = stable(connection.ok("XINFO", "STREAM", key, "FULL", "COUNT", 0))
                entries = connection.ok("XRANGE", key, "-", "+")
                pending = [
                    connection.ok("XPENDING", key, group["name"]) for group in facts["groups"]
                ]
                value: Any = (facts, entries, pending)
            else:
                value = connection.ok("GET", key)
            found[index, key] = (value, connection.ok("PEXPIRETIME", key))
    return found


def stable(flat: list[Any]) -> dict[str, Any]:
    """An answer of XINFO as a map, without what follows the clock or the inner structure."""
    facts = {}
    for i in range(0, len(flat), 2):
        if flat[i] in UNSTABLE_FIELDS | NEWER_FIELDS:
            continue
        value = flat[i + 1]
        if flat[i] in (b"groups", b"consumers"):
            value = [stable(item) for item in value]
        facts[flat[i].decode()] = value
    return facts


def run_import(source: Path, target: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "headwater", "import", str(source), "--dir", str(target), *flags],
        capture_output=True, text=True, timeout=SECONDS, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def imported(source: Path, target: Path, *flags: str) -> dict[tuple[int, bytes], Any]:
    """The data of a Headwater that starts on what was imported."""
    done = run_import(source, target, *flags)
    assert done.returncode == 0, done.stdout + done.stderr
    log = target.with_name(target.name + "-server")
    log.mkdir(exist_ok=True)
    server = servers.start_headwater(log, "--dir", str(target), "--databases", "1024")
    try:
        return data_of(server.connect())
    finally:
        server.stop()


def same(found: dict[tuple[int, bytes], Any], wanted: dict[tuple[int, bytes], Any]) -> None:
    assert found.keys() == wanted.keys()
    for name in wanted:
        assert found[name] == wanted[name], (name, first_difference(found[name], wanted[name]))


def first_difference(found: Any, wanted: Any, place: str = "") -> str:
    """Where two values begin to differ."""
    if isinstance(found, dict) and isinstance(wanted, dict) and found.keys() == wanted.keys():
        pairs = [(found[name], wanted[name], f"{place}.{name}") for name in wanted]
    elif isinstance(found, list | tuple) and len(found) == len(wanted):
        pairs = [
            (a, b, f"{place}[{i}]") for i, (a, b) in enumerate(zip(found, wanted, strict=True))
        ]
    else:
        return f"{place}: {found!r} instead of {wanted!r}"
    for a, b, where in pairs:
        if a != b:
            return first_difference(a, b, where)
    return ""


@pytest.mark.parametrize("seed", range(2))
def test_an_rdb_file(start_reference: StartServer, tmp_path: Path, seed: int) -> None:
    server = start_reference()
    source = Source(server, f"rdb {seed}")
    source.work(COMMANDS)
    source.connection.ok("SAVE")
    same(imported(server.directory / "dump.rdb", tmp_path / "new"), source.finish(start_reference))


@pytest.mark.parametrize(
    ("flags", "rewrite"),
    [(AOF, False), (AOF, True), ((*AOF, *AS_COMMANDS), False), ((*AOF, *AS_COMMANDS), True)],
    ids=["increment", "snapshot and increment", "commands", "rewritten commands and increment"],
)
@pytest.mark.parametrize("seed", range(2))
def test_append_only_files(
    start_reference: StartServer, tmp_path: Path, flags: tuple[str, ...], rewrite: bool, seed: int
) -> None:
    server = start_reference(*flags)
    source = Source(server, f"aof {seed}")
    source.work(COMMANDS)
    if rewrite:
        if flags != AOF:
            forget_pending_without_entry(source.connection)
        rewritten(source.connection)
        source.connection.ok("SELECT", 0)
        source.work(COMMANDS // 2)
    wanted = source.finish(start_reference)
    same(imported(server.directory, tmp_path / "all"), wanted)
    [manifest] = server.directory.glob("appendonlydir/*.manifest")
    single = tmp_path / "appendonly.aof"
    single.write_bytes(
        b"".join(
            (manifest.parent / line.split()[1]).read_bytes()
            for line in manifest.read_text().splitlines()
        )
    )
    same(imported(single, tmp_path / "single"), wanted)


def forget_pending_without_entry(connection: Connection) -> None:
    """Redis itself loses these when it rewrites to commands."""
    for index in range(DATABASES):
        connection.ok("SELECT", index)
        for key in connection.ok("KEYS", "s*"):
            there = {entry for entry, _ in connection.ok("XRANGE", key, "-", "+")}
            for group in connection.ok("XINFO", "GROUPS", key):
                name = group[1]
                pending = connection.ok("XPENDING", key, name, "-", "+", 100_000)
                if gone := [entry for entry, *_ in pending if entry not in there]:
                    connection.ok("XACK", key, name, *gone)


def rewritten(connection: Connection) -> None:
    """Return when a rewrite of the append-only file is complete."""
    connection.ok("BGREWRITEAOF")
    deadline = time.monotonic() + SECONDS
    while b"aof_rewrite_in_progress:1" in connection.ok("INFO", "persistence"):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_headwater_lacks_is_named_and_left_out(
    start_reference: StartServer, tmp_path: Path
) -> None:
    server = start_reference(*AOF)
    connection = server.connect()
    for words in (
        ("HSET", "h", "a", 1), ("SADD", "l", 1, 2), ("XADD", "s", "1-1", "f", "v"),
    ):  # fmt: skip
        connection.ok(*words)
    rewritten(connection)
    for words in (
        ("HSET", "h2", "a", 1), ("ZADD", "z", 1, "a"), ("ZADD", "z", 2, "b"),
        ("RENAME", "z", "z2"), ("XADD", "s", "2-1", "f", "v"), ("DEL", "h"), ("EXPIRE", "l", 100),
    ):  # fmt: skip
        connection.ok(*words)
    server.kill()
    target = tmp_path / "new"
    done = run_import(server.directory, target)
    assert done.returncode == 1
    for text in (
        "1 keys of type hash",
        "1 keys of type set",
        "1 commands HSET",
        "2 commands ZADD",
    ):
        assert text in done.stderr
    assert "--skip-unknown" in done.stderr
    assert not target.exists()
    found = imported(server.directory, target, "--skip-unknown")
    assert [name for _, name in found] == [b"s"]
    assert [entry for entry, _ in found[0, b"s"][0][1]] == [b"1-1", b"2-1"]


def test_a_directory_that_a_server_uses(start_reference: StartServer, tmp_path: Path) -> None:
    server = start_reference()
    server.connect().ok("XADD", "s", "1-1", "f", "v")
    server.connect().ok("SAVE")
    ours = servers.start_headwater(tmp_path)
    try:
        connection = ours.connect()
        connection.ok("SET", "k", "v")
        for flags in ((), ("--force",)):
            done = run_import(server.directory, tmp_path, *flags)
            assert done.returncode == 1
            assert f"process {ours.pid} is using the data directory" in done.stderr
        assert connection.ok("KEYS", "*") == [b"k"]
    finally:
        ours.stop()
    done = run_import(server.directory, tmp_path)
    assert "--force" in done.stderr
    assert [key for _, key in imported(server.directory, tmp_path, "--force")] == [b"s"]


def test_a_killed_server_s_torn_end(start_reference: StartServer, tmp_path: Path) -> None:
    """An incomplete transaction at the end is left out as a whole."""
    server = start_reference(*AOF)
    connection = server.connect()
    connection.ok("XADD", "s", "1-1", "f", "v")
    connection.ok("MULTI")
    for number in range(2, 5):
        connection.ok("XADD", "s", f"{number}-1", "f", "v")
    connection.ok("EXEC")
    server.kill()
    [file] = server.directory.glob("appendonlydir/*.incr.aof")
    data = file.read_bytes()
    begin = data.index(b"*1\r\n$5\r\nMULTI")
    for size in (len(data) - 1, len(data) - len(b"*1\r\n$4\r\nEXEC\r\n"), begin + 1):
        copy = tmp_path / f"source-{size}"
        shutil.copytree(server.directory / "appendonlydir", copy)
        (copy / file.name).write_bytes(data[:size])
        target = tmp_path / f"target-{size}"
        done = run_import(copy, target, "--force")
        assert done.returncode == 0, done.stderr
        assert f"{file.name}, byte {begin}: " in done.stderr
        assert f"the last {size - begin} bytes are left out" in done.stderr
        found = imported(copy, target, "--force")
        assert [entry for entry, _ in found[0, b"s"][0][1]] == [b"1-1"]


def test_it_says_how_to_start_with_many_databases(tmp_path: Path) -> None:
    """A start with fewer databases than the data has refuses."""
    source, target = tmp_path / "a.aof", tmp_path / "target"
    for index, words in ((15, ""), (20, " --databases 21")):
        source.write_bytes(b"*2\r\n$6\r\nSELECT\r\n$2\r\n%d\r\n" % index + SET)
        done = run_import(source, target, "--force")
        assert done.returncode == 0, done.stderr
        assert done.stdout.endswith(f"start with: headwater serve --dir {target}{words}\n")
    log = tmp_path / "log"
    log.mkdir()
    server = servers.start_headwater(log, *done.stdout.split()[-4:])
    assert server.connect().ok("DBSIZE") == 0
    server.stop()
