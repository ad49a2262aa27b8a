"""A selector: commands, key patterns and channel patterns that are granted together.

A user has a root selector and, in parentheses, any number of others; what one of them grants
as a whole is granted. `judge` says whether a request is.
"""

from __future__ import annotations

from headwater.acl.patterns import READ, Pattern
from headwater.acl.plans import ALL_PATTERNS, NO_CHANNELS, ONE_CHANNEL, Plan
from headwater.resp.request import Request

ALLOWED, NO_COMMAND, NO_KEY, NO_CHANNEL = 0, 1, 2, 4
"""Verdicts. A greater one came further."""

_ALLOWED, _NO_COMMAND, _NO_KEY, _NO_CHANNEL = ALLOWED, NO_COMMAND, NO_KEY, NO_CHANNEL
_READ = READ
_ONE, _PATTERNS, _NONE = ONE_CHANNEL, ALL_PATTERNS, NO_CHANNELS
_PLACE_BITS = 28
_PLACE = 1 << _PLACE_BITS


class Selector:
    """What is granted. Changed by headwater.acl.rules only.

    allowed: a byte for each command, by number.
    first_words: for commands that are not allowed as such, the first arguments with which
        they are, in lower case.
    all_commands: nothing was taken from `+@all`. future: whether the rules began with it.
    rules: what was granted and taken since, as ACL LIST prints it.
    """

    __slots__ = (
        "all_channels",
        "all_commands",
        "all_keys",
        "allowed",
        "channels",
        "first_words",
        "future",
        "keys",
        "rules",
    )

    def __init__(self, commands: int, all_channels: bool = False) -> None:
        self.allowed = bytearray(commands)
        self.all_commands = False
        self.all_keys = False
        self.all_channels = all_channels
        self.future = False
        self.first_words: dict[int, list[bytes]] = {}
        self.keys: list[Pattern] = []
        self.channels: list[Pattern] = []
        self.rules: list[tuple[bool, bytes]] = []

    def copy(self) -> Selector:
        """Another selector that grants the same."""
        other = Selector(0, self.all_channels)
        other.allowed = bytearray(self.allowed)
        other.all_commands = self.all_commands
        other.all_keys = self.all_keys
        other.future = self.future
        other.first_words = {number: list(words) for number, words in self.first_words.items()}
        other.keys = list(self.keys)
        other.channels = list(self.channels)
        other.rules = list(self.rules)
        return other

    def grants_all(self) -> bool:
        """Whether nothing at all is refused."""
        return self.all_commands and self.all_keys and self.all_channels

    def _allows_command(self, plan: Plan, request: Request) -> bool:
        if self.all_commands or plan.always or self.allowed[plan.number]:
            return True
        if not self.first_words or request.argc < 2:
            return False
        words = self.first_words.get(plan.number)
        return words is not None and request.arg(1).lower() in words

    def _allows_key(self, request: Request, at: int, need: int) -> bool:
        pos = request.start(at)
        n = request.length(at)
        for pattern in self.keys:
            if pattern.grants & need == need and pattern.matches(request.buf, pos, n):
                return True
        return False

    def _refused_key(self, plan: Plan, request: Request) -> int:
        """The position of the first key that is not granted; 0 if there is none."""
        count = request.argc
        if plan.keyword:
            return self._refused_behind(plan, request)
        if plan.find is not None:
            for at, need in plan.find(request.words()):
                if not self._allows_key(request, at, need):
                    return at
            return 0
        for first, last, step, need in plan.ranges:
            if last < 0:
                last += count
            if last >= count:
                return 0  # the request does not fit the command, which will say so
            at = first
            while at <= last:
                if not self._allows_key(request, at, need):
                    return at
                at += step
        return 0

    def _refused_behind(self, plan: Plan, request: Request) -> int:
        """The same for keys in the first half of what stands behind a keyword."""
        at = 1
        while at < request.argc:
            if request.text_equals(at, plan.keyword):
                rest = request.argc - at - 1
                if rest % 2:
                    return 0
                end = at + rest // 2
                while at < end:
                    at += 1
                    if not self._allows_key(request, at, _READ):
                        return at
                return 0
            step = 0
            for word, takes in plan.options:
                if request.text_equals(at, word):
                    step = takes
                    break
            if step == 0:
                return 0  # no such option: the command will say so
            at += step
        return 0

    def allows_channel(self, buf: bytearray, pos: int, n: int, is_pattern: bool) -> bool:
        """Whether a channel is granted; a pattern of channels must be granted literally."""
        if self.all_channels:
            return True
        for pattern in self.channels:
            if is_pattern:
                if pattern.is_text(buf, pos, n):
                    return True
            elif pattern.matches(buf, pos, n):
                return True
        return False

    def _refused_channel(self, plan: Plan, request: Request) -> int:
        """The position of the first channel that is not granted; 0 if there is none."""
        end = min(2, request.argc) if plan.channels == _ONE else request.argc
        for at in range(1, end):
            pos = request.start(at)
            n = request.length(at)
            if not self.allows_channel(request.buf, pos, n, plan.channels == _PATTERNS):
                return at
        return 0

    def check(self, plan: Plan, request: Request) -> int:
        """The verdict on a request as `judge` gives it, from this selector alone."""
        if not self._allows_command(plan, request):
            return _NO_COMMAND * _PLACE
        if not self.all_keys and (plan.ranges or plan.keyword or plan.find is not None):
            at = self._refused_key(plan, request)
            if at:
                return _NO_KEY * _PLACE + min(at, _PLACE - 1)
        if not self.all_channels and plan.channels != _NONE:
            at = self._refused_channel(plan, request)
            if at:
                return _NO_CHANNEL * _PLACE + min(at, _PLACE - 1)
        return _ALLOWED


def judge(selectors: list[Selector], plan: Plan, request: Request) -> int:
    """ALLOWED, or what is refused and the position of the word: see `reason_of`, `place_of`.

    Of several selectors that refuse, the one counts that came furthest, as in Redis.
    """
    worst = 0
    for selector in selectors:
        verdict = selector.check(plan, request)
        if verdict == _ALLOWED:
            return _ALLOWED
        if verdict > worst:
            worst = verdict
    return worst


def reason_of(verdict: int) -> int:
    """NO_COMMAND, NO_KEY or NO_CHANNEL."""
    return verdict >> _PLACE_BITS


def place_of(verdict: int) -> int:
    """The position of the key or channel that was refused (or 2**28 - 1, if it is beyond)."""
    return verdict & (_PLACE - 1)
