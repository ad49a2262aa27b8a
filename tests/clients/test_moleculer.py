"""moleculer-channels on its Redis adapter, unmodified: the nodes of programs/moleculer_node.js.

What docs/frameworks.md shows is what moleculer_node.js does.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from clients.applications import (
    AnyServer,
    Application,
    abandon,
    ask,
    pending_count,
    until,
    wait_acknowledged,
)
from clients.conftest import CrashingServer
from support.servers import Server

pytestmark = pytest.mark.frameworks

AWKWARD = "Größe ½, 日本 \0"


class Moleculer:
    """Starts nodes, and sends to their channels."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment

    def node(self, server: AnyServer, name: str, *words: object) -> Application:
        where = ("moleculer_node.js", server.port, name)
        program = Application(*where, *words, environment=self.environment)
        program.expect('"started"')
        return program

    def send(self, server: AnyServer, channel: str, *messages: Any, **headers: str) -> None:
        words = (channel, json.dumps(messages), json.dumps(headers))
        where = ("moleculer_send.js", server.port)
        with Application(*where, *words, environment=self.environment) as program:
            assert program.finish() == "sent"


@pytest.fixture
def moleculer(moleculer_environment: dict[str, str]) -> Moleculer:
    return Moleculer(moleculer_environment)


def orders(*numbers: int) -> list[dict[str, Any]]:
    return [{"number": number, "title": AWKWARD} for number in numbers]


def said(program: Application, kind: str, count: int) -> list[dict[str, Any]]:
    """The next so many lines of this kind."""
    found: list[dict[str, Any]] = []
    while len(found) < count:
        line = program.told()
        if line["kind"] == kind:
            found.append(line)
    return found


def test_groups(headwater: Server, moleculer: Moleculer) -> None:
    """Each group is given each message, whole, with its headers; sent before it listened, too."""
    moleculer.send(headwater, "orders", *orders(0, 1), tenant="t-1")
    with moleculer.node(headwater, "ann") as ann:
        moleculer.send(headwater, "orders", *orders(2, 3), tenant="t-1")
        lines = [line for line in ann.all_told(9) if line["kind"] != "started"]
    billing = [line for line in lines if line["kind"] == "billing"]
    assert [line["order"] for line in billing] == orders(0, 1, 2, 3)
    assert all(line["headers"] == {"tenant": "t-1"} for line in billing)
    assert [line["number"] for line in lines if line["kind"] == "audit"] == [0, 1, 2, 3]


def test_nodes_share_the_work(headwater: Server, moleculer: Moleculer) -> None:
    """Each has no more than its maxInFlight; when they have done that they are given the rest."""
    with moleculer.node(headwater, "ann") as ann, moleculer.node(headwater, "bob") as bob:
        moleculer.send(headwater, "work", *orders(*range(40)))
        for node in (ann, bob):
            assert [line["running"] for line in said(node, "work", 2)] == [1, 2]
        assert pending_count(headwater, "work", "slow") == 4
        moleculer.send(headwater, "release", {})
        until(lambda: lag(headwater, "work") == 0, "the rest to be read")
        wait_acknowledged(headwater, "work", "slow")
        ann.end()
        bob.end()
    work = ann.all_of("work") + bob.all_of("work")
    assert sorted(line["number"] for line in work) == list(range(40))
    assert {line["running"] for line in work} == {1, 2}
    # A node that was stopped takes its consumers with it.
    [group] = ask(headwater, "XINFO", "GROUPS", "work", resp=3)
    assert dict(group)[b"consumers"] == 0


def lag(server: Server, stream: str) -> int:
    [group] = ask(server, "XINFO", "GROUPS", stream, resp=3)
    return int(dict(group)[b"lag"])


def test_retries_and_dead_letters(headwater: Server, moleculer: Moleculer) -> None:
    good, bad = {"number": 1, "fails": 1, "title": AWKWARD}, {"number": 2, "fails": 99}
    with moleculer.node(headwater, "ann") as ann:
        moleculer.send(headwater, "parcels", good, bad, tenant="t-1")
        [dead] = said(ann, "dead", 1)
        wait_acknowledged(headwater, "parcels", "brittle")
        wait_acknowledged(headwater, "dead", "undertaker")
        ann.end()
    [_, [bad_id, _]] = ask(headwater, "XRANGE", "parcels", "-", "+")
    assert dead["payload"] == bad
    assert dead["headers"] == {
        "tenant": "t-1",
        "x-original-id": bad_id.decode(),
        "x-original-channel": "parcels",
        "x-original-group": "brittle",
    }
    attempts = [(line["number"], line["attempt"]) for line in ann.all_of("parcel")]
    assert sorted(attempts) == [(1, 1), (1, 2), (2, 1), (2, 2), (2, 3)]
    assert ask(headwater, "XLEN", "dead") == 1


def test_a_killed_node(headwater: Server, moleculer: Moleculer) -> None:
    with moleculer.node(headwater, "ann", 1) as ann:
        moleculer.send(headwater, "orders", *orders(0, 1, 2))
        assert [line["order"]["number"] for line in said(ann, "billing", 2)] == [0, 1]
        wait_acknowledged(headwater, "orders", "everything")
        ann.kill()
    assert abandon(headwater, "orders", "billing") >= 1
    with moleculer.node(headwater, "bob") as bob:
        billing = said(bob, "billing", 2)
        assert sorted(line["order"]["number"] for line in billing) == [1, 2]
        wait_acknowledged(headwater, "orders", "billing")


def test_a_crash_of_the_server(crashing: CrashingServer, moleculer: Moleculer) -> None:
    with moleculer.node(crashing, "ann") as ann:
        moleculer.send(crashing, "orders", *orders(*range(10)))
        assert len(said(ann, "billing", 10)) == 10
        ann.pause()
        moleculer.send(crashing, "orders", *orders(*range(10, 20)))
        crashing.crash()
        abandon(crashing, "orders", "billing")
        abandon(crashing, "orders", "everything")
        moleculer.send(crashing, "orders", *orders(20))
        ann.resume()
        missing = set(range(10, 21))
        while missing:
            [line] = said(ann, "billing", 1)
            assert line["order"]["title"] == AWKWARD
            missing.discard(line["order"]["number"])
        wait_acknowledged(crashing, "orders", "billing")
        wait_acknowledged(crashing, "orders", "everything")
