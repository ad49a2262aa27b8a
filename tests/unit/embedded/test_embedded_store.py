"""Opening, sharing, closing and crashing a store of this process."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import headwater
from headwater.clock import ManualClock
from headwater.embedded.store import open_stores
from headwater.errors import HeadwaterError, StoreClosed, StoreError, StoreInUse

NOW_MS = 1_700_000_000_000


def test_memory_stores_are_isolated() -> None:
    with headwater.open() as one, headwater.open() as other:
        one.xadd("s", {"a": 1})
        assert one.execute("EXISTS", "s") == 1
        assert other.execute("EXISTS", "s") == 0
        assert one.path is None


def test_a_directory_is_made_and_found_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "events.hw"
    with headwater.connect(path) as client:
        entry_id = client.xadd("orders", {"id": "7"})
        assert client.config_get("appendfsync") == {"appendfsync": "everysec"}
    with headwater.connect(str(path)) as client:
        assert client.xrange("orders") == [(entry_id, {b"id": b"7"})]


def test_a_path_that_cannot_be_a_directory(tmp_path: Path) -> None:
    file = tmp_path / "events.hw"
    file.write_text("")
    with pytest.raises(StoreError, match=r"events\.hw is no directory"):
        headwater.open(file)
    with pytest.raises(StoreError, match=r"cannot be opened: .*Not a directory"):
        headwater.connect(file / "deeper")
    file.unlink()
    with headwater.open(file) as engine:
        assert engine.ping()


def test_one_path_is_one_store_until_the_last_lets_go(tmp_path: Path) -> None:
    path = tmp_path / "events.hw"
    first = headwater.open(path)
    link = tmp_path / "link.hw"
    link.symlink_to(path)
    second = headwater.connect(link)
    assert second.store.store is first.store
    first.xadd("s", {"a": 1})
    first.close()
    first.close()
    assert second.xlen("s") == 1
    with pytest.raises(StoreClosed, match=r"headwater\.open"):
        first.execute("PING")
    second.close()
    assert not first.store.is_open
    with headwater.open(path) as third:
        assert third.store is not first.store
        assert third.execute("XLEN", "s") == 1


def test_an_open_path_keeps_its_configuration(tmp_path: Path) -> None:
    with headwater.open(tmp_path / "a", config={"appendfsync": "always"}):
        with headwater.open(tmp_path / "a") as same:
            assert same.execute("CONFIG", "GET", "appendfsync") == [b"appendfsync", b"always"]
        with headwater.open(tmp_path / "a", config={"APPENDFSYNC": "always"}):
            pass
        with pytest.raises(StoreError, match="another configuration"):
            headwater.open(tmp_path / "a", config={"appendfsync": "no"})


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"no-such-thing": 1}, "no-such-thing"),
        ({"appendfsync": "sometimes"}, "appendfsync"),
        ({"dir": "/tmp"}, "path"),
        ({"maxmemory": None}, "maxmemory"),
    ],
)
def test_a_wrong_configuration_is_named(config: dict[str, object], words: str) -> None:
    before = len(open_stores())
    with pytest.raises(HeadwaterError, match=words):
        headwater.open(config=config)  # type: ignore[arg-type]
    assert len(open_stores()) == before


def test_values_of_the_configuration(tmp_path: Path) -> None:
    config = {"maxmemory": "10mb", "appendonly": False, "databases": 3}
    with headwater.open(tmp_path / "s", config=config) as engine:
        assert engine.execute("CONFIG", "GET", "maxmemory") == [b"maxmemory", b"10485760"]
        assert engine.execute("CONFIG", "GET", "appendonly") == [b"appendonly", b"no"]
        assert engine.execute("CONFIG", "GET", "databases") == [b"databases", b"3"]


def test_another_process_is_told_who_has_it(tmp_path: Path) -> None:
    program = (
        "import sys, headwater\n"
        "try:\n"
        "    headwater.open(sys.argv[1])\n"
        "except headwater.StoreInUse as error:\n"
        "    print(error.pid, error)\n"
    )
    with headwater.open(tmp_path / "s"):
        done = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / "s")],
            capture_output=True,
            text=True,
            check=True,
        )
    number, _, text = done.stdout.partition(" ")
    assert int(number) == os.getpid()
    assert "serve()" in text
    assert issubclass(StoreInUse, HeadwaterError)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_is_told_and_the_parent_goes_on(tmp_path: Path) -> None:
    client = headwater.connect(tmp_path / "s")
    client.xadd("s", {"a": 1})
    came, goes = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            client.xadd("s", {"a": 2})
            os.write(goes, b"no error")
        except StoreClosed as error:
            os.write(goes, str(error).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert b"forked from" in os.read(came, 1000)
    assert client.xadd("s", {"a": 3})
    assert client.xlen("s") == 2
    client.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_may_open_what_the_parent_has_closed(tmp_path: Path) -> None:
    with headwater.open(tmp_path / "s") as engine:
        engine.xadd("s", {"a": 1})
    child = os.fork()
    if child == 0:
        status = 1
        try:
            with headwater.open(tmp_path / "s") as mine:
                status = 0 if mine.execute("XLEN", "s") == 1 else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("policy", ["always", "everysec", "no"])
def test_a_crash_loses_nothing_that_was_acknowledged(tmp_path: Path, policy: str) -> None:
    client = headwater.connect(tmp_path / "s", config={"appendfsync": policy})
    ids = [client.xadd("s", {"n": n}) for n in range(100)]
    engine = client.store
    engine.crash()
    with pytest.raises(StoreClosed, match="crash"):
        client.ping()
    with headwater.connect(tmp_path / "s") as again:
        assert [entry_id for entry_id, _ in again.xrange("s")] == ids


def test_a_crash_wakes_who_waits(tmp_path: Path) -> None:
    client = headwater.connect(tmp_path / "s")
    failed: list[BaseException] = []

    def read() -> None:
        try:
            client.xread({"s": "$"}, block=0)
        except StoreClosed as error:
            failed.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    engine = client.store
    while engine.execute("INFO", "clients").find(b"blocked_clients:1") < 0:
        pass
    engine.crash()
    reader.join()
    assert len(failed) == 1


def test_what_is_dropped_is_closed(tmp_path: Path) -> None:
    client = headwater.connect(tmp_path / "s")
    client.xadd("s", {"a": 1})
    store = client.store.store
    pipeline = client.pipeline()
    del client
    assert pipeline.xlen("s").execute() == [1], "a pipeline keeps the store"
    del pipeline
    store.wait_closed()
    assert not store.is_open
    with headwater.open(tmp_path / "s") as again:
        assert again.execute("XLEN", "s") == 1


def test_the_end_of_the_program_closes_what_is_open(tmp_path: Path) -> None:
    program = (
        "import sys, headwater\n"
        "client = headwater.connect(sys.argv[1])\n"
        "client.xadd('s', {'a': 1})\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "s")], check=True)
    with headwater.open(tmp_path / "s") as engine:
        assert engine.execute("XLEN", "s") == 1


def test_shutdown_closes_the_store_and_not_the_program(tmp_path: Path) -> None:
    client = headwater.connect(tmp_path / "s")
    client.xadd("s", {"a": 1})
    client.shutdown()
    client.store.store.wait_closed()
    with pytest.raises(StoreClosed):
        client.ping()
    with headwater.open(tmp_path / "s") as engine:
        assert engine.execute("XLEN", "s") == 1


def test_a_store_leaves_no_thread_behind(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    for path in (None, tmp_path / "s"):
        with headwater.connect(path) as client:
            client.xadd("s", {"a": 1})
    assert set(threading.enumerate()) <= before


def test_time_stands_still_until_it_is_moved() -> None:
    with headwater.connect(clock=ManualClock(NOW_MS)) as client:
        assert client.xadd("s", {"a": 1}) == b"%d-0" % NOW_MS
        client.set("k", "v", px=1000)
        client.store.advance(999)
        assert client.get("k") == b"v"
        client.store.advance(1)
        assert client.get("k") is None
        assert client.xadd("s", {"a": 2}) == b"%d-0" % (NOW_MS + 1000)


def test_moving_the_time_ends_waits() -> None:
    with headwater.connect(clock=ManualClock(NOW_MS)) as client:
        replies: list[object] = []
        reader = threading.Thread(
            target=lambda: replies.append(client.xread({"s": "$"}, block=5000))
        )
        reader.start()
        while client.info("clients")["blocked_clients"] == 0:
            pass
        client.store.advance(4999)
        assert client.info("clients")["blocked_clients"] == 1
        client.store.advance(1)
        reader.join()
        assert len(replies) == 1
        assert not replies[0]


def test_only_a_manual_clock_is_moved() -> None:
    with headwater.open() as engine, pytest.raises(StoreError, match="ManualClock"):
        engine.advance(1)


def test_a_command_from_the_middle_of_a_command_is_refused() -> None:
    with headwater.open() as engine:
        engine.store.entrance.enter()
        try:
            with pytest.raises(StoreError, match="in the middle"):
                engine.execute("PING")
            with pytest.raises(StoreError, match="in the middle"):
                engine.connect().ping()
        finally:
            engine.store.entrance.leave()
        assert engine.execute("PING") == b"PONG"


def test_a_store_is_served_to_others_while_it_is_used(tmp_path: Path) -> None:
    import redis

    with headwater.open(tmp_path / "s") as engine:
        urls = [engine.serve(), engine.serve(), engine.serve(unixsocket=tmp_path / "sock")]
        assert len(set(urls)) == 3
        engine.xadd("s", {"a": 1})
        clients = [redis.Redis.from_url(url) for url in urls]
        for client in clients:
            assert client.xlen("s") >= 1
            client.xadd("s", {"a": 2})
        assert engine.execute("XLEN", "s") == 4
        engine.stop_serving()
        with pytest.raises(redis.ConnectionError):
            redis.Redis.from_url(urls[0], retry=None).ping()
        assert engine.execute("XLEN", "s") == 4
        for client in clients:
            client.close()
        assert not (tmp_path / "sock").exists()


def test_a_reader_by_socket_is_woken_by_a_writer_in_the_process() -> None:
    import redis

    with headwater.open() as engine:
        client = redis.Redis.from_url(engine.serve(), socket_timeout=None)
        replies: list[object] = []
        reader = threading.Thread(target=lambda: replies.append(client.xread({"s": "$"}, block=0)))
        reader.start()
        while engine.execute("INFO", "clients").find(b"blocked_clients:1") < 0:
            pass
        engine.xadd("s", {"a": 1})
        reader.join()
        assert len(replies) == 1
        client.close()
