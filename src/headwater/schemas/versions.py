"""The versions of a stream's schema: their texts, and what is made of the newest when needed."""

from __future__ import annotations

from typing import Any

from headwater.schemas.limits import VERSIONS_KEPT

NONE, BACKWARD, FORWARD, FULL = range(4)
COMPAT_NAMES = (b"none", b"backward", b"forward", b"full")
"""What a new version has to be to the one before, by number."""

_OBJECTS_BYTES = 150


class SchemaVersion:
    """One version; `set_ms` is when it was set (unix ms)."""

    __slots__ = ("compat", "number", "set_ms", "text")

    def __init__(self, number: int, compat: int, set_ms: int, text: bytes) -> None:
        self.number = number
        self.compat = compat
        self.set_ms = set_ms
        self.text = text


class Schemas:
    """A stream's schema. Entries are checked against the last version, `current`.

    checker: what `entries.py` makes of the current version, None until an entry comes. `refusal`
    is why that failed, b"" if it did not.
    """

    __slots__ = ("checker", "refusal", "versions")

    def __init__(self, first: SchemaVersion) -> None:
        self.versions = [first]
        self.checker: Any = None
        self.refusal = b""

    @property
    def current(self) -> SchemaVersion:
        return self.versions[-1]

    def add(self, version: SchemaVersion) -> None:
        """Another version is the current one; with the number of the current one, in its place.

        ValueError: numbers only grow.
        """
        last = self.versions[-1]
        if version.number < last.number:
            raise ValueError(f"version {version.number} behind version {last.number}")
        if version.number == last.number:
            self.versions.pop()
        self.versions.append(version)
        del self.versions[:-VERSIONS_KEPT]
        if version.text != last.text:
            self.checker = None
            self.refusal = b""

    def version(self, number: int) -> SchemaVersion | None:
        """The version of a number; None if there is none, or it is not kept any more."""
        for version in reversed(self.versions):
            if version.number == number:
                return version
        return None

    def copy(self) -> Schemas:
        other = Schemas(self.versions[0])
        other.versions = list(self.versions)
        other.checker = self.checker
        other.refusal = self.refusal
        return other

    def describe(self) -> list[tuple[int, int, int, bytes]]:
        """Everything that is kept."""
        return [(v.number, v.compat, v.set_ms, v.text) for v in self.versions]

    def memory_usage(self) -> int:
        """Bytes of memory, about; what is compiled is some times the text."""
        total = sum(len(version.text) + _OBJECTS_BYTES for version in self.versions)
        if self.checker is not None:
            total += 8 * len(self.current.text)
        return total


def with_version(schemas: Schemas | None, version: SchemaVersion) -> Schemas:
    """The schema with another version, or of that one alone; ValueError if that can not be."""
    if version.compat >= len(COMPAT_NAMES):
        raise ValueError(f"there is no compat {version.compat}")
    if schemas is None:
        return Schemas(version)
    schemas.add(version)
    return schemas
