"""docs/guides/retry-and-dead-letters.md says what happens."""

from __future__ import annotations

from support.embedded import NOW_MS, Embedded
from support.guides import rendered, steps


def test_every_command_of_the_guide() -> None:
    world = Embedded()
    world.clock.advance(1_795_258_800_000 - NOW_MS)
    told = list(steps("retry-and-dead-letters.md"))
    assert len(told) > 10
    for words, shown in told:
        assert rendered(world.main.call(*words)) == shown, words
