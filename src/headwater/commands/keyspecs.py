"""Where the keys of a request stand: how it is declared, and how it is found in a request.

A `KeySpec` says where to begin (a fixed position, or after a keyword) and how far the keys go
from there (a range, or a count given in the request). That is the form in which COMMAND INFO
tells clients. Positions count the words of the request; the command's name is 0, so that a
subcommand's first argument is 2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Words = list[bytes]
FoundKeys = list[tuple[int, tuple[str, ...]]]  # (position, flags of the key)


@dataclass(frozen=True, slots=True)
class KeySpec:
    """One group of keys of a command.

    flags: what is done with them, in the terms of COMMAND INFO: RW, RO, OW or RM (read-write,
        read only, overwrite, remove), then access, update, insert, delete, not_key, incomplete,
        variable_flags.
    begin: the position of the first key (keyword empty), or the position from which `keyword`
        is looked for (negative: counted from the end, searching backwards).
    last: the last key relative to the first one; negative: relative to the end of the request.
    limit: with last -1, the keys are the first `1/limit` of what follows.
    count_at, first: for a count in the request (count_at >= 0): its position and the first key's,
        both relative to where the search began.
    """

    flags: tuple[str, ...]
    begin: int
    keyword: bytes = b""
    last: int = 0
    step: int = 1
    limit: int = 0
    count_at: int = -1
    first: int = 0

    @property
    def fixed(self) -> bool:
        """Whether the keys stand at the same positions in every request."""
        return not self.keyword and self.count_at < 0


Finder = Callable[[Words], FoundKeys | None]


def key_at(position: int, flags: str) -> KeySpec:
    """One key at a fixed position."""
    return KeySpec(tuple(flags.split()), position)


def keys_from(position: int, flags: str, *, last: int = -1, step: int = 1) -> KeySpec:
    """All keys from a position up to `last`, counted from the end of the request."""
    return KeySpec(tuple(flags.split()), position, last=last, step=step)


def key_after(keyword: str, start: int, flags: str) -> KeySpec:
    """One key behind a keyword, if that is there."""
    return KeySpec(tuple(flags.split()), start, keyword.encode())


def keys_after(keyword: str, start: int, flags: str, *, limit: int) -> KeySpec:
    """The first `1/limit` of what follows a keyword."""
    return KeySpec(tuple(flags.split()), start, keyword.encode(), last=-1, limit=limit)


def _begin(spec: KeySpec, words: Words) -> int:
    """The position at which the keys (or their count) begin; 0 if there are none."""
    if not spec.keyword:
        return spec.begin
    count = len(words)
    if spec.begin > 0:
        positions = range(spec.begin, count - 1)
    else:
        positions = range(count + spec.begin, 0, -1)
    for position in positions:
        if position < count and words[position].upper() == spec.keyword:
            return position + 1
    return 0


def locate(spec: KeySpec, words: Words) -> range | None:
    """The positions of this group's keys in a request; None if the request does not fit."""
    count = len(words)
    first = _begin(spec, words)
    if first == 0:
        return range(0)
    step = spec.step
    if spec.count_at >= 0:
        at = first + spec.count_at
        if at >= count or not words[at].isdigit() or len(words[at]) > 9:
            return None
        last = first + spec.first + (int(words[at]) - 1) * step
        first += spec.first
    elif spec.last >= 0:
        last = first + spec.last
    elif spec.limit == 0:
        last = count + spec.last
    else:
        last = first + (count - first) // spec.limit + spec.last
    if not first <= last < count:
        return None
    return range(first, last + 1, step)


def find_keys(specs: tuple[KeySpec, ...], finder: Finder | None, words: Words) -> FoundKeys | None:
    """The keys of a request with their flags, in order; None if the request does not fit.

    `finder` is asked where a spec admits that it is not the whole truth (flags incomplete or
    variable_flags), as Redis does with its commands' own functions.
    """
    if finder is not None and any(
        flag in spec.flags for spec in specs for flag in ("incomplete", "variable_flags")
    ):
        return finder(words)
    found: FoundKeys = []
    for spec in specs:
        if "not_key" in spec.flags:
            continue
        positions = locate(spec, words)
        if positions is None:
            return None
        found.extend((position, spec.flags) for position in positions)
    return found


def fixed_range(specs: tuple[KeySpec, ...]) -> tuple[int, int, int]:
    """First key, last key and step, the form clients older than key specs understand.

    The union of the groups at fixed positions, as far as they touch; zeros if there is none.
    """
    first, last, step = 0, 0, 0
    for spec in specs:
        if not spec.fixed:
            continue
        end = spec.begin + spec.last if spec.last >= 0 else spec.last
        if first == 0:
            first, last, step = spec.begin, end, spec.step
        elif spec.step == step and spec.begin == last + 1:
            last = end
    return first, last, step
