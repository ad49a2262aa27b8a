"""Who may use the server: its users, and which client is which of them (`state.access`).

Whatever changes users goes through here, because clients follow at once: what they may do
changes, or they are closed.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from headwater import errors
from headwater.acl import denials
from headwater.acl.file import UserFileError, read_file, write_file
from headwater.acl.passwords import hash_password
from headwater.acl.rules import OpenSelectorError, RuleError, Rules, has_spaces, user_rules
from headwater.acl.selectors import NO_CHANNEL, NO_KEY, place_of, reason_of
from headwater.acl.users import DEFAULT, User, Users
from headwater.commands.catalog import make_catalog, plans_of
from headwater.commands.client_line import client_line
from headwater.commands.permissions import Permissions
from headwater.errors import HeadwaterError

if TYPE_CHECKING:
    from headwater.commands.session import Session
    from headwater.commands.state import ServerState
    from headwater.commands.table import Command
    from headwater.resp.request import Request

_log = logging.getLogger("headwater")


class AccessError(HeadwaterError):
    """The users that the server was configured with are wrong; the text says where."""


class Access:
    """The users of one server. `log` holds what was denied; `open`: whether clients are the default
    user without a password.

    Raises AccessError when the configuration's users are wrong.
    """

    __slots__ = ("_let_in", "_permissions", "_plans", "_state", "log", "open", "rules", "users")

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self.rules = Rules(make_catalog(state.table))
        self._plans = plans_of(self.rules.catalog)
        self.log = denials.DenialLog()
        self._permissions: dict[bytes, Permissions] = {}
        # Clients who have not logged in, and are let in as long as the default user is open.
        self._let_in: set[int] = set()
        self._apply_settings()
        self.users = Users(self.rules.new_default(DEFAULT))
        self.open = True
        config = state.config
        if config.get_bytes("requirepass"):
            self.set_password()
        self._load_configured()
        config.on_change(("acl-pubsub-default", "acllog-max-len"), self._apply_settings)
        config.on_change("requirepass", self.set_password)
        config.user_lines = self._lines_to_keep

    def _apply_settings(self) -> None:
        config = self._state.config
        self.rules.all_channels = config.get_text("acl-pubsub-default") == "allchannels"
        self.log.max_length = config.get_int("acllog-max-len")

    # --- the configured users ---

    @property
    def path(self) -> str:
        """The file of users; "" if there is none."""
        path: str = self._state.config.get_path("aclfile")
        return path

    def _load_configured(self) -> None:
        lines = self._state.config.users
        if self.path:
            if lines:
                raise AccessError(
                    f"{lines[0].place}: users are defined here and in the file that 'aclfile' "
                    f"names ({self.path}); move them all to one place"
                )
            try:
                self._replace(read_file(self.rules, self.path), None)
            except UserFileError as error:
                raise AccessError(str(error)) from None
            return
        seen: set[bytes] = set()
        for line in lines:
            name = line.words[0]
            try:
                if has_spaces(name):
                    raise AccessError(f"{line.place}: a user's name has no spaces")
                if name in seen:
                    raise AccessError(f"{line.place}: the user '{_text(name)}' is defined twice")
                seen.add(name)
                user = self.rules.new_user(name)
                self.rules.apply(user, line.words[1:])
            except (RuleError, OpenSelectorError) as error:
                raise AccessError(f"{line.place}: user '{_text(name)}', {error}") from None
            self.users.put(user)
        self._settle(None)

    def _lines_to_keep(self) -> list[list[bytes]]:
        """What CONFIG REWRITE writes behind `user`: every user, if they are no others than what
        `requirepass` gives by itself."""
        if self.path:
            return []
        lines = [[user.name, *user_rules(user)] for user in self.users]
        plain = self.rules.new_default(DEFAULT)
        self._give_password(plain)
        return [] if lines == [[DEFAULT, *user_rules(plain)]] else lines

    # --- changes ---

    def set_password(self) -> None:
        """Give the default user the password that `requirepass` says, or none."""
        self._give_password(self.users.default)
        self._settle(None)

    def _give_password(self, user: User) -> None:
        password: bytes = self._state.config.get_bytes("requirepass")
        user.passwords = [hash_password(password)] if password else []
        user.no_password = not password

    def set_rules(self, name: bytes, words: Sequence[bytes], current: Session | None) -> None:
        """Apply rules to a user, who is created if there is none: all of them, or none.

        `current` is the client who asks. Raises RuleError and OpenSelectorError.
        """
        known = self.users.get(name)
        changed = self.rules.new_user(name) if known is None else known.copy()
        self.rules.apply(changed, words)
        self.users.put(changed)
        self._settle(current, {name})

    def delete(self, names: Iterable[bytes], current: Session | None) -> int:
        """Delete users and close their clients; returns how many users there were.

        If the client who asks is among them, it is closed behind the reply.
        """
        gone = {name for name in names if self.users.remove(name)}
        self._expel(gone, current)
        return len(gone)

    def load(self, current: Session | None) -> None:
        """Have the users that are in the file and no others; raises UserFileError."""
        self._replace(read_file(self.rules, self.path), current)

    def _replace(self, users: list[User], current: Session | None) -> None:
        if all(user.name != DEFAULT for user in users):
            users.append(self.rules.new_default(DEFAULT))
        self._expel(set(self.users.replace(users)), current)
        self._settle(current, {user.name for user in users})

    def save(self) -> None:
        """Write the users into the file; raises OSError."""
        write_file(self.users, self.path)

    # --- clients ---

    @property
    def has_no_password(self) -> bool:
        """Whether the default user needs none, be it on or off (protected-mode)."""
        return self.users.default.no_password

    def exists(self, name: bytes) -> bool:
        """Whether there is a user of that name."""
        return name in self.users

    def admit(self, session: Session) -> None:
        """A client connects, or begins anew: it is the default user."""
        self._let_in.discard(session.id)
        session.user = DEFAULT
        session.permissions = self._granted(self.users.default)
        session.authenticated = self.open

    def authenticate(self, session: Session, name: bytes, password: bytes, asked: bytes) -> None:
        """Let a client be a user, or raise WRONG_PASSWORD; `asked` is the command's name."""
        user = self.users.authenticate(name, password)
        if user is None:
            context = denials.MULTI if session.deny_blocking else denials.TOPLEVEL
            self._note(session, denials.AUTH, context, asked, name)
            raise errors.WRONG_PASSWORD.error()
        self._let_in.discard(session.id)
        session.user = user.name
        session.permissions = self._granted(user)
        session.authenticated = True

    def _granted(self, user: User) -> Permissions | None:
        """What a client of the user is given; None if everything is allowed."""
        return None if user.grants_all() else self.permissions_of(user)

    def permissions_of(self, user: User) -> Permissions:
        """What decides for a user of this server."""
        known = self._permissions.get(user.name)
        if known is None or known.user is not user:
            known = self._permissions[user.name] = Permissions(user, self._plans, self._denied)
        known.refresh()
        return known

    def _settle(self, current: Session | None, changed: Collection[bytes] = ()) -> None:
        """Have every client do what it may do now; `changed`: users whose rules are others."""
        self._permissions = {n: p for n, p in self._permissions.items() if n in self.users}
        clients = self._state.clients
        was_open, self.open = self.open, self.users.default.is_open
        if self.open and not was_open:
            self._let_in = {one.id for one in clients.values() if not one.authenticated}
            for one in clients.values():
                one.authenticated = True
        elif was_open and not self.open:
            for one in clients.values():
                if one.id in self._let_in:
                    one.authenticated = False
            self._let_in.clear()
        for one in list(clients.values()):
            user = self.users.get(one.user)
            if user is None:
                continue
            one.permissions = self._granted(user)
            if one.subscriptions is not None and one.user in changed and not _may_listen(user, one):
                self._close(one, current)

    def _expel(self, names: set[bytes], current: Session | None) -> None:
        """Close the clients of users that are gone."""
        if not names:
            return
        for one in list(self._state.clients.values()):
            if one.user in names:
                self._close(one, current)
        if current is not None and current.user in names:
            self._close(current, current)

    def _close(self, session: Session, current: Session | None) -> None:
        if session is current:
            # What EXEC still has to run is done with the rights that the client had.
            session.authenticated = False
            session.close_after_reply = True
            return
        self.admit(session)
        session.authenticated = False
        session.close()

    # --- denials ---

    def _denied(
        self, session: Session, command: Command, request: Request, verdict: int, in_script: bool
    ) -> None:
        """Keep in the log that a request was refused."""
        reason, word = denials.COMMAND, command.name
        if reason_of(verdict) == NO_KEY:
            reason, word = denials.KEY, request.arg(place_of(verdict))
        elif reason_of(verdict) == NO_CHANNEL:
            reason, word = denials.CHANNEL, request.arg(place_of(verdict))
        context = denials.TOPLEVEL
        if in_script:
            context = denials.LUA
        elif session.transaction is not None or session.deny_blocking:
            context = denials.MULTI
        if session.transaction is not None or context == denials.TOPLEVEL:
            session.last_command = command.name  # which the client's line shows
        self._note(session, reason, context, word, session.user)

    def _note(
        self, session: Session, reason: str, context: str, word: bytes, username: bytes
    ) -> None:
        line = client_line(session)
        self.log.note(reason, context, word, username, line, self._state.clock.now_ms)


def _may_listen(user: User, session: Session) -> bool:
    """Whether a client may listen to all that it has subscribed to."""
    if any(selector.all_channels for selector in user.selectors):
        return True
    listens = session.subscriptions
    return all(
        user.allows_channel(channel, is_pattern)
        for channels, is_pattern in (
            (listens.channels, False),
            (listens.shards, False),
            (listens.patterns, True),
        )
        for channel in channels
    )


def _text(name: bytes) -> str:
    return name.decode("utf-8", "replace")
