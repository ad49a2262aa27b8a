"""Lua scripts: every reply as redis-server's, in both protocols."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest

from parity.script_table import SCRIPTS
from support.servers import Server
from support.wire import Connection, Reply

_ADDRESS = re.compile(rb"0x[0-9a-f]+")


def masked(reply: Reply) -> Any:
    kind, value = reply
    if isinstance(value, bytes):
        return kind, _ADDRESS.sub(b"0x", value)
    if isinstance(value, list):
        items = [
            masked(item) if isinstance(item[0], str) else (masked(item[0]), masked(item[1]))
            for item in value
        ]
        # Tables have no order.
        return kind, sorted(items, key=repr) if kind in "%~" else items
    return reply


def both(servers: tuple[Connection, Connection], *words: bytes | str | int) -> Any:
    ours, theirs = (masked(server.call(*words)) for server in servers)
    assert ours == theirs, words
    return ours


@pytest.fixture(params=[2, 3], ids=["RESP2", "RESP3"])
def clients(
    request: pytest.FixtureRequest, headwater: Server, reference: Server
) -> tuple[Connection, Connection]:
    found = headwater.connect(request.param), reference.connect(request.param)
    for client in found:
        client.ok("SCRIPT", "FLUSH")
    return found


@pytest.mark.parametrize("topic", SCRIPTS)
def test_every_script_of_the_table(topic: str, clients: tuple[Connection, Connection]) -> None:
    for script in SCRIPTS[topic]:
        both(clients, "EVAL", script, 0)


@pytest.mark.parametrize("topic", ["returned", "replies-of-commands", "first-lines"])
def test_read_only(topic: str, clients: tuple[Connection, Connection]) -> None:
    for client in clients:
        client.ok("XADD", "s", "1-1", "f", "v")
    for script in SCRIPTS[topic]:
        both(clients, "EVAL_RO", script, 0)


def test_a_thousand_small_errors_have_the_right_line(
    clients: tuple[Connection, Connection],
) -> None:
    for lines in range(1, 40):
        for body in ("error('x')", "return redis.call('nope')", "return string.rep()", "return y"):
            both(clients, "EVAL", "\n" * lines + body, 0)


COMMANDS = """
EVAL "return 1"
EVAL
EVAL "return 1" x
EVAL "return 1" -1
EVAL "return 1" 1
EVAL "return 1" 2 a
EVAL "return 1" 99999999999999999999
EVAL "return (" 5
EVAL "return {KEYS, ARGV}" 0
EVAL "return {KEYS, ARGV}" 1 a
EVAL "return {KEYS, ARGV}" 2 a b c d
EVAL "return {KEYS[1], ARGV[1], #KEYS, #ARGV}" 1 a ''
EVALSHA x 0
EVALSHA ffffffffffffffffffffffffffffffffffffffff 0
EVALSHA ffffffffffffffffffffffffffffffffffffffff 1
EVALSHA ffffffffffffffffffffffffffffffffffffffff -1
EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0
SCRIPT LOAD "return 1"
EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0
EVALSHA E0E1F9FABFC9D4800C877A703B823AC0578FF8DB 0
EVALSHA_RO e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0
SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db x
SCRIPT EXISTS E0E1F9FABFC9D4800C877A703B823AC0578FF8DB
SCRIPT EXISTS
SCRIPT LOAD "return ("
SCRIPT LOAD "#!lua flags=x~return 1"
SCRIPT LOAD "#!lua~return 1"
EVALSHA_RO 8d4d5f7d8dd0fa2c0ac6d4c0f6c5c2a6bd5d3c52 0
SCRIPT LOAD
SCRIPT LOAD a b
SCRIPT FLUSH x
SCRIPT FLUSH ASYNC x
SCRIPT FLUSH ASYNC
SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db
SCRIPT FLUSH sync
SCRIPT FLUSH
SCRIPT KILL
SCRIPT KILL x
SCRIPT NOPE
SCRIPT
SCRIPT DEBUG
SCRIPT DEBUG NO
SCRIPT DEBUG x
SET k v
EVAL_RO "return redis.call('get', KEYS[1])" 1 k
EVAL_RO "return redis.call('set', KEYS[1], 'x')" 1 k
EVAL_RO "return redis.pcall('set', KEYS[1], 'x').err" 1 k
EVAL_RO "#!lua~return 1" 0
EVAL_RO "#!lua flags=no-writes~return 1" 0
EVAL_RO "return redis.call('publish', 'c', 'm')" 0
EVAL "return redis.call('publish', 'c', 'm')" 0
EVAL "#!lua flags=no-writes~return redis.call('publish', 'c', 'm')" 0
MULTI
EVAL "return redis.call('incr', KEYS[1])" 1 n
EVAL "redis.call('incr', KEYS[1]) error('x')" 1 n
EVALSHA ffffffffffffffffffffffffffffffffffffffff 0
EVAL "return (" 0
EVAL
GET n
EXEC
MULTI
EVAL "return redis.call('incr', KEYS[1])" 1 n
EVAL "redis.call('incr', KEYS[1]) error('x')" 1 n
EVALSHA ffffffffffffffffffffffffffffffffffffffff 0
SCRIPT LOAD "return 1"
GET n
EXEC
SELECT 2
EVAL "redis.call('select', 5) redis.call('set', 'x', 1) return redis.call('get', 'x')" 0
GET x
SELECT 5
GET x
SELECT 0
WATCH w
EVAL "return redis.call('set', 'w', 1)" 0
MULTI
EXEC
CONFIG SET maxmemory 1
EVAL "return redis.call('set', 'm', 1)" 0
EVAL "return redis.pcall('set', 'm', 1)" 0
EVAL "return redis.call('get', 'm')" 0
EVAL "return redis.call('del', 'none') + 1" 0
EVAL "redis.call('del', 'none') return redis.call('set', 'm', 1)" 0
EVAL "#!lua~return 1" 0
EVAL "#!lua~return redis.call('set', 'm', 1)" 0
EVAL "#!lua flags=no-writes~return 1" 0
EVAL "#!lua flags=no-writes~return redis.call('get', 'm')" 0
EVAL "#!lua flags=allow-oom~return redis.call('set', 'm', 1)" 0
EVAL_RO "return redis.call('get', 'm')" 0
CONFIG SET maxmemory 0
CONFIG RESETSTAT
EVAL "return redis.pcall('nope')" 0
EVAL "return redis.call('nope')" 0
EVAL "return redis.call('incr', 'k')" 0
EVAL "return redis.pcall('incr', 'k')" 0
EVAL "error('x')" 0
EVAL "error({err='MINE x'})" 0
EVAL "return {err='OTHER x'}" 0
EVAL "return redis.error_reply('THIRD x')" 0
EVAL "return (" 0
EVAL "return redis.call('subscribe', 'k')" 0
EVAL "return redis.call('set', 'k')" 0
EVAL "return redis.call()" 0
"""


def test_commands_and_statistics(clients: tuple[Connection, Connection]) -> None:
    for line in COMMANDS.strip().splitlines():
        words = [word.replace("~", "\n") for word in shlex.split(line)]
        both(clients, *words)
    ours, theirs = (statistics_of(client) for client in clients)
    assert ours == theirs


def statistics_of(client: Connection) -> dict[str, str]:
    """Errors by code, and how often each command was called, rejected and failed."""
    found = {}
    for section in ("errorstats", "commandstats"):
        for line in client.ok("INFO", section).decode().splitlines():
            name, _, value = line.partition(":")
            if value and "info" not in name and "client" not in name:
                found[name] = re.sub(r"usec\w*=[\d.]+,?", "", value)
    return found


def test_scripts_of_eval_are_forgotten_those_loaded_are_not(
    clients: tuple[Connection, Connection],
) -> None:
    loaded = both(clients, "SCRIPT", "LOAD", "return 'kept'")[1]
    first = both(clients, "EVAL", "return redis.sha1hex('return 0')", 0)[1]
    both(clients, "EVAL", "return 0", 0)
    for i in range(1, 520):
        for client in clients:
            client.ok("EVAL", f"return {i}", 0)
        if i == 400:
            both(clients, "EVALSHA", first, 0)  # it is used, so it is not the oldest
    both(clients, "SCRIPT", "EXISTS", loaded, first)
    for i in (1, 15, 19, 20, 21, 25, 519):
        both(clients, "EVAL", f"return redis.sha1hex('return {i}')", 0)
    for client in clients:
        text = client.ok("INFO", "memory").decode()
        assert "number_of_cached_scripts:501\r\n" in text
        assert re.search(r"evicted_scripts:\d+", client.ok("INFO", "stats").decode())


def test_big_numbers_and_wrong_words_among_many(clients: tuple[Connection, Connection]) -> None:
    for number in ("1e17", "-1e17", "2^60 + 2^10", "2^62 - 1024", "2^62", "-2^62", "5e18", "2^63"):
        both(clients, "EVAL", f"return redis.call('echo', {number})", 0)
        both(clients, "EVAL", f"return {{double = {number}}}", 0)
    words = "local t = {'rpush', 'wrong'} for i = 1, 30 do t[#t + 1] = i end t[20] = {} "
    both(clients, "EVAL", f"{words} return redis.pcall(unpack(t))", 0)
    both(clients, "EVAL", f"{words} return redis.call(unpack(t))", 0)
    both(clients, "EVAL", f"{words} redis.pcall(unpack(t)) return 'on'", 0)
