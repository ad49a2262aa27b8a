"""Recording what becomes of scheduled entries, and under which limits of a node entries are added.

The methods are drawn in operations.py, and persistence/apply_schedules.py applies what they write.
"""

from __future__ import annotations

from headwater.journal.operands import OperandWriter
from headwater.journal.operations import CANCEL_SCHEDULED, LIMITS, RUN_SCHEDULED, SCHEDULE
from headwater.raw import copy, put_i64, put_u32, put_u64
from headwater.streams.schedule import Schedule
from headwater.streams.stream import Stream


class ScheduleRecorder(OperandWriter):
    """Records effects on schedules, while `recording`."""

    __slots__ = ()

    def schedule(self, db: int, key: bytes, schedule: Schedule, handle: int) -> None:
        """The entry of this handle was scheduled in a stream, which was made if there was none."""
        if not self.recording:
            return
        fields = schedule.fields_of(handle)
        if fields is None:
            return
        start = schedule.fields_pos
        n = schedule.fields_bytes
        pos = self._key(SCHEDULE, db, key, 28 + n)
        buf = self.buf
        put_u64(buf, pos, handle)
        put_i64(buf, pos + 8, schedule.due_ms)
        put_i64(buf, pos + 16, schedule.every_ms)
        put_u32(buf, pos + 24, n)
        copy(buf, pos + 28, fields.buf, start, n)
        self._ends_at(pos + 28 + n)
        schedule.release()

    def cancel_scheduled(self, db: int, key: bytes, handle: int) -> None:
        """The entry of this handle is scheduled no more."""
        if not self.recording:
            return
        pos = self._key(CANCEL_SCHEDULED, db, key, 8)
        put_u64(self.buf, pos, handle)
        self._ends_at(pos + 8)

    def run_scheduled(
        self,
        db: int,
        key: bytes,
        stream: Stream,
        handle: int,
        due_ms: int,
        node_max_entries: int,
        node_max_bytes: int,
    ) -> None:
        """The entry of this handle was appended, as the stream's last, under these limits.

        It is due again then, or is scheduled no more (0).
        """
        if not self.recording:
            return
        if node_max_entries != self._node_max_entries or node_max_bytes != self._node_max_bytes:
            self._limits(node_max_entries, node_max_bytes)
        pos = self._key(RUN_SCHEDULED, db, key, 32)
        put_u64(self.buf, pos, handle)
        put_i64(self.buf, pos + 8, due_ms)
        self._ends_at(self._id(pos + 16, stream.last_ms, stream.last_seq))

    def _limits(self, entries: int, size: int) -> None:
        pos = self._room(17)
        self.buf[pos] = LIMITS
        put_i64(self.buf, pos + 1, entries)
        put_i64(self.buf, pos + 9, size)
        self._ends_at(pos + 17)
        self._node_max_entries = entries
        self._node_max_bytes = size
