"""The sections of INFO: names and values as Redis's, where they mean something here.

Tools read these names, so they stay exactly as they are. What does not exist in this server
(replicas, scripts, modules) is 0, or left out where no tool asks for it.
"""

from __future__ import annotations

import os
import platform
import select
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from headwater import __version__, mode
from headwater._version import REDIS_VERSION
from headwater.acl import denials
from headwater.commands.channels import CHANNEL, PATTERN, SHARD
from headwater.commands.process_usage import (
    human_bytes,
    processor_times,
    resident_bytes,
    total_memory_bytes,
)

if TYPE_CHECKING:
    from headwater.commands.state import ServerState
    from headwater.commands.table import Command
    from headwater.keyspace.database import Database

Fields = Iterator[tuple[str, object]]

PERCENTILES = (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999))
TTL_SAMPLE_KEYS = 64
_EXECUTABLE = os.path.abspath(sys.argv[0] if sys.argv and sys.argv[0] else sys.executable)


def _server(state: ServerState) -> Fields:
    system = platform.uname()
    now_ms = state.clock.now_ms
    uptime_s = max(now_ms - state.started_ms, 0) // 1000
    server = state.server
    yield "redis_version", REDIS_VERSION
    yield "headwater_version", __version__
    yield "headwater_mode", mode()
    yield "redis_git_sha1", "00000000"
    yield "redis_git_dirty", 0
    yield "redis_build_id", 0
    yield "redis_mode", "standalone"
    yield "os", f"{system.system} {system.release} {system.machine}"
    yield "arch_bits", 64 if sys.maxsize > 1 << 32 else 32
    yield "monotonic_clock", "POSIX clock_gettime"
    yield "multiplexing_api", "epoll" if hasattr(select, "epoll") else "kqueue"
    yield "python_version", platform.python_version()
    yield "process_id", os.getpid()
    yield "process_supervised", "no"
    yield "run_id", state.run_id
    yield "tcp_port", 0 if server is None else server.port or server.tls_port
    yield "server_time_usec", state.clock.read_us()
    yield "uptime_in_seconds", uptime_s
    yield "uptime_in_days", uptime_s // 86400
    yield "hz", 10
    yield "configured_hz", state.config.get_int("hz")
    yield "lru_clock", (now_ms // 1000) & 0xFFFFFF
    yield "executable", _EXECUTABLE
    yield "config_file", state.config.path or ""
    yield "io_threads_active", 0
    if server is not None:
        yield from _listeners(state)


def _listeners(state: ServerState) -> Fields:
    # The number is the kind of listener, as in Redis.
    server = state.server
    addresses = ",".join(f"bind={word}" for word in state.config.get_words("bind"))
    if server.port:
        yield "listener0", f"name=tcp,{addresses},port={server.port}"
    if server.unix_path:
        yield "listener1", f"name=unix,bind={server.unix_path}"
    if server.tls_port:
        yield "listener2", f"name=tls,{addresses},port={server.tls_port}"


def _clients(state: ServerState) -> Fields:
    largest_input = largest_output = watching = with_timeout = 0
    for session in state.clients.values():
        largest_input = max(largest_input, session.input_bytes())
        largest_output = max(largest_output, session.output_bytes())
        if session.watching is not None:
            watching += 1
        if session.blocked is not None and session.blocked.deadline_ms:
            with_timeout += 1
    databases = state.keyspace.databases
    yield "connected_clients", len(state.clients)
    yield "cluster_connections", 0
    yield "maxclients", _maxclients(state)
    yield "client_recent_max_input_buffer", largest_input
    yield "client_recent_max_output_buffer", largest_output
    yield "blocked_clients", state.blocked_clients
    yield "tracking_clients", 0
    yield "pubsub_clients", state.channels.listening
    yield "watching_clients", watching
    yield "clients_in_timeout_table", with_timeout
    yield "total_watched_keys", sum(len(database.watched) for database in databases)
    yield "total_blocking_keys", sum(len(database.waiting) for database in databases)
    yield "total_blocking_keys_on_nokey", 0


def _maxclients(state: ServerState) -> object:
    if state.server is None:
        return state.config.get_int("maxclients")
    return state.server.maxclients


def _memory(state: ServerState) -> Fields:
    """used_memory is what is in use, used_memory_rss what lies in RAM."""
    used = peak = state.memory.report()
    resident = resident_bytes()
    startup = 0
    peak_ms = state.clock.now_ms
    if state.server is not None:
        sampler = state.server.sampler
        sampler.note_memory(used, peak_ms)
        peak, peak_ms, startup = sampler.peak_bytes, sampler.peak_ms, sampler.startup_bytes
    overhead = min(startup, used)
    total = total_memory_bytes()
    limit = state.config.get_int("maxmemory")
    clients = sum(one.input_bytes() + one.output_bytes() for one in state.clients.values())
    yield "used_memory", used
    yield "used_memory_human", human_bytes(used)
    yield "used_memory_rss", resident
    yield "used_memory_rss_human", human_bytes(resident)
    yield "used_memory_peak", peak
    yield "used_memory_peak_human", human_bytes(peak)
    yield "used_memory_peak_time", peak_ms // 1000
    yield "used_memory_peak_perc", f"{100 * used / peak:.2f}%"
    yield "used_memory_overhead", overhead
    yield "used_memory_startup", startup
    yield "used_memory_dataset", used - overhead
    yield "used_memory_dataset_perc", f"{100 * (used - overhead) / used:.2f}%"
    yield "total_system_memory", total
    yield "total_system_memory_human", human_bytes(total)
    yield from _scripts(state)
    yield "maxmemory", limit
    yield "maxmemory_human", human_bytes(limit)
    yield "maxmemory_policy", state.config.get_text("maxmemory-policy")
    yield "mem_fragmentation_ratio", f"{resident / used:.2f}"
    yield "mem_fragmentation_bytes", resident - used
    yield "mem_not_counted_for_evict", 0
    yield "mem_replication_backlog", 0
    yield "mem_clients_slaves", 0
    yield "mem_clients_normal", clients
    yield "mem_cluster_links", 0
    yield "mem_aof_buffer", state.recorder.gathered()
    yield "mem_allocator", "libc"
    yield from state.packer.info()
    yield "active_defrag_running", 0
    yield "lazyfree_pending_objects", len(state.keyspace.graveyard)
    yield "lazyfreed_objects", 0


def _scripts(state: ServerState) -> Fields:
    scripting = state.scripting
    functions = scripting.functions
    eval_vm, function_vm = scripting.vm_bytes(), functions.vm_bytes()
    yield "used_memory_lua", eval_vm
    yield "used_memory_vm_eval", eval_vm
    yield "used_memory_lua_human", human_bytes(eval_vm)
    yield "used_memory_scripts_eval", scripting.bytes
    yield "number_of_cached_scripts", len(scripting.scripts)
    yield "number_of_functions", functions.count()
    yield "number_of_libraries", len(functions.libraries())
    yield "used_memory_vm_functions", function_vm
    yield "used_memory_vm_total", eval_vm + function_vm
    yield "used_memory_vm_total_human", human_bytes(eval_vm + function_vm)
    yield "used_memory_functions", functions.used_bytes()
    yield "used_memory_scripts", scripting.bytes + functions.used_bytes()
    yield "used_memory_scripts_human", human_bytes(scripting.bytes + functions.used_bytes())


def _persistence(state: ServerState) -> Fields:
    yield from state.persistence.info()


def _stats(state: ServerState) -> Fields:
    commands = input_kb = output_kb = 0.0
    if state.server is not None:
        sampler = state.server.sampler
        commands = sampler.commands.per_second()
        input_kb = sampler.input_bytes.per_second() / 1024
        output_kb = sampler.output_bytes.per_second() / 1024
    keyspace = state.keyspace
    yield "total_connections_received", state.connections_received
    yield "total_commands_processed", state.commands_processed
    yield "instantaneous_ops_per_sec", int(commands)
    yield "total_net_input_bytes", state.read_bytes
    yield "total_net_output_bytes", state.written_bytes
    yield "total_net_repl_input_bytes", 0
    yield "total_net_repl_output_bytes", 0
    yield "instantaneous_input_kbps", f"{input_kb:.2f}"
    yield "instantaneous_output_kbps", f"{output_kb:.2f}"
    yield "instantaneous_input_repl_kbps", "0.00"
    yield "instantaneous_output_repl_kbps", "0.00"
    yield "rejected_connections", state.rejected_connections
    yield "sync_full", 0
    yield "sync_partial_ok", 0
    yield "sync_partial_err", 0
    yield "expired_subkeys", 0
    yield "expired_keys", keyspace.expired_keys
    yield "expired_stale_perc", "0.00"
    yield "expired_time_cap_reached_count", 0
    yield "evicted_keys", state.memory.evictor.evicted_keys
    yield "evicted_clients", 0
    yield "evicted_scripts", state.scripting.evicted
    yield "total_eviction_exceeded_time", 0
    yield "current_eviction_exceeded_time", 0
    yield "keyspace_hits", keyspace.keyspace_hits
    yield "keyspace_misses", keyspace.keyspace_misses
    yield "pubsub_channels", len(state.channels.of(CHANNEL))
    yield "pubsub_patterns", len(state.channels.of(PATTERN))
    yield "pubsubshard_channels", len(state.channels.of(SHARD))
    yield "latest_fork_usec", 0
    yield "total_forks", 0
    yield "migrate_cached_sockets", 0
    yield "slave_expires_tracked_keys", 0
    yield "active_defrag_hits", 0
    yield "active_defrag_misses", 0
    yield "tracking_total_keys", 0
    yield "tracking_total_items", 0
    yield "tracking_total_prefixes", 0
    yield "unexpected_error_replies", state.unexpected_errors
    yield "total_error_replies", state.error_replies
    yield "dump_payload_sanitizations", 0
    denied = state.access.log.counts
    yield "acl_access_denied_auth", denied[denials.AUTH]
    yield "acl_access_denied_cmd", denied[denials.COMMAND]
    yield "acl_access_denied_key", denied[denials.KEY]
    yield "acl_access_denied_channel", denied[denials.CHANNEL]


def _replication(state: ServerState) -> Fields:
    yield "role", "master"
    yield "connected_slaves", 0
    yield "master_failover_state", "no-failover"
    yield "master_replid", state.run_id
    yield "master_replid2", "0" * 40
    yield "master_repl_offset", 0
    yield "second_repl_offset", -1
    yield "repl_backlog_active", 0
    yield "repl_backlog_size", 0
    yield "repl_backlog_first_byte_offset", 0
    yield "repl_backlog_histlen", 0


def _cpu(state: ServerState) -> Fields:
    for name, seconds in processor_times():
        yield name, f"{seconds:.6f}"


def _modules(state: ServerState) -> Fields:
    return iter(())


def _shown_commands(state: ServerState) -> list[Command]:
    return [
        one
        for one in state.table.everything.values()
        if one.calls or one.rejected_calls or one.failed_calls
    ]


def _commandstats(state: ServerState) -> Fields:
    for one in _shown_commands(state):
        each = one.usec / one.calls if one.calls else 0.0
        yield (
            f"cmdstat_{one.name.decode()}",
            f"calls={one.calls},usec={one.usec},usec_per_call={each:.2f},"
            f"rejected_calls={one.rejected_calls},failed_calls={one.failed_calls}",
        )


def _errorstats(state: ServerState) -> Fields:
    for code, count in sorted(state.error_statistics.items()):
        yield f"errorstat_{code.decode('latin-1')}", f"count={count}"


def percentile_us(counts: list[tuple[int, int]], calls: int, share: float) -> int:
    """How many microseconds that share of the calls took at most, as far as it was counted.

    `counts` are those of Command.duration_counts; the result is one of its powers of two.
    """
    seen = 0
    for limit_us, count in counts:
        seen += count
        if seen >= share * calls:
            return limit_us
    return counts[-1][0]


def _latencystats(state: ServerState) -> Fields:
    for one in _shown_commands(state):
        counts = one.duration_counts()
        if not counts:
            continue
        calls = sum(count for _, count in counts)
        values = ",".join(
            f"{name}={percentile_us(counts, calls, share):.3f}" for name, share in PERCENTILES
        )
        yield f"latency_percentiles_usec_{one.name.decode()}", values


def _cluster(state: ServerState) -> Fields:
    yield "cluster_enabled", 0


def _mean_ttl_ms(database: Database, now_ms: int) -> int:
    """The mean time to live of some of the keys that expire."""
    values = database.values
    keys = (key for bucket in database.wheel.buckets.values() for key in bucket)
    times = [values[key].expire_at - now_ms for key in islice(keys, TTL_SAMPLE_KEYS)]
    return max(sum(times) // len(times), 0) if times else 0


def _keyspace(state: ServerState) -> Fields:
    now_ms = state.clock.now_ms
    for database in state.keyspace.databases:
        if database.size():
            yield (
                f"db{database.index}",
                f"keys={database.size()},expires={database.expiring()},"
                f"avg_ttl={_mean_ttl_ms(database, now_ms)},subexpiry=0",
            )


SECTIONS: dict[str, Callable[[ServerState], Fields]] = {
    "Server": _server,
    "Clients": _clients,
    "Memory": _memory,
    "Persistence": _persistence,
    "Stats": _stats,
    "Replication": _replication,
    "CPU": _cpu,
    "Modules": _modules,
    "Commandstats": _commandstats,
    "Errorstats": _errorstats,
    "Latencystats": _latencystats,
    "Cluster": _cluster,
    "Keyspace": _keyspace,
}
"""The sections in the order in which they are shown, whatever was asked for first."""

NOT_BY_DEFAULT = frozenset(("commandstats", "latencystats"))
EVERYTHING = frozenset(name.lower() for name in SECTIONS)


def wanted_sections(words: list[str]) -> frozenset[str]:
    """The lower-case names of the sections that INFO was asked for; unknown ones are nothing."""
    if not words:
        words = ["default"]
    wanted: set[str] = set()
    for word in (word.lower() for word in words):
        if word in ("all", "everything"):
            wanted |= EVERYTHING
        elif word == "default":
            wanted |= EVERYTHING - NOT_BY_DEFAULT
        else:
            wanted.add(word)
    return frozenset(wanted)


def render(state: ServerState, wanted: frozenset[str]) -> str:
    """The text of INFO."""
    sections = []
    for name, fields in SECTIONS.items():
        if name.lower() in wanted:
            lines = [f"# {name}", *(f"{field}:{value}" for field, value in fields(state)), ""]
            sections.append("\r\n".join(lines))
    return "\r\n".join(sections)
