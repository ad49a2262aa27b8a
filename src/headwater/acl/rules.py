"""The language of rules: `on >secret ~orders:* +@stream -xtrim (%R~audit +xrange)`.

Reads rules into users and prints users as rules. One list of words is applied to a copy of the
user, so that a wrong word changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from headwater.acl.catalog import Catalog, Entry
from headwater.acl.passwords import hash_password, is_hash
from headwater.acl.patterns import READ, READ_WRITE, WRITE, Pattern
from headwater.acl.selectors import Selector
from headwater.acl.users import User
from headwater.errors import HeadwaterError
from headwater.resp.parser import split_words

# The texts are part of ACL SETUSER's error replies, so they are Redis's own.
UNKNOWN_NAME = "Unknown command or category name in ACL"
SYNTAX = "Syntax error"
AFTER_ALL_KEYS = (
    "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have "
    "any effect. Try 'resetkeys' to start with an empty list of patterns"
)
AFTER_ALL_CHANNELS = (
    "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not "
    "have any effect. Try 'resetchannels' to start with an empty list of channels"
)
NO_SUCH_PASSWORD = "The password you are trying to remove from the user does not exist"
BAD_HASH = (
    "The password hash must be exactly 64 characters and contain only lowercase hexadecimal "
    "characters"
)
FIRST_WORD_OF_SUBCOMMAND = "Allowing first-arg of a subcommand is not supported"

_SECRET = b"><#!"
_REDACTED = b"(redacted)"
_SPACES = frozenset(b" \t\n\v\f\r\0")


class RuleError(HeadwaterError):
    """A rule was refused: `rule` is the word, without a password in it, `reason` a text."""

    def __init__(self, rule: bytes, reason: str) -> None:
        super().__init__(f"'{rule.decode('utf-8', 'replace')}': {reason}")
        self.rule = rule
        self.reason = reason


class OpenSelectorError(HeadwaterError):
    """A `(` without its `)`; `word` is where it stands."""

    def __init__(self, word: bytes) -> None:
        super().__init__(f"unmatched parenthesis at '{word.decode('utf-8', 'replace')}'")
        self.word = word


def has_spaces(text: bytes) -> bool:
    """Whether there are spaces or zero bytes in a text, which names and patterns must not have."""
    return not _SPACES.isdisjoint(text)


def join_selectors(words: Sequence[bytes]) -> list[bytes]:
    """Make one word of each `(+get` ... `~key)`; raises OpenSelectorError."""
    joined: list[bytes] = []
    inside: list[bytes] = []
    for word in words:
        if inside:
            inside.append(word)
            if word.endswith(b")"):
                joined.append(b" ".join(inside))
                inside = []
        elif word.startswith(b"(") and not word.endswith(b")"):
            inside = [word]
        else:
            joined.append(word)
    if inside:
        raise OpenSelectorError(inside[0])
    return joined


class Rules:
    """Applies rules to users. `all_channels`: new selectors begin with all channels."""

    __slots__ = ("all_channels", "catalog")

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.all_channels = False

    def new_user(self, name: bytes) -> User:
        """A user who may do nothing, and is off."""
        return User(name, self._new_selector())

    def new_default(self, name: bytes) -> User:
        """A user who may do everything, and needs no password."""
        user = self.new_user(name)
        user.allow_everything()
        return user

    def _new_selector(self) -> Selector:
        return Selector(self.catalog.size, self.all_channels)

    def apply(self, user: User, words: Sequence[bytes]) -> None:
        """Apply words in order; raises RuleError or OpenSelectorError in the midst of it."""
        for word in join_selectors(words):
            self.apply_word(user, word)

    def apply_word(self, user: User, word: bytes) -> None:
        """Apply one word; raises RuleError and has changed nothing then."""
        reason = self._to_user(user, word)
        if reason is not None:
            shown = word[:1] + _REDACTED if word[:1] and word[:1] in _SECRET else word
            raise RuleError(shown, reason)

    # --- rules of a user ---

    def _to_user(self, user: User, word: bytes) -> str | None:
        """Apply a word; the reason if it cannot be."""
        if not word:
            return None
        name = word.lower()
        if name in (b"on", b"off"):
            user.enabled = name == b"on"
        elif name == b"nopass":
            user.no_password = True
            user.passwords.clear()
        elif name == b"resetpass":
            user.no_password = False
            user.passwords.clear()
        elif name in (b"sanitize-payload", b"skip-sanitize-payload"):
            user.skip_sanitize = name == b"skip-sanitize-payload"
        elif word[:1] in b">#":
            return _add_password(user, word)
        elif word[:1] in b"<!":
            return _remove_password(user, word)
        elif word.startswith(b"(") and word.endswith(b")"):
            return self._add_selector(user, word)
        elif name == b"clearselectors":
            del user.selectors[1:]
        elif name == b"reset":
            user.become(self.new_user(user.name))
        else:
            return self._to_selector(user.selectors[0], word)
        return None

    def _add_selector(self, user: User, word: bytes) -> str | None:
        selector = self._new_selector()
        # Unbalanced quotes make it an empty one, as in Redis.
        for inner in split_words(word[1:-1]) or ():
            reason = self._to_selector(selector, inner)
            if reason is not None:
                return reason
        user.selectors.append(selector)
        return None

    # --- rules of a selector ---

    def _to_selector(self, selector: Selector, word: bytes) -> str | None:
        """Apply a word to a selector; the reason if it cannot be."""
        name = word.lower()
        if name in (b"allkeys", b"~*", b"resetkeys"):
            selector.all_keys = name != b"resetkeys"
            selector.keys = []
        elif name in (b"allchannels", b"&*", b"resetchannels"):
            selector.all_channels = name != b"resetchannels"
            selector.channels = []
        elif name in (b"allcommands", b"+@all", b"nocommands", b"-@all"):
            _set_all_commands(selector, name in (b"allcommands", b"+@all"))
        elif word[:1] in b"~%":
            return _add_keys(selector, word)
        elif word[:1] == b"&":
            return _add_channels(selector, word)
        elif word[:2] in (b"+@", b"-@"):
            return self._set_category(selector, name, word[:1] == b"+")
        elif word[:1] == b"-":
            return self._set_command(selector, word[1:], False)
        elif word[:1] == b"+":
            if b"|" in word:
                return self._allow_part(selector, word[1:])
            return self._set_command(selector, word[1:], True)
        else:
            return SYNTAX
        return None

    def _set_category(self, selector: Selector, word: bytes, allowed: bool) -> str | None:
        bit = self.catalog.categories.get(word[2:])
        if bit is None:
            return UNKNOWN_NAME
        _note_rule(selector, word[1:], allowed)
        for command in self.catalog.commands:
            if command.categories & bit:
                _change(selector, command, allowed)
            for inner in command.subcommands:
                if inner.categories & bit:
                    _change(selector, inner, allowed)
        return None

    def _set_command(self, selector: Selector, name: bytes, allowed: bool) -> str | None:
        entry = self.catalog.find(name)
        if entry is None:
            return UNKNOWN_NAME
        _change(selector, entry, allowed)
        _note_rule(selector, entry.name, allowed)
        return None

    def _allow_part(self, selector: Selector, text: bytes) -> str | None:
        """Grant a subcommand, or a command with one first argument."""
        name, _, part = text.rpartition(b"|")
        entry = self.catalog.find(name)
        if entry is None:
            return UNKNOWN_NAME
        if entry.is_subcommand:
            return FIRST_WORD_OF_SUBCOMMAND
        if not part or has_spaces(part):
            return SYNTAX
        if entry.subcommands:
            return self._set_command(selector, text, True)
        if entry.plan is not None:
            words = selector.first_words.setdefault(entry.plan.number, [])
            if part.lower() not in words:
                words.append(part.lower())
        _note_rule(selector, text.lower(), True)
        return None


def _change(selector: Selector, entry: Entry, allowed: bool) -> None:
    """Grant or take a command with all its subcommands."""
    if not allowed:
        selector.all_commands = False
    for one in (entry, *entry.subcommands):
        if one.plan is not None:
            selector.allowed[one.plan.number] = allowed
            selector.first_words.pop(one.plan.number, None)


def _set_all_commands(selector: Selector, allowed: bool) -> None:
    selector.all_commands = selector.future = allowed
    selector.allowed = bytearray((b"\1" if allowed else b"\0") * len(selector.allowed))
    selector.first_words = {}
    selector.rules = []


def _note_rule(selector: Selector, rule: bytes, allowed: bool) -> None:
    """Remember a rule in place of those that it makes void: the same, and its subcommands."""
    part = rule + b"|"
    kept = [r for r in selector.rules if r[1] != rule and not r[1].startswith(part)]
    kept.append((allowed, rule))
    selector.rules = kept


def _add_keys(selector: Selector, word: bytes) -> str | None:
    if selector.all_keys:
        return AFTER_ALL_KEYS
    grants = READ_WRITE
    start = 1
    if word[:1] == b"%":
        grants = 0
        for byte in word[1:].upper():
            start += 1
            if byte == 126:  # ~
                break
            bit = READ if byte == 82 else WRITE if byte == 87 else 0
            if not bit or grants & bit:
                return SYNTAX
            grants |= bit
        if not grants:
            return SYNTAX
    text = word[start:]
    if has_spaces(text):
        return SYNTAX
    for i, known in enumerate(selector.keys):
        if known.text == text:
            selector.keys[i] = Pattern(text, known.grants | grants)
            return None
    selector.keys.append(Pattern(text, grants))
    return None


def _add_channels(selector: Selector, word: bytes) -> str | None:
    if selector.all_channels:
        return AFTER_ALL_CHANNELS
    text = word[1:]
    if has_spaces(text):
        return SYNTAX
    if all(known.text != text for known in selector.channels):
        selector.channels.append(Pattern(text, READ_WRITE))
    return None


def _add_password(user: User, word: bytes) -> str | None:
    if word[:1] == b"#" and not is_hash(word[1:]):
        return BAD_HASH
    hashed = word[1:] if word[:1] == b"#" else hash_password(word[1:])
    if hashed not in user.passwords:
        user.passwords.append(hashed)
    user.no_password = False
    return None


def _remove_password(user: User, word: bytes) -> str | None:
    if word[:1] == b"!" and not is_hash(word[1:]):
        return BAD_HASH
    hashed = word[1:] if word[:1] == b"!" else hash_password(word[1:])
    if hashed not in user.passwords:
        return NO_SUCH_PASSWORD
    user.passwords.remove(hashed)
    return None


# --- printing ---


def command_rules(selector: Selector) -> bytes:
    """The commands of a selector: `-@all +@stream -xtrim`."""
    words = [b"+@all" if selector.future else b"-@all"]
    words += [(b"+" if allowed else b"-") + rule for allowed, rule in selector.rules]
    return b" ".join(words)


def key_rules(selector: Selector) -> bytes:
    """The keys of a selector: `~orders:* %R~audit`."""
    if selector.all_keys:
        return b"~*"
    return b" ".join([pattern.shown() for pattern in selector.keys])


def channel_rules(selector: Selector) -> bytes:
    """The channels of a selector: `&news.*`."""
    if selector.all_channels:
        return b"&*"
    return b" ".join([b"&" + pattern.text for pattern in selector.channels])


def selector_rules(selector: Selector) -> bytes:
    """A whole selector, without parentheses."""
    channels = channel_rules(selector)
    if not selector.all_channels:
        channels = b"resetchannels " + channels if channels else b"resetchannels"
    words = (key_rules(selector), channels, command_rules(selector))
    return b" ".join([word for word in words if word])


def flag_rules(user: User) -> list[bytes]:
    """on or off, nopass, and whether RESTORE checks what this user gives it."""
    flags = [b"on" if user.enabled else b"off"]
    if user.no_password:
        flags.append(b"nopass")
    flags.append(b"skip-sanitize-payload" if user.skip_sanitize else b"sanitize-payload")
    return flags


def _in_parentheses(selector: Selector) -> bytes:
    """A selector as one word.

    It is split again where it is read, so a quote needs quotes, and so does a parenthesis at the
    end of a word, which would end the selector there.
    """
    words = [
        b'"' + word.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
        if b'"' in word or b"'" in word or word.endswith(b")")
        else word
        for word in selector_rules(selector).split(b" ")
    ]
    return b"(" + b" ".join(words) + b")"


def user_rules(user: User) -> list[bytes]:
    """All rules of a user as words; applied to a new user they make the same one.

    A selector in parentheses is one word, with spaces.
    """
    words = flag_rules(user)
    words += [b"#" + hashed for hashed in user.passwords]
    words.append(selector_rules(user.selectors[0]))
    words += [_in_parentheses(selector) for selector in user.selectors[1:]]
    return words


def user_line(user: User) -> bytes:
    """A user as ACL LIST and files have it: `user alice on #... ~* -@all +get`."""
    return b" ".join([b"user", user.name, *user_rules(user)])
