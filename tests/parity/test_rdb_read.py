"""Files and payloads of a real redis-server are loaded here, and nobody can tell the difference."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from headwater.rdb.source import RdbError
from headwater.streams.stream import Stream
from support import rdb_bytes as made
from support import servers
from support.embedded import NOW_MS, Client, Embedded
from support.pair import ANY, NEWER_FIELDS, as_set, difference, without_idle_times
from support.rdb_bytes import ConsumerBytes, GroupBytes
from support.rdb_reading import Sink, check_stream, load
from support.servers import Server
from support.wire import Connection, Reply, Word, pairs

pytestmark = pytest.mark.timeout(600)

FIELDS = [b"f", b"name", b"", b"12", b"x" * 70, b"a longer name of a field"]
VALUES = [
    b"", b"v", b"0", b"-1", b"127", b"128", b"-4096", b"4095", b"4096", b"32767", b"-32769",
    b"8388607", b"-8388609", b"2147483647", b"2147483648", b"-9223372036854775808", b"007",
    b"9223372036854775807", b"9223372036854775808", b"x" * 63, b"y" * 64, b"ab" * 100,
    b"z" * 4095, b"z" * 4096, b"w" * 20000, bytes(range(256)),
]  # fmt: skip


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def theirs(redis_binary: str, directory: Path) -> Iterator[Server]:
    server = servers.start_redis(redis_binary, directory, *("--enable-debug-command", "yes"))
    yield server
    server.stop()


def no_clock(reply: Reply) -> Reply:
    """XINFO, at every depth, without what follows the clock or the inner structure.

    Times that are absolute stay: both servers have them from the same file.
    """
    kind, value = reply
    if kind == "*" and value and value[0][0] == "$" and value[0][1] in (b"name", b"length"):
        kept: list[Reply] = []
        for name, item in pairs(reply).items():
            if name in NEWER_FIELDS or name in (b"radix-tree-keys", b"radix-tree-nodes"):
                continue
            kept.append(("$", name))
            kept.append(ANY if name in (b"idle", b"inactive") else no_clock(item))
        return kind, kept
    if kind == "*":
        return kind, [no_clock(item) for item in value]
    return reply


def same(ours: Client, theirs: Connection, *words: Word) -> Reply:
    got, want = ours.call(*words), theirs.call(*words)
    name = str(words[0])
    if name == "XINFO":
        got, want = no_clock(got), no_clock(want)
    elif name == "XPENDING":
        got, want = without_idle_times(got), without_idle_times(want)
    elif name == "KEYS":
        got, want = as_set(got), as_set(want)
    assert got == want, f"{words!r}: {difference(want, got)}"
    return got


def put_in(embedded: Embedded, sink: Sink) -> None:
    """Let an engine have what was loaded."""
    for (index, key), value in sink.keys.items():
        embedded.state.keyspace.databases[index].add(key, value)


def same_moment() -> Embedded:
    """An engine whose clock says what the real server's says."""
    embedded = Embedded()
    embedded.clock.advance(int(time.time() * 1000) - NOW_MS)
    return embedded


# --- random states ---


