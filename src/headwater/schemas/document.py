"""The text of a schema, read: JSON, the dialect, references written out, annotations left out.

What comes out is a tree of plain dicts that has assertions and applicators only, no `$ref`: so
the parts of it can be compiled and compared one by one.
"""

from __future__ import annotations

import json
import math
from typing import Any
from urllib.parse import unquote

from headwater.schemas.faults import plain
from headwater.schemas.library import (
    DEFAULT_DIALECT,
    DIALECTS,
    DRAFT_07,
    SchemaError,
    validate_schema,
)
from headwater.schemas.limits import MAX_SUBSCHEMAS, SCHEMA_MAX_BYTES, SCHEMA_MAX_DEPTH

Tree = bool | dict[str, Any]
"""A schema without references; True for one that says nothing."""

_ASSERTIONS = frozenset(
    (
        "type",
        "enum",
        "const",
        "multipleOf",
        "maximum",
        "exclusiveMaximum",
        "minimum",
        "exclusiveMinimum",
        "maxLength",
        "minLength",
        "pattern",
        "format",
        "maxItems",
        "minItems",
        "uniqueItems",
        "maxContains",
        "minContains",
        "maxProperties",
        "minProperties",
        "required",
        "dependentRequired",
    )
)
_SCHEMAS = frozenset(
    (
        "additionalProperties",
        "unevaluatedProperties",
        "items",
        "additionalItems",
        "unevaluatedItems",
        "contains",
        "not",
        "if",
        "then",
        "else",
        "propertyNames",
    )
)
_LISTS = frozenset(("allOf", "anyOf", "oneOf", "prefixItems", "items"))
_MAPS = frozenset(("properties", "patternProperties", "dependentSchemas", "dependencies"))
_UNKNOWN_TO = {
    DEFAULT_DIALECT: frozenset(("dependencies", "additionalItems")),
    "https://json-schema.org/draft/2019-09/schema": frozenset(("dependencies", "prefixItems")),
    DRAFT_07: frozenset(
        (
            "prefixItems",
            "dependentSchemas",
            "dependentRequired",
            "minContains",
            "maxContains",
            "unevaluatedProperties",
            "unevaluatedItems",
        )
    ),
}
"""Keywords that say nothing in a dialect."""

_UNSUPPORTED = ("$dynamicRef", "$recursiveRef")
_ONLY_AT_THE_TOP = ("$id", "$schema")


class Document:
    """A schema's dialect and its tree."""

    __slots__ = ("dialect", "tree")

    def __init__(self, dialect: str, tree: dict[str, Any]) -> None:
        self.dialect = dialect
        self.tree = tree


def read_document(text: bytes) -> Document:
    """The schema of a text; raises SchemaError, and LibraryMissingError."""
    if len(text) > SCHEMA_MAX_BYTES:
        raise SchemaError(f"it has {len(text)} bytes, at most {SCHEMA_MAX_BYTES} are allowed")
    root = _parse(text)
    if not isinstance(root, dict):
        raise SchemaError("it is not a JSON object")
    _check_depth(root)
    given = root.get("$schema", DEFAULT_DIALECT)
    dialect = given.removesuffix("#") if isinstance(given, str) else ""
    if dialect not in DIALECTS:
        raise SchemaError(
            f"$schema: {plain(str(given), 100)} is not supported; use {', '.join(DIALECTS)}"
        )
    validate_schema(dialect, root)
    tree = _Expansion(root, dialect).schema(root, "", ())
    if tree is True:
        tree = {}
    if tree is False:
        raise SchemaError("no entry fits it")
    assert isinstance(tree, dict)
    return Document(dialect, tree)


def at(path: str, name: str) -> str:
    """The path of what is inside of what a path leads to."""
    return f"{path}.{name}" if path else name


def _parse(text: bytes) -> Any:
    try:
        return json.loads(
            text.decode(),
            parse_constant=_no_constant,
            parse_float=_finite,
            object_pairs_hook=_without_twins,
        )
    except UnicodeDecodeError:
        raise SchemaError("it is not UTF-8") from None
    except RecursionError:
        raise SchemaError("it is nested too deeply") from None
    except ValueError as error:
        raise SchemaError(f"it is not JSON: {error}") from None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"{digits[:20]} is out of range")
    return number


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twin = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{plain(twin, 100)} is there twice in an object")
    return found


