"""Entries checked: an entry is an object whose properties are texts, and each has its reader.

Keywords about the whole entry (`required`, `properties`, `anyOf`, ...) are looked at here, each on
its own: a text is read for each part of the schema that speaks about it. What is inside a value
is the library's business (`values.py`).
"""

from __future__ import annotations

from typing import Any

from headwater.schemas.costs import Costs
from headwater.schemas.document import Document, Tree, at, read_document
from headwater.schemas.faults import named
from headwater.schemas.library import SchemaError, Validator, is_valid, make_validator
from headwater.schemas.limits import FIELD_STEPS
from headwater.schemas.values import OBJECT, Budget, Reader, kinds_of

Entry = dict[bytes, bytes]


class Checker:
    """Checks entries against a schema; raises SchemaError if that can not be used.

    `weight`: about how many things are asked of each field.
    """

    __slots__ = ("_rule", "_weight")

    def __init__(self, document: Document) -> None:
        Costs(document.tree)
        self._rule = EntryRule(document.dialect, document.tree, "")
        self._weight = _weight(document.tree)

    def faults(self, entry: Entry) -> list[str]:
        """What is wrong with an entry; empty: it fits."""
        if len(entry) * self._weight > FIELD_STEPS:
            return [f"it has {len(entry)} fields, too many for this schema"]
        found: list[str] = []
        if not b"".join(entry).isascii():
            found = [f"{named(name)}: is not UTF-8" for name in entry if not _is_text(name)]
        return found or self._rule.faults(entry, Budget())


def make_checker(text: bytes) -> Checker:
    """What checks entries against a schema's text; raises SchemaError, LibraryMissingError."""
    return Checker(read_document(text))


