"""Random commands about what Redis does not have: settings, schedules, schemas, resets, redriving.

They are made of the same few keys, groups and IDs as those of random_commands.py.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from .embedded import NOW_MS
from .random_commands import Command, build, explicit_ids, flat, groups, keys

SCHEMAS = [
    '{"type":"object","properties":{"g":{"type":"integer"}}}',
    '{"type":"object","properties":{"g":{"type":"integer","minimum":-9}}}',
    '{"type":"object","properties":{"f":{"type":"string","maxLength":100}}}',
    "{}",
]

_GROUP_OPTIONS: list[list[Any]] = [
    [("ACKWAIT", 0), ("ACKWAIT", 300), ("ACKWAIT", 1000), ("ACKWAIT", 2**53 - 1)],
    [("BACKOFF", 0), ("BACKOFF", 400), ("BACKOFF", 200, 900, 50)],
    [("MAXDELIVERIES", 0), ("MAXDELIVERIES", 1), ("MAXDELIVERIES", 3)],
    [("DEADLETTER", ""), ("DEADLETTER", "t"), ("DEADLETTER", "s2"), ("DEADLETTER", "d")],
    [("MAXPENDING", 0), ("MAXPENDING", 2), ("GROUPMAXPENDING", 5), ("GROUPMAXPENDING", 0)],
    [("ORDERBY", ""), ("ORDERBY", "g"), ("ORDERBY", "f"), ("ORDERBY", "nobody-has-it")],
    [("LEASE", "time"), ("LEASE", "connection")],
    [("CONSUMERTTL", 0), ("CONSUMERTTL", 700), ("GROUPTTL", 0), ("GROUPTTL", 2500)],
]

group_options = st.lists(
    st.one_of(*map(st.sampled_from, _GROUP_OPTIONS)), min_size=1, max_size=5
).map(lambda found: flat(*found))

positions = st.one_of(
    explicit_ids,
    *map(st.just, (("$",), ("0",), ("TIME", NOW_MS + 500), ("AGO", 800), "2023-11-14T22:13:21Z")),
)

of_settings: st.SearchStrategy[Command] = st.one_of(
    build("XGROUP", "CFGSET", keys, groups, group_options),
    build("XGROUP", "CFGSET", keys, groups, group_options),
    build("XGROUP", "CFGSET", "s1", "g1", "ACKWAIT", 300, group_options),
    build("XGROUP", "CFGGET", keys, groups),
    build(
        *("XGROUP", "RESET", keys, groups, positions),
        st.sampled_from([(), ("PENDING", "DROP"), ("PENDING", "KEEP"), ("DRYRUN",)]),
    ),
)
of_retention: st.SearchStrategy[Command] = st.one_of(
    build("XCFGSET", keys, "RETAIN-MAXLEN", st.sampled_from([0, 1, 5, 20])),
    build("XCFGSET", keys, "RETAIN-MAXAGE", st.sampled_from([0, 1, 900, 5000])),
    build("XCFGSET", keys, "RETAIN-MAXBYTES", st.sampled_from([0, 100, 2000])),
    build("XCFGSET", keys, "RETAIN-ACKED", st.sampled_from(["yes", "no"])),
    build("XCFGGET", keys),
)
of_schedules: st.SearchStrategy[Command] = st.one_of(
    build(
        *("XSCHEDULE", "ADD", keys, "IN", st.sampled_from([1, 100, 800, 3000, 10**9])),
        *(st.sampled_from([(), (), ("EVERY", 300)]), "f", "later", "g", st.integers(0, 3)),
    ),
    build("XSCHEDULE", "ADD", keys, "AT", st.sampled_from([0, NOW_MS, NOW_MS + 700]), "f", "at"),
    build("XSCHEDULE", "CANCEL", keys, st.integers(1, 8)),
    build("XSCHEDULE", "LIST", keys),
)
of_schemas: st.SearchStrategy[Command] = st.one_of(
    build("XSCHEMA", "SET", keys, st.sampled_from(SCHEMAS)),
    build(
        *("XSCHEMA", "SET", keys, st.sampled_from(SCHEMAS), "COMPAT"),
        st.sampled_from(["none", "backward", "forward", "full"]),
    ),
    build("XSCHEMA", "GET", keys),
    build("XSCHEMA", "LIST", keys),
    build("XSCHEMA", "CHECK", keys, st.sampled_from(SCHEMAS)),
    build("XSCHEMA", "DEL", keys),
    build("XADD", keys, "*", "g", st.sampled_from(["7", "no number"])),
)
redriving: st.SearchStrategy[Command] = st.one_of(
    build("XREDRIVE", st.sampled_from(["d", "t", "s2", "s1:dead-letter"])),
    build("XREDRIVE", st.sampled_from(["d", "s1:dead-letter"]), "TO", keys, "COUNT", 2),
    build("XREDRIVE", "s1:dead-letter", "IDS", 1, explicit_ids),
)
managed = st.one_of(
    *(of_settings, of_settings, of_settings, of_retention, of_schedules, of_schedules),
    *(of_schemas, redriving),
)

PROBES: list[Command] = [
    *(("XGROUP", "CFGGET", key, name) for key in ("s1", "s2", "t") for name in ("g1", "g2")),
    *(("XCFGGET", key) for key in ("s1", "s2", "t")),
    *(("XSCHEDULE", "LIST", key) for key in ("s1", "s2", "t")),
    *(("XSCHEMA", "LIST", key) for key in ("s1", "s2", "t")),
    *(("XRANGE", key, "-", "+") for key in ("s1", "s2", "t", "d", "s1:dead-letter")),
    *(("XPENDING", key, name, "-", "+", 999) for key in ("s1", "s2") for name in ("g1", "g2")),
]
"""Commands that change nothing and tell what there is."""
