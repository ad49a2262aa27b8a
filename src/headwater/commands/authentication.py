"""Passwords: who may use a connection. There is one user, `default`, with `requirepass`."""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import TYPE_CHECKING

from headwater import errors

if TYPE_CHECKING:
    from headwater.commands.session import Session

DEFAULT_USER = b"default"


def authenticate(session: Session, user: bytes, password: bytes) -> None:
    """Let the session act as `user`, or raise WRONG_PASSWORD.

    How long the check takes tells nothing about the password: what is compared, in constant
    time, are two digests.
    """
    required = session.state.password
    right = hmac.compare_digest(sha256(password).digest(), sha256(required).digest())
    if user != DEFAULT_USER or (required and not right):
        raise errors.WRONG_PASSWORD.error()
    session.user = user
    session.authenticated = True
