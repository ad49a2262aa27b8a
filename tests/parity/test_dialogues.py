"""Every recorded dialogue gets the recorded answers, error texts included."""

from __future__ import annotations

import pytest

from parity import dialogues
from parity.dialogues import Dialogue
from support.servers import Server

SCRIPTS = {"EVAL", "EVAL_RO", "EVALSHA", "EVALSHA_RO", "SCRIPT", "FCALL", "FCALL_RO", "FUNCTION"}


def named(dialogue: Dialogue) -> str:
    return dialogue.name


@pytest.mark.parametrize("dialogue", dialogues.load("streams"), ids=named)
def test_streams(dialogue: Dialogue, headwater: Server) -> None:
    dialogues.play(dialogue, headwater)


@pytest.mark.parametrize("dialogue", dialogues.load("blocking"), ids=named)
def test_blocking(dialogue: Dialogue, headwater: Server) -> None:
    """Those with scripts are played up to the first script."""
    dialogues.play(dialogue.until(lambda name: name not in SCRIPTS), headwater)


@pytest.mark.parametrize("dialogue", dialogues.load("core"), ids=named)
def test_core(dialogue: Dialogue, headwater: Server) -> None:
    """Strings, keys and transactions: up to the first command that Headwater does not have."""
    known = {name.upper().decode() for name in headwater.connect().ok("COMMAND", "LIST")}
    # A name that the recorded server did not know either is part of the dialogue.
    unknown = dialogue.commands() & {"NOSUCH"}
    dialogues.play(dialogue.until(lambda name: name in known or name in unknown), headwater)


def test_all_dialogues_are_here() -> None:
    counts = {name: len(dialogues.load(name)) for name in ("streams", "blocking", "core")}
    assert counts == {"streams": 400, "blocking": 150, "core": 249}
    with_scripts = [one for one in dialogues.load("blocking") if one.commands() & SCRIPTS]
    assert len(with_scripts) == 21