class Scribbler:
    """Says random things about streams to a server."""

    def __init__(self, connection: Connection, rng: random.Random) -> None:
        self.connection = connection
        self.rng = rng
        self.ms = 10

    def say(self, *words: Word) -> None:
        self.connection.call(*words)

    def entry(self) -> list[Word]:
        rng = self.rng
        words: list[Word] = []
        for field in rng.choice((FIELDS[:1], FIELDS[:2], FIELDS[:2], FIELDS[1:4])):
            field = rng.choice(FIELDS) if rng.random() < 0.15 else field
            words += [
                field,
                rng.choice(VALUES) if rng.random() < 0.4 else b"%d" % rng.getrandbits(20),
            ]
        return words

    def add(self, key: str, n: int) -> None:
        requests: list[tuple[Word, ...]] = []
        for _ in range(n):
            self.ms += self.rng.choice((0, 1, 1, 1000))
            requests.append(("XADD", key, f"{self.ms}-*", *self.entry()))
        self.connection.pipeline(requests)

    def stream(self, key: str) -> None:
        rng = self.rng
        self.add(key, rng.choice((1, 5, 120, 350)))
        groups = [f"g{i}" for i in range(rng.randrange(4))]
        for group in groups:
            self.say("XGROUP", "CREATE", key, group, rng.choice(("0", "$", "15-0")))
        for _ in range(rng.randrange(40)):
            self.change(key, rng.choice(groups) if groups else "none")

    def change(self, key: str, group: str) -> None:
        rng = self.rng
        consumer = f"c{rng.randrange(6)}"
        some = [f"{rng.randrange(10, self.ms + 2)}-{rng.choice((0, 0, 0, 1))}" for _ in range(8)]
        kind = rng.randrange(15)
        if kind == 0:
            self.add(key, rng.randrange(30))
        elif kind == 1:
            self.say("XDEL", key, *some)
        elif kind == 2:
            self.say("XTRIM", key, "MAXLEN", rng.choice(("=", "~")), rng.randrange(400))
        elif kind == 3:
            self.say("XTRIM", key, "MINID", rng.choice(("=", "~")), some[0])
        elif kind in (4, 5, 6, 7):
            count = rng.choice((1, 7, 60))
            noack = ("NOACK",) if rng.random() < 0.1 else ()
            self.say("XREADGROUP", "GROUP", group, consumer, "COUNT", count, *noack,
                     "STREAMS", key, ">")  # fmt: skip
        elif kind == 8:
            self.say("XACK", key, group, *some)
        elif kind == 9:
            at = rng.randrange(1, 2_000_000_000_000)
            self.say("XCLAIM", key, group, consumer, 0, *some, "TIME", at, "RETRYCOUNT",
                     rng.choice((0, 3, 2**40)), *rng.choice((("FORCE",), ())))  # fmt: skip
        elif kind == 10:
            self.say("XAUTOCLAIM", key, group, consumer, 0, some[0], "COUNT", 9)
        elif kind == 11:
            self.say("XGROUP", "CREATECONSUMER", key, group, consumer)
        elif kind == 12:
            self.say("XGROUP", "DELCONSUMER", key, group, consumer)
        elif kind == 13:
            self.say("XGROUP", "SETID", key, group, some[0], "ENTRIESREAD", rng.choice((-1, 0, 1)))
        else:
            self.say("XSETID", key, f"{self.ms + 5}-0", "ENTRIESADDED", 100_000, "MAXDELETEDID",
                     some[0])  # fmt: skip

    def others(self) -> dict[bytes, str]:
        """Keys of all types that are skipped, in every encoding; the name of the type of each."""
        words = [b"%d" % i if i % 3 else b"word %d" % i * (i % 9) for i in range(901)]
        many, few, numbers = words[1:], words[1:9], [b"%d" % i for i in range(50)]
        said: list[tuple[Word, ...]] = [
            ("SADD", "set small", *few), ("SADD", "set", *many), ("SADD", "set ints", *numbers),
            ("ZADD", "zset small", 1, "a", "-inf", "b", "1.5", "c"),
            ("ZADD", "zset", *[part for i, w in enumerate(many) for part in (i / 7, w)]),
            ("HSET", "hash small", *few), ("HSET", "hash", *many),
            ("HSET", "hash ttl small", *few), ("HSET", "hash ttl", *many),
            ("HEXPIRE", "hash ttl small", 1000, "FIELDS", 2, *few[:4:2]),
            ("HEXPIRE", "hash ttl", 100_000, "FIELDS", 3, *many[:6:2]),
            ("PFADD", "hll", *few), ("SETBIT", "bits", 100_000, 1),
        ]  # fmt: skip
        for request in said:
            self.connection.ok(*request)
        return {bytes(str(w[1]), "ascii"): str(w[1]).split()[0] for w in said[:9]}


def compare(ours: Client, theirs: Connection, key: bytes) -> None:
    """Everything that both tell of a stream."""
    same(ours, theirs, "TYPE", key)
    same(ours, theirs, "PEXPIRETIME", key)
    if same(ours, theirs, "TYPE", key)[1] != b"stream":
        same(ours, theirs, "GET", key)
        return
    same(ours, theirs, "XRANGE", key, "-", "+")
    same(ours, theirs, "XREVRANGE", key, "+", "-", "COUNT", 5)
    same(ours, theirs, "XINFO", "STREAM", key)
    full = same(ours, theirs, "XINFO", "STREAM", key, "FULL", "COUNT", 0)
    for group in pairs(full)[b"groups"][1]:
        name = pairs(group)[b"name"][1]
        same(ours, theirs, "XINFO", "CONSUMERS", key, name)
        same(ours, theirs, "XPENDING", key, name)
        same(ours, theirs, "XPENDING", key, name, "-", "+", 1000)
    same(ours, theirs, "XINFO", "GROUPS", key)


