"""INFO: its sections, and the figures that follow from what happened."""

from __future__ import annotations

import mmap
import os

import pytest

from headwater import __version__, mode
from headwater.commands.info_sections import SECTIONS
from headwater.commands.process_usage import human_bytes, resident_bytes
from headwater.commands.sampler import WINDOW, Rate
from support.embedded import NOW_MS, Client, Embedded
from support.servers import Server
from support.wire import Connection


@pytest.fixture(params=[2, 3], ids=["resp2", "resp3"])
def world(request: pytest.FixtureRequest) -> Embedded:
    return Embedded(request.param)


def text_of(client: Client | Connection, *sections: str) -> str:
    text = client.ok("INFO", *sections)
    assert isinstance(text, bytes)
    return text.removeprefix(b"txt:").decode()


def heads(text: str) -> list[str]:
    return [line[2:] for line in text.split("\r\n") if line.startswith("# ")]


def info(client: Client | Connection, *sections: str) -> dict[str, str]:
    lines = text_of(client, *sections).split("\r\n")
    return dict(line.split(":", 1) for line in lines if line and line[0] != "#")


def test_the_form(world: Embedded) -> None:
    kind, text = world.main.call("INFO", "cluster", "replication")
    begin = b"txt:# Repl" if world.resp == 3 else b"# Repl"
    assert (kind, text[: len(begin)]) == ("=" if world.resp == 3 else "$", begin)
    assert text.endswith(b"repl_backlog_histlen:0\r\n\r\n# Cluster\r\ncluster_enabled:0\r\n")


def test_which_sections(world: Embedded) -> None:
    client = world.main
    usual = [name for name in SECTIONS if name not in ("Commandstats", "Latencystats")]
    assert heads(text_of(client)) == usual
    assert heads(text_of(client, "default")) == usual
    assert heads(text_of(client, "all")) == list(SECTIONS)
    assert heads(text_of(client, "EVERYTHING")) == list(SECTIONS)
    assert heads(text_of(client, "keyspace", "CPU", "nosuch", "cpu")) == ["CPU", "Keyspace"]
    assert heads(text_of(client, "default", "commandstats"))[-3:] == [
        "Errorstats",
        "Cluster",
        "Keyspace",
    ]
    assert text_of(client, "nosuch") == ""


def test_server(world: Embedded) -> None:
    world.pass_ms(2 * 86_400_000 + 5000)
    found = info(world.main, "server")
    expected = {
        "redis_version": "8.10.0",
        "headwater_version": __version__,
        "headwater_mode": mode(),
        "redis_mode": "standalone",
        "process_id": str(os.getpid()),
        "run_id": world.state.run_id,
        "uptime_in_seconds": str(2 * 86_400 + 5),
        "uptime_in_days": "2",
        "config_file": "",
    }
    assert {name: found[name] for name in expected} == expected


def test_clients(world: Embedded) -> None:
    others = [world.connect() for _ in range(3)]
    others[0].ok("WATCH", "a", "b")
    others[1].send("XREAD", "BLOCK", 5000, "STREAMS", "s", "$")
    others[2].send("XREAD", "BLOCK", 0, "STREAMS", "s", "t", "$", "$")
    found = info(world.main, "clients")
    expected = {
        "connected_clients": "4",
        "maxclients": "10000",
        "blocked_clients": "2",
        "watching_clients": "1",
        "clients_in_timeout_table": "1",
        "total_watched_keys": "2",
        "total_blocking_keys": "2",
    }
    assert {name: found[name] for name in expected} == expected


def test_memory(world: Embedded) -> None:
    found = info(world.main, "memory")
    assert 1 << 20 < int(found["used_memory"]) <= int(found["used_memory_peak"])
    assert found["used_memory_human"] == human_bytes(int(found["used_memory"]))
    assert found["maxmemory"] == "0"
    assert found["maxmemory_policy"] == "noeviction"


def test_stats_count_what_happened(world: Embedded) -> None:
    client = world.main
    client.ok("CONFIG", "RESETSTAT")
    client.ok("SET", "a", 1)
    client.ok("GET", "a")
    client.ok("GET", "none")
    client.error("XLEN", "a")
    client.error("NOSUCH")
    found = info(client, "stats")
    expected = {
        "total_commands_processed": "5",
        "keyspace_hits": "2",
        "keyspace_misses": "1",
        "total_error_replies": "2",
        "rejected_connections": "0",
        "instantaneous_ops_per_sec": "0",
        "unexpected_error_replies": "0",
    }
    assert {name: found[name] for name in expected} == expected
    assert info(client, "errorstats") == {
        "errorstat_ERR": "count=1",
        "errorstat_WRONGTYPE": "count=1",
    }
    client.ok("CONFIG", "RESETSTAT")
    found = info(client, "stats")
    assert (found["keyspace_hits"], found["total_error_replies"]) == ("0", "0")
    assert info(client, "errorstats") == {}


