"""edx-event-bus-redis, unmodified, in the Django service of programs/edx_service.py."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from clients.applications import (
    AnyServer,
    Application,
    ask,
    of_kind,
    pending_count,
    wait_acknowledged,
)
from clients.conftest import CrashingServer
from support.servers import Server

pytestmark = pytest.mark.frameworks

STREAM = "tests-user-login"
AWKWARD = "Größe ½, 日本"


@pytest.fixture(autouse=True)
def _installed(framework: Callable[[str], None]) -> None:
    framework("edx_event_bus_redis")


def produce(server: AnyServer, count: int, name: str = "Ann") -> None:
    with Application("edx_service.py", server.port, "produce", count, name) as program:
        assert "produced" in program.finish()


def consumer(server: AnyServer, group: str, name: str, *words: object, **extra: Any) -> Application:
    extras = ("--extra", json.dumps(extra))
    where = ("edx_service.py", server.port, "consume", group, name)
    program = Application(*where, *words, *extras)
    program.expect("Running consumer")
    return program


def login(number: int, name: str = "Ann") -> dict[str, Any]:
    return {"number": number, "user": f"user{number}", "name": name, "host": "tests"}


def test_events_go_to_each_group(headwater: Server) -> None:
    with consumer(headwater, "mail", "c") as mail, consumer(headwater, "audit", "c") as audit:
        produce(headwater, 20, AWKWARD)
        for group in (mail, audit):
            heard = of_kind(group.all_told(20), "login")
            assert heard == [login(number, AWKWARD) for number in range(20)]
        wait_acknowledged(headwater, STREAM, "mail")
        wait_acknowledged(headwater, STREAM, "audit")
    assert ask(headwater, "XLEN", STREAM) == 20


def test_the_backlog_and_a_replay(headwater: Server) -> None:
    with consumer(headwater, "mail", "c") as mail:
        produce(headwater, 5)
        assert [line["number"] for line in mail.all_told(5)] == list(range(5))
        wait_acknowledged(headwater, STREAM, "mail")
    produce(headwater, 3)
    with consumer(headwater, "mail", "c", check_backlog=True) as mail:
        assert [line["number"] for line in mail.all_told(3)] == [0, 1, 2]
        wait_acknowledged(headwater, STREAM, "mail")
    ids = [entry[0].decode() for entry in ask(headwater, "XRANGE", STREAM, "-", "+")]
    with consumer(headwater, "mail", "c", last_read_msg_id=ids[3]) as mail:
        assert [line["number"] for line in mail.all_told(4)] == [4, 0, 1, 2]


def test_a_killed_consumer(headwater: Server) -> None:
    """Its event is its own again when it is back, or another's who claims it."""
    with consumer(headwater, "mail", "ann", "--stall", 1) as ann:
        produce(headwater, 4)
        assert [line["number"] for line in ann.all_told(2)] == [0, 1]
        ann.kill()
    assert pending_count(headwater, STREAM, "mail") == 1
    with consumer(headwater, "mail", "ann", "--stall", 1, check_backlog=True) as ann:
        assert ann.told()["number"] == 1
        ann.kill()
    with consumer(headwater, "mail", "bob", check_backlog=True, claim_msgs_older_than=0) as bob:
        assert [line["number"] for line in bob.all_told(3)] == [1, 2, 3]
        wait_acknowledged(headwater, STREAM, "mail")


def test_a_crash_of_the_server(crashing: CrashingServer) -> None:
    with consumer(crashing, "mail", "ann", "--stall", 2) as ann:
        produce(crashing, 6)
        assert [line["number"] for line in ann.all_told(3)] == [0, 1, 2]
        ann.kill()
    crashing.crash()
    with consumer(crashing, "mail", "bob", check_backlog=True, claim_msgs_older_than=0) as bob:
        assert of_kind(bob.all_told(4), "login") == [login(number) for number in range(2, 6)]
        wait_acknowledged(crashing, STREAM, "mail")
