"""Strings.

The facts are those of Redis 8.10; `headwater.commands.grammar` explains `arguments`.
"""

from __future__ import annotations

from functools import partial

from headwater.commands.flags import DENYOOM, FAST, READONLY, WRITE
from headwater.commands.keyfinders import set_keys
from headwater.commands.keyspecs import key_at
from headwater.commands.spec.model import Spec

_spec = partial(Spec, group="string")

STRINGS: tuple[Spec, ...] = (
    _spec(
        name="GET",
        arity=2,
        flags=READONLY | FAST,
        categories=("string",),
        keys=(key_at(1, "RO access"),),
        since="1.0.0",
        summary="Return a key's string value.",
        complexity="O(1)",
        arguments="key",
    ),
    _spec(
        name="SET",
        arity=-3,
        flags=WRITE | DENYOOM,
        categories=("string",),
        keys=(key_at(1, "RW access update variable_flags"),),
        finder=set_keys,
        since="1.0.0",
        summary="Set a key's string value, replacing a value of any type.",
        complexity="O(1)",
        history=(
            ("2.6.12", "Options EX, PX, NX and XX."),
            ("6.0.0", "Option KEEPTTL."),
            ("6.2.0", "Options GET, EXAT and PXAT."),
            ("7.0.0", "NX and GET together."),
            ("8.4.0", "Options IFEQ, IFNE, IFDEQ and IFDNE."),
        ),
        arguments="""
            key value
            [condition=<NX | XX | IFEQ ifeq-value@8.4.0 | IFNE ifne-value@8.4.0
            | IFDEQ ifdeq-digest@8.4.0 | IFDNE ifdne-digest@8.4.0>@2.6.12]
            [GET@6.2.0]
            [expiration=<EX seconds:integer@2.6.12 | PX milliseconds:integer@2.6.12
            | EXAT unix-time-seconds:unix-time@6.2.0
            | PXAT unix-time-milliseconds:unix-time@6.2.0 | KEEPTTL@6.0.0>]
        """,
    ),
)
