"""Files and payloads that Headwater writes, read by redis-server: it finds what is there.

The reference is older than idempotent IDs and nacked entries: `tests/unit/rdb` has their bytes.
"""

from __future__ import annotations

import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from headwater.rdb.crc64 import crc64
from headwater.rdb.encoder import Encoder, dump_payload, file_version, standard_aux
from headwater.streams.stream import Stream
from parity.test_node_sizes import Entries
from support.embedded import NOW_MS, Client, Embedded
from support.servers import Server, start_redis
from support.stream_states import FAR_MS, fill
from support.wire import Connection, Word

STRINGS: tuple[Word, ...] = (
    "", "0", "-0", "1", "-1", "01", "+1", "127", "128", "-128", "-129", "32767", "32768", "-32768",
    "-32769", "2147483647", "2147483648", "-2147483648", "-2147483649", "9223372036854775807",
    "12345678901", "123456789012", "1.5", " 1", "x" * 20, "x" * 21, "ab" * 40, b"\0\xff\r\n" * 300,
    "z" * 63, "z" * 64, "q" * 16383, "q" * 16384, bytes(range(256)) * 9, "big" * 500_000,
)  # fmt: skip


def written(embedded: Embedded, *, compress: bool = True, slice_bytes: int = 5000) -> bytes:
    """All databases as a file."""
    encoder = Encoder(compress)
    version = file_version(has_idmp=False, has_nacked=False)
    encoder.begin_file(version, standard_aux("8.10.0", NOW_MS // 1000, 1_234_567, False))
    data = b""
    for db in embedded.state.keyspace.databases:
        if not db.values:
            continue
        expires = sum(value.expire_at != 0 for value in db.values.values())
        encoder.select(db.index, len(db.values), expires)
        for key, value in db.values.items():
            encoder.begin(key, value, value.expire_at)
            while not encoder.step(slice_bytes):
                data += encoder.take()
    encoder.end_file(checksum=True)
    return data + encoder.take()


def facts(asked: Client | Connection, key: str) -> dict[str, Any]:
    """All that the two servers can say about a stream, whatever their clocks say."""
    info = asked.ok("XINFO", "STREAM", key, "FULL", "COUNT", 0)
    known = dict(zip(info[::2], info[1::2], strict=True))
    rows = {}
    for group in known[b"groups"]:
        fields = dict(zip(group[::2], group[1::2], strict=True))
        name = fields[b"name"]
        details = asked.ok("XPENDING", key, name, "-", "+", 10_000)
        rows[name] = (
            [(entry, consumer, count) for entry, consumer, _, count in details],
            asked.ok("XPENDING", key, name),
        )
    return {
        "info": known,
        "entries": asked.ok("XRANGE", key, "-", "+"),
        "reversed": asked.ok("XREVRANGE", key, "+", "-", "COUNT", 7),
        "pending": rows,
        "length": asked.ok("XLEN", key),
        "expires": asked.ok("PEXPIRETIME", key),
    }


def comparable(found: dict[str, Any], reference: dict[str, Any]) -> dict[str, Any]:
    """Without what the reference does not know, and how its tree is built inside."""
    info = {name: found["info"][name] for name in reference["info"]}
    del info[b"radix-tree-nodes"]
    groups = []
    names = {bytes(name) for group in reference["info"][b"groups"] for name in group[::2]}
    for group in info[b"groups"]:
        fields = dict(zip(group[::2], group[1::2], strict=True))
        fields[b"consumers"] = sorted(fields[b"consumers"])
        groups.append({name: item for name, item in fields.items() if name in names})
    info[b"groups"] = sorted(groups, key=lambda fields: fields[b"name"])
    return {**found, "info": info}


@pytest.fixture(scope="module")
def embedded() -> Embedded:
    """Strings of all kinds in two databases, and streams of all shapes."""
    made = Embedded()
    for number, text in enumerate(STRINGS):
        made.main.ok(
            "SET", text[:30], text, *(("PXAT", FAR_MS + number) if number % 3 == 0 else ())
        )
    for seed in range(32):
        fill(made.main, f"stream-{seed}", seed)
    made.main.ok("XGROUP", "CREATE", "empty", "g", "5-5", "MKSTREAM", "ENTRIESREAD", 3)
    made.main.ok("SELECT", 9)
    made.main.ok("SET", "elsewhere", "value")
    made.main.ok("SELECT", 0)
    return made


@pytest.fixture(scope="module", params=(True, False), ids=("compressed", "plain"))
def loaded(
    request: pytest.FixtureRequest,
    embedded: Embedded,
    redis_binary: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Any:
    """A redis-server that has loaded the file at its start, and the file."""
    directory = tmp_path_factory.mktemp("loaded")
    file = directory / "ours.rdb"
    file.write_bytes(written(embedded, compress=request.param))
    flags = ("--dbfilename", "ours.rdb", "--sanitize-dump-payload", "yes")
    server = start_redis(redis_binary, directory, *flags)
    yield server, file
    server.stop()


def test_every_stream_is_as_it_was(embedded: Embedded, loaded: tuple[Server, Path]) -> None:
    theirs = loaded[0].connect()
    streams = [key for key, value in embedded.state.keyspace.databases[0].values.items()
               if isinstance(value, Stream)]  # fmt: skip
    assert len(streams) > 25
    for key in streams:
        wanted = facts(embedded.main, key.decode())
        found = facts(theirs, key.decode())
        assert comparable(found, found) == comparable(wanted, found), key


def test_every_string_is_as_it_was(embedded: Embedded, loaded: tuple[Server, Path]) -> None:
    theirs = loaded[0].connect()
    assert theirs.ok("DBSIZE") == embedded.main.ok("DBSIZE")
    for text in STRINGS:
        for words in (("GET", text[:30]), ("PEXPIRETIME", text[:30])):
            assert theirs.ok(*words) == embedded.main.ok(*words), words
    theirs.ok("SELECT", 9)
    assert theirs.ok("GET", "elsewhere") == b"value"
    assert theirs.ok("DBSIZE") == 1


def test_the_checker_is_content(
    embedded: Embedded, loaded: tuple[Server, Path], redis_binary: str, tmp_path: Path
) -> None:
    checker = tmp_path / "redis-check-rdb"
    checker.symlink_to(redis_binary)
    done = subprocess.run([checker, loaded[1]], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "RDB looks OK" in done.stdout
    assert "Checksum OK" in done.stdout
    keys = sum(len(db.values) for db in embedded.state.keyspace.databases)
    assert f"{keys} keys read" in done.stdout


def test_payloads_are_restored_as_they_were(embedded: Embedded, reference: Server) -> None:
    theirs = reference.connect()
    theirs.ok("CONFIG", "SET", "sanitize-dump-payload", "yes")
    for key, value in embedded.state.keyspace.databases[0].values.items():
        payload = embedded.main.ok("DUMP", key)
        assert theirs.ok("RESTORE", key, value.expire_at, payload, "ABSTTL") == b"OK", key
        if isinstance(value, Stream):
            found = facts(theirs, key.decode())
            wanted = facts(embedded.main, key.decode())
            assert comparable(found, found) == comparable(wanted, found), key
        else:
            assert theirs.ok("GET", key) == embedded.main.ok("GET", key)


@pytest.mark.parametrize("seed", range(8))
def test_nodes_are_byte_for_byte_those_of_redis(seed: int, reference: Server) -> None:
    # Without deletions (of which Redis keeps traces) and groups (which know times), the
    # payloads of the two differ in nothing but the version at their end.
    theirs = reference.connect()
    theirs.ok("CONFIG", "SET", "rdbcompression", "no")
    embedded = Embedded(rdbcompression="no")
    ours = embedded.main
    rng = random.Random(1000 + seed)
    entries = Entries(rng)
    limits = (rng.choice((1, 3, 10, 100)), rng.choice((0, 200, 4096, 20_000)))
    for asked in (ours, theirs):
        for name, limit in zip(("entries", "bytes"), limits, strict=True):
            asked.ok("CONFIG", "SET", f"stream-node-max-{name}", limit)
    for _ in range(120):
        words = ("XADD", "s", entries.next_id(), *entries.fields())
        assert ours.ok(*words) == theirs.ok(*words)
    for number, text in enumerate(STRINGS):
        for asked in (ours, theirs):
            asked.ok("SET", f"text-{number}", text)
    for key in ("s", *(f"text-{number}" for number in range(len(STRINGS)))):
        assert ours.ok("DUMP", key)[:-10] == theirs.ok("DUMP", key)[:-10], key
    theirs.ok("CONFIG", "SET", "rdbcompression", "yes")
    theirs.ok("CONFIG", "SET", "stream-node-max-entries", 100)
    theirs.ok("CONFIG", "SET", "stream-node-max-bytes", 4096)
    for block in embedded.state.keyspace.databases[0].values[b"s"].blocks:
        assert block.live() <= limits[0] or limits[0] == 0


def test_redis_restores_its_own_version_and_older_only(reference: Server) -> None:
    # This is why a payload has the oldest version that can carry it.
    theirs = reference.connect()
    embedded = Embedded()
    embedded.main.ok("SET", "k", "v")
    payload = dump_payload(embedded.state.keyspace.databases[0].values[b"k"], True)
    for version in (1, 6, 11, 12, 13, 14):
        body = bytearray(payload[:-10] + version.to_bytes(2, "little"))
        data = bytes(body) + crc64(body, 0, len(body), 0).to_bytes(8, "little")
        reply = theirs.call("RESTORE", f"k{version}", 0, data)
        expected = (
            ("+", b"OK")
            if version <= 12
            else ("-", b"ERR DUMP payload version or checksum are wrong")
        )
        assert reply == expected
