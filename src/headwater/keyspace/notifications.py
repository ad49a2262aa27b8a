"""Keyspace notifications: the classes of events that subscribers can be told of.

The bits and letters are those of `notify-keyspace-events`, as Redis 8.10.
"""

from __future__ import annotations

KEYSPACE = 1 << 0  # K: to __keyspace@<db>__:<key>, the event's name
KEYEVENT = 1 << 1  # E: to __keyevent@<db>__:<event>, the key
GENERIC = 1 << 2  # g
STRING = 1 << 3  # $
LIST = 1 << 4  # l
SET = 1 << 5  # s
HASH = 1 << 6  # h
SORTED_SET = 1 << 7  # z
EXPIRED = 1 << 8  # x
EVICTED = 1 << 9  # e
STREAM = 1 << 10  # t
KEY_MISS = 1 << 11  # m
MODULE = 1 << 12  # d
NEW = 1 << 13  # n
OVERWRITTEN = 1 << 14  # o
TYPE_CHANGED = 1 << 15  # c
# Parts of a value: S T I V say what is published of them. No type here has events of its parts.
SUBKEYS = (1 << 16, 1 << 17, 1 << 18, 1 << 19)

ALL = GENERIC | STRING | LIST | SET | HASH | SORTED_SET | EXPIRED | EVICTED | STREAM | MODULE  # A

LETTERS: dict[str, int] = {
    "A": ALL,
    "g": GENERIC,
    "$": STRING,
    "l": LIST,
    "s": SET,
    "h": HASH,
    "z": SORTED_SET,
    "x": EXPIRED,
    "e": EVICTED,
    "t": STREAM,
    "d": MODULE,
    "n": NEW,
    "o": OVERWRITTEN,
    "c": TYPE_CHANGED,
    "K": KEYSPACE,
    "E": KEYEVENT,
    "m": KEY_MISS,
    "S": SUBKEYS[0],
    "T": SUBKEYS[1],
    "I": SUBKEYS[2],
    "V": SUBKEYS[3],
}
"""In the order in which Redis gives them back."""


def parse_classes(text: str) -> int | None:
    """The classes that the letters stand for; None if one stands for nothing."""
    classes = 0
    for letter in text.partition("\0")[0]:
        if letter not in LETTERS:
            return None
        classes |= LETTERS[letter]
    return classes


def class_letters(classes: int) -> str:
    """The letters of classes: "A" for all that it stands for, else each one."""
    left = classes
    letters = ""
    for letter, bits in LETTERS.items():
        if left & bits == bits:
            letters += letter
            left &= ~bits
    return letters