def test_commandstats(world: Embedded) -> None:
    client = world.main
    client.ok("CONFIG", "RESETSTAT")
    ping, client_id = (world.state.table.find(name) for name in (b"ping", b"client|id"))
    assert ping is not None
    assert client_id is not None
    for took_us in (3, 4):
        ping.observe(took_us)
    client_id.observe(100)
    client.error("GET")
    client.ok("SET", "a", "x")
    client.error("XLEN", "a")
    found = info(client, "commandstats")
    assert found["cmdstat_ping"] == (
        "calls=2,usec=7,usec_per_call=3.50,rejected_calls=0,failed_calls=0"
    )
    assert found["cmdstat_client|id"].startswith("calls=1,usec=100,usec_per_call=100.00,")
    assert found["cmdstat_get"] == (
        "calls=0,usec=0,usec_per_call=0.00,rejected_calls=1,failed_calls=0"
    )
    assert found["cmdstat_xlen"].startswith("calls=1,")
    assert found["cmdstat_xlen"].endswith("rejected_calls=0,failed_calls=1")
    assert "cmdstat_xadd" not in found
    percentiles = info(client, "latencystats")
    assert percentiles["latency_percentiles_usec_ping"] == "p50=4.000,p99=4.000,p99.9=4.000"
    assert "latency_percentiles_usec_get" not in percentiles


def test_keyspace(world: Embedded) -> None:
    client = world.main
    assert info(client, "keyspace") == {}
    client.ok("SET", "a", 1)
    client.ok("SET", "b", 1, "PX", 3000)
    client.ok("SET", "c", 1, "PX", 5000)
    client.ok("SELECT", 7)
    client.ok("XADD", "s", "*", "f", "v")
    world.pass_ms(1000)
    assert info(client, "keyspace") == {
        "db0": "keys=3,expires=2,avg_ttl=3000,subexpiry=0",
        "db7": "keys=1,expires=0,avg_ttl=0,subexpiry=0",
    }


def test_persistence_counts_changes(world: Embedded) -> None:
    before = info(world.main, "persistence")
    world.main.ok("SET", "a", 1)
    found = info(world.main, "persistence")
    assert found["loading"] == "0"
    assert found["rdb_last_save_time"] == str(NOW_MS // 1000)
    changes = [int(one["rdb_changes_since_last_save"]) for one in (before, found)]
    assert changes[1] - changes[0] == 1


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0B"), (1023, "1023B"), (1024, "1.00K"), (1 << 20, "1.00M"), (1_594_520, "1.52M"),
     (25276510208, "23.54G"), (1 << 60, "1024.00P")],
)  # fmt: skip
def test_sizes_for_people(size: int, text: str) -> None:
    assert human_bytes(size) == text


def test_resident_memory_grows_with_what_is_used() -> None:
    before = resident_bytes()
    with mmap.mmap(-1, 64 << 20) as kept:  # not of the heap, which may have had the room already
        kept.write(bytes(len(kept)))
        assert resident_bytes() - before > len(kept) // 2


def test_rates() -> None:
    rate = Rate(100)
    assert rate.per_second() == 0
    for number in range(WINDOW):
        rate.sample(100 + 50 * (number + 1), 100_000)
    assert rate.per_second() == 500
    rate.sample(0, 100_000)
    assert rate.per_second() == 500 * (WINDOW - 1) / WINDOW
    rate.sample(10, 0)
    rate.sample(60, 100_000)
    assert rate.per_second() == 500 * (WINDOW - 1) / WINDOW


OURS_ALONE = {
    "headwater_version",
    "headwater_mode",
    "headwater_journal_position",
    "headwater_journal_written",
    "headwater_journal_synced",
    "headwater_journal_syncs",
    "python_version",
    "stream_packed_blocks",
    "stream_packed_bytes",
    "stream_packed_raw_bytes",
    "stream_packing_pending",
    "stream_unpacked_blocks",
    "stream_unpacked_kept_bytes",
}


def test_every_field_is_one_of_redis(headwater: Server, reference: Server) -> None:
    ours, theirs = headwater.connect(), reference.connect()
    theirs.ok("CONFIG", "SET", "appendonly", "yes")
    for section in SECTIONS:
        if section in ("Commandstats", "Errorstats", "Latencystats"):
            continue
        known = set(info(theirs, section.lower()))
        own = set(info(ours, section.lower())) - OURS_ALONE
        assert own <= known, section
    theirs.ok("CONFIG", "SET", "appendonly", "no")


def test_a_running_server(headwater: Server) -> None:
    client = headwater.connect()
    found = info(client)
    assert found["tcp_port"] == str(headwater.port)
    assert found["process_id"] == str(headwater.pid)
    assert found["listener0"].endswith(f"port={headwater.port}")
    assert int(found["used_memory_startup"]) > 0
    received = int(found["total_net_input_bytes"])
    client.ok("ECHO", "x" * 1000)
    assert int(info(client, "stats")["total_net_input_bytes"]) - received >= 1000
