"""Commands whose keys only their own syntax tells: functions that read a request for its keys."""

from __future__ import annotations

from headwater.commands.keyspecs import FoundKeys, Words

_READ = ("RO", "access")
_READS_OLD_VALUE = (b"GET", b"IFEQ", b"IFNE", b"IFDEQ", b"IFDNE")
STREAM_OPTIONS = (
    (b"COUNT", 2),
    (b"BLOCK", 2),
    (b"GROUP", 3),
    (b"NOACK", 1),
    (b"CLAIM", 2),
    (b"MAXCOUNT", 2),
    (b"MAXSIZE", 2),
)
"""What may stand before STREAMS in XREAD and XREADGROUP, and how many words each makes up."""
_WORDS_OF = dict(STREAM_OPTIONS)


def stream_keys(words: Words) -> FoundKeys | None:
    """XREAD and XREADGROUP: the first half of what follows STREAMS.

    The options before it are stepped over one by one: a group or a consumer may itself be
    called STREAMS.
    """
    position = 1
    count = len(words)
    while position < count:
        word = words[position].upper()
        if word == b"STREAMS":
            rest = count - position - 1
            if rest == 0 or rest % 2:
                return None
            return [(at, _READ) for at in range(position + 1, position + 1 + rest // 2)]
        if word not in _WORDS_OF:
            return None
        position += _WORDS_OF[word]
    return None


def set_keys(words: Words) -> FoundKeys | None:
    """SET: with GET or a condition on the old value, that is read too."""
    if any(word.upper() in _READS_OLD_VALUE for word in words[3:]):
        return [(1, ("RW", "access", "update"))]
    return [(1, ("OW", "update"))]


def delex_keys(words: Words) -> FoundKeys | None:
    """DELEX: with a condition the value is read too."""
    return [(1, ("RW", "access", "delete") if len(words) > 2 else ("RM", "delete"))]


def cfgset_keys(words: Words) -> FoundKeys | None:
    """XGROUP CFGSET: the stream, and the one that dead letters go to.

    The options are stepped over one by one: a field may itself be called DEADLETTER.
    """
    found: FoundKeys = [(2, ("RW", "update"))]
    position = 4
    while position + 1 < len(words):
        option = words[position].upper()
        position += 2
        if option == b"DEADLETTER" and words[position - 1]:
            found.append((position - 1, ("RW", "insert")))
        elif option == b"BACKOFF":
            while position < len(words) and words[position][:1].isdigit():
                position += 1
    return found
