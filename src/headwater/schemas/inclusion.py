"""Whether all that fits one schema fits another: shown by going through both, or not at all.

The answer is reasons against it; none means that it is proven. What can not be decided is a
reason, too. Nothing here tries values, except those of an enumeration.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from headwater.schemas.document import Tree, at
from headwater.schemas.faults import plain
from headwater.schemas.library import SchemaError, is_valid, make_validator
from headwater.schemas.limits import COMPARISON_STEPS
from headwater.schemas.values import (
    ANY,
    ARRAY,
    BITS,
    BOOLEAN,
    INTEGER,
    NULL,
    NUMBER,
    OBJECT,
    STRING,
    in_words,
    kind_of,
    kinds_of,
)

_UNEVALUATED = ("unevaluatedProperties", "unevaluatedItems")
_ONLY_EQUAL = (
    ("not",),
    ("if", "then", "else"),
    ("contains", "minContains", "maxContains"),
    ("dependentSchemas",),
    ("dependencies",),
)
_LOW = (
    ("minLength", STRING, "at least {} characters"),
    ("minItems", ARRAY, "at least {} items"),
    ("minProperties", OBJECT, "at least {} fields"),
)
_HIGH = (
    ("maxLength", STRING, "at most {} characters"),
    ("maxItems", ARRAY, "at most {} items"),
    ("maxProperties", OBJECT, "at most {} fields"),
)
_NUMBERS = INTEGER | NUMBER

Parts = list[Any]
"""Schemas without allOf that all hold: False, or a dict."""


class TooMuchError(Exception):
    """The two schemas have too many pairs of parts."""


class Inclusion:
    """Compares what is written under schema `a` with what schema `b` allows."""

    def __init__(self, a_name: str, b_name: str, dialect: str) -> None:
        self._a = a_name
        self._b = b_name
        self._dialect = dialect
        self._steps = COMPARISON_STEPS

    def entries(self, a: Tree, b: Tree) -> list[str]:
        """Why not all entries that fit `a` fit `b`; raises TooMuchError."""
        return self._included(parts_of(a), b, "", True)

    # --- one schema in another; `entry`: they are about entries, not about values ---

    def _included(self, a: Parts, b: Tree, path: str, entry: bool) -> list[str]:
        self._step(1)
        if b is True or b == {} or False in a:
            return []
        if b is False:
            return [self._say(path, f"{self._b} allows no value, {self._a} does")]
        if any(same(part, b) for part in a):
            return []
        if not entry:
            values = finite_values(a)
            if values is not None:
                return self._values(values, b, path)
        found: list[str] = []
        for part in parts_of(b):
            found += self._part(a, part, path, entry)
        return found

    def _part(self, a: Parts, b: Any, path: str, entry: bool) -> list[str]:
        self._step(1)
        if b is False:
            return [self._say(path, f"{self._b} allows no value, {self._a} does")]
        if any(same(part, b) for part in a):
            return []
        found = self._keywords(a, b, path, entry)
        if not found:
            return found
        for i, part in enumerate(a):
            for name in ("anyOf", "oneOf"):
                if isinstance(part, dict) and name in part:
                    rest = [*a[:i], {k: v for k, v in part.items() if k != name}, *a[i + 1 :]]
                    if not any(
                        self._included([*rest, *parts_of(branch)], b, path, entry)
                        for branch in part[name]
                    ):
                        return []
        return found

    def _keywords(self, a: Parts, b: dict[str, Any], path: str, entry: bool) -> list[str]:
        """Why one of the keywords of `b` is not implied by `a`."""
        if any(name in b for name in _UNEVALUATED):
            return [self._say(path, "unevaluatedProperties and -Items can not be compared")]
        kinds = OBJECT if entry else kinds_of_all(a)
        found: list[str] = []
        if "type" in b:
            allowed = kinds_of({"type": b["type"]})
            if kinds & ~allowed:
                more = "anything" if kinds == ANY else in_words(kinds & ~allowed)
                words = f"{self._b} wants {in_words(allowed)}, {self._a} allows {more}"
                found.append(self._say(path, words))
                kinds &= allowed
        for name in ("enum", "const"):
            if name in b:
                values = plain(json.dumps(b[name]), 60)
                words = f"{self._b} allows {values} only ({name}), {self._a} allows more"
                found.append(self._say(path, words))
        if kinds & _NUMBERS:
            found += self._numbers(a, b, path, kinds)
        if kinds & STRING:
            for name in ("pattern", "format"):
                found += self._equal(a, b, path, (name,))
        for name, kind, words in _LOW:
            if kinds & kind and name in b:
                given = max((part[name] for part in a if name in part), default=0)
                if name == "minProperties":
                    given = max(given, len(required_of(a)))
                if given < b[name]:
                    found.append(self._limit(path, words, b[name], given or None))
        for name, kind, words in _HIGH:
            if kinds & kind and name in b:
                most = min((part[name] for part in a if name in part), default=None)
                if most is None or most > b[name]:
                    found.append(self._limit(path, words, b[name], most))
        if kinds & ARRAY:
            found += self._arrays(a, b, path)
        if kinds & OBJECT:
            found += self._objects(a, b, path, entry)
        for group in _ONLY_EQUAL:
            found += self._equal(a, b, path, group)
        if "anyOf" in b:
            found += self._alternatives(a, b["anyOf"], "anyOf", path, entry)
        if "oneOf" in b and not any(same(part.get("oneOf"), b["oneOf"]) for part in a):
            if disjoint(b["oneOf"], entry):
                found += self._alternatives(a, b["oneOf"], "oneOf", path, entry)
            else:
                words = f"oneOf of {self._b} can not be compared, its alternatives may overlap"
                found.append(self._say(path, words))
        return found

    def _alternatives(
        self, a: Parts, branches: list[Tree], name: str, path: str, entry: bool
    ) -> list[str]:
        """Every value of `a` has to fit one of the branches."""
        if any(not self._included(a, branch, path, entry) for branch in branches):
            return []
        if not entry:
            kinds = kinds_of_all(a)
            types = [t for t, bits in BITS.items() if kinds & bits == bits]
            if kinds & NUMBER:
                types = ["number" if t == "integer" else t for t in types]
            covered = 0
            for word in dict.fromkeys(types):
                narrow = [*a, {"type": word}]
                if any(not self._included(narrow, branch, path, False) for branch in branches):
                    covered |= BITS[word]
            if kinds and kinds & ~covered == 0:
                return []
        words = f"no alternative of {self._b} ({name}) is sure to take all that {self._a} allows"
        return [self._say(path, words)]

    def _values(self, values: list[Any], b: Tree, path: str) -> list[str]:
        """The values are all that is allowed: each is tried."""
        self._step(20)
        try:
            validator = make_validator(self._dialect, b)
        except SchemaError as error:
            return [self._say(path, str(error))]
        for value in values:
            self._step(1)
            if not is_valid(validator, value):
                text = plain(json.dumps(value, ensure_ascii=False), 60)
                return [self._say(path, f"{self._b} does not allow {text}, {self._a} does")]
        return []

    # --- keywords ---

    def _numbers(self, a: Parts, b: dict[str, Any], path: str, kinds: int) -> list[str]:
        found = []
        for name, beyond, sign in (
            ("minimum", "exclusiveMinimum", 1),
            ("maximum", "exclusiveMaximum", -1),
        ):
            # The highest minimum, or the lowest maximum; of two equal ones the exclusive.
            given = [(sign * part[name], 0) for part in a if name in part]
            given += [(sign * part[beyond], 1) for part in a if beyond in part]
            tightest = max(given, default=None)
            for keyword, exclusive in ((name, 0), (beyond, 1)):
                if keyword in b and (tightest is None or tightest < (sign * b[keyword], exclusive)):
                    has = None if tightest is None else sign * tightest[0]
                    found.append(self._limit(path, f"{keyword} {{}}", b[keyword], has))
        if "multipleOf" in b:
            step = b["multipleOf"]
            if not any(_divides(step, part.get("multipleOf")) for part in a) and not (
                step == 1 and not kinds & NUMBER
            ):
                words = f"{self._b} wants multiples of {step}, {self._a} does not"
                found.append(self._say(path, words))
        return found

    def _arrays(self, a: Parts, b: dict[str, Any], path: str) -> list[str]:
        found = []
        if b.get("uniqueItems") and not any(part.get("uniqueItems") for part in a):
            found.append(self._say(path, f"{self._b} wants unique items, {self._a} does not"))
        items = b.get("items", True)
        if isinstance(items, list):
            return found + self._equal(a, b, path, ("items", "additionalItems"))
        prefix = b.get("prefixItems", ())
        for i, wanted in enumerate(prefix):
            found += self._best(
                [[_item(part, i)] for part in a if not isinstance(part.get("items"), list)],
                wanted,
                f"{path}[{i}]",
                False,
            )
        if items is not True:
            most = min((part["maxItems"] for part in a if "maxItems" in part), default=None)
            if most is None or most > len(prefix):
                found += self._best(
                    [
                        [part.get("items", True), *part.get("prefixItems", ())[len(prefix) :]]
                        for part in a
                        if not isinstance(part.get("items"), list)
                    ],
                    items,
                    f"{path}[]",
                    False,
                )
        return found

    def _objects(self, a: Parts, b: dict[str, Any], path: str, entry: bool) -> list[str]:
        found = []
        required = required_of(a)
        for name in b.get("required", ()):
            if name not in required:
                words = f"{self._b} requires it, {self._a} does not"
                found.append(self._say(at(path, name), words))
        for name, needs in b.get("dependentRequired", {}).items():
            given = required.union(*(p.get("dependentRequired", {}).get(name, ()) for p in a))
            for need in needs:
                if need not in given:
                    words = f"{self._b} requires it beside {name}, {self._a} does not"
                    found.append(self._say(at(path, need), words))
        for name, inner in b.get("properties", {}).items():
            found += self._property(a, name, inner, path, entry)
        for pattern, inner in b.get("patternProperties", {}).items():
            found += self._pattern(a, pattern, inner, path, entry)
        if b.get("additionalProperties", True) is not True:
            found += self._additional(a, b, path, entry)
        if "propertyNames" in b:
            names = [{"type": "string"}]
            names += [p for part in a for p in parts_of(part.get("propertyNames", True))]
            found += self._included(names, b["propertyNames"], at(path, "(name)"), False)
        return found

    def _property(self, a: Parts, name: str, b: Tree, path: str, entry: bool) -> list[str]:
        """What `a` allows in a property has to fit."""
        given = [rule for part in a if (rule := _rule_for(part, name)) is not True]
        where = at(path, name)
        if not given and b is not True:
            known = any(name in part.get("properties", {}) for part in a)
            words = f"{self._b} says what it is, {self._a} allows anything in it"
            if not known:
                words += ", since it allows unknown fields"
            if entry or self._included([], b, where, False):
                return [self._say(where, words)]
            return []
        if entry:
            # Each part reads the text on its own: one of them has to be enough.
            return self._best([[rule] for rule in given], b, where, True)
        return self._included([p for rule in given for p in parts_of(rule)], b, where, False)

    def _pattern(self, a: Parts, pattern: str, b: Tree, path: str, entry: bool) -> list[str]:
        """What `a` allows in properties of a pattern has to fit."""
        if b is True:
            return []
        for part in a:
            patterns = part.get("patternProperties", {})
            rules = [patterns[pattern]] if pattern in patterns else []
            if not rules:
                if patterns or part.get("additionalProperties", True) is not False:
                    continue
                rules = list(part.get("properties", {}).values())
            if not self._best([rules], b, path, entry):
                return []
        words = f"{self._b} has patternProperties {plain(pattern, 40)!r}, which {self._a} has not"
        return [self._say(path, f"{words}, or which can not be compared")]

    def _additional(self, a: Parts, b: dict[str, Any], path: str, entry: bool) -> list[str]:
        """What `a` allows in properties that `b` does not name has to fit."""
        wanted: Tree = b["additionalProperties"]
        named = b.get("properties", {})
        patterns = b.get("patternProperties", {})
        found = []
        for name in dict.fromkeys(n for part in a for n in part.get("properties", {})):
            if name not in named:
                reasons = self._property(a, name, wanted, path, entry)
                if reasons and wanted is False:
                    words = f"{self._b} does not know it and allows no unknown fields"
                    reasons = [self._say(at(path, name), f"{words}, {self._a} allows it")]
                found += reasons
        others = [
            [
                part.get("additionalProperties", True),
                *(r for p, r in part.get("patternProperties", {}).items() if p not in patterns),
            ]
            for part in a
        ]
        reasons = self._best(others, wanted, at(path, "(unknown fields)"), entry)
        if reasons and wanted is False:
            words = f"{self._b} allows no unknown fields, {self._a} does"
            reasons = [self._say(path, words)]
        return found + reasons

    def _best(self, choices: list[list[Tree]], b: Tree, path: str, entry: bool) -> list[str]:
        """One of the choices has to fit whole: each schema in it. `entry`: they read texts."""
        if b is True:
            return []
        best: list[str] | None = None
        for rules in choices or [[True]]:
            found: list[str] = []
            for rule in rules:
                if entry and rule is True:
                    words = f"{self._b} says what it is, {self._a} allows anything in it"
                    found.append(self._say(path, words))
                else:
                    found += self._included(parts_of(rule), b, path, False)
            if not found:
                return []
            if best is None or len(found) < len(best):
                best = found
        return best or []

    def _equal(self, a: Parts, b: dict[str, Any], path: str, group: tuple[str, ...]) -> list[str]:
        """Keywords that are only known to be implied by the same ones."""
        wanted = {name: b[name] for name in group if name in b}
        if group[0] not in wanted:
            return []
        others = [{name: part[name] for name in group if name in part} for part in a]
        if any(same(wanted, other) for other in others):
            return []
        name = group[0]
        value = plain(json.dumps(b[name], ensure_ascii=False), 40)
        if any(name in other for other in others):
            words = f"{name} {value} of {self._b} can not be compared with that of {self._a}"
        else:
            words = f"{self._b} has {name} {value}, {self._a} has none"
        return [self._say(path, words)]

    # --- words ---

    def _limit(self, path: str, words: str, wanted: Any, given: Any) -> str:
        has = "does not" if given is None else words.format(given)
        return self._say(path, f"{self._b} wants {words.format(wanted)}, {self._a} {has}")

    def _say(self, path: str, words: str) -> str:
        return f"{plain(path, 100)}: {words}" if path else words

    def _step(self, n: int) -> None:
        self._steps -= n
        if self._steps < 0:
            raise TooMuchError


def parts_of(tree: Tree) -> Parts:
    """A schema as parts that all hold, those of allOf among them; none if it says nothing."""
    if tree is True or tree == {}:
        return []
    if tree is False:
        return [False]
    if "allOf" not in tree or any(name in tree for name in _UNEVALUATED):
        return [tree]
    rest = {name: value for name, value in tree.items() if name != "allOf"}
    return ([rest] if rest else []) + [p for inner in tree["allOf"] for p in parts_of(inner)]


def kinds_of_all(parts: Parts) -> int:
    kinds = ANY
    for part in parts:
        kinds &= kinds_of(part)
    return kinds


def required_of(parts: Parts) -> set[str]:
    return {name for part in parts if part is not False for name in part.get("required", ())}


def finite_values(parts: Parts) -> list[Any] | None:
    """All values that may fit, if they can be listed."""
    if False in parts:
        return []
    for part in parts:
        if "const" in part:
            return [part["const"]]
        if "enum" in part:
            kinds = kinds_of_all(parts)
            return [value for value in part["enum"] if kind_of(value) & kinds]
    kinds = kinds_of_all(parts)
    if kinds & ~(NULL | BOOLEAN):
        return None
    return ([None] if kinds & NULL else []) + ([False, True] if kinds & BOOLEAN else [])


def same(a: Any, b: Any) -> bool:
    """Equal as JSON: 1 is not true."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(value, b[name]) for name, value in a.items())
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    return bool(a == b)


