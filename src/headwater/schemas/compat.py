"""What a new version of a schema has to be to the current one, and why it is not."""

from __future__ import annotations

from headwater.schemas.document import Document
from headwater.schemas.inclusion import Inclusion, TooMuchError
from headwater.schemas.limits import MAX_REASONS
from headwater.schemas.versions import BACKWARD, FORWARD, FULL


def incompatibilities(
    compat: int, old: Document, old_number: int, new: Document, new_number: int
) -> list[str]:
    """Why `new` can not follow `old`; empty if it can.

    BACKWARD: each entry that fits the old one fits the new one. FORWARD: the other way round.
    """
    found: list[str] = []
    old_name, new_name = f"v{old_number}", f"v{new_number}"
    if compat in (BACKWARD, FULL):
        found += _reasons("backward", old, old_name, new, new_name)
    if compat in (FORWARD, FULL):
        found += _reasons("forward", new, new_name, old, old_name)
    if len(found) > MAX_REASONS:
        found = [*found[:MAX_REASONS], f"and {len(found) - MAX_REASONS} more"]
    return found


def _reasons(
    direction: str, written: Document, written_name: str, read: Document, read_name: str
) -> list[str]:
    """Why who reads with the one can not read all that is written under the other."""
    if written.dialect != read.dialect:
        names = f"{written_name} and {read_name}"
        return [f"{direction}: $schema of {names} differ, they can not be compared"]
    try:
        found = Inclusion(written_name, read_name, read.dialect).entries(written.tree, read.tree)
    except TooMuchError:
        return [f"{direction}: {written_name} and {read_name} have too many parts to be compared"]
    return [f"{direction}: {reason}" for reason in dict.fromkeys(found)]
