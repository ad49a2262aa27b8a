"""One field's text read as its schema's types, and checked.

A text is JSON if it is null, true, false, a number, an object or an array; and it is a string.
It fits if one of the two fits: so `5` fits the types number and string, and `"a"` is a string
with two quotes in it.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from headwater.schemas.costs import Costs
from headwater.schemas.document import Tree
from headwater.schemas.faults import quoted
from headwater.schemas.library import Validator, first_error, is_valid, make_validator
from headwater.schemas.limits import CHECK_STEPS, NUMBER_MAX_BYTES, PATTERN_STEPS

NULL, BOOLEAN, INTEGER, NUMBER, OBJECT, ARRAY, STRING = (1 << i for i in range(7))
ANY = (1 << 7) - 1

BITS = {
    "null": NULL,
    "boolean": BOOLEAN,
    "integer": INTEGER,
    "number": NUMBER | INTEGER,
    "object": OBJECT,
    "array": ARRAY,
    "string": STRING,
}
_WORDS = {
    "number": "a number",
    "integer": "an integer",
    "boolean": "a boolean (true or false)",
    "null": "null",
    "array": "a JSON array",
    "object": "a JSON object",
    "string": "a string",
}
_CONSTANTS = {b"null": None, b"true": True, b"false": False}
_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_SAYS_NOTHING_MORE = {"type": True}

_SLOW, _STRING, _CHECKED_STRING, _NUMBERS, _LISTED = range(5)
_SHORT_BYTES, _LIGHT_PATTERNS = 64, 100  # a text and patterns of which no account is kept


class NotJSONError(Exception):
    """A text is not JSON, or not such as can be read; the message is why, or empty."""


class Budget:
    """What checking one entry may still cost."""

    __slots__ = ("patterns", "steps")

    def __init__(self) -> None:
        self.steps = CHECK_STEPS
        self.patterns = PATTERN_STEPS


class Reader:
    """Checks the texts of a field whose schema is `tree`; raises SchemaError if that is broken."""

    __slots__ = (
        "_anything",
        "_costs",
        "_quick",
        "_texts",
        "_types",
        "_validator",
        "kinds",
    )

    def __init__(self, dialect: str, tree: Tree) -> None:
        self._anything = tree is True
        self.kinds = kinds_of(tree)
        self._types = in_words(self.kinds)
        self._costs = Costs(tree)
        self._validator: Validator | None = None
        if (
            not isinstance(tree, dict)
            or tree.keys() != _SAYS_NOTHING_MORE.keys()
            or self.kinds & (OBJECT | ARRAY)
            or self.kinds & (INTEGER | NUMBER) == INTEGER
        ):
            self._validator = make_validator(dialect, tree)
        self._texts = _only_texts(tree)
        self._quick = _SLOW
        if self._texts is not None:
            self._quick = _LISTED
        elif self.kinds == STRING and self._validator is None:
            self._quick = _STRING
        elif self.kinds == STRING and self._costs.pattern_weight <= _LIGHT_PATTERNS:
            self._quick = _CHECKED_STRING
        elif self.kinds == INTEGER | NUMBER:
            self._quick = _NUMBERS

    @property
    def costs(self) -> Costs:
        return self._costs

    def fits(self, text: bytes) -> bool:
        """Whether the text fits, for what is common and short; False: `fault` knows."""
        quick = self._quick
        if quick == _LISTED:
            return self._texts is not None and text in self._texts
        if quick == _STRING:
            return text.isascii()
        validator = self._validator
        if len(text) > _SHORT_BYTES or quick == _SLOW:
            return False
        if quick == _NUMBERS:
            match = _NUMBER.fullmatch(text)
            if match is None or match[2] is not None:
                return False
            if validator is None:
                return True
            value: Any = float(text) if match.lastindex else int(text)
        elif text.isascii():
            value = text.decode()
        else:
            return False
        return validator is not None and is_valid(validator, value)

    def fault(self, text: bytes, budget: Budget) -> tuple[str, str]:
        """Where inside the value something is wrong, and what; ("", "") if it fits."""
        if self._anything or (self._texts is not None and text in self._texts):
            return "", ""
        kinds = self.kinds
        validator = self._validator
        why = ""
        value: Any = None
        is_json = False
        if kinds & ~STRING:
            try:
                value = self._json(text, budget)
                is_json = bool(kind_of(value) & kinds)
            except NotJSONError as error:
                why = str(error)
            if is_json and (validator is None or is_valid(validator, value)):
                return "", ""
        if kinds & STRING:
            try:
                string = text.decode()
            except UnicodeDecodeError:
                return "", f"{quoted(text)} is not UTF-8"
            budget.patterns -= len(text) * self._costs.pattern_weight
            if budget.patterns < 0:
                return "", f"its {len(text)} bytes are too many for the schema's patterns"
            if validator is None or is_valid(validator, string):
                return "", ""
            if not is_json:
                value = string
                is_json = True
        if not is_json or validator is None:
            return "", f"{quoted(text)} is {why or 'not ' + self._types}"
        path, message = first_error(validator, value)
        return _path_text(path), _shorter(message, text)

    def _json(self, text: bytes, budget: Budget) -> Any:
        """The value of a JSON text that is no string; raises NotJSONError."""
        first = text[:1]
        if first == b"{" or first == b"[":
            if not self.kinds & (OBJECT | ARRAY):
                raise NotJSONError
            return self._container(text, budget)
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        if not self.kinds & (INTEGER | NUMBER):
            raise NotJSONError
        return number_of(text)

    def _container(self, text: bytes, budget: Budget) -> Any:
        values = 1 + text.count(b",") + text.count(b"[") + text.count(b"{")
        budget.steps -= values * self._costs.weight
        budget.patterns -= len(text) * self._costs.pattern_weight
        if budget.steps < 0 or budget.patterns < 0:
            raise NotJSONError(f"too much for the schema: {len(text)} bytes, about {values} values")
        try:
            return json.loads(text.decode(), parse_constant=_no_constant, parse_float=_finite)
        except RecursionError:
            raise NotJSONError("nested too deeply") from None
        except ValueError:
            raise NotJSONError from None


def number_of(text: bytes) -> int | float:
    """The number that a text is in JSON's notation; raises NotJSONError."""
    if len(text) > NUMBER_MAX_BYTES:
        raise NotJSONError(f"too long for a number: {len(text)} bytes")
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise NotJSONError
    if match.lastindex is None:
        return int(text)
    number = float(text)
    if math.isinf(number):
        raise NotJSONError("out of the range of numbers")
    return number


