"""Strings.

The facts are those of Redis 8.10; `headwater.commands.grammar` explains `arguments`.
"""

from __future__ import annotations

from functools import partial

from headwater.commands.flags import DENYOOM, FAST, READONLY, WRITE
from headwater.commands.keyfinders import delex_keys, set_keys
from headwater.commands.keyspecs import KeySpec, key_at, keys_from
from headwater.commands.spec.model import Spec

_spec = partial(Spec, group="string")

STRINGS: tuple[Spec, ...] = (
    _spec(
        name="APPEND",
        arity=3,
        flags=WRITE | DENYOOM | FAST,
        categories=("string",),
        keys=(key_at(1, "RW insert"),),
        since="2.0.0",
        summary="Add bytes at the end of a string, which is made if there is none.",
        complexity="O(1), amortised over the string's growth.",
        arguments="key value",
    ),
    _spec(
        name="DECR",
        arity=2,
        flags=WRITE | DENYOOM | FAST,
        categories=("string",),
        keys=(key_at(1, "RW access update"),),
        since="1.0.0",
        summary="Take one from the integer that a string is.",
        complexity="O(1)",
        arguments="key",
    ),
    _spec(
        name="DECRBY",
        arity=3,
        flags=WRITE | DENYOOM | FAST,
        categories=("string",),
        keys=(key_at(1, "RW access update"),),
        since="1.0.0",
        summary="Take a number from the integer that a string is.",
        complexity="O(1)",
        arguments="key decrement:integer",
    ),
    _spec(
        name="DELEX",
        arity=-2,
        flags=WRITE | FAST,
        categories=("string",),
        keys=(key_at(1, "RW delete variable_flags"),),
        finder=delex_keys,
        since="8.4.0",
        summary="Delete a key if its string, or the string's digest, compares as wanted.",
        complexity="O(1) for IFEQ and IFNE; O(N) for IFDEQ and IFDNE with a string of N bytes.",
        arguments="""
            key
            [condition=<IFEQ ifeq-value | IFNE ifne-value | IFDEQ ifdeq-digest
            | IFDNE ifdne-digest>]
        """,
    ),
    _spec(
        name="DIGEST",
        arity=2,
        flags=READONLY | FAST,
        categories=("string",),
        keys=(key_at(1, "RO access"),),
        since="8.4.0",
        summary="Return the XXH3 hash of a string, in hexadecimal.",
        complexity="O(N) for a string of N bytes.",
        arguments="key",
    ),
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
        name="GETDEL",
        arity=2,
        flags=WRITE | FAST,
        categories=("string",),
        keys=(key_at(1, "RW access delete"),),
        since="6.2.0",
        summary="Return a key's string value and delete the key.",
        complexity="O(1)",
        arguments="key",
    ),
    _spec(
        name="GETEX",
        arity=-2,
        flags=WRITE | FAST,
        categories=("string",),
        keys=(key_at(1, "RW access update"),),
        since="6.2.0",
        summary="Return a key's string value and set when the key expires.",
        complexity="O(1)",
        arguments="""
            key
            [expiration=<EX seconds:integer | PX milliseconds:integer
            | EXAT unix-time-seconds:unix-time | PXAT unix-time-milliseconds:unix-time | PERSIST>]
        """,
    ),
    _spec(
        name="GETRANGE",
        arity=4,
        flags=READONLY,
        categories=("string",),
        keys=(key_at(1, "RO access"),),
        since="2.4.0",
        summary="Return some of a string's bytes, by their positions.",
        complexity="O(N) for N bytes that are returned.",
        arguments="key start:integer end:integer",
    ),
    _spec(
        name="GETSET",
        arity=3,
        flags=WRITE | DENYOOM | FAST,
        categories=("string",),
        keys=(key_at(1, "RW access update"),),
        since="1.0.0",
        doc_flags=("deprecated",),
        deprecated_since="6.2.0",
        replaced_by="`SET` with the option GET",
        summary="Set a key's string value and return the one before.",
        complexity="O(1)",
        arguments="key value",
    ),
    _spec(
        name="INCR",
        arity=2,
        flags=WRITE | DENYOOM | FAST,
        categories=("string",),
        keys=(key_at(1, "RW access update"),),
        since="1.0.0",
        summary="Add one to the integer that a string is.",
        complexity="O(1)",
        arguments="key",
    ),
    _spec(
        name="INCRBY",
        arity=3,
        flags=WRITE | DENYOOM | FAST,
        categories=("string",),
        keys=(key_at(1, "RW access update"),),
        since="1.0.0",
        summary="Add a number to the integer that a string is.",
        complexity="O(1)",
        arguments="key increment:integer",
    ),
    _spec(
        name="INCRBYFLOAT",
        arity=3,
        flags=WRITE | DENYOOM | FAST,
        categories=("string",),
        keys=(key_at(1, "RW access update"),),
        since="2.6.0",
        summary="Add a number, of 64 bits of precision, to the one that a string is.",
        complexity="O(1)",
        arguments="key increment:double",
    ),
    _spec(
        name="INCREX",
        arity=-2,
        flags=WRITE | DENYOOM | FAST,
        categories=("string",),
        keys=(key_at(1, "RW access update"),),
        since="8.8.0",
        summary="Add to the number that a string is, within bounds, and set when the key expires.",
        complexity="O(1)",
        arguments="""
            key
            [increment=<BYFLOAT float:double | BYINT integer:integer>]
            [SATURATE]
            [LBOUND lowerbound]
            [UBOUND upperbound]
            [expiration=<EX seconds:integer | PX milliseconds:integer
            | EXAT unix-time-seconds:unix-time | PXAT unix-time-milliseconds:unix-time | PERSIST>]
            [ENX]
        """,
    ),
    _spec(
        name="LCS",
        arity=-3,
        flags=READONLY,
        categories=("string",),
        keys=(keys_from(1, "RO access", last=1),),
        since="7.0.0",
        summary="Find the longest bytes that two strings have in common, in order.",
        complexity="O(N*M) for strings of N and M bytes.",
        arguments="""
            key1:key key2:same-key [LEN] [IDX] [MINMATCHLEN min-match-len:integer] [WITHMATCHLEN]
        """,
    ),
    _spec(
        name="MGET",
        arity=-2,
        flags=READONLY | FAST,
        categories=("string",),
        keys=(keys_from(1, "RO access"),),
        since="1.0.0",
        summary="Return the string values of several keys.",
        complexity="O(N) for N keys.",
        tips=("request_policy:multi_shard",),
        arguments="key...",
    ),
    _spec(
        name="MSET",
        arity=-3,
        flags=WRITE | DENYOOM,
        categories=("string",),
        keys=(keys_from(1, "OW update", step=2),),
        since="1.0.1",
        summary="Set the string values of several keys.",
        complexity="O(N) for N keys.",
        tips=("request_policy:multi_shard", "response_policy:all_succeeded"),
        arguments="data=(key value)...",
    ),
    _spec(
        name="MSETEX",
        arity=-4,
        flags=WRITE | DENYOOM,
        categories=("string",),
        keys=(KeySpec(("OW", "update"), 1, count_at=0, first=1, step=2),),
        since="8.4.0",
        summary="Set the string values of several keys and when they expire, if all or none exist.",
        complexity="O(N) for N keys.",
        arguments="""
            numkeys:integer
            data=(key value)...
            [condition=<NX | XX>]
            [expiration=<EX seconds:integer | PX milliseconds:integer
            | EXAT unix-time-seconds:unix-time | PXAT unix-time-milliseconds:unix-time | KEEPTTL>]
        """,
    ),
    _spec(
        name="MSETNX",
        arity=-3,
        flags=WRITE | DENYOOM,
        categories=("string",),
        keys=(keys_from(1, "OW insert", step=2),),
        since="1.0.1",
        summary="Set the string values of several keys if none of them exists.",
        complexity="O(N) for N keys.",
        arguments="data=(key value)...",
    ),
    _spec(
        name="PSETEX",
        arity=4,
        flags=WRITE | DENYOOM,
        categories=("string",),
        keys=(key_at(1, "OW update"),),
        since="2.6.0",
        doc_flags=("deprecated",),
        deprecated_since="2.6.12",
        replaced_by="`SET` with the option PX",
        summary="Set a key's string value and its time to live in milliseconds.",
        complexity="O(1)",
        arguments="key milliseconds:integer value",
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
    _spec(
        name="SETEX",
        arity=4,
        flags=WRITE | DENYOOM,
        categories=("string",),
        keys=(key_at(1, "OW update"),),
        since="2.0.0",
        doc_flags=("deprecated",),
        deprecated_since="2.6.12",
        replaced_by="`SET` with the option EX",
        summary="Set a key's string value and its time to live in seconds.",
        complexity="O(1)",
        arguments="key seconds:integer value",
    ),
    _spec(
        name="SETNX",
        arity=3,
        flags=WRITE | DENYOOM | FAST,
        categories=("string",),
        keys=(key_at(1, "OW insert"),),
        since="1.0.0",
        doc_flags=("deprecated",),
        deprecated_since="2.6.12",
        replaced_by="`SET` with the option NX",
        summary="Set a key's string value if the key does not exist.",
        complexity="O(1)",
        arguments="key value",
    ),
    _spec(
        name="SETRANGE",
        arity=4,
        flags=WRITE | DENYOOM,
        categories=("string",),
        keys=(key_at(1, "RW update"),),
        since="2.2.0",
        summary="Write bytes into a string at a position, which is made longer if need be.",
        complexity="O(N) for N bytes that are written, amortised over the string's growth.",
        arguments="key offset:integer value",
    ),
    _spec(
        name="STRLEN",
        arity=2,
        flags=READONLY | FAST,
        categories=("string",),
        keys=(key_at(1, "RO"),),
        since="2.2.0",
        summary="Return how many bytes a string has.",
        complexity="O(1)",
        arguments="key",
    ),
    _spec(
        name="SUBSTR",
        arity=4,
        flags=READONLY,
        categories=("string",),
        keys=(key_at(1, "RO access"),),
        since="1.0.0",
        doc_flags=("deprecated",),
        deprecated_since="2.0.0",
        replaced_by="`GETRANGE`",
        summary="Return some of a string's bytes, by their positions.",
        complexity="O(N) for N bytes that are returned.",
        arguments="key start:integer end:integer",
    ),
)
