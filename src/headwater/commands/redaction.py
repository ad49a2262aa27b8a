"""What may be shown of a request: passwords never are, in no log and to no monitor."""

from __future__ import annotations

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
_ABOUT_USERS = (b"SETUSER", b"GETUSER", b"DELUSER")


def secret_positions(request: Request) -> set[int]:
    """Which arguments of a request are secrets, as Redis sees it.

    These are all arguments of AUTH, the two behind every AUTH in HELLO, the value of a secret
    directive in CONFIG SET, users and their rules in ACL. In a malformed request, it is what
    stands where a secret would.
    """
    argc = request.argc
    at = 0  # where the command itself is
    while argc > at + 3 and request.text_equals(at, b"ACL"):
        if not request.text_equals(at + 1, b"DRYRUN"):
            break
        at += 3
    if request.text_equals(at, b"AUTH"):
        return set(range(at + 1, argc))
    if request.text_equals(at, b"HELLO"):
        secrets = set()
        for i in range(at + 2, argc):
            if request.text_equals(i, b"AUTH"):
                secrets |= {secret for secret in (i + 1, i + 2) if secret < argc}
        return secrets
    is_acl = request.text_equals(at, b"ACL")
    if argc > at + 2 and (is_acl or request.text_equals(at, b"CONFIG")):
        sub = request.arg(at + 1).upper()
        if is_acl and sub in _ABOUT_USERS:
            return set(range(at + 2, argc))
        if not is_acl and sub == b"SET":
            directives = range(at + 2, argc - 1, 2)
            return {i + 1 for i in directives if request.arg(i).lower() in SECRET_DIRECTIVES}
    return set()


def shown_words(request: Request) -> list[bytes]:
    """The words of a request, with (redacted) in place of every secret."""
    words = request.words()
    for i in secret_positions(request):
        words[i] = REDACTED
    return words
