"""What checking a value with a schema may cost, known before: so that no check takes long."""

from __future__ import annotations

import re
from typing import Any

from headwater.schemas.document import Tree
from headwater.schemas.library import SchemaError
from headwater.schemas.limits import MAX_PATTERN_WEIGHT, MAX_PATTERNS

_COUNT = re.compile(r"\{(\d{1,9})(,(\d{0,9}))?\}")

_PROPERTY_WEIGHT = 100  # \p{L} is a thousand ranges


class Costs:
    """Of a tree without references.

    weight: how many things it says, each of which may be compared with every value in a JSON text.
    pattern_weight: of all its patterns, each of which may be matched with every byte.
    """

    __slots__ = ("pattern_weight", "patterns", "weight")

    def __init__(self, tree: Tree) -> None:
        self.weight = 0
        self.pattern_weight = 0
        self.patterns = 0
        self._schema(tree)

    def _schema(self, tree: Tree) -> None:
        self.weight += 1
        if isinstance(tree, bool):
            return
        for name, value in tree.items():
            if name in ("enum", "const"):
                self.weight += _values(value)
            elif name == "pattern":
                self._pattern(value)
            elif name == "format":
                self.pattern_weight += 50
            elif name in ("properties", "patternProperties", "dependentSchemas", "dependencies"):
                for key, inner in value.items():
                    if name == "patternProperties":
                        self._pattern(key)
                    if isinstance(inner, list):
                        self.weight += len(inner)
                    else:
                        self._schema(inner)
            elif isinstance(value, list) and name != "type":
                for inner in value:
                    if isinstance(inner, dict | bool):
                        self._schema(inner)
                    else:
                        self.weight += 1
            elif name == "dependentRequired":
                self.weight += _values(value)
            elif isinstance(value, dict):
                self._schema(value)
            else:
                self.weight += 1

    def _pattern(self, pattern: str) -> None:
        self.pattern_weight += pattern_weight(pattern)
        self.patterns += 1
        if self.pattern_weight > MAX_PATTERN_WEIGHT:
            raise SchemaError(f"the pattern {pattern[:60]!r} repeats too much")
        if self.patterns > MAX_PATTERNS:
            raise SchemaError(f"there are more than {MAX_PATTERNS} patterns")


def pattern_weight(pattern: str) -> int:
    """The characters of a regular expression, those in a counted repetition as often as it may be.

    Not less than that; what is written in unusual ways may count for more.
    """
    groups: list[int] = []  # what stood before the groups that are open
    size = last = 0  # of what was read in this group, and of the last atom in it
    i = 0
    while i < len(pattern):
        c = pattern[i]
        i += 1
        counted = _COUNT.match(pattern, i - 1) if c == "{" else None
        if counted is not None:
            i = counted.end()
            times = max(int(counted[1]), int(counted[3] or 0), 1)
            size += last * (times - 1)
            last *= times
            continue
        if c == "(":
            groups.append(size)
            size = last = 0
            continue
        if c == ")" and groups:
            last = size + 1
            size = groups.pop() + last
            continue
        if c in "*+?":
            size += 1
            continue
        last = 1
        if c == "\\":
            i += 1
            if pattern[i - 1 : i] in ("p", "P"):
                last = _PROPERTY_WEIGHT
                if pattern[i : i + 1] == "{":
                    i = pattern.find("}", i) + 1 or len(pattern)
        elif c == "[":
            end = pattern.find("]", i + 1)
            last = (end if end >= 0 else len(pattern)) - i + 2
            i += last - 1
            if "\\p" in pattern[i - last : i] or "\\P" in pattern[i - last : i]:
                last += _PROPERTY_WEIGHT
        size += last
    return size + sum(groups)


def _values(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + sum(1 + _values(inner) for inner in value.values())
    if isinstance(value, list):
        return 1 + sum(map(_values, value))
    return 1
