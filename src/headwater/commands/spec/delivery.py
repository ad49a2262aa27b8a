"""Streams and consumer groups: what Redis does not have, in the order of the names.

`since` is the version of Redis with whose commands these came; no Redis has them.
"""

from __future__ import annotations

from functools import partial

from headwater.commands.flags import DENYOOM, FAST, LOADING, READONLY, STALE, WRITE
from headwater.commands.keyspecs import KeySpec, key_at
from headwater.commands.spec.model import Spec

_spec = partial(Spec, group="stream", since="8.10.0", categories=("stream",))

DELIVERY: tuple[Spec, ...] = (
    _spec(
        name="XGROUP RESET",
        arity=-5,
        flags=WRITE,
        keys=(key_at(2, "RW access update"),),
        summary="Have a group read from another place: an ID, a time, the beginning or the end.",
        complexity="O(log N) for N entries.",
        arguments="""
            key group position=<id | first='-' | last='$' | TIME unix-time-milliseconds:unix-time
            | AGO milliseconds:integer | iso-8601>
            [PENDING pending=<KEEP | DROP>] [DRYRUN]
        """,
    ),
    _spec(
        name="XCFGGET",
        arity=2,
        flags=READONLY | FAST,
        keys=(key_at(1, "RO access"),),
        summary="Get which entries a stream retains, and which idempotent IDs it remembers.",
        complexity="O(1)",
        arguments="key",
    ),
    _spec(
        name="XREDRIVE",
        arity=-2,
        flags=WRITE | DENYOOM,
        keys=(
            key_at(1, "RW access delete"),
            KeySpec(("RW", "update"), 2, b"TO"),
        ),
        summary="Move dead letters back to the streams that they come from, or to another one.",
        complexity="O(log N) for each entry moved, N being the dead letters.",
        tips=("nondeterministic_output",),
        arguments="""
            key [TO destination:key]
            [which=<COUNT count:integer | IDS ids=(numids:integer id...)>]
        """,
    ),
    _spec(
        name="XSCHEDULE",
        arity=-2,
        categories=(),
        summary="Commands that have entries appended later.",
        complexity="Depends on the subcommand.",
    ),
    _spec(
        name="XSCHEDULE ADD",
        arity=-7,
        flags=WRITE | DENYOOM | FAST,
        keys=(key_at(2, "RW insert"),),
        summary="Have an entry appended at a time, once or again and again; returns its handle.",
        complexity="O(log N) for N scheduled entries.",
        tips=("nondeterministic_output",),
        arguments="""
            key when=<AT unix-time-milliseconds:unix-time | IN milliseconds:integer>
            [EVERY interval:integer"milliseconds"] data=(field value)...
        """,
    ),
    _spec(
        name="XSCHEDULE CANCEL",
        arity=4,
        flags=WRITE | FAST,
        keys=(key_at(2, "RW delete"),),
        summary="Have a scheduled entry not be appended any more.",
        complexity="O(log N) for N scheduled entries.",
        arguments="key handle",
    ),
    _spec(
        name="XSCHEDULE HELP",
        arity=2,
        flags=LOADING | STALE,
        summary="List the subcommands.",
        complexity="O(1)",
    ),
    _spec(
        name="XSCHEDULE LIST",
        arity=-3,
        flags=READONLY,
        keys=(key_at(2, "RO access"),),
        summary="Show the entries that are due first: handle, due time, interval, fields.",
        complexity="O(N) for N entries shown, 100 if COUNT is not given, 10000 at most.",
        arguments="key [COUNT count:integer]",
    ),
    _spec(
        name="XSCHEMA",
        arity=-2,
        categories=(),
        summary="Commands about the schema that the entries of a stream have to fit.",
        complexity="Depends on the subcommand.",
    ),
    _spec(
        name="XSCHEMA CHECK",
        arity=4,
        flags=READONLY,
        keys=(key_at(2, "RO access"),),
        summary="Tell why a schema could not be set as a stream's next version; nothing: it could.",
        complexity="O(N) for N parts of the schema; compared with another one, O(N*M).",
        arguments="key json-schema",
    ),
    _spec(
        name="XSCHEMA DEL",
        arity=3,
        flags=WRITE | FAST,
        keys=(key_at(2, "RW delete"),),
        summary="Delete a stream's schema with all its versions; the entries stay.",
        complexity="O(1)",
        arguments="key",
    ),
    _spec(
        name="XSCHEMA GET",
        arity=-3,
        flags=READONLY | FAST,
        keys=(key_at(2, "RO access"),),
        summary="Get the text of a stream's schema.",
        complexity="O(1)",
        arguments="key [VERSION version:integer]",
    ),
    _spec(
        name="XSCHEMA HELP",
        arity=2,
        flags=LOADING | STALE,
        summary="List the subcommands.",
        complexity="O(1)",
    ),
    _spec(
        name="XSCHEMA LIST",
        arity=3,
        flags=READONLY,
        keys=(key_at(2, "RO access"),),
        summary="List the versions of a stream's schema: number, compat, when each was set.",
        complexity="O(N) for N versions, 100 at most.",
        arguments="key",
    ),
    _spec(
        name="XSCHEMA SET",
        arity=-4,
        flags=WRITE | DENYOOM,
        keys=(key_at(2, "RW insert"),),
        summary="Set the schema that entries have to fit from now on; returns its version.",
        complexity="O(N) for N parts of the schema; compared with another one, O(N*M).",
        arguments="""
            key json-schema
            [COMPAT compat=<none='none' | backward='backward' | forward='forward' | full='full'>]
        """,
    ),
)
