"""Recording what Redis does not have: settings of groups and streams, and what follows from them.

The methods are drawn in operations.py, and persistence/apply_managed.py applies what they write.
"""

from __future__ import annotations

from headwater.journal.operands import OperandWriter
from headwater.journal.operations import CONFIGURE_GROUP
from headwater.streams.group import Group


class ManagedRecorder(OperandWriter):
    """Records effects on streams and groups with settings, while `recording`."""

    __slots__ = ()

    def configure_group(self, db: int, key: bytes, group: Group) -> None:
        """A group got other settings, or none any more."""
        if not self.recording:
            return
        data = b"" if group.redelivery is None else group.redelivery.settings.encode()
        pos = self._group(CONFIGURE_GROUP, db, key, group.name, 4 + len(data))
        self._ends_at(self._text(pos, data))
