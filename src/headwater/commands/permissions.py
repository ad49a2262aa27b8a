"""What stands between a request and its command for a user who may not do everything.

`Session.permissions` is one of these, or None for who may do everything: that is decided when a
user's rules change, not when a request comes.
"""

from __future__ import annotations

from typing import Any

from headwater import errors
from headwater.acl.plans import Plan
from headwater.acl.selectors import NO_CHANNEL, NO_COMMAND, NO_KEY, judge, place_of, reason_of
from headwater.acl.users import User
from headwater.commands.session import Session
from headwater.commands.table import Command
from headwater.resp.request import Request

_REFUSALS = {
    NO_KEY: errors.NO_KEY_PERMISSION,
    NO_CHANNEL: errors.NO_CHANNEL_PERMISSION,
}
_REFUSALS_AT_EXEC = {
    NO_COMMAND: errors.NO_PERMISSION_ANY_MORE.text(
        "no permission to execute the command or subcommand"
    ),
    NO_KEY: errors.NO_PERMISSION_ANY_MORE.text("no permission to touch the specified keys"),
    NO_CHANNEL: errors.NO_PERMISSION_ANY_MORE.text(
        "no permission to access one of the channels used as arguments to the command"
    ),
}


class Permissions:
    """One user's. `denied(session, command, request, verdict, in_script)` is told of refusals."""

    __slots__ = ("_denied", "_plans", "_selectors", "user")

    def __init__(self, user: User, plans: dict[bytes, Plan], denied: Any) -> None:
        self.user = user
        self._plans = plans
        self._denied = denied
        self._selectors = user.selectors

    def refresh(self) -> None:
        """The user's rules have changed."""
        self._selectors = self.user.selectors

    def verdict(self, command: Command, request: Request) -> int:
        """Whether the user may do it: ALLOWED, or as `headwater.acl.selectors.judge`."""
        return judge(self._selectors, self._plans[command.name], request)

    def refusal(self, session: Session, command: Command, request: Request) -> bytes | None:
        """The error reply to a request that the user may not make; None if he may.

        What EXEC runs was allowed when it was queued, so the error tells that this has changed.
        """
        verdict = judge(self._selectors, self._plans[command.name], request)
        if verdict == 0:
            return None
        self._denied(session, command, request, verdict, False)
        if session.transaction is None and session.deny_blocking:
            return _REFUSALS_AT_EXEC[reason_of(verdict)]
        return b"NOPERM " + self._text(command, verdict)

    def refusal_in_script(
        self, session: Session, command: Command, request: Request
    ) -> bytes | None:
        """The same for a call that a script makes; `session` is the client who runs it."""
        verdict = judge(self._selectors, self._plans[command.name], request)
        if verdict == 0:
            return None
        self._denied(session, command, request, verdict, True)
        return errors.SCRIPT_DENIED.text(self._text(command, verdict))

    def _text(self, command: Command, verdict: int) -> bytes:
        reason = reason_of(verdict)
        if reason == NO_COMMAND:
            text = errors.NO_COMMAND_PERMISSION.text(self.user.name, command.name)
        else:
            text = _REFUSALS[reason].text()
        return text.removeprefix(b"NOPERM ")


def described(user: User, command: Command, request: Request, verdict: int) -> bytes:
    """A verdict in words that name the key or channel (ACL DRYRUN)."""
    reason = reason_of(verdict)
    if reason == NO_COMMAND:
        return errors.NO_COMMAND_PERMISSION.text(user.name, command.name).removeprefix(b"NOPERM ")
    kind = b"key" if reason == NO_KEY else b"channel"
    word = request.arg(place_of(verdict))
    return b"User %b has no permissions to access the '%b' %b" % (user.name, word, kind)
