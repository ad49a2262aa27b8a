"""docs/guides/in-order-per-customer.md says what happens."""

from __future__ import annotations

from support.embedded import Embedded
from support.guides import rendered, steps


def test_every_command_of_the_guide() -> None:
    world = Embedded()
    told = list(steps("in-order-per-customer.md"))
    assert len(told) > 10
    for words, shown in told:
        assert rendered(world.main.call(*words)) == shown, words
