"""Glob patterns as KEYS, SCAN, CONFIG GET and ACL rules know them: `*`, `?`, `[a-z]`, `[^a]`, `\\`.

Bytes are compared, not characters. The time is at most the product of the two lengths.
"""

from __future__ import annotations

_STAR, _ANY, _OPEN, _CLOSE, _NOT, _ESCAPE, _DASH = b"*?[]^\\-"


def _lower(byte: int) -> int:
    if 65 <= byte <= 90:
        return byte + 32
    return byte


def _class_end(pattern: bytes, start: int) -> int:
    """Position of the `]` that closes the class opened before `start`; the length if none does."""
    i = start
    end = len(pattern)
    while i < end and pattern[i] != _CLOSE:
        if pattern[i] == _ESCAPE and i + 1 < end:
            i += 2
        elif i + 2 < end and pattern[i + 1] == _DASH:
            i += 3
        else:
            i += 1
    return min(i, end)


def _in_class(pattern: bytes, start: int, end: int, byte: int, fold: bool) -> bool:
    """Whether a byte is in the class `pattern[start:end]`, which may begin with `^`."""
    i = start
    negated = i < end and pattern[i] == _NOT
    if negated:
        i += 1
    found = False
    folded = _lower(byte) if fold else byte
    while i < end:
        if pattern[i] == _ESCAPE and i + 1 < len(pattern):
            i += 1
            if pattern[i] == byte:
                found = True
        elif i + 2 < len(pattern) and pattern[i + 1] == _DASH:
            low = min(pattern[i], pattern[i + 2])
            high = max(pattern[i], pattern[i + 2])
            if fold:
                low = _lower(low)
                high = _lower(high)
            if low <= folded <= high:
                found = True
            i += 2
        elif (_lower(pattern[i]) if fold else pattern[i]) == folded:
            found = True
        i += 1
    return found != negated


def matches(pattern: bytes, text: bytes, fold: bool = False) -> bool:
    """Whether the whole text matches; `fold`: ASCII letters match in either case."""
    p = 0
    t = 0
    retry_p = -1  # behind the last `*`; where to go on after a mismatch
    retry_t = 0
    pattern_end = len(pattern)
    text_end = len(text)
    while t < text_end:
        following = -1  # position in the pattern behind what matched text[t]
        if p < pattern_end:
            c = pattern[p]
            if c == _STAR:
                retry_p = p + 1
                retry_t = t
                p += 1
                continue
            if c == _ANY:
                following = p + 1
            elif c == _OPEN:
                start = p + 1
                first = start + 1 if start < pattern_end and pattern[start] == _NOT else start
                close = _class_end(pattern, first)
                if _in_class(pattern, start, close, text[t], fold):
                    following = min(close + 1, pattern_end)
            else:
                if c == _ESCAPE and p + 1 < pattern_end:
                    p += 1
                    c = pattern[p]
                if c == text[t] or (fold and _lower(c) == _lower(text[t])):
                    following = p + 1
        if following >= 0:
            p = following
            t += 1
        elif retry_p >= 0:
            retry_t += 1
            t = retry_t
            p = retry_p
        else:
            return False
    while p < pattern_end and pattern[p] == _STAR:
        p += 1
    return p == pattern_end
