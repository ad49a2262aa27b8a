"""The file that `aclfile` names: one user a line, read as a whole or not at all.

It is written to a temporary file, synced, and put in place at once: after a crash it is the old
one or the new one. Every mistake in it is told with its line, and passwords never are.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from headwater.acl.rules import (
    UNKNOWN_NAME,
    OpenSelectorError,
    RuleError,
    Rules,
    has_spaces,
    join_selectors,
    user_line,
)
from headwater.acl.users import User
from headwater.errors import HeadwaterError
from headwater.replacing import replace_file


class UserFileError(HeadwaterError):
    """The file cannot be read, or what is in it is wrong; the text says all that is."""


def read_file(rules: Rules, path: str) -> list[User]:
    """The users in a file; raises UserFileError."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserFileError(f"Error loading ACLs, opening file '{path}': {reason}") from None
    return parse(rules, data, path)


def parse(rules: Rules, data: bytes, path: str) -> list[User]:
    """The users in a file's content; raises UserFileError."""
    users: dict[bytes, User] = {}
    mistakes: list[str] = []
    for number, line in enumerate(data.split(b"\n"), 1):
        line = line.strip(b" \t\r\n")
        if line:
            mistakes += _parse_line(rules, users, line, path, number)
    if mistakes:
        mistakes.append(
            "WARNING: ACL errors detected, no change to the previously active ACL rules was "
            "performed"
        )
        raise UserFileError(" ".join(mistakes))
    return list(users.values())


def _parse_line(
    rules: Rules, users: dict[bytes, User], line: bytes, path: str, number: int
) -> list[str]:
    """Add the user of a line; returns what is wrong with it."""
    words = line.split(b" ")
    place = f"{path}:{number}"
    if words[0] != b"user" or len(words) < 2:
        return [f"{place} should start with user keyword followed by the username."]
    name = words[1]
    if has_spaces(name):
        return [f"{place}: username '{_text(name)}' contains invalid characters."]
    if name in users:
        return [f"WARNING: Duplicate user '{_text(name)}' found on line {number}."]
    user = users[name] = rules.new_user(name)
    try:
        rule_words = join_selectors(words[2:])
    except OpenSelectorError:
        return [f"{place}: Unmatched parenthesis in selector definition."]
    mistakes: list[str] = []
    other_mistake = False
    for word in rule_words:
        try:
            rules.apply_word(user, word.strip(b"\t\r\n"))
        except RuleError as error:
            if error.reason == UNKNOWN_NAME:
                mistakes.append(
                    f"{place}: Error in applying operation '{_text(error.rule)}': {error.reason}."
                )
            elif not other_mistake:  # others may follow from it
                mistakes.append(f"{place}: {error.reason}.")
                other_mistake = True
    return mistakes


def _text(word: bytes) -> str:
    return word.decode("utf-8", "replace")


def write_file(users: Iterable[User], path: str) -> None:
    """Put the users into a file in place of what is there; raises OSError."""
    path = os.path.realpath(path)
    try:
        mode = os.stat(path).st_mode & 0o7777
    except FileNotFoundError:
        mode = 0o600  # hashes of weak passwords can be guessed
    replace_file(path, b"".join([user_line(user) + b"\n" for user in users]), mode)
