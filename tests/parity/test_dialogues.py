"""Every recorded dialogue gets the recorded answers, error texts included."""

from __future__ import annotations

import pytest

from parity import dialogues
from parity.dialogues import Dialogue
from support.servers import Server


def named(dialogue: Dialogue) -> str:
    return dialogue.name


@pytest.mark.parametrize("dialogue", dialogues.load("streams"), ids=named)
def test_streams(dialogue: Dialogue, headwater: Server) -> None:
    dialogues.play(dialogue, headwater)


@pytest.mark.parametrize("dialogue", dialogues.load("blocking"), ids=named)
def test_blocking(dialogue: Dialogue, headwater: Server) -> None:
    dialogues.play(dialogue, headwater)


@pytest.mark.parametrize("dialogue", dialogues.load("core"), ids=named)
def test_core(dialogue: Dialogue, headwater: Server) -> None:
    dialogues.play(dialogue, headwater)


def test_all_dialogues_are_here() -> None:
    counts = {name: len(dialogues.load(name)) for name in ("streams", "blocking", "core")}
    assert counts == {"streams": 400, "blocking": 150, "core": 249}
    with_scripts = [one for one in dialogues.load("blocking") if one.commands() & {"EVAL"}]
    assert len(with_scripts) == 21
