"""docs/guides/schemas.md says what happens."""

from __future__ import annotations

import pytest

from support.embedded import Embedded
from support.guides import rendered, steps

pytest.importorskip("jsonschema_rs")


def test_every_command_of_the_guide() -> None:
    world = Embedded()
    told = list(steps("schemas.md"))
    assert len(told) > 10
    for words, shown in told:
        assert rendered(world.main.call(*words)) == shown, words
