"""Kinds of directive: how the words of a value are read, checked and written back.

The texts of `RefusedError` are part of CONFIG SET's error replies, so they are Redis's own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from headwater.keyspace.notifications import (
    ALL,
    LETTERS,
    NEW,
    OVERWRITTEN,
    TYPE_CHANGED,
    class_letters,
    parse_classes,
)

INT32_MAX = 2**31 - 1
INT64_MAX = 2**63 - 1
_INTEGER = re.compile(r"-?[1-9][0-9]*|0")
_SIGNED = re.compile(r"[+-]?[0-9]+")
_MEMORY = re.compile(r"([0-9]*)([a-z]*)", re.IGNORECASE | re.ASCII)
_UNITS = {
    "": 1,
    "b": 1,
    "k": 1000,
    "kb": 1024,
    "m": 1000**2,
    "mb": 1024**2,
    "g": 1000**3,
    "gb": 1024**3,
}
# What stands bare in a configuration file; everything else is quoted.
_BARE = re.compile(r"[A-Za-z0-9_./:%*@+-]+")
_QUOTED = {34: '\\"', 92: "\\\\", 10: "\\n", 13: "\\r", 9: "\\t", 7: "\\a", 8: "\\b"}


class RefusedError(ValueError):
    """A value was refused; the text says what is allowed."""


class SavePoint(NamedTuple):
    """A snapshot is due when so many changes were made in so many seconds."""

    seconds: int
    changes: int


class OutputLimit(NamedTuple):
    """What may wait for one client: it is cut beyond the hard limit at once, beyond the soft
    limit after so many seconds in a row. 0 stands for no limit."""

    hard_bytes: int
    soft_bytes: int
    soft_seconds: int


NO_LIMIT = OutputLimit(0, 0, 0)


class OutputLimits(NamedTuple):
    """The limits of each class of client."""

    normal: OutputLimit
    replica: OutputLimit
    pubsub: OutputLimit


def quote(word: str) -> str:
    """Return a word as it stands in a configuration file, with quotes where it needs them."""
    if _BARE.fullmatch(word):
        return word
    out = []
    for byte in word.encode("utf-8", "surrogateescape"):
        if byte in _QUOTED:
            out.append(_QUOTED[byte])
        elif 32 <= byte < 127:
            out.append(chr(byte))
        else:
            out.append(f"\\x{byte:02x}")
    return f'"{"".join(out)}"'


def parse_memory(word: str) -> int | None:
    """Return bytes for "100", "64kb" (1024s), "1k" (1000s), ...; None if it is no size."""
    match = _MEMORY.fullmatch(word)
    if match is None or match[2].lower() not in _UNITS:
        return None
    digits = match[1][-40:] if match[1].strip("0") else "0"
    return int(digits) * _UNITS[match[2].lower()]


def format_memory(size: int) -> str:
    """Return a size in the largest unit that divides it: 1073741824 is "1gb"."""
    for unit in ("gb", "mb", "kb"):
        if size and size % _UNITS[unit] == 0:
            return f"{size // _UNITS[unit]}{unit}"
    return str(size)


class Kind:
    """How the value of a directive is read and written.

    Guarantee: parse(words of each of lines(value), ...) in turn from the default gives `value`.
    """

    multiple = False
    """Whether the directive takes several words; one word with spaces is then split."""

    def parse(self, words: Sequence[str], current: object) -> object:
        """Return the new value; raises RefusedError. Kinds that add up start from `current`."""
        raise NotImplementedError

    def parse_running(self, words: Sequence[str], current: object) -> object:
        """Return the new value that CONFIG SET gives to a running server; raises RefusedError."""
        return self.parse(words, current)

    def restart(self, current: object) -> object:
        """Return what a new value starts from: the old one, or nothing where it is replaced."""
        return current

    def text(self, value: object) -> str:
        """Return the value as CONFIG GET gives it."""
        return str(value)

    def lines(self, value: object) -> list[str]:
        """Return the value as it stands in a file behind the directive's name, line by line."""
        return [quote(self.text(value))]

    def allowed(self) -> str:
        """Return in a few words what may be given, for help and documentation."""
        raise NotImplementedError


class Bool(Kind):
    """yes or no, in any case."""

    def parse(self, words: Sequence[str], current: object) -> object:
        word = words[0].lower()
        if word not in ("yes", "no"):
            raise RefusedError("argument must be 'yes' or 'no'")
        return word == "yes"

    def text(self, value: object) -> str:
        return "yes" if value else "no"

    def allowed(self) -> str:
        return "yes | no"


class Never(Bool):
    """A yes or no of Redis that may only be no here; `reason` says why."""

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def parse(self, words: Sequence[str], current: object) -> object:
        if super().parse(words, current):
            raise RefusedError(f"argument must be 'no': {self.reason}")
        return False

    def allowed(self) -> str:
        return "no"


