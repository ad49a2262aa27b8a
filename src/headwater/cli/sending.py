"""Data into a running server: keys from an RDB file, entries from JSON lines.

What was interrupted goes on when it is done again: keys and entries that are there already, and
are the same, are passed over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import redis

from headwater.cli.connect import Link
from headwater.cli.failure import Failure
from headwater.cli.json_lines import Line, LineSource, id_key, read_lines
from headwater.cli.reading import Databases
from headwater.cli.words import shown
from headwater.persistence.loading import Tally
from headwater.rdb.encoder import dump_payload
from headwater.streams.stream import Stream
from headwater.value import Value

BATCH_ENTRIES = 500
BATCH_BYTES = 1 << 20
PAYLOAD_BYTES = 512 * 1024 * 1024
"""A longer request is refused by servers (proto-max-bulk-len)."""

REPLACE, SKIP, REFUSE = "replace", "skip", "refuse"
"""What happens to a key that is there already."""


@dataclass(slots=True)
class Sent:
    """What was done. `present`: keys or entries that were there; `refused`: why and where."""

    keys: int = 0
    streams: int = 0
    entries: int = 0
    present: int = 0
    expired: int = 0
    libraries: int = 0
    settings: int = 0
    missing_types: dict[str, int] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)


class KeySender(Tally):
    """A sink of rdb/loader.py that restores each key on a server.

    present: what to do with keys that are there already. Redis errors that are not about one key
    are raised; `sent` says what was done before.
    """

    def __init__(self, link: Link, present: str) -> None:
        super().__init__()
        self.sent = Sent()
        self._present = present
        self._link = link
        self._databases = Databases(link)
        self._database = self._databases.own
        self._batch: list[tuple[tuple[Any, ...], bytes, int]] = []
        self._size = 0

    # --- the sink ---

    def key(
        self, db_index: int, key: bytes, value: Value, expire_at: int, idle_s: int, freq: int
    ) -> None:
        """A key of the file."""
        payload = dump_payload(value, True)
        entries = value.length if isinstance(value, Stream) else -1
        if isinstance(value, Stream) and value.has_settings():
            self.sent.settings += 1
        if len(payload) > PAYLOAD_BYTES:
            self.sent.refused.append(
                f"{shown(key)} of database {db_index}: too large for one request "
                f"({len(payload) >> 20} MB); `headwater import --dir` takes keys of any size"
            )
            return
        if db_index != self._database:
            self.flush()
            self._database = db_index
        words: tuple[Any, ...] = ("RESTORE", key, expire_at, payload)
        if expire_at:
            words += ("ABSTTL",)
        if self._present == REPLACE:
            words += ("REPLACE",)
        self._batch.append((words, key, entries))
        self._size += len(payload)
        if self._size >= BATCH_BYTES or len(self._batch) >= BATCH_ENTRIES:
            self.flush()

    def aux(self, name: bytes, value: bytes) -> None:
        """An auxiliary field; nothing to do."""

    def skipped(self, db_index: int, key: bytes, type_name: str) -> None:
        """A key of a type that this program does not know."""
        counts = self.sent.missing_types
        counts[type_name] = counts.get(type_name, 0) + 1

    def function(self, payload: bytes) -> None:
        """A library of functions."""
        words: list[bytes | str | int] = [
            "FUNCTION",
            "LOAD",
            *(["REPLACE"] if self._present == REPLACE else []),
            payload,
        ]
        try:
            self._link.call(*words)
            self.sent.libraries += 1
        except redis.ResponseError as error:
            if "already exists" not in str(error):
                self.sent.refused.append(f"a library of functions: {error}")
            elif self._present == REFUSE:
                self.sent.refused.append(f"a library of functions is there already: {error}")

    # --- at work ---

    def flush(self) -> None:
        """Send what is gathered."""
        batch, self._batch, self._size = self._batch, [], 0
        if not batch:
            return
        sent = self.sent
        replies = self._databases.calls(self._database, [words for words, _, _ in batch])
        for (_, key, entries), reply in zip(batch, replies, strict=True):
            if not isinstance(reply, Exception):
                sent.keys += 1
                if entries >= 0:
                    sent.streams += 1
                    sent.entries += entries
            elif "BUSYKEY" in str(reply) or "key name already exists" in str(reply):
                sent.present += 1
            elif isinstance(reply, redis.ResponseError) and not _is_general(str(reply)):
                sent.refused.append(
                    f"{shown(key)} of database {self._database}: {_advice(str(reply))}"
                )
            else:
                raise reply


def _is_general(text: str) -> bool:
    """Whether an error is about the server or the user, not about one key."""
    return text.startswith(("NOPERM", "OOM", "READONLY", "NOAUTH", "MISCONF", "LOADING")) or (
        "unknown command" in text or "permissions" in text or "command not allowed" in text
    )


def _advice(text: str) -> str:
    if "payload version or checksum" in text:
        return "the server is too old for it (DUMP payload version)"
    return text


class LineSender:
    """Adds the entries of JSON lines under their own IDs.

    key: for lines without one. Entries behind the stream's last ID are added; those up to it are
    looked for, and are `present` if they are there as they should be, else refused.
    """

    def __init__(self, call: Callable[..., Any], calls: Callable[..., list[Any]]) -> None:
        self.sent = Sent()
        self._call = call
        self._calls = calls
        self._last: dict[bytes, tuple[int, int]] = {}

    def send_all(
        self, file: LineSource, name: str, key: bytes | None, tell: Callable[[int], None]
    ) -> None:
        """Add every line; `tell` is told the bytes that were read. Raises Failure."""
        batch: list[tuple[bytes, Line]] = []
        size = end = 0
        for line in read_lines(file, name):
            its = key if key is not None else line.key
            if its is None:
                raise Failure(
                    f"{name}, line {line.number}: it has no key",
                    "--key names the stream for lines without one.",
                )
            batch.append((its, line))
            size += sum(map(len, line.fields))
            end = line.end
            if len(batch) >= BATCH_ENTRIES or size >= BATCH_BYTES:
                self._send(batch, name)
                tell(end)
                batch, size = [], 0
        self._send(batch, name)
        tell(end)

    def _send(self, batch: list[tuple[bytes, Line]], name: str) -> None:
        commands: list[tuple[Any, ...]] = []
        looks: list[bool] = []
        for key, line in batch:
            last = self._last_of(key)
            if line.entry_id is not None and id_key(line.entry_id) <= last:
                commands.append(("XRANGE", key, line.entry_id, line.entry_id))
                looks.append(True)
                continue
            commands.append(("XADD", key, line.entry_id or b"*", *line.fields))
            looks.append(False)
            if line.entry_id is not None:
                self._last[key] = id_key(line.entry_id)
        replies = self._calls(commands)
        sent = self.sent
        for (key, line), looked, reply in zip(batch, looks, replies, strict=True):
            if isinstance(reply, Exception):
                text = str(reply)
                if not isinstance(reply, redis.ResponseError) or _is_general(text):
                    raise reply
                sent.refused.append(f"{name}, line {line.number}: {text}")
            elif not looked:
                sent.entries += 1
            elif reply and reply[0][1] == line.fields:
                sent.present += 1
            else:
                what = (
                    "there is another entry with its ID" if reply else "the stream is past its ID"
                )
                entry_id = (line.entry_id or b"").decode()
                sent.refused.append(f"{name}, line {line.number}: {shown(key)} {entry_id}: {what}")

    def _last_of(self, key: bytes) -> tuple[int, int]:
        """The last ID of a stream, as it will be behind what is under way."""
        found = self._last.get(key)
        if found is None:
            kind = self._call("TYPE", key)
            if kind not in (b"none", b"stream"):
                raise Failure(f"{shown(key)} is no stream: it is a {kind.decode()}")
            found = (0, 0)
            if kind == b"stream":
                facts = self._call("XINFO", "STREAM", key)
                found = id_key(facts[facts.index(b"last-generated-id") + 1])
            self._last[key] = found
            self.sent.streams += 1
        return found
