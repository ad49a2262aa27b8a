"""The journal's operations of libraries of functions, applied; apply.py calls these.

Nothing is compiled here: a library is code with a name until somebody calls a function.
"""

from __future__ import annotations

from headwater.journal.operations import DELETE_LIBRARY, FLUSH_LIBRARIES, LOAD_LIBRARY
from headwater.persistence.apply_lists import ListApplier
from headwater.persistence.operands import QUOTED_BYTES


class LibraryApplier(ListApplier):
    """Applies operations of libraries."""

    __slots__ = ()

    def apply_to_libraries(self, op: int) -> bool:
        """Apply the operation, whose number is read; False: it is none of libraries."""
        if op == LOAD_LIBRARY:
            self.load_library()
        elif op == DELETE_LIBRARY:
            self.delete_library()
        elif op == FLUSH_LIBRARIES:
            self.keyspace.libraries.clear()
        else:
            return False
        return True

    def load_library(self) -> None:
        name = self._text()
        code = self._text()
        self.keyspace.libraries.put(name, code)

    def delete_library(self) -> None:
        name = self._text()
        if not self.keyspace.libraries.remove(name):
            self._forget()
            self._fail(f"there is no library {name[:QUOTED_BYTES]!r}")
