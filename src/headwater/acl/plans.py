"""What the requests of one command touch: which of their words are keys, which are channels."""

from __future__ import annotations

from collections.abc import Callable

Touched = list[tuple[int, int]]
"""Positions of keys in a request, each with the READ and WRITE that it takes."""

Ranges = tuple[tuple[int, int, int, int], ...]
"""First position, last one (negative: from the end of the request), step, what it takes."""

NO_CHANNELS, ONE_CHANNEL, ALL_CHANNELS, ALL_PATTERNS = 0, 1, 2, 3
"""Channels among the words from 1 on: none; the first; all, as they are; all, as patterns."""


class Plan:
    """One command. `number` is its place in a selector's table of what is allowed.

    always: it is allowed to everybody, its keys and channels apart (AUTH, HELLO, QUIT, RESET).
    ranges: where the keys are, if that is the same in every request; else `find` looks for them.
    options: for commands whose keys are read and stand in the first half behind `keyword`: the
        words that may come before it, each with how many words it makes up. No `find` then.
    """

    __slots__ = ("always", "channels", "find", "keyword", "number", "options", "ranges")

    def __init__(
        self,
        number: int,
        always: bool = False,
        ranges: Ranges = (),
        find: Callable[[list[bytes]], Touched] | None = None,
        channels: int = NO_CHANNELS,
        keyword: bytes = b"",
        options: tuple[tuple[bytes, int], ...] = (),
    ) -> None:
        self.number = number
        self.always = always
        self.ranges = ranges
        self.find = find
        self.channels = channels
        self.keyword = keyword
        self.options = options