@dataclass(frozen=True)
class Integer(Kind):
    """A whole number; beyond `clamp` it is brought back into the range instead of refused."""

    low: int
    high: int
    unsigned: bool = False
    clamp: tuple[int, int] | None = None

    def parse(self, words: Sequence[str], current: object) -> object:
        word = words[0]
        number = int(word) if _INTEGER.fullmatch(word) and len(word) <= 20 else None
        if number is None or not -INT64_MAX - 1 <= number <= INT64_MAX:
            raise RefusedError("argument couldn't be parsed into an integer")
        if self.unsigned and number < 0:
            raise RefusedError("argument must be greater or equal to 0")
        if not self.low <= number <= self.high:
            raise RefusedError(f"argument must be between {self.low} and {self.high} inclusive")
        if self.clamp is not None:
            number = min(max(number, self.clamp[0]), self.clamp[1])
        return number

    def allowed(self) -> str:
        low, high = self.clamp or (self.low, self.high)
        if high >= INT32_MAX:
            return f"number, at least {low}"
        return f"number, {low} to {high}"


@dataclass(frozen=True)
class Memory(Kind):
    """A size in bytes, which may be given with a unit."""

    low: int = 0

    def parse(self, words: Sequence[str], current: object) -> object:
        size = parse_memory(words[0])
        if size is None:
            raise RefusedError("argument must be a memory value")
        if not self.low <= size <= INT64_MAX:
            raise RefusedError(f"argument must be between {self.low} and {INT64_MAX} inclusive")
        return size

    def lines(self, value: object) -> list[str]:
        assert isinstance(value, int)
        return [format_memory(value)]

    def allowed(self) -> str:
        return f"size, at least {format_memory(self.low)}" if self.low else "size such as 64mb"


class TotalMemory(Memory):
    """A size that Redis keeps unsigned, which shows in the text when it is too large."""

    def parse(self, words: Sequence[str], current: object) -> object:
        size = parse_memory(words[0])
        if size is not None and size > INT64_MAX:
            raise RefusedError("argument must be greater or equal to 0")
        return super().parse(words, current)


@dataclass(frozen=True)
class Octal(Kind):
    """File permissions."""

    high: int

    def parse(self, words: Sequence[str], current: object) -> object:
        if not re.fullmatch("-?[0-7]+", words[0]):
            raise RefusedError("argument couldn't be parsed as an octal number")
        number = int(words[0], 8)
        if number < 0:
            raise RefusedError("argument must be greater or equal to 0")
        if number > self.high:
            raise RefusedError(f"argument must be between 0 and {self.high:o} inclusive")
        return number

    def text(self, value: object) -> str:
        return f"{value:o}"

    def allowed(self) -> str:
        return f"octal number, 0 to {self.high:o}"


@dataclass(frozen=True)
class Enum(Kind):
    """One of several words, in any case."""

    names: tuple[str, ...]

    def parse(self, words: Sequence[str], current: object) -> object:
        word = words[0].lower()
        if word not in self.names:
            names = ", ".join(self.names)
            raise RefusedError(f"argument(s) must be one of the following: {names}")
        return word

    def allowed(self) -> str:
        return " | ".join(self.names)


@dataclass(frozen=True)
class Policy(Enum):
    """What to evict; a policy that counts how often keys are used is refused with the reason."""

    def parse(self, words: Sequence[str], current: object) -> object:
        if words[0].lower().endswith("-lfu"):
            raise RefusedError(
                "how often keys are used is not counted here: use the lru policy in place of lfu"
            )
        return super().parse(words, current)


@dataclass(frozen=True)
class Text(Kind):
    """Any text; `check` returns what is wrong with it, or None."""

    what: str = "text"
    check: Callable[[str], str | None] | None = None

    def parse(self, words: Sequence[str], current: object) -> object:
        wrong = self.check(words[0]) if self.check is not None else None
        if wrong is not None:
            raise RefusedError(wrong)
        return words[0]

    def allowed(self) -> str:
        return self.what


def plain_file_name(option: str, may_be_empty: bool) -> Callable[[str], str | None]:
    """Return a check that refuses a name with a directory in it."""

    def check(word: str) -> str | None:
        if word != os.path.basename(word):
            return f"{option} can't be a path, just a filename"
        if not word and not may_be_empty:
            return f"{option} can't be empty"
        return None

    return check


class Directory(Kind):
    """A directory, kept as its absolute path. A starting server creates it where it is missing;
    for a running one it must exist."""

    def parse(self, words: Sequence[str], current: object) -> object:
        try:
            return self.parse_running(words, current)
        except RefusedError:
            path = os.path.abspath(words[0])
            if not words[0] or "\0" in path or os.path.lexists(path):
                raise
            return path

    def parse_running(self, words: Sequence[str], current: object) -> object:
        path = words[0]
        try:
            # With a slash at its end, a path to anything but a directory is an error.
            os.stat(os.path.join(path, "") if path else path)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "No such file or directory"
            raise RefusedError(reason) from None
        return os.path.abspath(path)

    def allowed(self) -> str:
        return "directory"