def kind_of(value: Any) -> int:
    """The bit of a value's type: whole numbers are INTEGER, the others NUMBER."""
    if value is None:
        return NULL
    if isinstance(value, bool):
        return BOOLEAN
    if isinstance(value, int):
        return INTEGER
    if isinstance(value, float):
        return INTEGER if value.is_integer() else NUMBER
    if isinstance(value, dict):
        return OBJECT
    if isinstance(value, list):
        return ARRAY
    return STRING


def kinds_of(tree: Tree) -> int:
    """The types that values may have which are valid: these, or fewer."""
    if isinstance(tree, bool):
        return ANY if tree else 0
    kinds = ANY
    if "type" in tree:
        types = tree["type"]
        kinds = 0
        for name in [types] if isinstance(types, str) else types:
            kinds |= BITS.get(name, ANY)
    if "const" in tree:
        kinds &= kind_of(tree["const"])
    if "enum" in tree:
        kinds &= _union(kind_of(value) for value in tree["enum"])
    for inner in tree.get("allOf", ()):
        kinds &= kinds_of(inner)
    for name in ("anyOf", "oneOf"):
        if name in tree:
            kinds &= _union(map(kinds_of, tree[name]))
    return kinds


def _union(bits: Any) -> int:
    total = 0
    for one in bits:
        total |= one
    return total


def in_words(kinds: int) -> str:
    """Types as a message names them."""
    words = []
    for name, word in _WORDS.items():
        if name == "integer" and kinds & NUMBER:
            continue
        if kinds & BITS[name] & (~INTEGER if name == "number" else ANY):
            words.append(word)
    return " or ".join(words) if words else "allowed"


def _only_texts(tree: Tree) -> frozenset[bytes] | None:
    """The texts that fit, where an enumeration of strings says just that."""
    if not isinstance(tree, dict) or not tree.keys() <= {"type", "enum", "const"}:
        return None
    if kinds_of(tree) != STRING:
        return None
    values = tree.get("enum", [tree.get("const")])
    if "const" in tree:
        values = [value for value in values if value == tree["const"]]
    try:
        return frozenset(value.encode() for value in values if isinstance(value, str))
    except UnicodeEncodeError:
        return None


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(digits)
    return number


def _path_text(path: list[str | int]) -> str:
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text


def _shorter(message: str, text: bytes) -> str:
    """The library's words, with a long value that they begin with cut."""
    if len(message) > 120 and len(text) > 60:
        words = message.rfind(" is ")
        if words > 60:
            return message[:40] + "..." + message[words:]
    return message
