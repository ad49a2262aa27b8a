"""How a command gets to its data: a server's URL, or a directory opened in this process.

Guarantees: a password given in a URL or in HEADWATER_PASSWORD is in no text that a Link shows.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from headwater._version import __version__
from headwater.cli.failure import (
    MISUSED,
    Failure,
    no_such_group,
    no_such_key,
    not_a_stream,
)
from headwater.cli.words import facts_of, shown
from headwater.errors import HeadwaterError
from headwater.journal.format import LOCK_NAME

DEFAULT_URL = "redis://127.0.0.1:6379"
URL_VARIABLE = "HEADWATER_URL"
PASSWORD_VARIABLE = "HEADWATER_PASSWORD"
SCHEMES = ("redis", "rediss", "unix")
CONNECT_SECONDS = 5.0
_DATA_NAMES = ("appendonlydir", "dump.rdb")
_SECRET = ("password", "ssl_password")


class Link:
    """A way to one server or store.

    `client` is a redis.Redis that replies bytes, as redis-py's methods document (protocol 2).
    `raw` shares its connections and gives each reply as it came: lists, bytes, integers; nothing
    is made of it, so that repeated fields survive. Its `execute_command` takes whole words.
    `url` may be shown: no password is in it. `embedded`: the store is a directory of this process.
    """

    def __init__(self, client: redis.Redis, url: str, embedded: bool) -> None:
        self.client = client
        self.raw = redis.Redis(connection_pool=client.connection_pool)
        self.raw.response_callbacks.clear()
        self.url = url
        self.embedded = embedded
        self._facts: dict[str, str] | None = None

    def call(self, *words: bytes | str | int) -> Any:
        """The raw reply to one command. Raises what redis-py raises."""
        return self.raw.execute_command(*words)

    def calls(self, commands: list[tuple[bytes | str | int, ...]]) -> list[Any]:
        """The raw replies to many commands, in one turn; errors are among them as objects."""
        if not commands:
            return []
        pipeline = self.raw.pipeline(transaction=False)
        for words in commands:
            pipeline.execute_command(*words)
        replies: list[Any] = pipeline.execute(raise_on_error=False)
        return replies

    def server_facts(self) -> dict[str, str]:
        """INFO's facts about the server itself; empty if this user may not ask."""
        if self._facts is None:
            self._facts = {}
            try:
                text = self.call("INFO", "server")
            except redis.ResponseError:
                return self._facts
            for line in text.decode("utf-8", "replace").splitlines():
                name, colon, value = line.partition(":")
                if colon:
                    self._facts[name] = value
        return self._facts

    @property
    def is_headwater(self) -> bool:
        """Whether Headwater answers."""
        return "headwater_version" in self.server_facts()

    @property
    def server(self) -> str:
        """What answers, with its version, for people: `Redis 7.2.4`."""
        facts = self.server_facts()
        for name, words in (
            ("headwater_version", "Headwater"),
            ("valkey_version", "Valkey"),
            ("redis_version", "Redis"),
        ):
            if name in facts:
                return f"{words} {facts[name]}"
        return "the server"

    def stream_info(self, key: bytes) -> dict[str, Any]:
        """XINFO STREAM by name, replies raw. Raises Failure: no key, or no stream."""
        self.require_stream(key)
        return facts_of(self.call("XINFO", "STREAM", key))

    def require_stream(self, key: bytes) -> None:
        """Raise Failure unless the key holds a stream."""
        kind = self.call("TYPE", key).decode()
        if kind == "none":
            raise no_such_key(shown(key))
        if kind != "stream":
            raise not_a_stream(shown(key), kind)

    def groups(self, key: bytes) -> list[dict[str, Any]]:
        """XINFO GROUPS of a stream that is there, one dict each, values raw."""
        return [facts_of(row) for row in self.call("XINFO", "GROUPS", key)]

    def group_info(self, key: bytes, group: bytes) -> dict[str, Any]:
        """What XINFO GROUPS has of one group. Raises Failure: no key, no stream, no group."""
        self.require_stream(key)
        groups = self.groups(key)
        for facts in groups:
            if facts["name"] == group:
                return facts
        raise no_such_group(shown(key), shown(group), [shown(facts["name"]) for facts in groups])

    def close(self) -> None:
        """Give the connections back; a store that was opened for this is flushed and closed."""
        self.client.close()
        if not self.embedded:
            self.client.connection_pool.disconnect()


@contextmanager
def open_link(url: str, *, create: bool = False, timeout: float | None = None) -> Iterator[Link]:
    """A Link to `url`: redis://, rediss://, unix://, or a data directory.

    `create`: a directory that is not there is made. `timeout`: seconds for connecting and for each
    reply; None: five for connecting, replies may take their time. Nothing is sent yet.
    Raises Failure for what is no address.
    """
    link = _open(url, create, timeout)
    try:
        yield link
    finally:
        link.close()


