"""docs/guides/replay-from-yesterday-noon.md says what happens."""

from __future__ import annotations

from datetime import UTC, datetime

from support.embedded import NOW_MS, Embedded
from support.guides import rendered, steps


def test_every_command_of_the_guide() -> None:
    world = Embedded()
    today = datetime(2026, 11, 23, 9, tzinfo=UTC)
    world.clock.advance(int(today.timestamp()) * 1000 - NOW_MS)
    told = list(steps("replay-from-yesterday-noon.md"))
    assert len(told) > 10
    for words, shown in told:
        assert rendered(world.main.call(*words)) == shown, words
