"""How faults of entries are told: quoted, bounded, one line."""

from __future__ import annotations

from headwater.schemas.limits import FAULT_CHARACTERS, MAX_FAULTS

_VALUE_CHARACTERS = 40
_NAME_CHARACTERS = 100


def plain(text: str, most: int) -> str:
    """The text with everything unprintable escaped, cut off after `most` characters."""
    if len(text) > most:
        text = text[: most - 3] + "..."
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def quoted(value: bytes) -> str:
    """A field's value as a message has it: 'abc'."""
    text = plain(value[: 4 * _VALUE_CHARACTERS].decode("utf-8", "backslashreplace"), 1000)
    if len(text) > _VALUE_CHARACTERS or len(value) > 4 * _VALUE_CHARACTERS:
        text = text[:_VALUE_CHARACTERS] + "..."
    return f"'{text}'"


def named(name: bytes) -> str:
    """A key's or a field's name: as it is, or in quotes if that would be misread."""
    text = name[: 4 * _NAME_CHARACTERS].decode("utf-8", "backslashreplace")
    if text and text.isprintable() and len(text) <= _NAME_CHARACTERS and not set(text) & set(" ';"):
        return text
    return "'" + plain(text, _NAME_CHARACTERS).replace("'", "\\'") + "'"


def summary(faults: list[str]) -> str:
    """The first few faults in one line of bounded length."""
    text = "; ".join(plain(fault, FAULT_CHARACTERS) for fault in faults[:MAX_FAULTS])
    if len(faults) > MAX_FAULTS:
        text += f"; and {len(faults) - MAX_FAULTS} more"
    return text
