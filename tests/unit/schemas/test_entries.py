"""Which texts fit which schemas, and what is said of those that do not."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from headwater.schemas.document import read_document
from headwater.schemas.entries import Checker
from headwater.schemas.limits import FIELD_STEPS

pytest.importorskip("jsonschema_rs")


def checker(schema: Any) -> Checker:
    return Checker(read_document(json.dumps(schema).encode()))


def fault(schema: Any, text: bytes) -> str:
    """What is wrong with the text as field `a`; empty: nothing."""
    found = checker({"properties": {"a": schema}}).faults({b"a": text})
    assert len(found) < 2
    return found[0].removeprefix("a") if found else ""


def faults(schema: Any, **entry: str) -> list[str]:
    return checker(schema).faults({name.encode(): text.encode() for name, text in entry.items()})


NUMBER = {"type": "number"}


@pytest.mark.parametrize(
    ("schema", "fitting", "unfitting"),
    [
        (
            NUMBER,
            ["0", "-0", "12", "12.50", "-1e3", "1E-2", "9" * 1000],
            [
                "",
                "+1",
                "01",
                ".5",
                "1.",
                "abc",
                "NaN",
                "Infinity",
                "1e999",
                " 1",
                "0x1",
                "1_0",
                "٣",
                '"1"',
                "true",
            ],
        ),
        ({"type": "integer"}, ["0", "-7", "3.0", "1e2", "9" * 40], ["2.5", "1e-1", "x"]),
        ({"type": "boolean"}, ["true", "false"], ["1", "0", "True", "yes", ""]),
        ({"type": "null"}, ["null"], ["", "None", "NULL"]),
        ({"type": "string"}, ["", "abc", "12", "true", "null", "[1]", '"q"', "日本\n"], []),
        (
            {"type": "array"},
            ["[]", "[1, 2]", '["a", {"b": null}]'],
            ["", "[", "[1,]", "{}", "[NaN]", "[1e999]", "x"],
        ),
        ({"type": "object"}, ["{}", '{"a": [1]}'], ["[]", "{a:1}", "x"]),
        ({"type": ["number", "null"]}, ["1", "null"], ["", "x"]),
        ({"type": ["string", "null"]}, ["", "null", "1"], []),
        ({"enum": ["new", "paid"]}, ["new", "paid"], ["New", '"new"', ""]),
        ({"enum": [1, "x", None, True]}, ["1", "1.0", "x", "null", "true"], ["2", "X", "false"]),
        ({"const": 5}, ["5", "5.0"], ["6", "five"]),
        ({"const": "5"}, ["5"], ["5.0"]),
        ({"const": {"a": [1]}}, ['{"a": [1.0]}'], ['{"a": []}', "x"]),
        ({"type": "number", "minimum": 0, "exclusiveMaximum": 10}, ["0", "9.99"], ["-1", "10"]),
        ({"multipleOf": 0.01, "type": "number"}, ["19.99", "4.35"], ["0.001"]),
        ({"type": "string", "minLength": 2, "maxLength": 3}, ["äö", "abc"], ["a", "abcd"]),
        ({"type": "string", "pattern": "^[A-Z]+$"}, ["AB"], ["ab", ""]),
        ({"type": "string", "format": "date-time"}, ["2024-01-01T00:00:00Z"], ["yesterday"]),
        ({"type": "string", "format": "something-new"}, ["x"], []),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, ["x", "null", "1"], []),
        ({"anyOf": [{"type": "integer"}, {"enum": ["all"]}]}, ["1", "all"], ["some", "1.5"]),
        ({"oneOf": [{"type": "integer"}, {"type": "number", "minimum": 5}]}, ["1", "5.5"], ["5"]),
        (
            {"type": "array", "items": {"type": "object", "required": ["sku"]}},
            ['[{"sku":1}]'],
            ["[{}]", "[1]"],
        ),
        ({"not": {"type": "string"}}, ["1", "null"], ["x"]),
        (False, [], ["", "1", "x"]),
        ({"minLength": 3}, ["abc", "1", "null"], ["ab"]),
    ],
)
def test_texts(schema: Any, fitting: list[str], unfitting: list[str]) -> None:
    assert [text for text in fitting if fault(schema, text.encode())] == []
    assert [text for text in unfitting if not fault(schema, text.encode())] == []


def test_bytes_that_are_no_text() -> None:
    assert fault({"type": "string"}, b"a\xff") == ": 'a\\xff' is not UTF-8"
    assert fault({"enum": ["a"]}, b"\xff") != ""
    assert fault({"type": ["string", "number"]}, b"\xff") == ": '\\xff' is not UTF-8"
    assert fault(NUMBER, b"\xff") == ": '\\xff' is not a number"
    assert fault({"type": "array"}, b"[\xff]") == ": '[\\xff]' is not a JSON array"
    # A field of which nothing is said, and unknown ones, may be anything.
    assert fault(True, b"\xff") == ""
    assert fault({}, b"\xff\x00") == ""
    assert checker({}).faults({b"x": b"\xff"}) == []
    assert checker({}).faults({b"x\xff": b"1"}) == ["x\\xff: is not UTF-8"]


@pytest.mark.parametrize(
    ("schema", "text", "said"),
    [
        (NUMBER, "abc", ": 'abc' is not a number"),
        (NUMBER, "", ": '' is not a number"),
        (NUMBER, "a\r\nb\x1b[0m\u202e", ": 'a\\r\\nb\\x1b[0m\\u202e' is not a number"),
        (NUMBER, "x" * 100, f": '{'x' * 40}...' is not a number"),
        (NUMBER, "1e999", ": '1e999' is out of the range of numbers"),
        (NUMBER, "9" * 1001, f": '{'9' * 40}...' is too long for a number: 1001 bytes"),
        ({"type": "boolean"}, "1", ": '1' is not a boolean (true or false)"),
        ({"type": ["integer", "null"]}, "x", ": 'x' is not an integer or null"),
        ({"type": "array"}, "x", ": 'x' is not a JSON array"),
        (False, "x", ": 'x' is not allowed"),
        ({"type": "number", "minimum": 0}, "-1", ": -1 is less than the minimum of 0"),
        ({"type": "string", "minLength": 1}, "", ': "" is shorter than 1 character'),
        ({"enum": ["a", "b"]}, "c", ': "c" is not one of "a" or "b"'),
        (
            {"type": "array", "items": {"properties": {"sku": {"type": "string"}}}},
            '[{}, {"sku": 5}]',
            '[1].sku: 5 is not of type "string"',
        ),
        ({"type": "array"}, "[" * 100_000, f": '{'[' * 40}...' is nested too deeply"),
    ],
)
def test_what_is_said(schema: Any, text: str, said: str) -> None:
    assert fault(schema, text.encode()) == said


# --- the entry as a whole ---


def test_required_and_unknown_fields() -> None:
    schema = {"properties": {"a": NUMBER}, "required": ["a"], "additionalProperties": False}
    assert faults(schema, a="1") == []
    assert faults(schema) == ["a: is missing"]
    assert faults(schema, a="1", b="2") == ["b: is no field of the schema"]
    assert faults(schema, b="") == ["b: is no field of the schema", "a: is missing"]


def test_other_fields_by_name() -> None:
    schema = {
        "properties": {"n_x": {"maxLength": 3, "type": "string"}},
        "patternProperties": {"^n_": NUMBER},
        "additionalProperties": {"type": "boolean"},
    }
    assert faults(schema, n_a="1", b="true", n_x="123") == []
    assert faults(schema, n_a="x") == ["n_a: 'x' is not a number"]
    assert faults(schema, b="1") == ["b: '1' is not a boolean (true or false)"]
    assert len(faults(schema, n_x="wrong")) == 2
    assert faults({"propertyNames": {"maxLength": 2}}, abc="") == [
        "abc: is not allowed as a field's name"
    ]


def test_how_many_fields() -> None:
    schema = {"minProperties": 2, "maxProperties": 2}
    assert faults(schema, a="", b="") == []
    assert faults(schema, a="") == ["there are 1 fields, at least 2 are wanted"]
    assert faults(schema, a="", b="", c="") == ["there are 3 fields, at most 2 are allowed"]


def test_fields_that_need_others() -> None:
    schema = {
        "dependentRequired": {"card": ["name"]},
        "dependentSchemas": {"gift": {"properties": {"note": {"minLength": 1}}}},
    }
    assert faults(schema, card="1", name="x", note="") == []
    assert faults(schema, card="1") == ["name: is missing, which card needs"]
    assert faults(schema, gift="1", note="") == ['note: "" is shorter than 1 character']
    old = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "dependencies": {"a": ["b"], "c": {"required": ["d"]}},
    }
    assert faults(old, a="", c="") == ["b: is missing, which a needs", "d: is missing"]


def test_alternatives() -> None:
    paid = {"properties": {"kind": {"const": "paid"}, "amount": NUMBER}, "required": ["amount"]}
    sent = {"properties": {"kind": {"const": "sent"}, "amount": {"type": "string"}}}
    for keyword in ("anyOf", "oneOf"):
        schema = {keyword: [paid, sent], "required": ["kind"]}
        assert faults(schema, kind="paid", amount="5") == []
        assert faults(schema, kind="sent", amount="x") == []
        assert faults(schema, kind="paid", amount="x") == [
            f"none of the 2 alternatives ({keyword}) fits",
            "amount: 'x' is not a number",
        ]
    both = {"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}
    assert faults(both, a="", b="") == ["2 of the 2 alternatives (oneOf) fit"]
    assert faults({"not": {"required": ["a"]}}, a="") == ["fits what it must not (not)"]
    assert faults({"allOf": [{"required": ["a"]}, {"required": ["b"]}]}) == [
        "a: is missing",
        "b: is missing",
    ]
    schema = {"if": {"required": ["a"]}, "then": {"required": ["b"]}, "else": {"required": ["c"]}}
    assert faults(schema, a="") == ["b: is missing"]
    assert faults(schema, b="") == ["c: is missing"]
    assert faults(schema, a="", b="") == []
    assert faults({"anyOf": [False, {"type": "string"}]}) == [
        "none of the 2 alternatives (anyOf) fits",
        "no entry fits this part of the schema",
    ]


def test_references_of_pydantic() -> None:
    schema = {
        "$defs": {
            "Item": {
                "properties": {"sku": {"type": "string"}, "n": {"type": "integer", "default": 1}},
                "required": ["sku"],
                "title": "Item",
                "type": "object",
            },
            "Status": {"enum": ["new", "paid"], "type": "string"},
        },
        "properties": {
            "items": {"items": {"$ref": "#/$defs/Item"}, "type": "array"},
            "first": {"anyOf": [{"$ref": "#/$defs/Item"}, {"type": "null"}], "default": None},
            "status": {"$ref": "#/$defs/Status", "default": "new"},
        },
        "required": ["items"],
        "title": "Order",
        "type": "object",
    }
    assert faults(schema, items='[{"sku": "a", "n": 2}]', first="null", status="paid") == []
    assert faults(schema, items='[{"sku": "a", "n": "2"}]', first='{"sku": "b"}') == [
        'items[0].n: "2" is not of type "integer"'
    ]
    assert faults(schema, items="[]", first="{}", status="old") != []


# --- what a check costs ---


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        (
            {"type": "array", "items": {"enum": [{"s": i} for i in range(5000)]}},
            b"[" + b'{"s":4999},' * 50_000 + b"1]",
        ),
        (
            {"type": "array", "allOf": [{"items": {"minimum": -i}} for i in range(1000)]},
            b"[" + b"1," * 100_000 + b"1]",
        ),
        ({"type": "string", "pattern": "(?:.{1,50}){1,20}z"}, b"a" * 1_000_000),
        (
            {"type": "array", "items": {"type": "string", "pattern": "(?:.{1,50}){1,20}z"}},
            b'["' + b"a" * 1_000_000 + b'"]',
        ),
        ({"type": "string", "pattern": "(a*)*b|(x+x+)+y"}, b"a" * 1_000_000),
        (NUMBER, b"9" * 1_000_000),
        ({"type": "array", "uniqueItems": True}, b"[" + b"[1]," * 300_000 + b"[1]]"),
        ({"type": "object"}, b"{" * 1_000_000),
    ],
)
def test_no_value_keeps_the_loop(schema: Any, text: bytes) -> None:
    rule = checker({"properties": {"a": schema}})
    started = time.process_time()
    rule.faults({b"a": text})
    assert time.process_time() - started < 1, "several times what it takes"


def test_many_values_share_what_a_check_may_cost() -> None:
    item = {"enum": [{"s": i} for i in range(500)]}
    rule = checker({"additionalProperties": {"type": "array", "items": item}})
    text = b"[" + b'{"s":499},' * 150 + b'{"s":1}]'
    assert rule.faults({b"a": text}) == []
    found = rule.faults({b"%d" % i: text for i in range(10)})
    assert 4 < len(found) < 9
    assert "is too much for the schema: 1509 bytes" in found[0]


def test_many_fields() -> None:
    entry = {b"%d" % i: b"x" for i in range(50_000)}
    assert checker({"properties": {"a": NUMBER}}).faults(entry) == []
    rule = checker({"patternProperties": {f"{i}$": True for i in range(10)}})
    assert rule.faults(entry) == ["it has 50000 fields, too many for this schema"]
    assert FIELD_STEPS > 50_000
