"""Recording what ORDERBY does; managed.py goes on from here.

The methods are drawn in operations.py, and persistence/apply_ordered.py applies what they write.
"""

from __future__ import annotations

from headwater.journal.operations import DELIVER_ORDERED, FORGET_HELD, NO_ACK
from headwater.journal.schedules import ScheduleRecorder
from headwater.raw import put_i64, put_u64
from headwater.streams.group import Consumer, Group
from headwater.streams.ordering import Chosen


class OrderedRecorder(ScheduleRecorder):
    """Records deliveries of groups with ORDERBY, while `recording`."""

    __slots__ = ()

    def deliver_ordered(
        self,
        db: int,
        key: bytes,
        group: Group,
        consumer: Consumer,
        time_ms: int,
        no_ack: bool,
        chosen: Chosen,
    ) -> None:
        """Entries were delivered as ORDERBY has it, others held."""
        if not self.recording or not chosen.changed:
            return
        pos = self._member(DELIVER_ORDERED, db, key, group.name, consumer.name, 49)
        buf = self.buf
        buf[pos] = NO_ACK if no_ack else 0
        put_i64(buf, pos + 1, time_ms)
        put_u64(buf, pos + 9, chosen.held)
        put_u64(buf, pos + 17, chosen.passed)
        put_u64(buf, pos + 25, chosen.count)
        self._ends_at(self._id(pos + 33, group.last_ms, group.last_seq))

    def forget_held(self, db: int, key: bytes, group: Group) -> None:
        """A group holds nothing any more."""
        if self.recording:
            self._ends_at(self._group(FORGET_HELD, db, key, group.name, 0))
