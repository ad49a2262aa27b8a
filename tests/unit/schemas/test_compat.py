"""Which schema may follow which: what is refused, in which words; that nothing slips through."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.schemas.compat import incompatibilities
from headwater.schemas.document import read_document
from headwater.schemas.entries import Checker
from headwater.schemas.library import SchemaError
from headwater.schemas.versions import BACKWARD, FORWARD, FULL

pytest.importorskip("jsonschema_rs")

Schema = dict[str, Any]


def reasons(old: Any, new: Any, compat: int = BACKWARD) -> list[str]:
    """Why `new` can not follow `old` as v2 follows v1."""
    return incompatibilities(
        compat,
        read_document(json.dumps(old).encode()),
        1,
        read_document(json.dumps(new).encode()),
        2,
    )


def closed(required: str = "", /, **properties: Any) -> Schema:
    """Only these fields, some required."""
    return {
        "type": "object",
        "properties": properties,
        "required": required.split(),
        "additionalProperties": False,
    }


def opened(required: str = "", /, **properties: Any) -> Schema:
    return {"type": "object", "properties": properties, "required": required.split()}


NUMBER = {"type": "number"}
INTEGER = {"type": "integer"}
STRING = {"type": "string"}
NULL = {"type": "null"}


# --- what a new version may do ---


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (closed("a", a=NUMBER), closed("a", a=NUMBER)),
        (closed("a", a=INTEGER), closed("a", a=NUMBER)),
        (closed("a", a=NUMBER), closed("", a=NUMBER)),
        (closed("a", a=NUMBER), closed("a", a=NUMBER, b=STRING)),
        (closed(a=NUMBER), closed(a={"type": ["number", "null"]})),
        (closed(a=STRING), closed(a={"anyOf": [STRING, NULL]})),
        (closed(a={"type": ["string", "null"]}), closed(a={"anyOf": [STRING, NULL]})),
        (closed(a={"anyOf": [STRING, NULL]}), closed(a={"type": ["string", "null"]})),
        (closed(a={"anyOf": [STRING, NULL]}), closed(a={"oneOf": [NULL, NUMBER, STRING]})),
        (closed(a={"enum": ["x"]}), closed(a={"enum": ["y", "x"]})),
        (closed(a={"const": 3}), closed(a={"type": "integer", "minimum": 1})),
        (closed(a={"enum": ["ab"]}), closed(a={"type": "string", "pattern": "^a"})),
        (closed(a={"type": "boolean"}), closed(a={"enum": [True, False, None]})),
        (closed(a={"minimum": 5}), closed(a={"minimum": 4})),
        (closed(a={"exclusiveMinimum": 5}), closed(a={"minimum": 5})),
        (closed(a={"multipleOf": 6}), closed(a={"multipleOf": 3})),
        (closed(a=INTEGER), closed(a={"type": "number", "multipleOf": 1})),
        (closed(a={"maxLength": 5}), closed(a={"maxLength": 6})),
        (closed(a={"type": "string", "format": "uuid"}), closed(a=STRING)),
        (closed(a=NUMBER), closed(a={"type": "number", "minLength": 5})),
        (closed(a={"type": "array", "items": INTEGER}), closed(a={"items": NUMBER})),
        (closed(a={"uniqueItems": True, "maxItems": 3}), closed(a={"maxItems": 4})),
        (closed(a=closed("x", x=INTEGER)), closed(a=closed("", x=NUMBER, y=STRING))),
        (closed(a=opened("x", x=INTEGER)), closed(a=opened("", x=NUMBER))),
        (closed("a b", a=STRING, b=STRING), opened("a", a=STRING, b=True)),
        (opened("a", a=STRING), opened("", a=STRING)),
        (opened(a=STRING), {}),
        (closed("a b"), {"minProperties": 2}),
        (closed("a b"), {"dependentRequired": {"c": ["a"]}}),
        (closed(ab=STRING), {"patternProperties": {"^a": STRING}}),
        (closed(ab=STRING), {"additionalProperties": STRING}),
        ({"additionalProperties": INTEGER}, {"additionalProperties": NUMBER}),
        ({"allOf": [closed("a", a=STRING)]}, closed(a=STRING)),
        (closed(a={"allOf": [STRING, {"minLength": 2}]}), closed(a={"minLength": 1})),
        (
            {"anyOf": [closed("a", a=STRING), closed("b", b=NUMBER)]},
            {"anyOf": [closed("b", b=NUMBER), closed("a", a=STRING, c=NULL)]},
        ),
        ({"not": {"required": ["a"]}}, {"not": {"required": ["a"]}}),
    ],
)
def test_what_every_old_entry_fits(old: Schema, new: Schema) -> None:
    assert reasons(old, new) == []
    assert reasons(new, old, FORWARD) == []


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (closed(a=NUMBER), closed("a", a=NUMBER), "a: v2 requires it, v1 does not"),
        (closed(a=NUMBER), closed(a=INTEGER), "a: v2 wants an integer, v1 allows a number"),
        (
            closed(a={"type": ["number", "null"]}),
            closed(a=NUMBER),
            "a: v2 wants a number, v1 allows null",
        ),
        (closed(a=NUMBER), closed(a=STRING), "a: v2 wants a string, v1 allows a number"),
        (
            closed(a=NUMBER, b=NUMBER),
            closed(a=NUMBER),
            "b: v2 does not know it and allows no unknown fields, v1 allows it",
        ),
        (opened(a=NUMBER), closed(a=NUMBER), "v2 allows no unknown fields, v1 does"),
        (
            opened(),
            opened(b=STRING),
            "b: v2 says what it is, v1 allows anything in it, since it allows unknown fields",
        ),
        (opened(b=True), opened(b=STRING), "b: v2 says what it is, v1 allows anything in it"),
        (
            closed(a={"enum": ["x", "y"]}),
            closed(a={"enum": ["x"]}),
            'a: v2 does not allow "y", v1 does',
        ),
        (
            closed(a=STRING),
            closed(a={"type": "string", "enum": ["x"]}),
            'a: v2 allows ["x"] only (enum), v1 allows more',
        ),
        (
            closed(a=NUMBER),
            closed(a={"type": "number", "minimum": 5}),
            "a: v2 wants minimum 5, v1 does not",
        ),
        (
            closed(a={"type": "number", "maximum": 9}),
            closed(a={"type": "number", "maximum": 5}),
            "a: v2 wants maximum 5, v1 maximum 9",
        ),
        (
            closed(a={"type": "string", "maxLength": 9}),
            closed(a={"type": "string", "maxLength": 5}),
            "a: v2 wants at most 5 characters, v1 at most 9 characters",
        ),
        (
            closed(a={"type": "string", "pattern": "^a"}),
            closed(a={"type": "string", "pattern": "^[a]"}),
            'a: pattern "^[a]" of v2 can not be compared with that of v1',
        ),
        (
            closed(a=STRING),
            closed(a={"type": "string", "format": "uuid"}),
            'a: v2 has format "uuid", v1 has none',
        ),
        (
            closed(a={"type": "array"}),
            closed(a={"type": "array", "items": NUMBER}),
            "a[]: v2 wants a number, v1 allows anything",
        ),
        (
            closed(a=closed(x=NUMBER)),
            closed(a=closed("x", x=NUMBER)),
            "a.x: v2 requires it, v1 does not",
        ),
        (
            closed(a=NUMBER),
            {"not": {"required": ["a"]}},
            'v2 has not {"required": ["a"]}, v1 has none',
        ),
        (
            closed(a=STRING),
            closed(a={"oneOf": [STRING, {"minLength": 3}]}),
            "a: oneOf of v2 can not be compared, its alternatives may overlap",
        ),
        (
            closed(a=STRING),
            closed(a={"anyOf": [NUMBER, NULL]}),
            "a: no alternative of v2 (anyOf) is sure to take all that v1 allows",
        ),
        (
            closed(a={"minLength": 1}),
            closed(a={"minLength": 1, "unevaluatedItems": False}),
            "a: unevaluatedProperties and -Items can not be compared",
        ),
    ],
)
def test_why_an_old_entry_may_not_fit(old: Schema, new: Schema, reason: str) -> None:
    assert reasons(old, new) == [f"backward: {reason}"]
    [forward] = reasons(new, old, FORWARD)
    swapped = reason.replace("v1", "v?").replace("v2", "v1").replace("v?", "v2")
    assert forward == f"forward: {swapped}"


def test_full_is_both_ways() -> None:
    found = reasons(closed("a", a=NUMBER), closed("b", a=NUMBER, b=STRING), FULL)
    assert found == [
        "backward: b: v2 requires it, v1 does not",
        "forward: a: v1 requires it, v2 does not",
        "forward: b: v1 does not know it and allows no unknown fields, v2 allows it",
    ]
    assert reasons(closed(a=NUMBER), closed(a=NUMBER), FULL) == []


def test_events_told_apart_by_their_kind() -> None:
    def event(kind: str, **more: Any) -> Schema:
        return closed("kind", kind={"const": kind}, **more)

    old = {"oneOf": [event("paid", amount=NUMBER), event("sent")]}
    new = {"oneOf": [event("sent", by=STRING), event("paid", amount=NUMBER), event("lost")]}
    assert reasons(old, new) == []
    assert reasons(new, old) != []
    impossible = closed("kind", kind=False)
    assert reasons(old, {"oneOf": [impossible, *new["oneOf"]]}) == [
        "backward: oneOf of v2 can not be compared, its alternatives may overlap"
    ]


def test_what_differs_by_annotations_only_is_the_same() -> None:
    old = {"properties": {"a": {"type": "string", "title": "A", "minLength": 1}}}
    new = {"title": "T", "properties": {"a": {"minLength": 1, "type": "string"}}, "x-y": 1}
    assert reasons(old, new, FULL) == []


def test_dialects_are_not_compared() -> None:
    old = {"$schema": "http://json-schema.org/draft-07/schema#"}
    assert reasons(old, {}) == ["backward: $schema of v1 and v2 differ, they can not be compared"]


def test_reasons_are_bounded() -> None:
    old = closed("", **{f"f{i}": NUMBER for i in range(100)})
    found = reasons(old, closed())
    assert len(found) == 21
    assert found[-1] == "and 80 more"


def test_comparing_takes_no_time_without_end() -> None:
    def tree(depth: int) -> Any:
        if depth == 0:
            return STRING
        return {"anyOf": [closed(a=tree(depth - 1)), closed(b=tree(depth - 1), c=NULL)]}

    other = json.loads(json.dumps(tree(8)).replace('"c"', '"d"'))
    assert reasons(closed(x=tree(8)), closed(x=other)) == [
        "backward: v1 and v2 have too many parts to be compared"
    ]


# --- nothing slips through ---

TEXTS = (
    b"", b"a", b"ab", b"abc", b"A", b"5", b"-1", b"0", b"2.5", b"3.0", b"6", b"1e2", b"true",
    b"false", b"null", b"[]", b"[1]", b"[1,1]", b'["a",1]', b"[[]]", b"{}", b'{"x":1}',
    b'{"x":"a"}', b'{"y":null}', b'{"x":1,"y":2}', b'"a"', b"\xff", b"\xc3\xa9",
    b"nan", b" 5", b"05", b"[",
)  # fmt: skip

VALUES: tuple[Any, ...] = (
    True, False, STRING, NUMBER, INTEGER, NULL, {"type": "boolean"}, {"type": "array"},
    {"type": "object"}, {"type": ["string", "null"]}, {"type": ["integer", "string"]},
    {"enum": ["a", "ab"]}, {"enum": ["5", 5]}, {"const": "5"}, {"const": 5}, {"const": True},
    {"const": 1}, {"enum": [None, "a", 3.0]}, {"minimum": 2}, {"type": "number", "minimum": 2},
    {"type": "integer", "exclusiveMinimum": 2}, {"type": "number", "maximum": 5},
    {"type": "number", "exclusiveMaximum": 5, "minimum": 0}, {"multipleOf": 3},
    {"type": "number", "multipleOf": 1}, {"type": "integer", "multipleOf": 6}, {"minLength": 2},
    {"type": "string", "minLength": 1}, {"type": "string", "maxLength": 2}, {"minLength": 0},
    {"type": "string", "pattern": "^a"}, {"type": ["string", "number"], "pattern": "^a"},
    {"type": "string", "format": "uuid"}, {"items": NUMBER}, {"type": "array", "items": INTEGER},
    {"type": "array", "items": False}, {"type": "array", "maxItems": 1},
    {"type": "array", "prefixItems": [NUMBER], "items": STRING}, {"prefixItems": [STRING]},
    {"type": "array", "uniqueItems": True}, {"type": "array", "contains": NUMBER},
    closed("x", x=NUMBER), closed(x=INTEGER, y=True), opened("x"), opened(x=STRING),
    {"type": "object", "additionalProperties": NUMBER}, {"patternProperties": {"^x": INTEGER}},
    {"type": "object", "propertyNames": {"pattern": "^x"}}, {"type": "object", "minProperties": 1},
    {"dependentRequired": {"x": ["y"]}}, {"anyOf": [STRING, NULL]}, {"oneOf": [NUMBER, STRING]},
    {"anyOf": [{"type": "number", "minimum": 5}, {"maxLength": 1, "type": "string"}]},
    {"oneOf": [{"minimum": 3}, STRING]}, {"allOf": [STRING, {"minLength": 2}]},
    {"allOf": [NUMBER, STRING]}, {"not": STRING}, {"not": NUMBER}, {"type": "string", "not": NULL},
    {"if": STRING, "then": {"minLength": 2}}, {"if": NUMBER, "then": INTEGER, "else": NULL},
    {"anyOf": [closed("x", x=NUMBER), closed("y", y=NULL)]}, {"allOf": [True, True]},
)  # fmt: skip
"""Schemas of values: each is compared with each."""


def checker_of(schema: Any) -> Checker:
    return Checker(read_document(json.dumps(schema).encode()))


def test_no_value_is_a_counterexample() -> None:
    fits = []
    for value in VALUES:
        checker = checker_of(closed(a=value))
        fits.append({text for text in TEXTS if not checker.faults({b"a": text})})
    proven = 0
    for (i, old), (j, new) in itertools.product(enumerate(VALUES), repeat=2):
        if not reasons(closed(a=old), closed(a=new)):
            proven += 1
            assert fits[i] <= fits[j], (old, new, fits[i] - fits[j])
    assert proven > 2 * len(VALUES)


NAMES = ("a", "b", "xa")
values = st.sampled_from(VALUES)
names = st.lists(st.sampled_from(NAMES), unique=True, max_size=2)


def entry_schemas(depth: int = 2) -> st.SearchStrategy[Any]:
    keywords: dict[str, st.SearchStrategy[Any]] = {
        "properties": st.dictionaries(st.sampled_from(NAMES), values, max_size=3),
        "required": names,
        "additionalProperties": st.one_of(st.just(False), values),
        "patternProperties": st.dictionaries(st.sampled_from(("^x", "a$")), values, max_size=1),
        "propertyNames": st.sampled_from(({"maxLength": 1}, {"pattern": "^x"}, {"enum": ["a"]})),
        "minProperties": st.integers(0, 2),
        "maxProperties": st.integers(0, 2),
        "dependentRequired": st.dictionaries(st.sampled_from(NAMES), names, max_size=1),
    }
    if depth:
        inner = entry_schemas(depth - 1)
        keywords |= {
            "allOf": st.lists(inner, min_size=1, max_size=2),
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "oneOf": st.lists(inner, min_size=1, max_size=2),
            "not": inner,
            "if": inner,
            "then": inner,
            "dependentSchemas": st.dictionaries(st.sampled_from(NAMES), inner, max_size=1),
        }
    plain = ("properties", "required", "additionalProperties")
    return st.one_of(
        st.fixed_dictionaries({}, optional={name: keywords[name] for name in plain}),
        st.lists(st.sampled_from(sorted(keywords)), max_size=3, unique=True).flatmap(
            lambda chosen: st.fixed_dictionaries({name: keywords[name] for name in chosen})
        ),
    )


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Any, Any]:
    """Two schemas, mostly with much in common."""
    old = draw(entry_schemas())
    new = draw(entry_schemas())
    if draw(st.integers(0, 3)):
        for name, value in old.items():
            if draw(st.integers(0, 3)):
                new[name] = value
    return old, new


entries = st.dictionaries(
    st.sampled_from([name.encode() for name in (*NAMES, "c")]), st.sampled_from(TEXTS), max_size=4
)


@settings(max_examples=400)
@given(pairs(), st.lists(entries, min_size=20, max_size=20))
def test_no_entry_is_a_counterexample(
    pair: tuple[Any, Any], tried: list[dict[bytes, bytes]]
) -> None:
    old, new = pair
    try:
        checkers = checker_of(old), checker_of(new)
        found = reasons(old, new)
    except SchemaError:
        return  # no entry fits one of them
    if found:
        return
    for entry in tried:
        if not checkers[0].faults(entry):
            assert checkers[1].faults(entry) == [], entry
