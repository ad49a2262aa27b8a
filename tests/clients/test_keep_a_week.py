"""docs/guides/keep-a-week.md: every command of it, said with redis-py to a real server."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import redis

from support.servers import Server

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "keep-a-week.md"
OLD, NEW = "1795258800000-0", "1795521600000-0"  # IDs in the guide: three days ago, and now
WAIT_SECONDS = 20


def soon(found: Callable[[], Any], wanted: Any) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while (last := found()) != wanted:
        assert time.monotonic() < deadline, f"{last!r} is not {wanted!r}"
        time.sleep(0.01)


def steps() -> list[tuple[list[str], list[str]]]:
    """The commands of the guide, and the lines that it shows as the reply."""
    found: list[tuple[list[str], list[str]]] = []
    shown: list[str] | None = None
    for line in GUIDE.read_text().splitlines():
        if line.startswith("    > "):
            shown = []
            found.append((shlex.split(line[6:]), shown))
        elif line.startswith("    ") and shown is not None:
            shown.append(line.strip())
        else:
            shown = None
    return found


def as_shown(reply: Any) -> list[str]:
    """The values in a reply, one after the other, as redis-cli shows them."""
    if isinstance(reply, list):
        return [text for item in reply for text in as_shown(item)]
    if reply is True or reply == "OK":
        return ["OK"]
    return [f"(integer) {reply}" if isinstance(reply, int) else f'"{reply}"']


def test_every_command_of_the_guide(headwater: Server) -> None:
    client = redis.Redis(port=headwater.port, decode_responses=True, protocol=2)
    now_ms = int(time.time() * 1000)
    ids = {OLD: f"{now_ms - 262_800_000}-0", NEW: NEW}
    for words, shown in steps():
        reply: Any = None
        if words[0] == "XLEN":
            soon(lambda key=words[1]: client.xlen(key), 0)
        reply = client.execute_command(*[ids.get(word, word) for word in words])
        if words[0] == "XADD" and "*" in words:
            ids[NEW] = reply
        if words[0] == "XREADGROUP":
            assert reply == [["jobs", [(ids[NEW], {"to": "alice"})]]]
            continue
        told = as_shown(reply)
        wanted = [ids.get(text.strip('"'), text.strip('"')) for text in map(bare, shown)]
        assert len(told) == len(wanted), words
        for one, other in zip(told, wanted, strict=True):
            is_age = one.startswith("(integer) 2628")  # the guide's was another moment
            assert one.strip('"') == other or is_age, words
    assert client.xlen("orders") == 2
    client.execute_command("XCFGSET", "orders", "RETAIN-MAXAGE", 262_800_000)
    soon(lambda: client.xlen("orders"), 1)
    (group,) = client.xinfo_groups("jobs")
    assert (group["backlog"], group["groupttl"]) == (0, 259_200_000)


def bare(line: str) -> str:
    """A line of redis-cli without the numbers of its lists."""
    return re.sub(r"^(\d+\) *)+", "", line)
