"""Killing a consumer: its connections are gone from one moment to the next, as after kill -9.

What it has not acknowledged stays pending, or is redelivered if the group's settings say so.
"""

from __future__ import annotations

import inspect
from typing import Any

import redis

from headwater.commands.session import Session
from headwater.embedded.store import Store
from headwater.streams.stream import Stream

_KILLED = "this client was killed by the test, and so was whatever used it"


def kill_client(store: Store, client: Any) -> int:
    """End all connections of a redis-py client, sync or asyncio, and let it make no new ones.

    The client is one of the store's own, or connected to it by TCP. Returns how many there were.
    """
    pool = client.connection_pool
    connections = connections_of(client)
    _refuse(pool, "get_connection")
    addresses = set()
    lines: list[Any] = []
    for connection in connections:
        _refuse(connection, "connect")
        _refuse(connection, "connect_check_health")
        line = getattr(connection, "_sock", None) or getattr(connection, "_writer", None)
        if line is None:
            continue
        if hasattr(line, "session"):
            lines.append(line.session)
        elif hasattr(line, "get_extra_info"):
            addresses.add(_address(line.get_extra_info("sockname")))
        else:
            addresses.add(_address(line.getsockname()))
    store.entrance.enter()
    try:
        clients = store.state.clients
        return _close([one for one in clients.values() if one in lines or one.address in addresses])
    finally:
        store.entrance.leave()


def kill_consumer(store: Store, name: bytes, key: bytes | None, group: bytes | None) -> int:
    """End the connections on which the consumers of a name were last seen; returns how many."""
    store.entrance.enter()
    try:
        found: dict[int, Session] = {}
        for database in store.state.keyspace.databases:
            for stream_key, value in database.values.items():
                if not isinstance(value, Stream) or not value.groups:
                    continue
                if key is not None and stream_key != key:
                    continue
                for group_name, one in value.groups.items():
                    consumer = one.consumers.get(name)
                    if consumer is None or (group is not None and group_name != group):
                        continue
                    session = store.state.clients.get(consumer.session)
                    if session is not None:
                        found[session.id] = session
        return _close(list(found.values()))
    finally:
        store.entrance.leave()


def _close(sessions: list[Session]) -> int:
    for session in sessions:
        session.close()
    return len(sessions)


def connections_of(client: Any) -> list[Any]:
    """All connections of a client's pool, and its own if it has one."""
    pool = client.connection_pool
    found: list[Any] = []
    for name in ("_available_connections", "_in_use_connections", "_connections"):
        found += [one for one in getattr(pool, name, ()) if one not in found]
    own = getattr(client, "connection", None)
    if own is not None and own not in found:
        found.append(own)
    return found


def _refuse(holder: Any, name: str) -> None:
    """Have a method raise ConnectionError from now on."""
    if inspect.iscoroutinefunction(inspect.unwrap(getattr(holder, name))):

        async def refuse_later(*_: Any, **__: Any) -> Any:
            raise redis.ConnectionError(_KILLED)

        setattr(holder, name, refuse_later)
        return

    def refuse(*_: Any, **__: Any) -> Any:
        raise redis.ConnectionError(_KILLED)

    setattr(holder, name, refuse)


def _address(name: Any) -> str:
    """A socket's own name as the server has it for the client's."""
    if not isinstance(name, tuple):
        return ""
    host, port = name[0], name[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