def _check_depth(root: Any) -> None:
    level = [root]
    for _ in range(SCHEMA_MAX_DEPTH):
        level = [
            inner
            for value in level
            for inner in (value.values() if isinstance(value, dict) else value)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise SchemaError(f"it is nested more than {SCHEMA_MAX_DEPTH} deep")


class _Expansion:
    """Writes references out."""

    def __init__(self, root: dict[str, Any], dialect: str) -> None:
        self._root = root
        self._unknown = _UNKNOWN_TO[dialect]
        self._old_refs = dialect == DRAFT_07  # what stands beside a $ref does not count
        self._id = root.get("$id")
        self._made = 0
        self._depth = 0

    def schema(self, schema: Any, path: str, inside: tuple[str, ...]) -> Tree:
        """The tree of a schema; `inside`: the references that led here."""
        self._depth += 1
        if self._depth > SCHEMA_MAX_DEPTH:
            raise SchemaError(
                f"it is nested more than {SCHEMA_MAX_DEPTH} deep when its references are "
                "written out"
            )
        tree = self._tree(schema, path, inside)
        self._depth -= 1
        return tree

    def _tree(self, schema: Any, path: str, inside: tuple[str, ...]) -> Tree:
        self._made += 1
        if self._made > MAX_SUBSCHEMAS:
            raise SchemaError(
                f"it has more than {MAX_SUBSCHEMAS} subschemas when its references are written out"
            )
        if isinstance(schema, bool):
            return schema
        if not isinstance(schema, dict):
            raise SchemaError(f"{path}: is not a schema")
        for name in _UNSUPPORTED:
            if name in schema:
                raise SchemaError(f"{path or 'the schema'}: {name} is not supported; use $ref")
        if schema is not self._root:
            for name in _ONLY_AT_THE_TOP:
                if isinstance(schema.get(name), str):
                    raise SchemaError(f"{path}: {name} is supported at the top only")
        referred: Tree = True
        if "$ref" in schema:
            referred = self._referred(schema["$ref"], path, inside)
            if self._old_refs:
                return referred
        found: dict[str, Any] = {}
        for name, value in schema.items():
            kept = self._keyword(name, value, at(path, name), inside)
            if kept is not None:
                found[name] = kept
        if not found:
            return referred
        if referred is not True:
            found["allOf"] = [referred, *found.get("allOf", ())]
        if len(found) == 1 and len(found.get("allOf", ())) == 1:
            only: Tree = found["allOf"][0]
            return only
        return found

    def _keyword(self, name: str, value: Any, path: str, inside: tuple[str, ...]) -> Any:
        """What is kept of a keyword; None: nothing."""
        if name in self._unknown:
            return None
        if name in _ASSERTIONS:
            return value
        if name in _LISTS and isinstance(value, list):
            return [self.schema(one, f"{path}[{i}]", inside) for i, one in enumerate(value)]
        if name in _SCHEMAS:
            return self.schema(value, path, inside)
        if name in _MAPS:
            return {
                key: one if isinstance(one, list) else self.schema(one, at(path, key), inside)
                for key, one in value.items()
            }
        return None

    def _referred(self, reference: Any, path: str, inside: tuple[str, ...]) -> Tree:
        if isinstance(self._id, str) and reference.startswith(f"{self._id.removesuffix('#')}#"):
            reference = reference[reference.index("#") :]
        if reference != "#" and not reference.startswith("#/"):
            raise SchemaError(
                f"{at(path, '$ref')}: {plain(reference, 100)} leads out of the schema; only "
                "references of the form #/$defs/name are followed, and nothing is fetched"
            )
        pointer = unquote(reference[1:])
        if pointer in inside or pointer == "":
            raise SchemaError(
                f"{at(path, '$ref')}: {plain(reference, 100)} leads back to where it is; recursive "
                "schemas are not supported"
            )
        target: Any = self._root
        for step in pointer.split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            if isinstance(target, dict) and name in target:
                target = target[name]
            elif isinstance(target, list) and name.isdecimal() and int(name) < len(target):
                target = target[int(name)]
            else:
                raise SchemaError(f"{at(path, '$ref')}: there is no {plain(reference, 100)}")
        return self.schema(target, path, (*inside, pointer))
