"""Libraries of functions as data: their code by name, which the journal and snapshots carry.

What the code means is nobody's business down here. Who makes functions of it
(`scripting/functions.py`) looks at `changes` before each use, so that code which came out of a
journal or a snapshot is compiled when somebody needs it.
"""

from __future__ import annotations


class Libraries:
    """The code of all libraries.

    codes: code by name, in the order in which they were loaded. changes: how often anything here
    was changed, whoever did it.
    """

    __slots__ = ("changes", "codes")

    def __init__(self) -> None:
        self.codes: dict[bytes, bytes] = {}
        self.changes = 0

    def put(self, name: bytes, code: bytes) -> None:
        """A library has this code now."""
        self.codes[name] = code
        self.changes += 1

    def remove(self, name: bytes) -> bool:
        """Forget a library; tells whether it was there."""
        if self.codes.pop(name, None) is None:
            return False
        self.changes += 1
        return True

    def clear(self) -> None:
        """Forget all libraries."""
        if self.codes:
            self.codes = {}
            self.changes += 1
