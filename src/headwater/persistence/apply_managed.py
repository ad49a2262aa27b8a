"""The journal's operations on streams and groups with settings, applied; apply.py calls these."""

from __future__ import annotations

from headwater.journal.operations import CONFIGURE_GROUP
from headwater.persistence.apply_libraries import LibraryApplier
from headwater.streams.settings import decode


class ManagedApplier(LibraryApplier):
    """Applies what `journal/managed.py` recorded."""

    __slots__ = ()

    def apply_managed(self, op: int) -> bool:
        """Apply the operation, whose number is read; False: it is none of these."""
        if op == CONFIGURE_GROUP:
            self.configure_group()
        else:
            return False
        return True

    def configure_group(self) -> None:
        stream = self._a_group()
        data = self._text()
        settings = None
        if data:
            try:
                settings = decode(data)
            except ValueError as error:
                self._fail(str(error))
        self._the_group().configure(settings)
        self.keyspace.calendar.manage(self._database, self._key, stream)
