"""The recorded dialogues, over a session of a store in this process instead of a socket.

HEADWATER_TEST_SUBJECT=embedded has all of tests/parity use this door.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from parity import dialogues
from support.embedded_door import EmbeddedServer


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    directory: Path = tmp_path_factory.mktemp("embedded")
    flags = ("--enable-debug-command", "yes", "--appendonly", "yes", "--appendfsync", "always")
    server = EmbeddedServer(directory, flags)
    yield server
    server.stop()


@pytest.mark.parametrize("part", ["streams", "blocking", "core"])
def test_every_dialogue(part: str, store: EmbeddedServer) -> None:
    for dialogue in dialogues.load(part):
        dialogues.play(dialogue, store)  # type: ignore[arg-type]
        store.close_connections()
