"""When the server looks after streams with settings, and when what is due has to wait."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from headwater.commands.upkeep import RETRY_MS
from support.embedded import Embedded

MINUTE_MS = 60_000


def run(world: Embedded, line: str) -> object:
    return world.main.ok(*line.split())


@pytest.fixture
def world() -> Embedded:
    """Soon there is to be done: a dead letter, a retention, an idle consumer and a group."""
    world = Embedded()
    run(world, "XADD s 1-0 f v")
    run(world, "XGROUP CREATE s g 0")
    run(world, "XGROUP CFGSET s g ACKWAIT 1000 MAXDELIVERIES 1")
    run(world, "XGROUP CREATE s h 0")
    run(world, "XGROUP CREATECONSUMER s h c")
    run(world, "XGROUP CFGSET s h CONSUMERTTL 1000")
    run(world, "XGROUP CREATE s i 0")
    run(world, "XGROUP CFGSET s i GROUPTTL 1000")
    run(world, "XREADGROUP GROUP g a STREAMS s >")
    run(world, "XADD old * f v")
    run(world, "XCFGSET old RETAIN-MAXAGE 1000")
    world.pass_ms(0)
    return world


def state_of(world: Embedded) -> tuple[object, ...]:
    return (
        run(world, "XLEN s:dead-letter"),
        run(world, "XLEN old"),
        world.main.ok("XINFO", "CONSUMERS", "s", "h") == [],
        len(world.main.ok("XINFO", "GROUPS", "s")),
    )


BEFORE, AFTER = (0, 1, False, 3), (1, 0, True, 2)


def pause(world: Embedded) -> None:
    run(world, f"CLIENT PAUSE {10 * MINUTE_MS} WRITE")


def unpause(world: Embedded) -> None:
    run(world, "CLIENT UNPAUSE")


def refuse(world: Embedded) -> None:
    world.state.write_refusal = b"MISCONF no room"


def accept(world: Embedded) -> None:
    world.state.write_refusal = b""


@pytest.mark.parametrize(("begin", "end"), [(pause, unpause), (refuse, accept)])
def test_nothing_is_changed_while_changes_are_refused(
    world: Embedded, begin: Callable[[Embedded], None], end: Callable[[Embedded], None]
) -> None:
    begin(world)
    for _ in range(5):
        world.pass_ms(MINUTE_MS)
        assert state_of(world) == BEFORE
        assert world.engine.next_ms() == world.clock.now_ms + RETRY_MS
    end(world)
    for _ in range(4):
        world.pass_ms(RETRY_MS)
    assert state_of(world) == AFTER


def test_nothing_is_changed_while_all_clients_are_paused(world: Embedded) -> None:
    run(world, f"CLIENT PAUSE {MINUTE_MS} ALL")
    world.pass_ms(2000)
    assert world.state.keyspace.databases[0].values.get(b"s:dead-letter") is None
    world.pass_ms(10 * MINUTE_MS)
    world.pass_ms(RETRY_MS)
    assert run(world, "XLEN s:dead-letter") == 1


def test_a_fault_while_one_stream_is_looked_after_strands_none(
    world: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr("headwater.commands.upkeep.PARTS", ((fail, fail),))
        for _ in range(2):
            world.clock.advance(10 * MINUTE_MS)
            with pytest.raises(MemoryError):
                world.engine.run_due()
    for _ in range(4):
        world.pass_ms(RETRY_MS)
    assert state_of(world) == AFTER


def test_a_clock_that_was_set_forward_makes_the_tick_ring(world: Embedded) -> None:
    told: list[int] = []
    waiters = world.engine.waiters
    waiters.on_earlier = told.append
    waiters.timer_ms = world.engine.next_ms()  # the server's timer is set for this
    world.engine.tick()
    assert told == []
    world.clock.advance(60 * MINUTE_MS)
    world.engine.tick()
    assert told == [0]