def disjoint(branches: list[Tree], entry: bool) -> bool:
    """No value fits two of the branches, for sure.

    They are of different types, or all require a field whose text says which it is.
    """
    kinds = [OBJECT if entry else kinds_of(branch) for branch in branches]
    if sum(kinds) == _union(kinds) and not entry:
        return True
    if any(kind & ~OBJECT for kind in kinds):
        return False
    tags = [_tags(parts_of(branch)) for branch in branches]
    for name in tags[0] if tags else ():
        seen: set[str] = set()
        for tag in tags:
            values = tag.get(name)
            if values is None or seen & values:
                break
            seen |= values
        else:
            return True
    return False


def _tags(parts: Parts) -> dict[str, set[str]]:
    """The required fields that are one of a few strings, and which."""
    found: dict[str, set[str]] = {}
    required = required_of(parts)
    for part in parts:
        for name, rule in part.get("properties", {}).items() if part is not False else ():
            values = finite_values(parts_of(rule)) if name in required else None
            if values and all(isinstance(value, str) for value in values):
                found[name] = set(values)
    return found


def _union(kinds: Iterable[int]) -> int:
    total = 0
    for kind in kinds:
        total |= kind
    return total


def _divides(step: Any, of: Any) -> bool:
    if of is None:
        return False
    if isinstance(step, int) and isinstance(of, int):
        return of % step == 0
    return bool(step == of)


def _item(part: dict[str, Any], i: int) -> Tree:
    prefix = part.get("prefixItems", ())
    found: Tree = prefix[i] if i < len(prefix) else part.get("items", True)
    return found


def _rule_for(part: dict[str, Any], name: str) -> Tree:
    """What a schema says of a property, at least; True: nothing."""
    found: Tree = True
    if name in part.get("properties", {}):
        found = part["properties"][name]
    elif not part.get("patternProperties"):
        found = part.get("additionalProperties", True)
    return found