def _open(url: str, create: bool, timeout: float | None) -> Link:
    scheme, mark, _ = url.partition("://")
    if mark and scheme.lower() in SCHEMES:
        return Link(_client(url, timeout), shown_url(url), False)
    if mark:
        raise Failure(
            f"{shown_url(url)} is no address that can be connected to",
            "Addresses are redis://HOST:PORT/DB, rediss://... (TLS), unix:///PATH, or a data "
            "directory.",
            MISUSED,
        )
    if not url:
        raise Failure("the address is empty", "Give redis://HOST:PORT, or a directory.", MISUSED)
    if not os.path.isdir(url):
        host, colon, port = url.rpartition(":")
        if colon and port.isdigit() and "/" not in url:
            raise Failure(
                f"there is no directory {shown(url)}",
                f"If a server is meant: redis://{host or '127.0.0.1'}:{port}",
                MISUSED,
            )
        if not create:
            raise Failure(
                f"there is no directory {shown(url)}",
                "Addresses are redis://HOST:PORT/DB, rediss://... (TLS), unix:///PATH, or a data "
                "directory.",
                MISUSED,
            )
    if not create and not _has_data(url):
        raise Failure(f"{shown(url)} is a directory without any data of Headwater")
    return Link(_embedded(url), shown(url), True)


def _has_data(path: str) -> bool:
    """Whether a server or a program had its data in a directory: looking must not make any."""
    return os.path.exists(os.path.join(path, LOCK_NAME)) or any(
        os.path.exists(os.path.join(path, name)) for name in _DATA_NAMES
    )


def _library_name() -> dict[str, Any]:
    """What CLIENT LIST shows; unlike a client's name, nobody is refused for want of the right."""
    if not hasattr(redis, "DriverInfo"):  # redis-py up to 7.1
        return {"lib_name": f"redis-py(headwater-cli_v{__version__})"}
    return {"driver_info": redis.DriverInfo().add_upstream_driver("headwater-cli", __version__)}


def _client(url: str, timeout: float | None) -> redis.Redis:
    options: dict[str, Any] = {
        "protocol": 2,
        **_library_name(),
        "socket_timeout": timeout,
        "retry": Retry(NoBackoff(), 0),
    }
    if not url.startswith("unix"):
        options["socket_connect_timeout"] = timeout or CONNECT_SECONDS
    password = os.environ.get(PASSWORD_VARIABLE)
    if password and not has_password(url):
        options["password"] = password
    try:
        client = redis.Redis.from_url(url, **options)
        pool = client.connection_pool
        pool.connection_class(**pool.connection_kwargs)  # an option that there is not raises now
    except (ValueError, TypeError) as error:
        # The error may repeat a part of the URL, and with it the password.
        del error
        raise Failure(
            f"{shown_url(url)} is no address that can be connected to",
            "Addresses look like redis://USER:PASSWORD@HOST:PORT/DB; characters such as @ / : # "
            "in a password are written %40 %2F %3A %23, or it goes into HEADWATER_PASSWORD.",
            MISUSED,
        ) from None
    return client


def _embedded(path: str) -> redis.Redis:
    import headwater

    try:
        client: redis.Redis = headwater.connect(path, protocol=2)
    except HeadwaterError as error:
        raise Failure(str(error)) from None
    except OSError as error:
        raise Failure(f"{shown(path)}: {error.strerror or error}") from None
    return client


def has_password(url: str) -> bool:
    """Whether a URL brings its own password."""
    parts = urlsplit(url)
    return "@" in parts.netloc and ":" in parts.netloc.rpartition("@")[0]


def shown_url(url: str) -> str:
    """A URL without its password; what is no URL, up to an `@`, is not shown at all."""
    if "://" not in url:
        return shown(url)
    try:
        parts = urlsplit(url)
        user, at, place = parts.netloc.rpartition("@")
        query = urlencode(
            [(k, "***" if k in _SECRET else v) for k, v in parse_qsl(parts.query)], safe="*/:"
        )
        if "@" in parts.path or "@" in parts.fragment:
            raise ValueError
    except ValueError:
        scheme, mark, rest = url.partition("://")
        return shown(f"{scheme}{mark}***{rest[rest.rfind('@') :]}" if "@" in rest else url)
    if at:
        name, colon, _ = user.partition(":")
        place = f"{name}:***@{place}" if colon else f"{name}@{place}"
    return shown(f"{parts.scheme}://{place}{parts.path}" + (f"?{query}" if query else ""))
