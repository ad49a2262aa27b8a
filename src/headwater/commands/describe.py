"""What COMMAND INFO and COMMAND DOCS answer: declarations written in the form clients expect.

Maps, sets and simple strings are where Redis 8.10 has them, in RESP2 and in RESP3.
"""

from __future__ import annotations

from headwater.commands.flags import category_names, flag_names
from headwater.commands.grammar import Argument
from headwater.commands.keyspecs import KeySpec
from headwater.commands.spec import Spec
from headwater.commands.table import Command
from headwater.resp.reply import Reply


def write_info(reply: Reply, command: Command) -> None:
    """One command as COMMAND INFO lists it, its subcommands included."""
    spec: Spec = command.spec
    reply.array(10)
    reply.bulk(command.name)
    reply.integer(spec.arity)
    _write_names(reply, flag_names(spec.all_flags))
    for position in spec.fixed_range:
        reply.integer(position)
    _write_names(reply, [f"@{name}" for name in category_names(spec.category_bits)])
    reply.set(len(spec.tips))
    for tip in spec.tips:
        reply.bulk_text(tip)
    reply.set(len(spec.keys))
    for key in spec.keys:
        _write_key_spec(reply, key)
    subcommands = command.subcommands
    if subcommands is None:
        reply.set(0)
    else:
        reply.array(len(subcommands))
        for subcommand in subcommands.values():
            write_info(reply, subcommand)


def write_flags(reply: Reply, flags: tuple[str, ...]) -> None:
    """What a command does with a key: a set of simple strings."""
    _write_names(reply, list(flags))


def _write_names(reply: Reply, names: list[str]) -> None:
    reply.set(len(names))
    for name in names:
        reply.simple(name.encode())


def _write_typed(reply: Reply, kind: str, facts: dict[str, str | int]) -> None:
    """The kind of a search and its parameters."""
    reply.map(2)
    reply.bulk_text("type")
    reply.bulk_text(kind)
    reply.bulk_text("spec")
    reply.map(len(facts))
    for name, value in facts.items():
        reply.bulk_text(name)
        if isinstance(value, int):
            reply.integer(value)
        else:
            reply.bulk_text(value)


def _write_key_spec(reply: Reply, key: KeySpec) -> None:
    reply.map(3)
    reply.bulk_text("flags")
    write_flags(reply, key.flags)
    reply.bulk_text("begin_search")
    if key.keyword:
        _write_typed(reply, "keyword", {"keyword": key.keyword.decode(), "startfrom": key.begin})
    else:
        _write_typed(reply, "index", {"index": key.begin})
    reply.bulk_text("find_keys")
    if key.count_at >= 0:
        counted: dict[str, str | int] = {
            "keynumidx": key.count_at,
            "firstkey": key.first,
            "keystep": key.step,
        }
        _write_typed(reply, "keynum", counted)
    else:
        ranged: dict[str, str | int] = {
            "lastkey": key.last,
            "keystep": key.step,
            "limit": key.limit,
        }
        _write_typed(reply, "range", ranged)


def write_docs(reply: Reply, command: Command) -> None:
    """One command as COMMAND DOCS has it: its name and a map, its subcommands included."""
    spec: Spec = command.spec
    subcommands = command.subcommands
    facts = [
        ("summary", spec.summary),
        ("since", spec.since),
        ("group", spec.group),
        ("complexity", spec.complexity),
    ]
    late_facts = [
        ("deprecated_since", spec.deprecated_since),
        ("replaced_by", spec.replaced_by),
    ]
    late_facts = [fact for fact in late_facts if fact[1]]
    tree = spec.argument_tree
    reply.bulk(command.name)
    reply.map(
        len(facts)
        + bool(spec.doc_flags)
        + len(late_facts)
        + bool(spec.history)
        + bool(tree)
        + (subcommands is not None)
    )
    _write_facts(reply, facts)
    if spec.doc_flags:
        reply.bulk_text("doc_flags")
        _write_names(reply, list(spec.doc_flags))
    _write_facts(reply, late_facts)
    if spec.history:
        reply.bulk_text("history")
        reply.set(len(spec.history))
        for version, change in spec.history:
            reply.array(2)
            reply.bulk_text(version)
            reply.bulk_text(change)
    if tree:
        reply.bulk_text("arguments")
        _write_arguments(reply, tree)
    if subcommands is not None:
        reply.bulk_text("subcommands")
        reply.map(len(subcommands))
        for subcommand in subcommands.values():
            write_docs(reply, subcommand)


def _write_facts(reply: Reply, facts: list[tuple[str, str]]) -> None:
    for name, text in facts:
        reply.bulk_text(name)
        reply.bulk_text(text)


def _write_arguments(reply: Reply, arguments: tuple[Argument, ...]) -> None:
    reply.array(len(arguments))
    for argument in arguments:
        _write_argument(reply, argument)


def _write_argument(reply: Reply, argument: Argument) -> None:
    facts = [("name", argument.name), ("type", argument.type)]
    if not argument.members:
        facts.append(("display_text", argument.display or argument.name))
    late_facts = [
        ("token", argument.token),
        ("since", argument.since),
        ("deprecated_since", argument.deprecated_since),
    ]
    late_facts = [fact for fact in late_facts if fact[1]]
    flags = []
    if argument.optional:
        flags.append("optional")
    if argument.multiple:
        flags.append("multiple")
    if argument.multiple_token:
        flags.append("multiple_token")
    has_key = argument.key_spec_index >= 0
    reply.map(len(facts) + has_key + len(late_facts) + bool(flags) + bool(argument.members))
    _write_facts(reply, facts)
    if has_key:
        reply.bulk_text("key_spec_index")
        reply.integer(argument.key_spec_index)
    _write_facts(reply, late_facts)
    if flags:
        reply.bulk_text("flags")
        _write_names(reply, flags)
    if argument.members:
        reply.bulk_text("arguments")
        _write_arguments(reply, argument.members)
