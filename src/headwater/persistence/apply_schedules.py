"""The journal's operations of scheduled entries, applied; and what entries that records add need.

apply.py calls these.
"""

from __future__ import annotations

from headwater.journal.operations import CANCEL_SCHEDULED, RUN_SCHEDULED, SCHEDULE
from headwater.keyspace.database import Keyspace
from headwater.persistence.apply_libraries import LibraryApplier
from headwater.resp.parser import READY, RequestParser
from headwater.resp.request import Request
from headwater.streams.ids import text
from headwater.streams.schedule import Schedule
from headwater.streams.stream import Stream

LONGEST_BULK_BYTES = 1 << 62  # what was stored had its limits when it came
NODE_MAX_ENTRIES, NODE_MAX_BYTES = 100, 4096  # until a record says otherwise
_LONGEST_WHEN = 1 << 62  # what handles and times are below


class ScheduleApplier(LibraryApplier):
    """Applies what `journal/schedules.py` recorded."""

    __slots__ = ("_node_max_bytes", "_node_max_entries", "_parser")

    def __init__(self, keyspace: Keyspace) -> None:
        super().__init__(keyspace)
        self._parser = RequestParser(Request(), LONGEST_BULK_BYTES)
        self._node_max_entries = NODE_MAX_ENTRIES
        self._node_max_bytes = NODE_MAX_BYTES

    def apply_to_schedules(self, op: int) -> bool:
        """Apply the operation, whose number is read; False: it is none of schedules."""
        if op == SCHEDULE:
            self.schedule()
        elif op == CANCEL_SCHEDULED:
            self.cancel_scheduled()
        elif op == RUN_SCHEDULED:
            self.run_scheduled()
        else:
            return False
        return True

    def limits(self) -> None:
        entries = self._i64()
        size = self._i64()
        if entries < 0 or size < 0:
            self._fail(f"{entries} entries, {size} bytes")
        self._node_max_entries = entries
        self._node_max_bytes = size

    def _entry_fields(self) -> Request:
        """Read the text that is an entry's fields as they are stored."""
        buf = self._buf
        n = self._u32()
        self._need(n)
        pos = self._pos
        parser = self._parser
        parser.pos = pos
        pos += n
        self._pos = pos
        if n == 0 or buf[pos - n] != 42 or parser.parse(buf, pos) != READY or parser.pos != pos:
            parser.release()
            parser.restart()
            self._fail("the entry's fields cannot be read")
        fields = parser.request
        if not fields.wellformed or fields.argc == 0 or fields.argc & 1:
            self._fail("the entry's fields are not fields and values")
        return fields

    def _stream_or_new(self) -> Stream:
        """The stream of the key that was read, which is made if there is no such key."""
        stream = self._stream
        if stream is None:
            if self._value is not None:
                self._fail("the key is no stream")
            stream = Stream()
            self._database.add(self._key, stream)
            self._value = stream
            self._stream = stream
        return stream

    def _append(self, stream: Stream, ms: int, seq: int, fields: Request) -> None:
        """Append an entry with this ID."""
        if ms < stream.last_ms or (ms == stream.last_ms and seq <= stream.last_seq):
            self._fail(
                f"ID {text(ms, seq).decode()} is not above the last one, "
                f"{text(stream.last_ms, stream.last_seq).decode()}"
            )
        stream.append(
            ms, seq, fields, 0, fields.argc // 2, self._node_max_entries, self._node_max_bytes
        )

    def schedule(self) -> None:
        self._any_key()
        handle = self._when()
        due_ms = self._when()
        every_ms = self._i64()
        self._need(4)
        start = self._pos + 4
        self._entry_fields()
        self._parser.release()
        stream = self._stream_or_new()
        schedule = stream.schedule
        if schedule is None:
            schedule = stream.schedule = Schedule()
        if handle < schedule.next_handle:
            self._fail(f"handle {handle} was in use before")
        try:
            schedule.put(handle, due_ms, every_ms, self._buf, start, self._pos - start)
        except ValueError as error:
            self._fail(str(error))
        if stream.plan is None:
            self.keyspace.calendar.manage(self._database, self._key, stream)
        else:
            stream.plan.sooner(due_ms)

    def cancel_scheduled(self) -> None:
        schedule = self._a_schedule()
        handle = self._when()
        if not schedule.cancel(handle):
            self._fail(f"no entry is scheduled as {handle}")

    def run_scheduled(self) -> None:
        schedule = self._a_schedule()
        handle = self._when()
        due_ms = self._when()
        ms = self._u64()
        seq = self._u64()
        fields = schedule.fields_of(handle)
        if fields is None:
            self._fail(f"no entry is scheduled as {handle}")
        assert fields is not None
        stream = self._stream
        assert stream is not None
        self._append(stream, ms, seq, fields)
        schedule.release()
        schedule.move(handle, due_ms)

    def _when(self) -> int:
        """A handle, or a time."""
        n = self._u64()
        if n >= _LONGEST_WHEN:
            self._fail(f"{n} is no handle and no time")
        return n

    def _a_schedule(self) -> Schedule:
        """Read a key that holds a stream with a schedule."""
        stream = self._a_stream()
        schedule = stream.schedule
        if schedule is None:
            self._fail("the stream has no schedule")
        assert schedule is not None
        return schedule
