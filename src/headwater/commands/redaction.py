"""What may be shown of a request: passwords never are, in no log and to no monitor."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headwater.resp.request import Request

REDACTED = b"(redacted)"

SECRET_DIRECTIVES = frozenset(
    (
        b"masterauth",
        b"masteruser",
        b"requirepass",
        b"tls-client-key-file-pass",
        b"tls-key-file-pass",
    )
)
"""Directives whose values CONFIG SET must not leave in a log (as Redis)."""


def secret_positions(request: Request) -> set[int]:
    """Which arguments of a request are secrets, as Redis sees it.

    These are all arguments of AUTH, the two behind HELLO's AUTH, the value of a secret
    directive in CONFIG SET. In a malformed request, it is what stands where a secret would.
    """
    argc = request.argc
    if request.text_equals(0, b"AUTH"):
        return set(range(1, argc))
    if request.text_equals(0, b"HELLO"):
        for i in range(2, argc):
            if request.text_equals(i, b"AUTH"):
                return set(range(i + 1, min(i + 3, argc)))
    elif argc > 3 and request.text_equals(0, b"CONFIG") and request.text_equals(1, b"SET"):
        directives = range(2, argc - 1, 2)
        return {i + 1 for i in directives if request.arg(i).lower() in SECRET_DIRECTIVES}
    return set()


def shown_words(request: Request) -> list[bytes]:
    """The words of a request, with (redacted) in place of every secret."""
    words = request.words()
    for i in secret_positions(request):
        words[i] = REDACTED
    return words
