"""Scheduled entries with redis-py and a real server: what docs/guides/send-later.md promises."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import pytest
import redis

from support import servers
from support.servers import Server

SOON_MS = 150


@pytest.mark.parametrize("protocol", [2, 3])
def test_a_job_later_and_one_that_repeats(headwater: Server, protocol: int) -> None:
    r: Any = redis.Redis(port=headwater.port, protocol=protocol, decode_responses=True)
    begin_ms = int(time.time() * 1000)
    job = r.execute_command("XSCHEDULE", "ADD", "jobs", "IN", SOON_MS, "order", "ord-17")
    tick = r.execute_command(
        "XSCHEDULE", "ADD", "jobs", "AT", begin_ms + 2 * SOON_MS, "EVERY", 20, "event", "tick"
    )
    assert [job, tick] == ["1", "2"]
    r.xgroup_create("jobs", "workers", id="0")
    found = r.xreadgroup("workers", "ann", {"jobs": ">"}, block=20_000)
    if protocol == 2:
        ((_, ((id_, fields),)),) = found
    else:
        ((id_, fields),) = found["jobs"][0]
    assert fields == {"order": "ord-17"}
    assert int(id_.split("-")[0]) >= begin_ms + SOON_MS
    while len(entries := r.xrange("jobs")) < 4:
        r.xreadgroup("workers", "ann", {"jobs": ">"}, block=20_000)
    assert r.execute_command("XSCHEDULE", "CANCEL", "jobs", tick) == 1
    assert r.execute_command("XSCHEDULE", "LIST", "jobs") == []
    assert [fields.get("event") for _, fields in entries[:4]] == [None, "tick", "tick", "tick"]
    with r.pipeline(transaction=True) as pipe:
        pipe.execute_command("XSCHEDULE", "ADD", "jobs", "IN", 3_600_000, "a", "b")
        pipe.xack("jobs", "workers", id_)
        assert pipe.execute() == ["3", 1]
    (row,) = r.execute_command("XSCHEDULE", "LIST", "jobs", "COUNT", 5)
    if protocol == 2:
        row = dict(zip(row[::2], row[1::2], strict=True))
    assert row.pop("due") > begin_ms + 3_500_000
    assert row == {"handle": "3", "every": 0, "fields": ["a", "b"]}
    r.close()


def test_redis_loads_a_snapshot_with_schedules(
    headwater: Server, redis_binary: str, tmp_path: Path
) -> None:
    r: Any = redis.Redis(port=headwater.port, decode_responses=True)
    r.xadd("s", {"f": "v"}, id="1-1")
    for n in range(2000):
        r.execute_command("XSCHEDULE", "ADD", "s", "IN", 10**9 + n, "n", n, "pad", "x" * 50)
    r.save()
    r.close()
    shutil.copy(headwater.directory / "dump.rdb", tmp_path / "dump.rdb")
    other = servers.start_redis(redis_binary, tmp_path)
    try:
        q: Any = redis.Redis(port=other.port, decode_responses=True)
        assert q.xrange("s") == [("1-1", {"f": "v"})]
        q.close()
    finally:
        other.stop()
