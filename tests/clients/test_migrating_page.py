"""docs/migrating.md with a real redis-server: there, in each of the ways, and back."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from support.servers import Server, start_headwater, start_redis

PAGE = Path(__file__).parents[2] / "docs" / "migrating.md"


def block(words: str) -> str:
    """The block of the page's Python in which these words stand."""
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    [found] = [text for text in blocks if words in text]
    return str(found)


def client_of(server: Server) -> redis.Redis:
    return redis.Redis(port=server.port, decode_responses=True)


def headwater(*words: str) -> tuple[int, str]:
    """Run `headwater ...`: its exit status, and what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "headwater", *words], capture_output=True, text=True, timeout=60
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def old(redis_binary: str, tmp_path: Path) -> Iterator[Server]:
    directory = tmp_path / "redis"
    directory.mkdir()
    server = start_redis(redis_binary, directory)
    yield server
    server.stop()


@pytest.fixture
def new(tmp_path: Path) -> Iterator[Server]:
    directory = tmp_path / "headwater"
    directory.mkdir()
    server = start_headwater(directory, "--appendonly", "yes")
    yield server
    server.stop()


def fill(client: redis.Redis) -> None:
    for number in range(1, 6):
        client.xadd("orders", {"orderId": f"ord-{number}"}, id=f"{number}-0")
    client.xgroup_create("orders", "billing", id="0")
    client.xreadgroup("billing", "worker-1", {"orders": ">"}, count=3)
    client.xack("orders", "billing", "1-0")
    client.set("greeting", "hello", ex=1000)
    client.rpush("letters", "a", "b")


def facts(client: redis.Redis) -> dict[str, object]:
    """What has to be the same on both sides."""
    [group] = client.xinfo_groups("orders")
    pending = client.xpending_range("orders", "billing", "-", "+", 10)
    return {
        "entries": client.xrange("orders"),
        "last": client.xinfo_stream("orders")["last-generated-id"],
        "group": [group[name] for name in ("name", "pending", "last-delivered-id", "lag")],
        "pending": [(p["message_id"], p["consumer"], p["times_delivered"]) for p in pending],
        "greeting": client.get("greeting"),
        "expires": 0 < client.ttl("greeting") <= 1000,
        "letters": client.lrange("letters", 0, -1),
    }


def directory_of(client: redis.Redis) -> Path:
    return Path(client.config_get("dir")["dir"])


def test_a_file_of_redis(old: Server, tmp_path: Path) -> None:
    with client_of(old) as there:
        fill(there)
        there.save()
        snapshot = directory_of(there) / "dump.rdb"
        assert headwater("import", str(snapshot), "--dir", str(tmp_path / "data"))[0] == 0
        server = start_headwater(tmp_path / "data", "--appendonly", "yes")
        try:
            with client_of(server) as here:
                assert facts(here) == facts(there)
        finally:
            server.stop()


def test_append_only_files_of_redis(old: Server, tmp_path: Path) -> None:
    with client_of(old) as there:
        there.config_set("appendonly", "yes")
        while there.info("persistence")["aof_rewrite_in_progress"]:
            there.blpop(["nothing"], timeout=0.1)
        fill(there)
        whole = directory_of(there)
        assert headwater("import", str(whole), "--dir", str(tmp_path / "data"))[0] == 0
        server = start_headwater(tmp_path / "data", "--appendonly", "yes")
        try:
            with client_of(server) as here:
                assert facts(here) == facts(there)
        finally:
            server.stop()


def test_a_type_that_is_not_there(old: Server, tmp_path: Path) -> None:
    with client_of(old) as there:
        fill(there)
        there.hset("a hash", "a", "b")
        there.save()
        target = tmp_path / "data"
        words = ("import", str(directory_of(there) / "dump.rdb"), "--dir", str(target))
        status, said = headwater(*words)
        assert (status, "1 keys of type hash" in said) == (1, True), said
        assert not target.exists()
        assert headwater(*words, "--skip-unknown")[0] == 0
        status, said = headwater(*words, "--skip-unknown")
        assert (status, "has data already" in said) == (1, True), said
        assert headwater(*words, "--skip-unknown", "--force")[0] == 0


def test_one_key(old: Server, new: Server) -> None:
    text = block("def move(key")
    text = text.replace("port=6379", f"port={old.port}").replace("port=7000", f"port={new.port}")
    with client_of(old) as there, client_of(new) as here:
        fill(there)
        before = there.xrange("orders")
        space: dict[str, Any] = {}
        exec(compile(text, str(PAGE), "exec"), space)
        space["move"]("orders")
        space["move"]("greeting")
        assert here.xrange("orders") == before
        assert here.xpending("orders", "billing")["pending"] == 2
        assert 0 < here.ttl("greeting") <= 1000
        assert not there.exists("orders", "greeting", "moving")


def test_from_server_to_server(old: Server, new: Server, tmp_path: Path) -> None:
    there_url, here_url = (f"redis://127.0.0.1:{server.port}" for server in (old, new))
    whole, lines = str(tmp_path / "redis.rdb"), str(tmp_path / "orders.jsonl")
    with client_of(old) as there, client_of(new) as here:
        fill(there)
        assert headwater("export", "--url", there_url, "-o", whole)[0] == 0
        assert headwater("import", whole, "--url", here_url)[0] == 0
        assert facts(here) == facts(there)
        there.xadd("orders", {"orderId": "ord-6"}, id="6-0")
        assert headwater("export", "orders", "--url", there_url, "-o", lines)[0] == 0
        status, said = headwater("import", lines, "--url", here_url)
        assert (status, "1 entry, 5 there already" in said) == (0, True), said
        assert here.xrange("orders") == there.xrange("orders")


def test_back_to_a_redis_that_is_too_old(old: Server, new: Server, tmp_path: Path) -> None:
    there_url, here_url = (f"redis://127.0.0.1:{server.port}" for server in (old, new))
    whole, lines = str(tmp_path / "back.rdb"), str(tmp_path / "orders.jsonl")
    with client_of(old) as there, client_of(new) as here:
        if tuple(map(int, there.info("server")["redis_version"].split(".")[:2])) >= (8, 6):
            pytest.skip("this redis-server knows idempotent IDs")
        fill(here)
        here.execute_command("XADD", "orders", "IDMP", "producer", "request", "*", "orderId", "7")
        assert headwater("export", "--url", here_url, "-o", whole)[0] == 0
        status, said = headwater("import", whole, "--url", there_url)
        assert (status, "too old" in said) == (1, True), said
        assert there.get("greeting") == "hello"
        assert headwater("export", "orders", "--url", here_url, "-o", lines)[0] == 0
        assert headwater("import", lines, "--url", there_url)[0] == 0
        assert there.xrange("orders") == here.xrange("orders")


def test_migrate_of_redis(old: Server, new: Server) -> None:
    with client_of(old) as there, client_of(new) as here:
        fill(there)
        before = facts(there)
        words = ("MIGRATE", "127.0.0.1", new.port, "", 0, 5000, "COPY", "KEYS")
        there.execute_command(*words, "orders", "greeting", "letters")
        assert facts(here) == before
        there.hset("a hash", "a", "b")
        with pytest.raises(redis.ResponseError, match="Bad data format"):
            there.execute_command("MIGRATE", "127.0.0.1", new.port, "a hash", 0, 5000)
        assert there.exists("a hash")


def test_writing_twice_and_copying_on(old: Server, new: Server) -> None:
    space: dict[str, object] = {}
    for words in ("def add(", "def copy_on("):
        text = block(words).replace("port=6379", f"port={old.port}")
        exec(compile(text.replace("port=7000", f"port={new.port}"), str(PAGE), "exec"), space)
    with client_of(old) as there, client_of(new) as here:
        assert here.xrange("payments") == there.xrange("payments") != []


def test_and_back(redis_binary: str, new: Server, tmp_path: Path) -> None:
    with client_of(new) as here:
        fill(here)
        here.execute_command("XGROUP", "CFGSET", "orders", "billing", "ACKWAIT", 30000)
        here.execute_command("XSCHEDULE", "ADD", "orders", "IN", 3_600_000, "event", "later")
        here.save()
        back = tmp_path / "back"
        back.mkdir()
        shutil.copyfile(directory_of(here) / "dump.rdb", back / "dump.rdb")
        server = start_redis(redis_binary, back)
        try:
            with client_of(server) as there:
                assert facts(there) == facts(here)
        finally:
            server.stop()
