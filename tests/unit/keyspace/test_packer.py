"""Packing in an engine: what commands see of it, pace, the thread, settings, the end."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from headwater.keyspace import packer as packer_module
from headwater.keyspace.packer import PackThread
from headwater.streams.block import RAW, REFUSED
from headwater.streams.packing import AGE_MS
from support.packing import Packing, forms, live_blocks


def engine(depth: int = 1) -> Packing:
    return Packing(
        stream_compress_depth=str(depth), stream_node_max_entries="10", enable_debug_command="yes"
    )


@pytest.fixture
def packing() -> Packing:
    return engine()


def fill(packing: Packing, key: str = "s", count: int = 100, first: int = 1) -> None:
    for number in range(first, first + count):
        packing.main.ok("XADD", key, f"{number}-1", "name", f"value-{number}", "kind", "x" * 30)


def info(packing: Packing) -> dict[str, int]:
    lines = packing.main.ok("INFO", "memory").decode().split("\r\n")
    pairs = dict(line.split(":", 1) for line in lines if ":" in line)
    return {name: int(pairs[name]) for name in pairs if name.startswith("stream_")}


def test_old_blocks_are_packed_and_read_as_before(packing: Packing) -> None:
    fill(packing)
    before = packing.main.ok("XRANGE", "s", "-", "+")
    packing.settle()
    assert forms(packing.stream("s")) == "P" * 9 + "r"
    assert packing.main.ok("XRANGE", "s", "-", "+") == before
    assert packing.main.ok("XREVRANGE", "s", "+", "-") == before[::-1]
    assert packing.main.ok("XRANGE", "s", "33", "47", "COUNT", 5) == before[32:37]


def test_info_tells(packing: Packing) -> None:
    fill(packing)
    assert info(packing)["stream_packing_pending"] == 1
    packing.settle()
    told = info(packing)
    assert told["stream_packed_blocks"] == 9
    assert 0 < told["stream_packed_bytes"] < told["stream_packed_raw_bytes"] // 3
    assert told["stream_packing_pending"] == 0
    assert told["stream_unpacked_blocks"] == 0
    packing.main.ok("XRANGE", "s", "15", "15")
    told = info(packing)
    assert told["stream_unpacked_blocks"] == 1
    assert told["stream_unpacked_kept_bytes"] > 500
    for _ in range(3):
        packing.pass_ms(packer_module.KEEP_MS + 100)
    assert info(packing)["stream_unpacked_kept_bytes"] == 0
    packing.main.ok("DEL", "s")
    packing.pass_ms(1000)
    assert info(packing)["stream_packed_blocks"] == 0


def test_memory_usage_shrinks(packing: Packing) -> None:
    fill(packing)
    before = packing.main.ok("MEMORY", "USAGE", "s")
    packing.settle()
    assert packing.main.ok("MEMORY", "USAGE", "s") < before


def test_nothing_is_packed_at_depth_zero() -> None:
    packing = engine(0)
    fill(packing)
    packing.settle()
    assert forms(packing.stream("s")) == "r" * 10


def test_the_depth_changes_at_run_time(packing: Packing) -> None:
    packing.main.ok("CONFIG", "SET", "stream-compress-depth", 0)
    fill(packing, "a")
    fill(packing, "b")
    packing.main.ok("SET", "string", "value")
    packing.main.ok("SELECT", 3)
    fill(packing, "c")
    packing.main.ok("SELECT", 0)
    packing.settle()
    packing.main.ok("CONFIG", "SET", "stream-compress-depth", 4)
    packing.settle()
    assert forms(packing.stream("a")) == "P" * 6 + "rrrr"
    assert forms(packing.stream("c", 3)) == "P" * 6 + "rrrr"
    packing.main.ok("CONFIG", "SET", "stream-compress-depth", 2)
    packing.settle()
    assert forms(packing.stream("b")) == "P" * 8 + "rr"
    packing.main.ok("CONFIG", "SET", "stream-compress-depth", 5)
    fill(packing, "a", 50, 101)
    packing.settle()
    assert forms(packing.stream("a")) == "P" * 10 + "rrrrr"
    packing.main.ok("CONFIG", "SET", "stream-compress-depth", 0)
    fill(packing, "a", 50, 151)
    packing.settle()
    assert forms(packing.stream("a")) == "P" * 10 + "r" * 10, "what is packed stays so"


def test_many_keys_are_looked_at_in_turns(packing: Packing, monkeypatch: Any) -> None:
    monkeypatch.setattr(packer_module, "WALK_KEYS", 3)
    packing.main.ok("CONFIG", "SET", "stream-compress-depth", 0)
    for number in range(10):
        fill(packing, f"s{number}", 30)
    packing.main.ok("CONFIG", "SET", "stream-compress-depth", 1)
    packing.main.ok("DEL", "s4")
    packing.settle()
    assert info(packing)["stream_packed_blocks"] == 18


def test_what_does_not_pay_stays_as_it_is(packing: Packing) -> None:
    import random

    rng = random.Random(1)
    for number in range(1, 41):
        packing.main.ok("XADD", "s", f"{number}-1", "f", rng.randbytes(400))
    packing.settle()
    packing.settle()
    assert [block.form for block in live_blocks(packing.stream("s"))] == [REFUSED] * 4 + [0]
    done = packing.worker.done
    for number in range(41, 48):
        packing.main.ok("XADD", "s", f"{number}-1", "f", rng.randbytes(400))
    packing.settle()
    assert packing.worker.done == done + 1, "only the new one is tried"


def test_a_failure_leaves_blocks_as_they_are(packing: Packing, caplog: Any) -> None:
    def fail(texts: object) -> None:
        raise MemoryError("no room")

    compress, packing.packer._compress = packing.packer._load(), fail
    fill(packing)
    packing.settle()
    assert forms(packing.stream("s")) == "r" * 10
    assert "could not be compressed" in caplog.text
    packing.packer._compress = compress
    fill(packing, "s", 20, 101)
    packing.settle()
    assert forms(packing.stream("s"))[-3:] == "PPr"


@pytest.mark.parametrize("what", ["copying", "thread", "library"])
def test_a_batch_that_does_not_even_begin(packing: Packing, caplog: Any, what: str) -> None:
    """Nothing waits for it for ever, and the error is told."""

    def fail(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    with pytest.MonkeyPatch.context() as patch:
        if what == "thread":
            packing.packer.worker = PackThread()
            patch.setattr(threading.Thread, "start", fail)
        elif what == "library":
            patch.setitem(sys.modules, "zstandard", None)
        else:
            patch.setattr(packing.packer, "_compress", object())
            patch.setattr(packer_module, "pack_all", fail)
        fill(packing)
        packing.pass_ms(AGE_MS + 100)
        assert packing.packer.work() == (
            packer_module.AFTER_ERROR_S if what != "copying" else packer_module.BUSY_S
        )
        if what == "copying":
            assert packing.packer.work() == packer_module.AFTER_ERROR_S
        assert packing.packer.work() is None
        assert not packing.packer.has_work()
    assert "could not be compressed" in caplog.text
    assert forms(packing.stream("s")) == "r" * 10
    assert {block.form for block in live_blocks(packing.stream("s"))} == {RAW}
    if what == "library":
        assert "stream-compress-depth" in caplog.text
        assert packing.packer.registry.depth == 0
        return
    packing.packer._compress = None
    fill(packing, "s", 20, 101)
    packing.settle()
    assert forms(packing.stream("s"))[-3:] == "PPr"
    packing.packer.close()


@pytest.mark.parametrize(
    "words",
    [
        ("DEL", "s"),
        ("FLUSHALL",),
        ("XTRIM", "s", "MAXLEN", 0),
        ("RENAME", "s", "t"),
        ("XDEL", "s", "35-1", "36-1", "95-1"),
        ("XTRIM", "s", "MAXLEN", 37),
        ("SET", "s", "a string"),
        ("SWAPDB", 0, 1),
        ("COPY", "s", "t"),
    ],
)
@pytest.mark.parametrize("moment", ["listed", "taken", "packed"])
def test_commands_at_any_moment(packing: Packing, words: tuple[Any, ...], moment: str) -> None:
    plain = engine(0)
    for one in (packing, plain):
        fill(one)
        one.pass_ms(100 if moment == "listed" else AGE_MS + 100)
        if moment != "listed":
            packing.worker.patience = 0 if moment == "packed" else 10**9
            assert one is plain or packing.packer.work() is not None
        if moment == "packed":
            one.work()
        one.main.ok(*words)
        packing.worker.patience = packing.worker.left = 0
        one.settle()
        for key in ("s", "t"):
            if one.main.ok("TYPE", key) == "stream":
                fill(one, key, 25, 200)
        one.settle()
    assert packing.main.ok("DEBUG", "DIGEST") == plain.main.ok("DEBUG", "DIGEST")
    for key in ("s", "t"):
        if plain.main.ok("TYPE", key) == "stream":
            for read in (("XRANGE", key, "-", "+"), ("XREVRANGE", key, "+", "-"), ("XLEN", key)):
                assert packing.main.ok(*read) == plain.main.ok(*read)
    assert info(packing)["stream_packing_pending"] == 0


def test_a_reply_that_is_being_sent_while_its_blocks_are_packed(packing: Packing) -> None:
    from headwater.streams.range import Pieces

    fill(packing, "s", 300)
    stream = packing.stream("s")
    everything = b"".join(bytes(b.data()[: b.used]) for b in live_blocks(stream))
    for reverse in (False, True):
        run = stream.range(0, 0, 2**64 - 1, 2**64 - 1, -1, False)
        assert run is not None
        source = Pieces(run, reverse)
        read = source.read(1000)
        packing.settle()
        kept = packing.packer.codec.kept_bytes
        while piece := source.read(777):
            read += piece
        assert len(read) == len(everything)
        assert reverse or read == everything
        assert packing.packer.codec.kept_bytes - kept < 5000, "a big reply keeps no copies"
        fill(packing, "s", 50, 301 if not reverse else 351)
        everything = b"".join(bytes(b.data()[: b.used]) for b in live_blocks(stream))
        packing.packer.codec.clear()


def test_dump_copy_and_restore_of_packed_streams(packing: Packing) -> None:
    fill(packing)
    dumped = packing.main.ok("DUMP", "s")
    packing.settle()
    assert packing.main.ok("DUMP", "s") == dumped
    assert packing.packer.codec.kept_bytes < 1000, "a dump keeps no copies but the first block's"
    packing.main.ok("COPY", "s", "copy")
    assert packing.main.ok("DUMP", "copy") == dumped
    packing.main.ok("RESTORE", "restored", 0, dumped)
    packing.settle()
    assert forms(packing.stream("restored")) == "P" * 9 + "r"
    assert packing.main.ok("XRANGE", "restored", "-", "+") == packing.main.ok(
        "XRANGE", "s", "-", "+"
    )


# --- the thread ---


def test_the_thread_does_what_it_is_given() -> None:
    thread = PackThread()
    name = threading.current_thread().name
    thread.submit(lambda: threading.current_thread().name)
    while (found := thread.outcome()) is None:
        pass
    assert found == ("headwater-packing", None)
    assert name != "headwater-packing"

    def fail() -> None:
        raise ValueError("no")

    thread.submit(fail)
    while (found := thread.outcome()) is None:
        pass
    assert isinstance(found[1], ValueError)
    started = thread._thread
    assert started is not None
    thread.close()
    assert not started.is_alive()


def test_the_thread_ends_when_there_is_nothing_to_do(monkeypatch: Any) -> None:
    monkeypatch.setattr(packer_module, "IDLE_S", 0.001)
    thread = PackThread()
    for number in range(3):
        thread.submit(lambda number=number: number)
        while (found := thread.outcome()) is None:
            pass
        assert found == (number, None)
        while thread._thread is not None:
            pass
    thread.close()


def test_with_a_real_thread() -> None:
    packing = engine()
    packing.packer.worker = worker = PackThread()
    fill(packing, "s", 3000)
    before = packing.main.ok("DEBUG", "DIGEST")
    packing.settle()
    assert info(packing)["stream_packed_blocks"] == 299
    assert packing.main.ok("DEBUG", "DIGEST") == before
    started = worker._thread
    packing.packer.close()
    packing.packer.close()
    assert started is None or not started.is_alive()
    assert packing.main.ok("DEBUG", "DIGEST") == before
    fill(packing, "s", 3000, 3001)
    packing.settle()
    assert info(packing)["stream_packed_blocks"] == 299


def test_closed_in_the_middle(packing: Packing) -> None:
    fill(packing)
    packing.worker.patience = 10**9
    packing.pass_ms(AGE_MS + 100)
    assert packing.packer.work() is not None
    packing.packer.close()
    assert packing.worker.closed
    assert packing.packer.work() is None
    assert forms(packing.stream("s")) == "r" * 10


def test_without_a_loop_ticks_are_enough() -> None:
    packing = engine()
    packing.packer.on_work = None
    fill(packing, "s", 3000)
    for _ in range(100):
        packing.pass_ms(200)
    assert info(packing)["stream_packed_blocks"] == 299


# --- pace ---


def test_a_busy_server_packs_less_at_a_time(packing: Packing, monkeypatch: Any) -> None:
    now = 1_000_000
    monkeypatch.setattr(packer_module, "monotonic_us", lambda: now)
    fill(packing, "s", 1000)
    packing.pass_ms(AGE_MS + 100)
    packing.packer.work()
    packing.packer.work()
    packing.pass_ms(AGE_MS + 100)
    packing.main.ok("PING")
    assert packing.packer.work() == packer_module.BUSY_S
    assert len(packing.packer._batch) == packer_module.BUSY_BLOCKS
    now += packer_module.QUIET_US + 1
    assert packing.packer.work() == packer_module.POLL_S
    assert len(packing.packer._batch) == packer_module.QUIET_BLOCKS
    packing.main.ok("PING")
    assert packing.packer.work() == packer_module.BUSY_S
    assert packing.packer._freed > 0


def test_a_batch_is_of_several_streams(packing: Packing) -> None:
    for number in range(100):
        fill(packing, f"s{number}", 30)
    packing.pass_ms(AGE_MS + 100)
    packing.packer.work()
    assert len(packing.packer._batch) == packer_module.BUSY_BLOCKS
    packing.work()
    packing.settle()
    assert info(packing)["stream_packed_blocks"] == 200


def test_streams_with_nothing_to_give_do_not_take_a_long_turn(packing: Packing) -> None:
    for number in range(100):
        fill(packing, f"s{number}", 30)
    for number in range(100):
        packing.main.ok("XTRIM", f"s{number}", "MAXLEN", 10)
    packing.pass_ms(AGE_MS + 100)
    turns = 1
    while packing.packer.work() is not None:
        turns += 1
    assert turns > 100 // packer_module.VISITS
    assert info(packing)["stream_packing_pending"] == 0


def test_an_engine_that_is_closed_leaves_nothing_behind(packing: Packing) -> None:
    fill(packing)
    packing.settle()
    packing.main.ok("XRANGE", "s", "15", "15")
    packing.packer.close()
    assert packing.packer.codec.kept_bytes == 0
    one = packing.main.ok("XRANGE", "s", "15", "15")
    alone = packing.packer.codec.kept_bytes
    assert len(packing.main.ok("XRANGE", "s", "-", "+")) == 100
    assert packing.main.ok("XRANGE", "s", "15", "15") == one
    assert packing.packer.codec.kept_bytes == alone, "only the one that was read last"


class Trimming:
    """Time that only trims and the test take."""

    def __init__(self, monkeypatch: Any, takes_us: int) -> None:
        self.now_us = 1_000_000
        self.takes_us = takes_us
        self.given = 0
        monkeypatch.setattr(packer_module, "monotonic_us", lambda: self.now_us)
        monkeypatch.setattr(packer_module, "cpu_us", lambda: self.now_us)
        monkeypatch.setattr(packer_module, "give_memory_back", self.give)
        monkeypatch.setattr(packer_module, "TRIM_BYTES", 5000)

    def give(self) -> None:
        self.given += 1
        self.now_us += self.takes_us


def test_memory_is_given_back_bit_by_bit(packing: Packing, monkeypatch: Any) -> None:
    trimming = Trimming(monkeypatch, 800)
    fill(packing, "s", 1000)
    packing.settle()
    assert trimming.given > 1
    assert info(packing)["stream_packing_pending"] == 0
    before = trimming.given
    packing.settle()
    assert trimming.given == before, "there is nothing to give back"


def test_long_walks_of_the_allocator_wait_for_quiet(packing: Packing, monkeypatch: Any) -> None:
    trimming = Trimming(monkeypatch, 90_000)
    fill(packing, "s", 1000)
    packing.settle()
    assert trimming.given == 1
    assert info(packing)["stream_packing_pending"] == 1
    assert not packing.packer.has_work()
    for _ in range(30):
        trimming.now_us += 400_000
        packing.main.ok("PING")
        packing.engine.tick()
        assert packing.packer.work() is None
    assert trimming.given == 1, "somebody is there"
    assert info(packing)["stream_packing_pending"] == 1
    packing.engine.tick()
    trimming.now_us += packer_module.TRIM_QUIET_US
    packing.engine.tick()
    packing.work()
    assert trimming.given == 2
    assert info(packing)["stream_packing_pending"] == 0


def test_memory_is_given_back_in_a_real_process() -> None:
    packer_module.give_memory_back()
    assert Path("/").exists()