def go_on(ours: Client, theirs: Connection, key: bytes, rng: random.Random) -> None:
    """The streams go on alike: where nodes end, who gets what, which comes next."""
    for turn in range(4):
        length = ours.ok("XLEN", key)
        same(ours, theirs, "XTRIM", key, "MAXLEN", "~", rng.randrange(length + 1))
        same(ours, theirs, "XTRIM", key, "MINID", "~", rng.randrange(2000))
        same(ours, theirs, "XADD", key, f"9000000000{turn}-*", "f", "v" * rng.randrange(2000))
        same(ours, theirs, "XADD", key, f"9000000001{turn}-*", b"f", b"12")
        for i in range(30):
            same(ours, theirs, "XADD", key, f"9{turn}00000000{i:02}-*", "name", b"%d" % i)
    groups = ours.ok("XINFO", "GROUPS", key)
    for group in (row[1] for row in groups):
        same(ours, theirs, "XAUTOCLAIM", key, group, "new", 0, "0", "COUNT", 20, "JUSTID")
        same(ours, theirs, "XREADGROUP", "GROUP", group, "new", "COUNT", 3, "STREAMS", key, ">")
        same(ours, theirs, "XPENDING", key, group)
    same(ours, theirs, "XRANGE", key, "-", "+")


@pytest.mark.parametrize("seed", range(6))
def test_files_of_a_real_server(theirs: Server, directory: Path, seed: int) -> None:
    rng = random.Random(seed)
    connection = theirs.connect()
    scribbler = Scribbler(connection, rng)
    connection.ok("CONFIG", "SET", "rdbcompression", ("yes", "no")[seed % 2])
    if seed >= 2:
        connection.ok("CONFIG", "SET", "stream-node-max-entries", rng.choice((0, 1, 10, 1000)))
        connection.ok("CONFIG", "SET", "stream-node-max-bytes", rng.choice((0, 300, 100_000)))
    left_out: dict[bytes, str] = {}
    for db in (0, 3, 15):
        connection.ok("SELECT", db)
        for i in range(3):
            key = f"s{i}"
            scribbler.stream(key)
            if rng.random() < 0.4:
                connection.call("PEXPIRE", key, rng.randrange(10**6, 10**12))
        for i, value in enumerate(VALUES):
            connection.ok("SET", f"k{i}", value, *(("EX", 1000 + i) if i % 5 == 0 else ()))
        if db == 3:
            left_out = scribbler.others()
            library = "#!lua name=lib\nredis.register_function('fn', function() return 1 end)"
            connection.ok("FUNCTION", "LOAD", library)
    connection.ok("SAVE")
    data = (directory / "dump.rdb").read_bytes()
    with pytest.raises(RdbError, match="3 set"):
        load(data)
    sink = load(data, skip_unknown=True, budget_us=rng.choice((0, 100, 10**6)))
    assert {key: name for _, key, name in sink.left_out} == left_out
    assert all(db == 3 for db, _, _ in sink.left_out)
    assert len(sink.functions) == 1
    assert dict(sink.aux_fields)[b"redis-ver"]
    for loaded in sink.keys.values():
        if isinstance(loaded, Stream):
            check_stream(loaded)
    embedded = same_moment()
    for name in ("stream-node-max-entries", "stream-node-max-bytes"):
        limit = connection.ok("CONFIG", "GET", name)[1]
        embedded.main.ok("CONFIG", "SET", name, limit)
    put_in(embedded, sink)
    for db in (0, 3, 15):
        same(embedded.main, connection, "SELECT", db)
        ours = {key for index, key in sink.keys if index == db}
        assert ours == set(connection.ok("KEYS", "*")) - (set(left_out) if db == 3 else set())
        for key in sorted(ours):
            compare(embedded.main, connection, key)
            if key.startswith(b"s"):
                # DUMP and RESTORE carry the same.
                payload = connection.ok("DUMP", key)
                embedded.main.ok("RESTORE", b"copy", 0, payload, "REPLACE")
                assert no_clock(
                    embedded.main.call("XINFO", "STREAM", b"copy", "FULL", "COUNT", 0)
                ) == no_clock(connection.call("XINFO", "STREAM", key, "FULL", "COUNT", 0))
                go_on(embedded.main, connection, key, rng)


