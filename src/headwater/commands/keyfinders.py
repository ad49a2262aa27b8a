"""Commands whose keys only their own syntax tells: functions that read a request for its keys."""

from __future__ import annotations

from headwater.commands.keyspecs import FoundKeys, Words

_READ = ("RO", "access")
_ONE_VALUE = (b"COUNT", b"MAXCOUNT", b"MAXSIZE", b"BLOCK", b"CLAIM")


def stream_keys(words: Words) -> FoundKeys | None:
    """XREAD and XREADGROUP: the first half of what follows STREAMS.

    The options before it are stepped over one by one: a group or a consumer may itself be
    called STREAMS.
    """
    position = 1
    count = len(words)
    while position < count:
        word = words[position].upper()
        if word in _ONE_VALUE:
            position += 2
        elif word == b"GROUP":
            position += 3
        elif word == b"NOACK":
            position += 1
        elif word == b"STREAMS":
            rest = count - position - 1
            if rest == 0 or rest % 2:
                return None
            return [(at, _READ) for at in range(position + 1, position + 1 + rest // 2)]
        else:
            return None
    return None


def set_keys(words: Words) -> FoundKeys | None:
    """SET: with GET the old value is read too."""
    if any(word.upper() == b"GET" for word in words[3:]):
        return [(1, ("RW", "access", "update"))]
    return [(1, ("OW", "update"))]
