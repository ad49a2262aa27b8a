"""Where one node of a list ends and another begins: what `list-max-listpack-size` means.

A positive number is items a node may have (none above 8 KB then); -1 to -5 are 4 to 64 KB that
it may take. Clients see this in OBJECT ENCODING, so the rules are Redis's to the byte.
"""

from __future__ import annotations

DEFAULT_FILL = -2

_SMALLEST = -5
_MOST_ITEMS = 32767
_SAFETY_BYTES = 8192
_ESTIMATED_OVERHEAD = 8
_FIRST_BYTES = 4096


def node_bytes(fill: int) -> int:
    """How many bytes a node may take."""
    if fill >= 0:
        return _SAFETY_BYTES
    level = 5 if fill < _SMALLEST else -fill
    return _FIRST_BYTES << (level - 1)


def node_items(fill: int) -> int:
    """How many items a node may have; -1: any number."""
    if fill < 0:
        return -1
    return fill if fill else 1


def of_many_nodes(fill: int) -> int:
    """The limit that a list of several nodes keeps from then on."""
    if fill > _MOST_ITEMS:
        return _MOST_ITEMS
    return fill if fill > _SMALLEST else _SMALLEST


def exceeds(fill: int, size: int, items: int) -> bool:
    """Whether a node of so many bytes and items is over the limit."""
    if size > node_bytes(fill):
        return True
    return fill >= 0 and items > node_items(fill)


def is_large(fill: int, n: int) -> bool:
    """Whether a text of so many bytes has a node for itself."""
    return n > node_bytes(fill)


def has_room(fill: int, size: int, items: int, n: int) -> bool:
    """Whether a node of so many bytes and items takes a text in addition, by an estimate."""
    return not is_large(fill, n) and not exceeds(fill, size + n + _ESTIMATED_OVERHEAD, items + 1)