@dataclass(frozen=True)
class Words(Kind):
    """Several words in order."""

    what: str
    limit: int
    too_many: str

    multiple = True

    def parse(self, words: Sequence[str], current: object) -> object:
        kept = tuple(word for word in words if word)
        if len(kept) > self.limit:
            raise RefusedError(self.too_many)
        return kept

    def text(self, value: object) -> str:
        assert isinstance(value, tuple)
        return " ".join(value)

    def lines(self, value: object) -> list[str]:
        assert isinstance(value, tuple)
        return [" ".join(quote(word) for word in value) or '""']

    def allowed(self) -> str:
        return self.what


class SavePoints(Kind):
    """Pairs of seconds and changes; "" clears what was given before."""

    multiple = True

    def restart(self, current: object) -> object:
        return ()

    def parse(self, words: Sequence[str], current: object) -> object:
        if list(words) == [""]:
            return ()
        if len(words) % 2 or not all(_SIGNED.fullmatch(w) and len(w) <= 20 for w in words):
            raise RefusedError("Invalid save parameters")
        numbers = [int(word) for word in words]
        points = [SavePoint(*pair) for pair in zip(numbers[::2], numbers[1::2], strict=True)]
        for point in points:
            if not (1 <= point.seconds <= INT32_MAX and 0 <= point.changes <= INT32_MAX):
                raise RefusedError("Invalid save parameters")
        assert isinstance(current, tuple)
        return (*current, *points)

    def text(self, value: object) -> str:
        assert isinstance(value, tuple)
        return " ".join(f"{point.seconds} {point.changes}" for point in value)

    def lines(self, value: object) -> list[str]:
        return [self.text(value) or '""']

    def allowed(self) -> str:
        return '"" | seconds changes ...'


class ClientLimits(Kind):
    """Hard limit, soft limit and soft seconds of one or more classes of client.

    A class that is not named keeps its limits.
    """

    multiple = True

    def restart(self, current: object) -> object:
        none = OutputLimit(0, 0, 0)
        return current or OutputLimits(none, none, none)

    def parse(self, words: Sequence[str], current: object) -> object:
        assert isinstance(current, OutputLimits)
        if list(words) == [""]:
            return current
        if len(words) % 4:
            raise RefusedError("Wrong number of arguments in buffer limit configuration.")
        limits = current
        for i in range(0, len(words), 4):
            name = words[i].lower()
            if name == "slave":
                name = "replica"
            if name not in OutputLimits._fields:
                raise RefusedError("Invalid client class specified in buffer limit configuration.")
            limits = limits._replace(**{name: self._limit(words[i + 1 : i + 4])})
        return limits

    def _limit(self, words: Sequence[str]) -> OutputLimit:
        hard, soft = parse_memory(words[0]), parse_memory(words[1])
        if (
            hard is None
            or soft is None
            or not _SIGNED.fullmatch(words[2])
            or not 0 <= int(words[2][:20]) <= INT32_MAX
            or max(hard, soft) > INT64_MAX
        ):
            raise RefusedError(
                "Error in hard, soft or soft_seconds setting in buffer limit configuration."
            )
        return OutputLimit(hard, soft, int(words[2]))

    def text(self, value: object) -> str:
        assert isinstance(value, OutputLimits)
        # Clients of Redis know the second class by its old name.
        names = ("normal", "slave", "pubsub")
        return " ".join(
            f"{name} {limit.hard_bytes} {limit.soft_bytes} {limit.soft_seconds}"
            for name, limit in zip(names, value, strict=True)
        )

    def lines(self, value: object) -> list[str]:
        assert isinstance(value, OutputLimits)
        return [
            f"{name} {format_memory(limit.hard_bytes)} {format_memory(limit.soft_bytes)}"
            f" {limit.soft_seconds}"
            for name, limit in zip(OutputLimits._fields, value, strict=True)
        ]

    def allowed(self) -> str:
        return "class hard soft seconds ..."


class Events(Kind):
    """Classes of keyspace events, one letter each."""

    _LEFT_OUT = NEW | OVERWRITTEN | TYPE_CHANGED
    """What CONFIG GET does not show where all that "A" stands for is on, as Redis."""

    def parse(self, words: Sequence[str], current: object) -> object:
        classes = parse_classes(words[0])
        if classes is None:
            raise RefusedError("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
        return classes

    def text(self, value: object) -> str:
        assert isinstance(value, int)
        if value & ALL == ALL:
            value &= ~self._LEFT_OUT
        return class_letters(value)

    def lines(self, value: object) -> list[str]:
        assert isinstance(value, int)
        return [quote(class_letters(value))]

    def allowed(self) -> str:
        return "letters of " + "".join(LETTERS)
