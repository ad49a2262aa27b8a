"""Readers that begin to wait while their consumer is at MAXPENDING: woken when it has less."""

from __future__ import annotations

import pytest

from support.embedded import Embedded

FREEING = [
    "XACK s g 1-1",
    "XACKDEL s g IDS 1 1-1",
    "XCLAIM s g bob 0 1-1",
    "XAUTOCLAIM s g bob 0 0 COUNT 1",
    "XREADGROUP GROUP g bob CLAIM 0 COUNT 1 STREAMS s >",
    "XGROUP DELCONSUMER s g ann",
    "XGROUP CFGSET s g MAXPENDING 0",
    "XGROUP RESET s g 2-1 PENDING DROP",
]


def limited_reader(world: Embedded, *settings: str):  # type: ignore[no-untyped-def]
    """A connection of ann, who has 1-1 and waits; 2-1 and 3-1 are there."""
    main = world.main
    for number in (1, 2, 3):
        main.ok("XADD", "s", f"{number}-1", "f", number)
    main.ok("XGROUP", "CREATE", "s", "g", "0")
    main.ok("XGROUP", "CFGSET", "s", "g", "MAXPENDING", 1, "ACKWAIT", 100_000, *settings)
    ann = world.connect()
    ann.ok("XREADGROUP", "GROUP", "g", "ann", "STREAMS", "s", ">")
    ann.send("XREADGROUP", "GROUP", "g", "ann", "BLOCK", 0, "STREAMS", "s", ">")
    assert ann.read_all() == []
    return ann


@pytest.mark.parametrize("settings", ["", "LEASE connection", "ORDERBY f"])
@pytest.mark.parametrize("freeing", FREEING)
def test_whatever_frees_a_place_wakes_the_reader(freeing: str, settings: str) -> None:
    world = Embedded()
    ann = limited_reader(world, *settings.split())
    world.main.ok(*freeing.split())
    world.pass_ms(10)
    assert b"2-1" in repr(ann.read_all()).encode()


def test_others_are_served_meanwhile_and_nobody_is_woken_for_nothing() -> None:
    world = Embedded()
    ann = limited_reader(world)
    bob = world.connect()
    bob.send("XREADGROUP", "GROUP", "g", "bob", "BLOCK", 0, "STREAMS", "s", ">")
    assert b"2-1" in repr(bob.read_all()).encode()
    world.main.ok("XADD", "s", "4-1", "f", 4)
    world.main.ok("XACK", "s", "g", "2-1")
    assert ann.read_all() == []
    world.main.ok("XACK", "s", "g", "1-1")
    assert b"3-1" in repr(ann.read_all()).encode()
