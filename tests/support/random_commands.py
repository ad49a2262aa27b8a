"""Random commands for Hypothesis: few keys, groups and IDs, so that they meet each other.

`@n` in a command stands for the ID of some entry that is there or pending: `with_ids` puts it in.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from headwater.keyspace.database import Database, Keyspace
from headwater.streams.stream import Stream

from .journal import delivery_order
from .wire import Word

DATABASES = 3
NODE_LIMITS = [(100, 4096), (10, 4096), (3, 4096), (100, 200), (1, 0), (0, 300), (7, 90), (0, 0)]
LONG_MS = 1000

Command = tuple[Word, ...]

keys = st.sampled_from(["s1", "s1", "s1", "s1", "s1", "s2", "s2", "t"])
groups = st.sampled_from(["g1", "g1", "g2"])
consumers = st.sampled_from(["ann", "bob", ""])
numbers = st.integers(1, 30)
# `@n` becomes the ID of some entry that is there or pending.
picked_ids = st.builds("@{}".format, st.integers(0, 40))
explicit_ids = st.one_of(
    *(picked_ids, picked_ids, picked_ids),
    st.builds("{}-0".format, numbers),
    st.builds("{}-{}".format, numbers, st.integers(0, 3)),
    st.sampled_from(["0-0", "7"]),
)
id_lists = st.lists(explicit_ids, min_size=1, max_size=8)
references = st.sampled_from([(), (), ("KEEPREF",), ("DELREF",), ("DELREF",), ("ACKED",)])
texts = st.sampled_from(["", "v", "17", "-5", "w" * 70, "x" * 300, "\r\n$1\r\n"])
times = st.sampled_from([-1, 0, 1, 50, LONG_MS, 10 * LONG_MS])
trims = st.one_of(
    st.tuples(st.sampled_from(["MAXLEN"]), st.sampled_from(["=", "~"]), st.integers(0, 12)),
    st.tuples(st.sampled_from(["MINID"]), st.sampled_from(["=", "~"]), explicit_ids),
    st.tuples(st.just("MAXLEN"), st.just("~"), st.integers(0, 5), st.just("LIMIT"), st.just(4)),
)
pairs = st.lists(
    st.tuples(st.sampled_from(["f", "g", "long-name-of-a-field"]), texts), min_size=1, max_size=3
)


def options(*some: Command) -> st.SearchStrategy[Command]:
    return st.lists(st.sampled_from(some), max_size=2).map(lambda found: sum(found, ()))


def flat(*parts: Any) -> Command:
    words: list[Word] = []
    for part in parts:
        if isinstance(part, (tuple, list)):
            words.extend(flat(*part))
        else:
            words.append(part)
    return tuple(words)


def build(*parts: Any) -> st.SearchStrategy[Command]:
    """A command of words and of strategies for words, tuples and lists of words."""
    made = [part if isinstance(part, st.SearchStrategy) else st.just(part) for part in parts]
    return st.builds(flat, *made)


def counted(some: st.SearchStrategy[list[str]]) -> st.SearchStrategy[Command]:
    return some.map(lambda found: ("IDS", len(found), *found))


adding = st.one_of(
    build("XADD", keys, "*", pairs),
    build("XADD", keys, numbers.map("{}-1".format), pairs),
    build("XADD", keys, numbers.map("{}-*".format), pairs),
    build("XADD", keys, trims, "*", pairs),
    build("XADD", keys, references, trims, numbers.map("{}-*".format), pairs),
    build("XADD", keys, "IDMP", st.sampled_from("pq"), st.sampled_from("abcde"), "*", pairs),
    build("XADD", keys, "IDMPAUTO", "p", trims, "*", pairs),
)
removing = st.one_of(
    build("XDEL", keys, id_lists),
    build("XDELEX", keys, references, counted(id_lists)),
    build("XTRIM", keys, trims),
    build("XTRIM", keys, trims, references),
)
of_groups = st.one_of(
    build("XGROUP", "CREATE", keys, groups, explicit_ids, options(("MKSTREAM",))),
    build("XGROUP", "CREATE", keys, groups, "$", "ENTRIESREAD", st.integers(-1, 9)),
    build("XGROUP", "CREATE", keys, groups, "0", "MKSTREAM"),
    build("XGROUP", "SETID", keys, groups, explicit_ids, options(("ENTRIESREAD", 3))),
    build("XGROUP", "DESTROY", keys, groups),
    build("XGROUP", "CREATECONSUMER", keys, groups, consumers),
    build("XGROUP", "DELCONSUMER", keys, groups, consumers),
)
counts = options(("COUNT", 1), ("COUNT", 3), ("COUNT", 100))
reading = st.one_of(
    build("XREADGROUP", "GROUP", groups, consumers, counts, "STREAMS", keys, ">"),
    build("XREADGROUP", "GROUP", groups, consumers, "NOACK", counts, "STREAMS", keys, ">"),
    build("XREADGROUP", "GROUP", groups, consumers, counts, "STREAMS", keys, explicit_ids),
    build("XREADGROUP", "GROUP", groups, consumers, counts, "STREAMS", "s1", "s2", ">", ">"),
    build("XREADGROUP", "GROUP", groups, consumers, counts, "STREAMS", "s1", "s2", "0", ">"),
    build(
        *("XREADGROUP", "GROUP", groups, consumers, "CLAIM", times, counts),
        *(options(("NOACK",), ("MAXSIZE", 90), ("MAXCOUNT", 4)), "STREAMS", keys, ">"),
    ),
)
pending = st.one_of(
    build("XACK", keys, groups, id_lists),
    build("XACKDEL", keys, groups, references, counted(id_lists)),
    build(
        *("XNACK", keys, groups, st.sampled_from(["SILENT", "FAIL", "FATAL"])),
        *(counted(id_lists), options(("FORCE",), ("RETRYCOUNT", 5))),
    ),
    build(
        *("XCLAIM", keys, groups, consumers, times, id_lists),
        options(
            *(("FORCE",), ("JUSTID",), ("IDLE", 700), ("IDLE", 0), ("TIME", 1_000)),
            *(("RETRYCOUNT", 4), ("LASTID", "9-0")),
        ),
    ),
    build("XAUTOCLAIM", keys, groups, consumers, times, explicit_ids, counts, options(("JUSTID",))),
)
of_streams = st.one_of(
    build("XSETID", keys, explicit_ids, options(("ENTRIESADDED", 40), ("MAXDELETEDID", "2-1"))),
    build(
        "XSETID",
        keys,
        "9999999999999-0",
        options(
            ("ENTRIESADDED", 4),
        ),
    ),
    build("XCFGSET", keys, "IDMP-DURATION", st.integers(1, 3)),
    build("XCFGSET", keys, "IDMP-MAXSIZE", st.integers(1, 3)),
    build("XIDMPRECORD", keys, st.sampled_from("pq"), st.sampled_from("abcde"), explicit_ids),
    build("XINFO", "STREAM", keys),
)
of_keys = st.one_of(
    build("SET", keys, texts, options(("PX", 500), ("KEEPTTL",), ("PXAT", 1))),
    build("DEL", keys, keys),
    build("GET", keys),
    build(st.sampled_from(["APPEND", "GETSET", "SETNX"]), keys, texts),
    build("SETRANGE", keys, st.sampled_from([0, 1, 5]), texts),
    build(st.sampled_from(["INCR", "DECR", "GETDEL"]), keys),
    build("INCRBYFLOAT", keys, st.sampled_from(["0.1", "1e5"])),
    build("INCREX", keys, "BYINT", 3, options(("EX", 1), ("PERSIST",), ("UBOUND", 7))),
    build("GETEX", keys, options(("PX", 500), ("PERSIST",), ("PXAT", 1))),
    build(st.sampled_from(["MSET", "MSETNX"]), keys, texts, keys, texts),
    build("MSETEX", 2, keys, texts, keys, texts, options(("EX", 1), ("XX",), ("KEEPTTL",))),
    build("DELEX", keys, "IFNE", texts),
    build(st.sampled_from(["EXPIRE", "PEXPIRE"]), keys, st.sampled_from([-1, 1, 2, 500])),
    build("PERSIST", keys),
    build("RENAME", keys, keys),
    build("RENAMENX", keys, keys),
    build("COPY", keys, keys, options(("REPLACE",), ("DB", 1))),
    build("MOVE", keys, st.integers(0, DATABASES - 1)),
    build("SWAPDB", st.integers(0, 1), st.integers(0, DATABASES - 1)),
    build("SELECT", st.sampled_from([0, 0, 0, 1])),
    build("RANDOMKEY"),
)
lists = st.sampled_from(["l1", "l1", "l1", "l2", "t"])
items = st.one_of(texts, st.sampled_from(["y" * 5000, "z" * 9000]))
ends = st.sampled_from(["LEFT", "RIGHT"])
indexes = st.sampled_from([0, 1, 3, -1, -2])
of_lists = st.one_of(
    build("LPUSH", lists, st.lists(items, min_size=1, max_size=6)),
    build(st.sampled_from(["RPUSH", "RPUSHX"]), lists, st.lists(items, min_size=1, max_size=6)),
    build(st.sampled_from(["LPOP", "RPOP"]), lists, st.sampled_from([(), (2,), (9,)])),
    build("LMPOP", 2, lists, lists, ends, options(("COUNT", 2))),
    build("LMOVE", lists, lists, ends, ends),
    build("RPOPLPUSH", lists, lists),
    build("LSET", lists, indexes, items),
    build("LINSERT", lists, st.sampled_from(["BEFORE", "AFTER"]), texts, items),
    build("LREM", lists, st.sampled_from([0, 1, -1, 2]), texts),
    build("LTRIM", lists, indexes, indexes),
    build(st.sampled_from(["RENAME", "COPY"]), lists, lists),
    build("DEL", lists),
    build("CONFIG", "SET", "list-max-listpack-size", st.sampled_from([-2, -1, 1, 4, 4])),
)
flushes = st.one_of(build("FLUSHDB"), build("FLUSHALL"))
commands = st.one_of(
    *(adding, adding, removing, of_groups, reading, reading, pending, pending, pending),
    *(of_streams, of_keys, of_lists, of_lists),
)


def with_ids(words: Command, keyspace: Keyspace, database: Database) -> Command:
    """The same with IDs for `@n`; `database` is the one that the command will run in."""
    if not any(isinstance(word, str) and word.startswith("@") for word in words):
        return words
    known = _pending_ids(words, database) or _known_ids(keyspace)
    return tuple(
        known[int(word[1:]) % len(known)] if isinstance(word, str) and word[:1] == "@" else word
        for word in words
    )


def _known_ids(keyspace: Keyspace) -> list[str]:
    """Of entries that are there or pending in the streams of the first database."""
    found = []
    for key in (b"s1", b"s2", b"t"):
        stream = keyspace.databases[0].values.get(key)
        if not isinstance(stream, Stream):
            continue
        for block in stream.blocks[stream.head :]:
            found += [block.entry_id(slot) for slot in range(block.first, block.slots)][:9]
        for group in (stream.groups or {}).values():
            found += [(ms, seq) for ms, seq, _, _ in delivery_order(group)]
    return [f"{ms}-{seq}" for ms, seq in found] or ["1-1"]


def _pending_ids(words: Command, database: Database) -> list[str]:
    """Of what is pending in the group that a command is about."""
    if words[0] not in ("XACK", "XACKDEL", "XNACK", "XCLAIM", "XAUTOCLAIM"):
        return []
    stream = database.values.get(str(words[1]).encode())
    group = None
    if isinstance(stream, Stream):
        group = (stream.groups or {}).get(str(words[2]).encode())
    if group is None:
        return []
    return [f"{ms}-{seq}" for ms, seq, _, _ in delivery_order(group)]
