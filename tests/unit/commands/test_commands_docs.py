"""docs/commands.md and the declarations it is written from."""

from __future__ import annotations

from pathlib import Path

import pytest

from headwater.commands.grammar import Argument
from headwater.commands.reference import render
from headwater.commands.spec import SPECS, Spec

PAGE = Path(__file__).parents[3] / "docs" / "commands.md"


def test_the_page_is_what_the_declarations_say() -> None:
    written = PAGE.read_text(encoding="utf-8")
    assert written == render(), (
        "docs/commands.md is stale: python -m headwater.commands.reference > docs/commands.md"
    )


def test_every_heading_is_unique() -> None:
    headings = [line.lstrip("# ") for line in render().splitlines() if line.startswith("#")]
    folded = [heading.lower() for heading in headings]
    assert sorted(set(folded)) == sorted(folded)


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_a_declaration_is_complete(spec: Spec) -> None:
    assert spec.summary.endswith(".")
    assert len(spec.summary) <= 90
    assert spec.complexity
    assert spec.arity != 0
    assert len(spec.since.split(".")) == 3
    # A key argument at least for each group of keys, in the same order; a shard channel is no key.
    indexes = list(dict.fromkeys(key_indexes(spec.argument_tree)))
    assert indexes == [i for i, key in enumerate(spec.keys) if "not_key" not in key.flags]


def key_indexes(arguments: tuple[Argument, ...]) -> list[int]:
    found: list[int] = []
    for argument in arguments:
        if argument.key_spec_index >= 0:
            found.append(argument.key_spec_index)
        found += key_indexes(argument.members)
    return found


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_arity_agrees_with_the_arguments(spec: Spec) -> None:
    """The shortest request that the syntax allows has at least -arity words, or exactly arity."""
    if any(other.container == spec.name for other in SPECS.values()) or spec.name == "DEBUG":
        return
    if spec.name == "XCFGSET":
        return  # one option is required, whichever; its arity leaves that to the command
    shortest = len(spec.name.split()) + shortest_words(spec.argument_tree)
    assert spec.accepts(shortest)
    assert not spec.accepts(shortest - 1)


def shortest_words(arguments: tuple[Argument, ...]) -> int:
    total = 0
    for argument in arguments:
        if argument.optional:
            continue
        kind = argument.type
        members = argument.members
        if kind == "oneof":
            total += min(max(1, shortest_words((member,))) for member in members)
        elif kind == "block":
            total += shortest_words(members)
        else:
            total += 1
        if argument.token and kind != "pure-token":
            total += 1
    return total
