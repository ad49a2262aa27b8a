"""Schemas read: what is refused and why, references, and what a schema may cost."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headwater.schemas.costs import pattern_weight
from headwater.schemas.document import read_document
from headwater.schemas.entries import Checker
from headwater.schemas.faults import named, plain, quoted, summary
from headwater.schemas.library import SchemaError
from headwater.schemas.limits import SCHEMA_MAX_BYTES, VERSIONS_KEPT
from headwater.schemas.versions import Schemas, SchemaVersion, with_version

pytest.importorskip("jsonschema_rs")

DIALECTS = (
    "https://json-schema.org/draft/2020-12/schema",
    "https://json-schema.org/draft/2019-09/schema",
    "http://json-schema.org/draft-07/schema",
)


def refusal(text: bytes) -> str:
    with pytest.raises(SchemaError) as caught:
        Checker(read_document(text))
    return str(caught.value)


def refused(schema: Any) -> str:
    return refusal(json.dumps(schema).encode())


def tree(schema: Any) -> Any:
    return read_document(json.dumps(schema).encode()).tree


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "it is not JSON: Expecting value: line 1 column 1 (char 0)"),
        (b"{", "it is not JSON: Expecting property name"),
        (b"\xff", "it is not UTF-8"),
        (b"[]", "it is not a JSON object"),
        (b"true", "it is not a JSON object"),
        (b'{"minimum": NaN}', "it is not JSON: NaN is no JSON"),
        (b'{"minimum": 1e999}', "it is not JSON: 1e999 is out of range"),
        (b'{"a": 1, "a": 2}', "it is not JSON: a is there twice in an object"),
        (b"[" * 60_000, "it is nested too deeply"),
        (b'{"not":' * 70 + b"{}" + b"}" * 70, "it is nested more than 64 deep"),
        (b" " * (SCHEMA_MAX_BYTES + 1), f"it has {SCHEMA_MAX_BYTES + 1} bytes, at most"),
        (b'{"properties": {"\\ud800": {}}}', ""),
    ],
)
def test_texts_that_are_no_schema(text: bytes, why: str) -> None:
    assert refusal(text).startswith(why)


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"type": "foo"}, 'type: "foo" is not valid'),
        ({"properties": {"a": {"minLength": -1}}}, "properties.a.minLength: -1 is less than"),
        ({"properties": {"a": 5}}, "properties.a: 5 is not"),
        ({"type": "string"}, "type: an entry is an object"),
        ({"enum": [{}]}, "enum: is not supported for the entry itself"),
        ({"anyOf": [{"unevaluatedProperties": False}]}, "anyOf[0].unevaluatedProperties: is not"),
        ({"allOf": [False]}, "no entry fits it"),
        ({"$ref": "http://127.0.0.1/a.json"}, "$ref: http://127.0.0.1/a.json leads out"),
        ({"properties": {"a": {"$ref": "file:///etc/passwd"}}}, "properties.a.$ref: file:///etc"),
        ({"$id": "http://a/b", "$ref": "c"}, "$ref: c leads out of the schema"),
        ({"$ref": "#name"}, "$ref: #name leads out of the schema"),
        ({"properties": {"a": {"$ref": "#/$defs/x"}}}, "properties.a.$ref: there is no #/$defs/x"),
        ({"properties": {"a": {"$ref": "#"}}}, "properties.a.$ref: # leads back"),
        (
            {"$ref": "#/$defs/a", "$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}]}}},
            "allOf[0].$ref: #/$defs/a leads back to where it is",
        ),
        ({"properties": {"a": {"$dynamicRef": "#x"}}}, "properties.a: $dynamicRef is not"),
        ({"properties": {"a": {"$id": "http://x/y"}}}, "properties.a: $id is supported at the top"),
        ({"$schema": "http://json-schema.org/draft-04/schema#"}, "$schema: http://json-schema.org"),
        ({"$schema": "http://127.0.0.1/mine"}, "$schema: http://127.0.0.1/mine is not supported"),
        ({"$schema": 5}, "$schema: 5 is not supported"),
        ({"properties": {"a": {"pattern": "("}}}, 'properties.a: pattern: "(" is not a "regex"'),
        ({"properties": {"a": {"pattern": "(?=x)"}}}, 'properties.a: pattern: "(?=x)" is not'),
        ({"patternProperties": {"(a)\\1": True}}, "patternProperties: "),
        (
            {"properties": {"a": {"pattern": "(a{1,1000}){1,1000}"}}},
            "the pattern '(a{1,1000}){1,1000}' repeats too much",
        ),
        (
            {"properties": {str(i): {"pattern": "\\p{L}{1,19}"} for i in range(20)}},
            "the pattern '\\\\p{L}{1,19}' repeats too much",
        ),
        (
            {"properties": {str(i): {"pattern": "a"} for i in range(129)}},
            "there are more than 128 patterns",
        ),
    ],
)
def test_schemas_that_can_not_be_used(schema: Any, why: str) -> None:
    assert refused(schema).startswith(why)


def test_references_that_multiply_are_bounded() -> None:
    # A billion subschemas when written out.
    levels: dict[str, Any] = {
        f"l{i}": {"allOf": [{"$ref": f"#/$defs/l{i + 1}"}] * 2} for i in range(30)
    }
    levels["l30"] = {"type": "string"}
    why = refused({"properties": {"a": {"$ref": "#/$defs/l0"}}, "$defs": levels})
    assert why.startswith("it has more than 5000 subschemas")
    chain: dict[str, Any] = {f"l{i}": {"$ref": f"#/$defs/l{i + 1}"} for i in range(1000)}
    chain["l1000"] = {}
    why = refused({"properties": {"a": {"$ref": "#/$defs/l0"}}, "$defs": chain})
    assert why.startswith("it is nested more than 64 deep when")


def test_references_are_written_out() -> None:
    schema = {
        "$id": "http://example.com/order",
        "$defs": {"a/b": {"type": "string", "title": "t"}, "c": {"minLength": 1}},
        "properties": {
            "x": {"$ref": "#/$defs/a~1b"},
            "y": {"$ref": "#/%24defs/c", "maxLength": 5},
            "z": {"$ref": "http://example.com/order#/$defs/c", "description": "d"},
            "$ref": {"type": "null"},
        },
    }
    assert tree(schema) == {
        "properties": {
            "x": {"type": "string"},
            "y": {"maxLength": 5, "allOf": [{"minLength": 1}]},
            "z": {"minLength": 1},
            "$ref": {"type": "null"},
        }
    }


def test_dialects() -> None:
    for dialect in DIALECTS:
        for sign in ("", "#"):
            read = read_document(json.dumps({"$schema": dialect + sign}).encode())
            assert (read.dialect, read.tree) == (dialect, {})
    assert read_document(b"{}").dialect == DIALECTS[0]
    beside = {
        "$ref": "#/definitions/a",
        "definitions": {"a": {"required": ["x"]}},
        "minProperties": 2,
    }
    assert "allOf" in tree(beside)
    assert tree({**beside, "$schema": DIALECTS[2]}) == {"required": ["x"]}


@pytest.mark.parametrize(
    ("pattern", "weight"),
    [
        ("abc", 3),
        ("a{5}", 5),
        ("a{2,7}b", 8),
        ("(ab){10}", 30),
        ("(a{10}b){10}", 120),
        ("[a-z]{3}", 15),
        ("\\d{4}", 4),
        ("a{,5}", 5),
        ("\\p{L}{20}", 2000),
        ("[a\\p{L}]{2}", 216),
        ("((((", 0),
        (")))", 3),
        ("[", 2),
        ("a{999999999}", 999999999),
    ],
)
def test_the_weight_of_patterns(pattern: str, weight: int) -> None:
    assert pattern_weight(pattern) == weight


# --- versions ---


def test_versions_are_kept_up_to_a_number() -> None:
    schemas: Schemas | None = None
    for number in range(1, VERSIONS_KEPT + 6):
        schemas = with_version(schemas, SchemaVersion(number, 0, number, b"%d" % number))
    assert schemas is not None
    assert len(schemas.versions) == VERSIONS_KEPT
    assert schemas.version(5) is None
    oldest = schemas.version(6)
    assert oldest is not None
    assert oldest.text == b"6"
    assert schemas.current.number == VERSIONS_KEPT + 5
    with pytest.raises(ValueError, match="version 3 behind version 105"):
        with_version(schemas, SchemaVersion(3, 0, 0, b""))
    with pytest.raises(ValueError, match="there is no compat 4"):
        with_version(schemas, SchemaVersion(106, 4, 0, b""))
    copied = schemas.copy()
    with_version(copied, SchemaVersion(200, 0, 0, b"x"))
    assert schemas.current.number == VERSIONS_KEPT + 5
    assert schemas.memory_usage() > 0


# --- words ---


def test_names_and_values_are_quoted_where_they_must_be() -> None:
    assert named(b"orders:1") == "orders:1"
    assert named("größe".encode()) == "größe"
    assert named(b"") == "''"
    assert named(b"a b") == "'a b'"
    assert named(b"a\r\n-ERR x") == "'a\\r\\n-ERR x'"
    assert named(b"it's") == "'it\\'s'"
    assert len(named(b"k" * 10_000)) < 110
    assert quoted(b"\x00\xff") == "'\\x00\\xff'"
    assert plain("\u2028\ud800", 10) == "\\u2028\\ud800"
    assert summary(["a", "b", "c", "d\n", "e"]) == "a; b; c; and 2 more"
    assert len(summary(["x" * 10_000] * 10)) < 600
