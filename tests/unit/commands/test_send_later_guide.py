"""docs/guides/send-later.md says what happens."""

from __future__ import annotations

from support.embedded import Embedded
from support.guides import rendered, steps

TEN_MINUTES_MS = 600_000


def test_every_command_of_the_guide() -> None:
    world = Embedded()
    told = list(steps("send-later.md"))
    assert len(told) > 8
    for words, shown in told:
        if words[0] == "XREAD":
            world.pass_ms(TEN_MINUTES_MS)
        assert rendered(world.main.call(*words)) == shown, words
