"""The journal's operations on what ORDERBY does, applied; apply_managed.py calls these."""

from __future__ import annotations

from headwater.journal.operations import DELIVER_ORDERED, FORGET_HELD, NO_ACK
from headwater.persistence.apply_schedules import ScheduleApplier
from headwater.streams.ids import text
from headwater.streams.ordering import choose_again, forget_held


class OrderedApplier(ScheduleApplier):
    """Applies what `journal/ordered.py` recorded."""

    __slots__ = ()

    def apply_to_lanes(self, op: int) -> bool:
        """Apply the operation, whose number is read; False: it is none of these."""
        if op == DELIVER_ORDERED:
            self.deliver_ordered()
        elif op == FORGET_HELD:
            self.forget_held()
        else:
            return False
        return True

    def deliver_ordered(self) -> None:
        stream = self._a_group()
        group = self._the_group()
        consumer = self._a_consumer(group)
        no_ack = self._flags() & NO_ACK != 0
        time_ms = self._i64()
        held = self._number(stream.length)
        passed = self._number(stream.length)
        count = self._number(stream.length)
        ms = self._u64()
        seq = self._u64()
        chosen = choose_again(stream, group, held, passed, no_ack)
        if chosen.held != held or chosen.passed != passed or chosen.count != count:
            self._fail(
                f"{chosen.count} entries of {chosen.held} held and {chosen.passed} new ones, "
                f"and not {count} of {held} and {passed}"
            )
        if group.last_ms != ms or group.last_seq != seq:
            self._fail(
                f"the last one is {text(group.last_ms, group.last_seq).decode()} "
                f"and not {text(ms, seq).decode()}"
            )
        consumer.seen_ms = time_ms
        chosen.hand_over(group, consumer, time_ms, no_ack)

    def forget_held(self) -> None:
        self._a_group()
        forget_held(self._the_group())
