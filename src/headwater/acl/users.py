"""Users, and the set of them that a server has. What a user may do is in its selectors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from headwater.acl.passwords import is_one_of
from headwater.acl.patterns import Pattern
from headwater.acl.selectors import Selector

DEFAULT = b"default"


class User:
    """One user. `selectors[0]` is the root; passwords are hashes (headwater.acl.passwords)."""

    __slots__ = ("enabled", "name", "no_password", "passwords", "selectors", "skip_sanitize")

    def __init__(self, name: bytes, root: Selector) -> None:
        self.name = name
        self.enabled = False
        self.no_password = False
        self.skip_sanitize = False
        self.passwords: list[bytes] = []
        self.selectors = [root]

    def copy(self) -> User:
        """Another object with the same rules, to try changes on."""
        other = User(self.name, self.selectors[0].copy())
        other.selectors += [selector.copy() for selector in self.selectors[1:]]
        other.enabled = self.enabled
        other.no_password = self.no_password
        other.skip_sanitize = self.skip_sanitize
        other.passwords = list(self.passwords)
        return other

    def become(self, other: User) -> None:
        """Take over the rules of another user, which is not used any more."""
        self.enabled = other.enabled
        self.no_password = other.no_password
        self.skip_sanitize = other.skip_sanitize
        self.passwords = other.passwords
        self.selectors = other.selectors

    def allow_everything(self) -> None:
        """Be as the default user of a new server."""
        root = self.selectors[0]
        root.all_commands = root.all_keys = root.all_channels = root.future = True
        root.allowed = bytearray(b"\1" * len(root.allowed))
        root.first_words = {}
        root.keys, root.channels, root.rules = [], [], []
        self.selectors = [root]
        self.enabled = self.no_password = True

    @property
    def is_open(self) -> bool:
        """Whether nobody needs a password to be this user."""
        return self.enabled and self.no_password

    def grants_all(self) -> bool:
        """Whether nothing at all is refused to the user."""
        return any(selector.grants_all() for selector in self.selectors)

    def allows_channel(self, channel: bytes, is_pattern: bool) -> bool:
        """Whether any selector grants a channel, or a pattern of channels."""
        buf = bytearray(channel)
        return any(s.allows_channel(buf, 0, len(channel), is_pattern) for s in self.selectors)

    def channel_patterns(self) -> list[Pattern]:
        """Those of all selectors."""
        return [pattern for selector in self.selectors for pattern in selector.channels]


class Users:
    """All users by name. There is always a default user, and it is always the same object."""

    __slots__ = ("_by_name",)

    def __init__(self, default: User) -> None:
        self._by_name = {default.name: default}

    def __iter__(self) -> Iterator[User]:
        """All users, ordered by their names' bytes."""
        return iter([self._by_name[name] for name in sorted(self._by_name)])

    def __contains__(self, name: bytes) -> bool:
        return name in self._by_name

    def __len__(self) -> int:
        return len(self._by_name)

    @property
    def default(self) -> User:
        return self._by_name[DEFAULT]

    def get(self, name: bytes) -> User | None:
        return self._by_name.get(name)

    def put(self, user: User) -> None:
        """Add a user, or give an existing one of that name these rules."""
        known = self._by_name.get(user.name)
        if known is None:
            self._by_name[user.name] = user
        else:
            known.become(user)

    def remove(self, name: bytes) -> bool:
        """Remove a user other than the default one; False if there is none."""
        return self._by_name.pop(name, None) is not None

    def replace(self, users: Iterable[User]) -> list[bytes]:
        """Have these users and no others; returns the names of those that are gone."""
        wanted = {user.name: user for user in users}
        gone = [name for name in self._by_name if name not in wanted]
        for name in gone:
            del self._by_name[name]
        for user in wanted.values():
            self.put(user)
        return gone

    def authenticate(self, name: bytes, password: bytes) -> User | None:
        """The user who may log in with that password; None if nobody may.

        It takes as long for a name that nobody has.
        """
        user = self._by_name.get(name)
        right = is_one_of(password, user.passwords if user is not None else ())
        if user is None or not user.enabled:
            return None
        return user if right or user.no_password else None
