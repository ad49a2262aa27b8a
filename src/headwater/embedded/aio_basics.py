"""What is no stream, for asyncio: made from basics.py by twin.py, change that one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headwater.embedded import shapes, words
from headwater.embedded.aio_streams import StreamCommands
from headwater.embedded.caller import AS_IS, VALUE
from headwater.embedded.shapes import Key, Word


class Commands(StreamCommands):
    """All typed methods of an Engine."""

    __slots__ = ()

    async def execute(self, *command: Word) -> Any:
        """Execute any command; the reply as RESP2 has it: bytes, int, None, list.

        `execute("XADD", "orders", "*", "id", 7)`. Raises redis-py's exception for an error reply,
        ValueError for a command whose effect is on its connection (MULTI, SUBSCRIBE, SELECT):
        `connect` gives a client for those.
        """
        words.check_free(command)
        return await self._call(command, VALUE, AS_IS)

    # --- keys ---

    async def delete(self, *names: Key) -> int:
        """Delete keys; returns how many there were."""
        return await self._call((b"DEL", *names), VALUE, AS_IS)

    async def unlink(self, *names: Key) -> int:
        """As `delete`; what is big is freed in the background either way."""
        return await self._call((b"UNLINK", *names), VALUE, AS_IS)

    async def exists(self, *names: Key) -> int:
        """How many of the keys there are."""
        return await self._call((b"EXISTS", *names), VALUE, AS_IS)

    async def type(self, name: Key) -> bytes:
        """b"stream", b"string", b"list" or b"none"."""
        return await self._call((b"TYPE", name), VALUE, AS_IS)

    async def keys(self, pattern: Key = "*") -> list[bytes]:
        """All keys that match; looks at every key there is."""
        return await self._call((b"KEYS", pattern), VALUE, AS_IS)

    async def dbsize(self) -> int:
        """Number of keys."""
        return await self._call((b"DBSIZE",), VALUE, AS_IS)

    async def expire(self, name: Key, time: int) -> bool:
        """Delete the key in so many seconds; False if it is not there."""
        return await self._call((b"EXPIRE", name, time), VALUE, bool)

    async def pexpire(self, name: Key, time: int) -> bool:
        """As `expire`, in milliseconds."""
        return await self._call((b"PEXPIRE", name, time), VALUE, bool)

    async def persist(self, name: Key) -> bool:
        """Have the key not expire; False if it would not have."""
        return await self._call((b"PERSIST", name), VALUE, bool)

    async def ttl(self, name: Key) -> int:
        """Seconds until the key expires; -1: never, -2: not there."""
        return await self._call((b"TTL", name), VALUE, AS_IS)

    async def pttl(self, name: Key) -> int:
        """As `ttl`, in milliseconds."""
        return await self._call((b"PTTL", name), VALUE, AS_IS)

    async def rename(self, src: Key, dst: Key) -> bool:
        """Rename a key; what `dst` was is deleted."""
        return await self._call((b"RENAME", src, dst), VALUE, shapes.is_ok)

    # --- strings ---

    async def get(self, name: Key) -> bytes | None:
        """The string at a key, or None."""
        return await self._call((b"GET", name), VALUE, AS_IS)

    async def set(
        self,
        name: Key,
        value: Word,
        ex: int | None = None,
        px: int | None = None,
        nx: bool = False,
        xx: bool = False,
        keepttl: bool = False,
        get: bool = False,
        exat: int | None = None,
        pxat: int | None = None,
    ) -> Any:
        """Set a string, to expire in `ex` seconds or `px` milliseconds or at a unix time.

        True; None if `nx` or `xx` kept it from being set; with `get` what was there before.
        """
        given = words.set_string(name, value, ex, px, nx, xx, keepttl, get, exat, pxat)
        return await self._call(given, VALUE, AS_IS if get else shapes.set_reply)

    async def mget(self, *names: Key) -> list[bytes | None]:
        """The strings at keys."""
        return await self._call((b"MGET", *names), VALUE, AS_IS)

    async def incrby(self, name: Key, amount: int = 1) -> int:
        """Add to the number at a key; returns what it is then."""
        return await self._call((b"INCRBY", name, amount), VALUE, AS_IS)

    # --- lists ---

    async def lpush(self, name: Key, *values: Word) -> int:
        """Put values in front, one after the other; returns the list's length then."""
        return await self._call((b"LPUSH", name, *values), VALUE, AS_IS)

    async def rpush(self, name: Key, *values: Word) -> int:
        """Put values at the end; returns the list's length then."""
        return await self._call((b"RPUSH", name, *values), VALUE, AS_IS)

    async def lpop(self, name: Key, count: int | None = None) -> Any:
        """Take the first value, or None; with `count` a list of up to so many."""
        given = (b"LPOP", name) if count is None else (b"LPOP", name, count)
        return await self._call(given, VALUE, AS_IS)

    async def rpop(self, name: Key, count: int | None = None) -> Any:
        """Take the last value, or None; with `count` a list of up to so many."""
        given = (b"RPOP", name) if count is None else (b"RPOP", name, count)
        return await self._call(given, VALUE, AS_IS)

    async def blpop(self, *names: Key, timeout: float = 0) -> tuple[bytes, bytes] | None:
        """(key, first value) of the first list that has one; waits `timeout` s, 0: for ever."""
        return await self._call((b"BLPOP", *names, timeout), VALUE, shapes.popped)

    async def brpop(self, *names: Key, timeout: float = 0) -> tuple[bytes, bytes] | None:
        """As `blpop`, the last value."""
        return await self._call((b"BRPOP", *names, timeout), VALUE, shapes.popped)

    async def llen(self, name: Key) -> int:
        """Number of values."""
        return await self._call((b"LLEN", name), VALUE, AS_IS)

    async def lrange(self, name: Key, start: int, end: int) -> list[bytes]:
        """Values from a place to another, both included; -1 is the last."""
        return await self._call((b"LRANGE", name, start, end), VALUE, AS_IS)

    # --- the store ---

    async def publish(self, channel: Key, message: Word) -> int:
        """Send a message to who listens to a channel now; returns how many do."""
        return await self._call((b"PUBLISH", channel, message), VALUE, AS_IS)

    async def eval(self, script: Key, numkeys: int, *keys_and_args: Word) -> Any:
        """Run a Lua script."""
        return await self._call((b"EVAL", script, numkeys, *keys_and_args), VALUE, AS_IS)

    async def config_get(self, *patterns: Key) -> dict[str, str]:
        """Directives that match (all: "*") and their values."""
        given = (b"CONFIG", b"GET", *(patterns or ("*",)))
        return await self._call(given, VALUE, shapes.configuration)

    async def config_set(self, name: Key | Mapping[Any, Any], value: Word | None = None) -> bool:
        """Set a directive, or all of a dict at once."""
        pairs = name if isinstance(name, Mapping) else {name: value}
        return await self._call(words.config_set(pairs), VALUE, shapes.is_ok)

    async def info(self, *sections: Key) -> dict[str, Any]:
        """Facts about the store, as redis-py reads them."""
        return await self._call((b"INFO", *sections), VALUE, shapes.information)

    async def flushall(self) -> bool:
        """Delete everything."""
        return await self._call((b"FLUSHALL",), VALUE, shapes.is_ok)

    async def save(self) -> bool:
        """Write a snapshot now; durable stores are durable without."""
        return await self._call((b"SAVE",), VALUE, shapes.is_ok)

    async def ping(self) -> bool:
        """True."""
        return await self._call((b"PING",), VALUE, shapes.is_pong)

    async def time(self) -> tuple[int, int]:
        """The store's clock: unix seconds, and microseconds."""
        return await self._call((b"TIME",), VALUE, shapes.two_numbers)
