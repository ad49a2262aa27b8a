"""docs/guides/dead-consumers.md says what happens."""

from __future__ import annotations

import re
import shlex

from support.embedded import Client, Embedded
from support.guides import GUIDES, rendered

LINE = re.compile(r"    (?:(?P<who>[\w-]+)> (?P<command>.*)|\((?P<happens>.*)\)|(?P<shown>.*))")
HOUR_MS = 3_600_000


def test_every_command_of_the_guide() -> None:
    world = Embedded()
    clients: dict[str, Client] = {}
    told = 0
    reply: list[str] | None = None
    shown: list[str] = []
    for line in (GUIDES / "dead-consumers.md").read_text().split("\n"):
        found = LINE.fullmatch(line)
        if found is not None and found["shown"] is not None:
            shown.append(found["shown"])
            continue
        if reply is not None:
            assert shown == reply, line
        shown.clear()
        reply = None
        if found is None:
            continue
        if found["command"] is not None:
            told += 1
            client = clients.setdefault(found["who"], world.connect())
            reply = rendered(client.call(*shlex.split(found["command"]))).split("\n")
        elif found["happens"] == "worker-1 is killed":
            clients.pop("worker-1").session.close()
        elif found["happens"] == "an hour passes":
            world.pass_ms(HOUR_MS)
        elif found["happens"] == "a week passes":
            world.pass_ms(7 * 24 * HOUR_MS)
        else:
            raise AssertionError(f"what is {line!r}?")
    assert told > 12
