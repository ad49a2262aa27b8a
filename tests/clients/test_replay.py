"""XGROUP RESET, XREDRIVE and group-autocreate with redis-py, workers and the server killed."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest
import redis

from clients.applications import until
from clients.conftest import CrashingServer

TAKE = """
import json, os, signal, sys, redis
r = redis.Redis(port=int(sys.argv[1]), decode_responses=True)
got = r.xreadgroup("billing", sys.argv[2], {"orders": ">"}, count=int(sys.argv[3]))
print(json.dumps([entry_id for entry_id, _ in got[0][1]]), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def client(server: CrashingServer) -> Any:
    return redis.Redis(port=server.port, decode_responses=True)


def taken_by_a_worker_that_dies(server: CrashingServer, name: str, count: int) -> list[str]:
    """What a worker was given; it is killed before it acknowledges anything."""
    command = [sys.executable, "-c", TAKE, str(server.port), name, str(count)]
    done = subprocess.run(command, capture_output=True, check=False)
    found: list[str] = json.loads(done.stdout)
    return found


def test_a_reset_survives_workers_and_the_server(crashing: CrashingServer) -> None:
    r = client(crashing)
    noon_ms = int(datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp() * 1000)
    ids = [f"{noon_ms + 3_600_000 * hour}-0" for hour in range(-3, 4)]
    for entry_id in ids:
        r.xadd("orders", {"n": 1}, id=entry_id)
    r.xgroup_create("orders", "billing", "0")
    assert taken_by_a_worker_that_dies(crashing, "worker-1", 5) == ids[:5]
    crashing.crash()
    words = ("XGROUP RESET", "orders", "billing", "2026-11-22T13:00:00+01:00", "PENDING", "DROP")
    assert r.execute_command(*words, "DRYRUN") == [ids[3], 4, 5]
    assert r.execute_command(*words) == [ids[3], 4, 5]
    crashing.crash()
    assert r.xpending("orders", "billing")["pending"] == 0
    assert r.xinfo_groups("orders")[0]["lag"] == 4
    assert taken_by_a_worker_that_dies(crashing, "worker-2", 9) == ids[3:]
    crashing.crash()
    assert r.execute_command("XGROUP RESET", "orders", "billing", "$") == [None, 0, 0]
    assert r.xpending("orders", "billing")["pending"] == 4


def test_no_dead_letter_is_lost_or_moved_twice(crashing: CrashingServer) -> None:
    r = client(crashing)
    for n in range(50):
        r.xadd("orders", {"n": n})
    r.xgroup_create("orders", "billing", "0")
    r.execute_command("XGROUP CFGSET", "orders", "billing", "ACKWAIT", 20, "MAXDELIVERIES", 1)
    taken_by_a_worker_that_dies(crashing, "worker-1", 50)
    crashing.crash()
    until(lambda: r.xlen("orders:dead-letter") == 50, "the dead letters")
    moved = r.execute_command("XREDRIVE", "orders:dead-letter", "COUNT", 20)
    crashing.crash()
    moved += r.execute_command("XREDRIVE", "orders:dead-letter")
    crashing.crash()
    assert len(moved) == len({old for old, _ in moved}) == 50
    assert r.execute_command("XREDRIVE", "orders:dead-letter") == []
    back = r.xrange("orders")[50:]
    assert [entry_id for entry_id, _ in back] == [new for _, new in moved]
    assert [fields for _, fields in back] == [{"n": str(n)} for n in range(50)]


def test_a_group_that_a_reader_made_is_there_after_a_crash(crashing: CrashingServer) -> None:
    r = client(crashing)
    r.config_set("group-autocreate", "0")
    r.xadd("orders", {"n": 1}, id="1-0")
    assert taken_by_a_worker_that_dies(crashing, "worker-1", 9) == ["1-0"]
    crashing.crash()
    assert r.xpending_range("orders", "billing", "-", "+", 9)[0]["consumer"] == "worker-1"
    r.xgroup_destroy("orders", "billing")
    # The setting was the dead process's own.
    with pytest.raises(redis.ResponseError, match="NOGROUP"):
        r.xreadgroup("billing", "worker-2", {"orders": ">"})
