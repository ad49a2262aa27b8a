"""The values in force: typed access, and what CONFIG GET and CONFIG SET do."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from headwater import errors, glob
from headwater.config.kinds import Bool, Enum, OutputLimits, RefusedError, SavePoint, Words
from headwater.config.options import BY_NAME, OPTIONS, Option

Callback = Callable[[], str | None]

USER = "user"
"""A directive that is no setting: each of its lines defines a user. Rules are not read here."""


class UserLine(NamedTuple):
    """A user's name and rules. `place` says for people where they stand."""

    place: str
    words: tuple[bytes, ...]


class ConfigError(errors.HeadwaterError):
    """The configuration that the server was started with is wrong; the text says where."""


class Config:
    """The value of every directive.

    Guarantees: a value in here has passed its kind's checks. A CONFIG SET that is refused
    changes nothing.
    """

    __slots__ = ("_callbacks", "_given", "_values", "path", "place", "user_lines", "users")

    def __init__(self) -> None:
        self.place = "--user"
        """Where the directives come from that are being assigned, for people."""
        self.users: list[UserLine] = []
        """What `user` directives have said."""
        self.user_lines: Callable[[], list[list[bytes]]] = list
        """What CONFIG REWRITE writes behind `user`, line by line."""
        self.path: str | None = None
        """Absolute path of the file that the server was started with."""
        self._values: dict[str, object] = {}
        self._given: set[str] = set()
        self._callbacks: list[tuple[frozenset[str], Callback]] = []
        for option in OPTIONS:
            words = option.default.split(" ") if option.kind.multiple else [option.default]
            self._values[option.name] = option.kind.parse(words, option.kind.restart(None))

    def __repr__(self) -> str:
        return f"<Config of {self.path or 'no file'}>"

    # --- reading ---

    def get_bool(self, name: str) -> bool:
        """Return a yes-or-no directive."""
        value = self._values[name]
        if not isinstance(value, bool):
            raise TypeError(f"{name} is not yes or no")
        return value

    def get_int(self, name: str) -> int:
        """Return a number in the option's unit, or a size in bytes."""
        value = self._values[name]
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f"{name} is not a number")
        return value

    def get_text(self, name: str) -> str:
        """Return a text or one of several words; bytes that are not UTF-8 are surrogates."""
        value = self._values[name]
        if not isinstance(value, str):
            raise TypeError(f"{name} is not a text")
        return value

    def get_bytes(self, name: str) -> bytes:
        """Return a text as the bytes that were given."""
        return _encode(self.get_text(name))

    def get_path(self, name: str) -> str:
        """Return an absolute path; a relative one starts at `dir`. "" stays ""."""
        path = self.get_text(name)
        return os.path.join(self.get_text("dir"), path) if path else ""

    def get_words(self, name: str) -> tuple[str, ...]:
        """Return a directive of several words."""
        value = self._values[name]
        if not isinstance(BY_NAME[name].kind, Words) or not isinstance(value, tuple):
            raise TypeError(f"{name} is not a list of words")
        return value

    @property
    def save_points(self) -> tuple[SavePoint, ...]:
        """The snapshot's conditions; none when it is off."""
        value = self._values["save"]
        assert isinstance(value, tuple)
        return value

    @property
    def output_limits(self) -> OutputLimits:
        """The output buffer limits of each class of client."""
        value = self._values["client-output-buffer-limit"]
        assert isinstance(value, OutputLimits)
        return value

    def value_text(self, name: str) -> str:
        """Return a value as CONFIG GET gives it."""
        return BY_NAME[name].kind.text(self._values[name])

    def value_lines(self, name: str) -> list[str]:
        """Return a value as it stands in a file behind the directive's name, line by line."""
        return BY_NAME[name].kind.lines(self._values[name])

    def is_given(self, name: str) -> bool:
        """Return whether the directive was set since the start, in whatever way."""
        return name in self._given

    def warnings(self) -> list[str]:
        """Return what to log at start, and after CONFIG SET: directives not yet in effect."""
        names: dict[str, list[str]] = {}
        for option in OPTIONS:
            if option.warning and self.value_text(option.name) != option.default:
                names.setdefault(option.warning, []).append(option.name)
        return [f"{', '.join(given)}: {warning}" for warning, given in names.items()]

    # --- setting, before the server runs ---

    def assign(self, name: str, words: Sequence[str]) -> None:
        """Set a directive from a file or a flag; raises ConfigError.

        Kinds that add up (save, client-output-buffer-limit) do so from the second time on.
        """
        if name.lower() == USER:
            if not words:
                raise ConfigError(f"'{USER}' needs a name and rules")
            self.users.append(UserLine(self.place, tuple(_encode(word) for word in words)))
            return
        option = find_option(name)
        words = list(words)
        if not words:
            raise ConfigError(f"'{option.name}' needs a value: {option.kind.allowed()}")
        if len(words) > 1 and not option.kind.multiple:
            hint = ""
            if any(word.startswith("#") for word in words):
                hint = "; a comment needs a line of its own"
            raise ConfigError(f"'{option.name}' takes one value, not {len(words)}{hint}")
        if option.kind.multiple and len(words) == 1:
            words = words[0].split(" ")
        current = self._values[option.name]
        if option.name not in self._given:
            current = option.kind.restart(current)
        try:
            self._values[option.name] = option.kind.parse(words, current)
        except RefusedError as error:
            shown = "" if option.secret else f" {' '.join(words)}"
            text = f"'{option.name}{shown}': {error}"
            if "between" not in text and not isinstance(option.kind, Bool | Enum):
                text += f" (allowed: {option.kind.allowed()})"
            raise ConfigError(text) from None
        self._given.add(option.name)
        if option.twin:
            self._values[option.twin] = self._values[option.name]

    # --- CONFIG GET and CONFIG SET ---

    def get(self, patterns: Iterable[bytes]) -> list[tuple[bytes, bytes]]:
        """Return the names and values that match any of the patterns, each once.

        A name given in full comes back in the letters it was given in, as in Redis.
        """
        found: dict[str, bytes] = {}
        for pattern in patterns:
            text = _decode(pattern)
            if not any(c in text for c in "*?["):
                if text.lower() in BY_NAME:
                    found.setdefault(text.lower(), pattern)
                continue
            for name in BY_NAME:
                if name not in found and glob.matches(pattern, name.encode(), True):
                    found[name] = name.encode()
        return [(shown, _encode(self.value_text(name))) for name, shown in found.items()]

    def set_many(
        self, pairs: Sequence[tuple[bytes, bytes]], *, local_client: bool = False
    ) -> list[str]:
        """Do one CONFIG SET: all of the pairs, or none.

        `local_client`: the client is on this machine, which `enable-protected-configs local`
        asks for. Callbacks of changed directives run once each, when all values are in place;
        if one refuses, the old values are put back and the callbacks that ran run again.
        Returns the names that changed, those whose value names a file always. Raises CommandError
        with Redis's texts.
        """
        chosen = self._choose(pairs, local_client)
        new: dict[str, object] = {}
        shown: dict[str, bytes] = {}
        for option, (given, value) in zip(chosen, pairs, strict=True):
            text = _decode(value)
            words = text.split(" ") if option.kind.multiple else [text]
            start = option.kind.restart(self._values[option.name])
            shown[option.name] = given
            try:
                new[option.name] = option.kind.parse_running(words, start)
            except RefusedError as error:
                raise errors.CONFIG_SET_FAILED.error(given, error) from None
        given_names = list(new)
        for option in chosen:
            if option.twin:
                new[option.twin] = new[option.name]
                shown[option.twin] = shown[option.name]
        old = {name: self._values[name] for name in new}
        changed = [n for n, value in new.items() if value != old[n] or BY_NAME[n].reference]
        self._values.update(new)
        self._apply(changed, old, shown)
        self._given.update(given_names)
        return changed

    def on_change(self, names: str | Iterable[str], callback: Callback) -> None:
        """Call back when CONFIG SET changed one or more of the directives.

        The new values are in place when it is called. It returns None once it has put them
        in effect, or a text that says why it cannot, which refuses the whole CONFIG SET: it must
        then have changed nothing itself.
        """
        wanted = frozenset((names,) if isinstance(names, str) else names)
        unknown = wanted - BY_NAME.keys()
        if unknown:
            raise KeyError(f"no such directive: {', '.join(sorted(unknown))}")
        self._callbacks.append((wanted, callback))

    def rewrite(self) -> None:
        """Write the values in force to the file that the server was started with.

        Raises CommandError if there is no file or it cannot be written.
        """
        from headwater.config.rewrite import rewrite_file

        if self.path is None:
            raise errors.CONFIG_NO_FILE.error()
        try:
            rewrite_file(self, self.path)
        except OSError as error:
            raise errors.CONFIG_REWRITE_FAILED.error(error.strerror or error) from error
        except ConfigError as error:
            # Somebody broke the file since the start; it is left as it is.
            raise errors.CONFIG_REWRITE_FAILED.error(error) from error

    def _choose(self, pairs: Sequence[tuple[bytes, bytes]], local_client: bool) -> list[Option]:
        """Return the option of each pair, or raise if one may not be set."""
        chosen: list[Option] = []
        for given, _ in pairs:
            option = BY_NAME.get(_decode(given).lower())
            if option is None:
                raise errors.CONFIG_UNKNOWN.error(given)
            if not option.mutable:
                raise errors.CONFIG_SET_FAILED.error(given, "can't set immutable config")
            if option.protected and not self.allows("enable-protected-configs", local_client):
                raise errors.CONFIG_SET_FAILED.error(given, "can't set protected config")
            if option in chosen:
                raise errors.CONFIG_SET_FAILED.error(given, "duplicate parameter")
            chosen.append(option)
        return chosen

    def allows(self, name: str, local_client: bool) -> bool:
        """Return whether a no-yes-local directive permits a client what it guards."""
        value = self.get_text(name)
        return value == "yes" or (value == "local" and local_client)

    def _apply(
        self, changed: Sequence[str], old: dict[str, object], shown: dict[str, bytes]
    ) -> None:
        done: list[Callback] = []
        for names, callback in self._callbacks:
            touched = [name for name in changed if name in names]
            if not touched:
                continue
            refused = callback()
            if refused is not None:
                self._values.update(old)
                for undo in done:
                    undo()
                raise errors.CONFIG_SET_FAILED.error(shown[touched[0]], refused)
            done.append(callback)


def find_option(name: str) -> Option:
    """Return the directive of this name in any case; raises ConfigError with a suggestion."""
    option = BY_NAME.get(name.lower())
    if option is None:
        import difflib

        close = difflib.get_close_matches(name.lower(), BY_NAME, n=1)
        hint = f"; did you mean '{close[0]}'?" if close else ""
        raise ConfigError(f"unknown directive '{name}'{hint}")
    return option


def _decode(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


def _encode(value: str) -> bytes:
    return value.encode("utf-8", "surrogateescape")