def test_broken_files_of_a_real_server(theirs: Server, directory: Path) -> None:
    """Only ever RdbError; without the CRC what comes through is sound in itself."""
    rng = random.Random(7)
    connection = theirs.connect()
    scribbler = Scribbler(connection, rng)
    for i in range(3):
        scribbler.stream(f"s{i}")
    connection.ok("RPUSH", "l", "a", "b")
    connection.ok("HSET", "h", "a", "b")
    connection.ok("SAVE")
    data = (directory / "dump.rdb").read_bytes()
    load(data, skip_unknown=True)
    for _ in range(25):
        broken = bytearray(data)
        broken[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        with pytest.raises(RdbError):
            load(bytes(broken), skip_unknown=True)
        with pytest.raises(RdbError):
            load(data[: rng.randrange(len(data))], skip_unknown=True)
        try:
            sink = load(bytes(broken), skip_unknown=True, checksum=False)
        except RdbError:
            continue
        for value in sink.keys.values():
            if isinstance(value, Stream):
                check_stream(value)


# --- older versions, which the reference reads as well ---


def old_stream(rng: random.Random) -> made.StreamBytes:
    """A stream that any version can hold, with groups in all places."""
    ids = sorted(rng.sample([(ms, seq) for ms in range(1, 30) for seq in (0, 1)], 12))
    entries = [(one, [(b"f", b"%d" % i)], rng.random() < 0.3) for i, one in enumerate(ids)]
    live = [one for one, _, deleted in entries if not deleted]
    stream = made.StreamBytes(
        [made.node(part) for part in (entries[:5], entries[5:]) if not all(e[2] for e in part)],
        len(live),
        rng.choice((ids[11], (40, 0))),
        live[0] if live else (0, 0),
        rng.choice(((0, 0), ids[3], ids[11])),
        rng.choice((len(live), 12, 1000)),
    )
    for i in range(4):
        last = rng.choice(((0, 0), *ids, (35, 0), (50, 0)))
        owned = rng.sample(ids, 4)
        group = GroupBytes(b"g%d" % i, last, rng.choice((made.MAX, 0, 1, len(live))))
        group.pending = [(one, rng.randrange(10**12), rng.randrange(5)) for one in sorted(owned)]
        group.consumers = [
            ConsumerBytes(b"a", sorted(owned[:2]), 1_600_000_000_000, 1_500_000_000_000),
            ConsumerBytes(b"b", sorted(owned[2:]), 1_600_000_000_001, -1),
        ]
        stream.groups.append(group)
    return stream


@pytest.mark.parametrize("version", [1, 2, 3])
def test_payloads_of_older_versions(theirs: Server, version: int) -> None:
    rng = random.Random(version)
    connection = theirs.connect()
    embedded = same_moment()
    for _ in range(60):
        payload = made.stream_payload(old_stream(rng), version)
        same(embedded.main, connection, "RESTORE", "s", 0, payload, "REPLACE")
        compare(embedded.main, connection, b"s")


def test_restore_refuses_as_the_real_server_does(theirs: Server) -> None:
    connection = theirs.connect()
    embedded = same_moment()
    ours = embedded.main
    same(ours, connection, "SET", "k", "v")
    good = connection.ok("DUMP", "k")
    flipped = bytes([good[0] ^ 1]) + good[1:]
    options: list[tuple[Word, ...]] = [
        (), ("REPLACE",), ("ABSTTL",), ("abstTL", "replace"), ("IDLETIME", 5), ("IDLETIME", -1),
        ("IDLETIME",), ("FREQ", 255), ("FREQ", 256), ("FREQ", -1), ("FREQ", "x"), ("FREQ",),
        ("IDLETIME", 1, "FREQ", 1), ("FREQ", 1, "IDLETIME", 1), ("IDLETIME", 1, "IDLETIME", 2),
        ("REPLACE", "IDLETIME", 2**62), ("NONSENSE",), ("REPLACE", "REPLACE"),
    ]  # fmt: skip
    payloads = [
        good, flipped, b"", b"short", good[:-1], made.payload(0, b"\x40\xffa"),
        made.payload(0, b"\x01a", 1), made.payload(21, b"\x00"), made.payload(99, b"\x00"),
        made.payload(0, b"\x01a", 200), made.payload(0, b"\xc3\x05\x10\x00a\xe0\x06\x00"),
    ]  # fmt: skip
    for key in ("k", "new"):
        for ttl in (0, 10**7, -1, "x", 60_000, 2**63 - 1, 2**63):
            for payload in payloads:
                for option in options:
                    same(ours, connection, "RESTORE", key, ttl, payload, *option)
                    same(ours, connection, "GET", key)
                    same(ours, connection, "DEL", "new")
                    same(ours, connection, "SET", "k", "v")