def _is_text(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True


def _weight(tree: Any) -> int:
    """How many things a schema about an entry asks of each field."""
    total = 1
    if isinstance(tree, dict):
        total += len(tree.get("patternProperties", ())) + ("propertyNames" in tree)
        for name in ("allOf", "anyOf", "oneOf"):
            total += sum(map(_weight, tree.get(name, ())))
        for name in ("not", "if", "then", "else"):
            total += _weight(tree[name]) if name in tree else 0
        for name in ("dependentSchemas", "dependencies"):
            total += sum(map(_weight, tree.get(name, {}).values()))
    return total


class EntryRule:
    """One schema about an entry as a whole."""

    __slots__ = (
        "_additional",
        "_all_of",
        "_any_of",
        "_closed",
        "_condition",
        "_dependent",
        "_dependent_rules",
        "_else",
        "_fails",
        "_max",
        "_min",
        "_names",
        "_not",
        "_one_of",
        "_patterns",
        "_plain",
        "_properties",
        "_required",
        "_then",
    )

    def __init__(self, dialect: str, tree: Tree, path: str) -> None:
        self._fails = tree is False
        if isinstance(tree, bool):
            tree = {}
        for name in ("enum", "const", "unevaluatedProperties"):
            if name in tree:
                raise SchemaError(
                    f"{at(path, name)}: is not supported for the entry itself, only in its fields"
                )
        if not kinds_of({"type": tree.get("type", "object")}) & OBJECT:
            if not path:
                raise SchemaError("type: an entry is an object")
            self._fails = True
        self._properties: dict[bytes, Reader] = {
            name.encode("utf-8", "replace"): _reader(dialect, inner, at(path, f"properties.{name}"))
            for name, inner in tree.get("properties", {}).items()
        }
        self._patterns: list[tuple[Validator, Reader]] = [
            (
                _matcher(dialect, {"pattern": pattern}, at(path, "patternProperties")),
                _reader(dialect, inner, at(path, f"patternProperties.{pattern}")),
            )
            for pattern, inner in tree.get("patternProperties", {}).items()
        ]
        additional = tree.get("additionalProperties", True)
        self._closed = additional is False
        self._additional: Reader | None = None
        if isinstance(additional, dict):
            self._additional = _reader(dialect, additional, at(path, "additionalProperties"))
        self._names: Validator | None = None
        if "propertyNames" in tree:
            self._names = _matcher(dialect, tree["propertyNames"], at(path, "propertyNames"))
        self._required = tuple(name.encode("utf-8", "replace") for name in tree.get("required", ()))
        self._min = tree.get("minProperties", 0)
        self._max = tree.get("maxProperties")
        self._dependent: list[tuple[bytes, list[bytes]]] = []
        self._dependent_rules: list[tuple[bytes, EntryRule]] = []
        for keyword in ("dependentRequired", "dependentSchemas", "dependencies"):
            for name, needs in tree.get(keyword, {}).items():
                if isinstance(needs, list):
                    self._dependent.append((name.encode(), [need.encode() for need in needs]))
                else:
                    inner_path = at(path, f"{keyword}.{name}")
                    self._dependent_rules.append(
                        (name.encode(), EntryRule(dialect, needs, inner_path))
                    )
        self._all_of = _rules(dialect, tree, "allOf", path)
        self._any_of = _rules(dialect, tree, "anyOf", path)
        self._one_of = _rules(dialect, tree, "oneOf", path)
        self._not = _rule(dialect, tree, "not", path)
        self._condition = _rule(dialect, tree, "if", path)
        self._then = _rule(dialect, tree, "then", path)
        self._else = _rule(dialect, tree, "else", path)
        composed = "allOf anyOf oneOf not if propertyNames dependentRequired dependentSchemas"
        composed += " dependencies minProperties maxProperties"
        self._plain = not self._fails and not tree.keys() & set(composed.split())

    def faults(self, entry: Entry, budget: Budget) -> list[str]:
        """What is wrong with an entry; empty: it fits. Its field names are UTF-8."""
        found: list[str] = []
        if self._fails:
            return ["no entry fits this part of the schema"]
        properties = self._properties
        for name, text in entry.items():
            reader = properties.get(name)
            if reader is not None:
                where = what = ""
                if not reader.fits(text):
                    where, what = reader.fault(text, budget)
                if what:
                    found.append(f"{named(name)}{where}: {what}")
            if self._patterns or reader is None:
                self._other_field(name, text, reader is None, budget, found)
        for name in self._required:
            if name not in entry:
                found.append(f"{named(name)}: is missing")
        if not self._plain:
            self._composed(entry, budget, found)
        return found

    def _other_field(
        self, name: bytes, text: bytes, unknown: bool, budget: Budget, found: list[str]
    ) -> None:
        """A field that is not among the properties, or may match a pattern as well."""
        for matcher, reader in self._patterns:
            if is_valid(matcher, name.decode()):
                unknown = False
                where, what = reader.fault(text, budget)
                if what:
                    found.append(f"{named(name)}{where}: {what}")
        if not unknown:
            return
        if self._closed:
            found.append(f"{named(name)}: is no field of the schema")
        elif self._additional is not None:
            where, what = self._additional.fault(text, budget)
            if what:
                found.append(f"{named(name)}{where}: {what}")

    def _composed(self, entry: Entry, budget: Budget, found: list[str]) -> None:
        """What else may be said of an entry."""
        if len(entry) < self._min:
            found.append(f"there are {len(entry)} fields, at least {self._min} are wanted")
        if self._max is not None and len(entry) > self._max:
            found.append(f"there are {len(entry)} fields, at most {self._max} are allowed")
        if self._names is not None:
            for name in entry:
                if not is_valid(self._names, name.decode()):
                    found.append(f"{named(name)}: is not allowed as a field's name")
        for name, needs in self._dependent:
            if name in entry:
                found += [
                    f"{named(need)}: is missing, which {named(name)} needs"
                    for need in needs
                    if need not in entry
                ]
        for name, rule in self._dependent_rules:
            if name in entry:
                found += rule.faults(entry, budget)
        for rule in self._all_of:
            found += rule.faults(entry, budget)
        if self._any_of:
            _count_fitting(self._any_of, entry, budget, "anyOf", found)
        if self._one_of:
            fitting = _count_fitting(self._one_of, entry, budget, "oneOf", found)
            if fitting > 1:
                found.append(f"{fitting} of the {len(self._one_of)} alternatives (oneOf) fit")
        if self._not is not None and not self._not.faults(entry, budget):
            found.append("fits what it must not (not)")
        if self._condition is not None:
            branch = self._else if self._condition.faults(entry, budget) else self._then
            if branch is not None:
                found += branch.faults(entry, budget)


def _count_fitting(
    rules: list[EntryRule], entry: Entry, budget: Budget, keyword: str, found: list[str]
) -> int:
    """How many of the rules fit; if none does, the faults of the nearest are added."""
    best: list[str] = []
    fitting = 0
    for rule in rules:
        faults = rule.faults(entry, budget)
        if not faults:
            fitting += 1
        elif not best or len(faults) < len(best):
            best = faults
    if fitting == 0:
        if len(rules) > 1:
            found.append(f"none of the {len(rules)} alternatives ({keyword}) fits")
        found += best
    return fitting


def _reader(dialect: str, tree: Tree, path: str) -> Reader:
    try:
        return Reader(dialect, tree)
    except SchemaError as error:
        raise SchemaError(f"{path}: {error}") from None


def _matcher(dialect: str, tree: Tree, path: str) -> Validator:
    try:
        return make_validator(dialect, tree)
    except SchemaError as error:
        raise SchemaError(f"{path}: {error}") from None


def _rules(
    dialect: str, tree: dict[str, Tree | list[Tree]], name: str, path: str
) -> list[EntryRule]:
    found = tree.get(name, ())
    assert not isinstance(found, bool | dict)
    return [EntryRule(dialect, inner, at(path, f"{name}[{i}]")) for i, inner in enumerate(found)]


def _rule(dialect: str, tree: dict[str, Tree], name: str, path: str) -> EntryRule | None:
    return EntryRule(dialect, tree[name], at(path, name)) if name in tree else None
