"""The notation of arguments: read into a tree, printed the way people write it."""

from __future__ import annotations

import pytest

from headwater.commands.grammar import Argument, parse, syntax


def test_a_tree() -> None:
    text = "key [trim=(strategy=<MAXLEN | MINID@6.2.0> n:integer)] [COUNT count:integer] id..."
    assert parse(text) == (
        Argument("key", "key", key_spec_index=0),
        Argument(
            "trim",
            "block",
            optional=True,
            members=(
                Argument(
                    "strategy",
                    "oneof",
                    members=(
                        Argument("maxlen", "pure-token", "MAXLEN"),
                        Argument("minid", "pure-token", "MINID", since="6.2.0"),
                    ),
                ),
                Argument("n", "integer"),
            ),
        ),
        Argument("count", "integer", "COUNT", optional=True),
        Argument("id", multiple=True),
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("key id...", "key id [id ...]"),
        ("[condition=<NX | XX>]", "[NX | XX]"),
        ("mode=<NX | XX>", "<NX | XX>"),
        ("[TYPE kind=<A | B>]", "[TYPE <A | B>]"),
        ("id-selector=<auto-id='*' | id>", "<* | id>"),
        ("data=(field value)...", "field value [field value ...]"),
        ('[LIMIT n:integer"how-many"]', "[LIMIT how-many]"),
        ("IDS ids=(numids:integer id...)", "IDS numids id [id ...]"),
        ("STREAMS streams=(key... id...)", "STREAMS key [key ...] id [id ...]"),
        ("[GET pattern:pattern+...]", "[GET pattern [GET pattern ...]]"),
        ("old!2.8.12", "old"),
    ],
)
def test_printed(text: str, shown: str) -> None:
    assert syntax(parse(text)) == shown


def test_keys_are_numbered_in_order() -> None:
    first, second = parse("source:key destination:key")
    assert (first.key_spec_index, second.key_spec_index) == (0, 1)


@pytest.mark.parametrize(
    "text",
    ["[key", "key]", "<a | b>", "a=", "a=<b c>", "a=<b | >", "n:number", "FOO x=BAR", "a?", "a=(b"],
)
def test_what_cannot_be_read(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(text)
