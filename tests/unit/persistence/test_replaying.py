"""Single commands and what a start makes of their records; test_restarts_machine.py tries many."""

from __future__ import annotations

from support.disk import SimulatedDisk
from support.durable import DIRECTORY, DurableEngine
from support.wire import Word

MOST = 2**63 - 1


def started() -> DurableEngine:
    return DurableEngine(SimulatedDisk(DIRECTORY), enable_debug_command="yes")


def killed(store: DurableEngine) -> DurableEngine:
    """The next life, behind a kill; it holds what this one held."""
    store.settle()
    assert store.released
    store.disk.kill()
    again = DurableEngine(store.disk, store.clock.now_ms, enable_debug_command="yes")
    assert again.digest() == store.digest()
    return again


def rewritten(store: DurableEngine) -> DurableEngine:
    """The next life, behind a rewrite and a kill."""
    store.ok("BGREWRITEAOF")
    return killed(store)


def say(store: DurableEngine, *lines: str) -> None:
    for line in lines:
        store.ok(*line.split())


def test_counters_at_their_highest_can_be_loaded() -> None:
    """Neither the journal nor a snapshot holds more than 63 bits, and nothing counts further."""
    store = started()
    say(
        store,
        "XADD s 1-1 f v",
        f"XSETID s 1-1 ENTRIESADDED {MOST}",
        f"XGROUP CREATE s g 1-1 ENTRIESREAD {MOST}",
        f"XGROUP CREATE s h 1-1 ENTRIESREAD {MOST}",
        "XADD s 2-1 f v",
        "XREADGROUP GROUP g c STREAMS s >",
        "XREADGROUP GROUP h c NOACK STREAMS s >",
        "XCLAIM s g c 0 2-1 LASTID 2-2",
        "XCLAIM s h c 0 2-1 LASTID 2-2",
        "XSETID s 3-1",
    )
    assert store.state.unexpected_errors == 0
    store = rewritten(killed(store))
    say(store, "XADD s 4-1 f v", "XSETID s 5-1", "XREADGROUP GROUP g c STREAMS s >")
    killed(store).stop()


def test_the_journal_is_not_loaded_in_the_middle_of_exec() -> None:
    """What EXEC has done so far is not in it."""
    store = started()
    say(store, "XADD s 1-1 f v", "MULTI", "XADD s 2-1 f v", "DEBUG LOADAOF", "XADD s 3-1 f v")
    replies = store.ok("EXEC")
    assert replies[1] == ("-", b"ERR Command not allowed inside a transaction")
    assert store.ok("XLEN", "s") == 3
    assert killed(store).ok("XLEN", "s") == 3


def test_snapshots_in_the_middle_of_exec() -> None:
    words: list[tuple[Word, ...]] = [
        ("XADD", "s", "1-1", "f", "v"),
        ("BGREWRITEAOF",),
        ("DEBUG", "RELOAD"),
        ("XADD", "s", "2-1", "f", "v"),
        ("BGSAVE",),
        ("XGROUP", "CREATE", "s", "g", "0"),
    ]
    store = started()
    store.ok("MULTI")
    for one in words:
        store.ok(*one)
    assert all(reply[0] != "-" for reply in store.ok("EXEC"))
    store.pass_ms(300)
    store = killed(store)
    assert store.ok("XLEN", "s") == 2
    store.stop()


def test_the_journal_switched_off_and_on_in_the_middle_of_exec() -> None:
    store = started()
    say(
        store,
        "XADD s 1-1 f v",
        "MULTI",
        "XADD s 2-1 f v",
        "CONFIG SET appendonly no",
        "XADD s 3-1 f v",
        "CONFIG SET appendonly yes",
        "XADD s 4-1 f v",
    )
    assert all(reply[0] != "-" for reply in store.ok("EXEC"))
    store.pass_ms(300)
    assert killed(store).ok("XLEN", "s") == 4


def test_keys_that_expired_between_base_and_segment() -> None:
    """The base has a key whose time is over; the segment says that it went, and came again."""
    store = started()
    say(store, "XADD s 1-1 f v", "PEXPIRE s 50", "SET k v PX 50", "DEBUG SET-ACTIVE-EXPIRE 0")
    store = rewritten(store)
    say(store, "DEBUG SET-ACTIVE-EXPIRE 0")
    store.clock.advance(100)
    say(store, "XADD s 1-1 f new", "GET k", "COPY s t", "RENAME t k")
    store = killed(store)
    assert store.ok("XLEN", "s") == store.ok("XLEN", "k") == 1
    store.stop()


def test_databases_swapped_and_moved_between_records_of_one_transaction() -> None:
    store = started()
    say(
        store,
        "XADD s 1-1 f v",
        "XGROUP CREATE s g 0",
        "XREADGROUP GROUP g c STREAMS s >",
        "MULTI",
        "XADD s 2-1 f v",
        "XDEL s 1-1",
        "SWAPDB 0 1",
        "XADD s 9-1 f v",
        "SELECT 1",
        "XDEL s 2-1",
        "XACK s g 1-1",
        "RENAME s t",
        "XADD s 1-1 f v",
        "MOVE t 2",
        "FLUSHDB",
        "XADD s 1-1 f v",
    )
    assert all(reply[0] != "-" for reply in store.ok("EXEC"))
    killed(store).stop()
