"""Streams and consumer groups.

The facts are those of Redis 8.10; `headwater.commands.grammar` explains `arguments`.
"""

from __future__ import annotations

from functools import partial

from headwater.commands.flags import BLOCKING, DENYOOM, FAST, LOADING, READONLY, STALE, WRITE
from headwater.commands.keyfinders import cfgset_keys, stream_keys
from headwater.commands.keyspecs import key_after, key_at, keys_after
from headwater.commands.spec.model import Spec

_spec = partial(Spec, group="stream")

STREAMS: tuple[Spec, ...] = (
    _spec(
        name="XACK",
        arity=-4,
        flags=WRITE | FAST,
        categories=("stream",),
        keys=(key_at(1, "RW update"),),
        since="5.0.0",
        summary="Acknowledge entries: take them off a group's pending entries list.",
        complexity="O(1) for each ID.",
        arguments="key group id...",
    ),
    _spec(
        name="XACKDEL",
        arity=-6,
        flags=WRITE | FAST,
        categories=("stream",),
        keys=(key_at(1, "RW update delete"),),
        since="8.2.0",
        summary="Acknowledge entries and delete them from the stream.",
        complexity="O(1) for each ID.",
        arguments="key group [condition=<KEEPREF | DELREF | ACKED>] IDS ids=(numids:integer id...)",
    ),
    _spec(
        name="XADD",
        arity=-5,
        flags=WRITE | DENYOOM | FAST,
        categories=("stream",),
        keys=(key_at(1, "RW update"),),
        since="5.0.0",
        summary="Append an entry to a stream, creating the stream if needed.",
        complexity="O(1); with trimming, O(N) for N entries removed.",
        history=(
            ("6.2.0", "Options NOMKSTREAM, MINID and LIMIT."),
            ("7.0.0", "IDs of the form ms-*."),
            ("8.2.0", "Options KEEPREF, DELREF and ACKED."),
            ("8.6.0", "Options IDMP and IDMPAUTO."),
        ),
        tips=("nondeterministic_output",),
        arguments="""
            key [NOMKSTREAM@6.2.0] [condition=<KEEPREF | DELREF | ACKED>]
            [idmp=<IDMPAUTO pid"producer-id"
            | IDMP idmp=(pid"producer-id" iid"idempotent-id")>@8.6.0]
            [trim=(strategy=<MAXLEN | MINID@6.2.0> [operator=<equal='='
            | approximately='~'>] threshold [LIMIT count:integer@6.2.0])]
            id-selector=<auto-id='*' | id> data=(field value)...
        """,
    ),
    _spec(
        name="XAUTOCLAIM",
        arity=-6,
        flags=WRITE | FAST,
        categories=("stream",),
        keys=(key_at(1, "RW delete"),),
        since="6.2.0",
        summary="Make a consumer the owner of pending entries that have been idle long enough.",
        complexity="O(1) for a small COUNT.",
        history=(("7.0.0", "The reply lists the deleted entries that are no longer pending."),),
        tips=("nondeterministic_output",),
        arguments="key group consumer min-idle-time start [COUNT count:integer] [JUSTID]",
    ),
    _spec(
        name="XCFGSET",
        arity=-2,
        flags=WRITE | FAST,
        categories=("stream",),
        keys=(key_at(1, "RW update"),),
        since="8.6.0",
        summary="Set which entries a stream retains, and which idempotent IDs it remembers.",
        complexity="O(1)",
        arguments="""
            key [IDMP-DURATION idmp-duration:integer] [IDMP-MAXSIZE idmp-maxsize:integer]
            [RETAIN-MAXLEN retain-maxlen:integer] [RETAIN-MAXAGE retain-maxage-milliseconds:integer]
            [RETAIN-MAXBYTES retain-maxbytes:integer] [RETAIN-ACKED retain-acked=<yes | no>]
        """,
    ),
    _spec(
        name="XCLAIM",
        arity=-6,
        flags=WRITE | FAST,
        categories=("stream",),
        keys=(key_at(1, "RW update"),),
        since="5.0.0",
        summary="Make a consumer the owner of the given pending entries.",
        complexity="O(log N) for each ID, N being the group's pending entries.",
        tips=("nondeterministic_output",),
        arguments="""
            key group consumer min-idle-time id... [IDLE ms:integer]
            [TIME unix-time-milliseconds:unix-time] [RETRYCOUNT count:integer] [FORCE] [JUSTID]
            [LASTID lastid]
        """,
    ),
    _spec(
        name="XDEL",
        arity=-3,
        flags=WRITE | FAST,
        categories=("stream",),
        keys=(key_at(1, "RW delete"),),
        since="5.0.0",
        summary="Delete entries from a stream.",
        complexity="O(1) for each ID.",
        arguments="key id...",
    ),
    _spec(
        name="XDELEX",
        arity=-5,
        flags=WRITE | FAST,
        categories=("stream",),
        keys=(key_at(1, "RW delete"),),
        since="8.2.0",
        summary="Delete entries, with a choice of what happens to groups' references to them.",
        complexity="O(1) for each ID.",
        arguments="key [condition=<KEEPREF | DELREF | ACKED>] IDS ids=(numids:integer id...)",
    ),
    _spec(
        name="XGROUP",
        arity=-2,
        since="5.0.0",
        summary="Commands that manage consumer groups.",
        complexity="Depends on the subcommand.",
    ),
    _spec(
        name="XGROUP CFGGET",
        arity=4,
        flags=READONLY,
        categories=("stream",),
        keys=(key_at(2, "RO access"),),
        since="8.10.0",
        summary="Get a group's settings of how entries are delivered.",
        complexity="O(log N) for N entries.",
        arguments="key group",
    ),
    _spec(
        name="XGROUP CFGSET",
        arity=-4,
        flags=WRITE | DENYOOM,
        categories=("stream",),
        keys=(key_at(2, "RW update"), key_after("DEADLETTER", 4, "RW insert incomplete")),
        finder=cfgset_keys,
        since="8.10.0",
        summary="Set when a group's entries are delivered again, to whom, and when no more.",
        complexity="O(N) for N pending entries of the group.",
        arguments="""
            key group [ACKWAIT ackwait:integer] [BACKOFF backoff:integer...]
            [MAXDELIVERIES maxdeliveries:integer] [DEADLETTER deadletter:key]
            [MAXPENDING maxpending:integer] [GROUPMAXPENDING groupmaxpending:integer]
            [ORDERBY field] [LEASE lease=<TIME | CONNECTION>]
            [CONSUMERTTL consumerttl:integer] [GROUPTTL groupttl:integer]
        """,
    ),
    _spec(
        name="XGROUP CREATE",
        arity=-5,
        flags=WRITE | DENYOOM,
        categories=("stream",),
        keys=(key_at(2, "RW insert"),),
        since="5.0.0",
        summary="Create a consumer group.",
        complexity="O(1)",
        history=(("7.0.0", "Option ENTRIESREAD."),),
        arguments="""
            key group id-selector=<id | new-id='$'> [MKSTREAM]
            [ENTRIESREAD entriesread:integer"entries-read"]
        """,
    ),
    _spec(
        name="XGROUP CREATECONSUMER",
        arity=5,
        flags=WRITE | DENYOOM,
        categories=("stream",),
        keys=(key_at(2, "RW insert"),),
        since="6.2.0",
        summary="Create a consumer in a group.",
        complexity="O(1)",
        arguments="key group consumer",
    ),
    _spec(
        name="XGROUP DELCONSUMER",
        arity=5,
        flags=WRITE,
        categories=("stream",),
        keys=(key_at(2, "RW delete"),),
        since="5.0.0",
        summary="Delete a consumer from a group, with its pending entries.",
        complexity="O(N) for N pending entries of the consumer.",
        arguments="key group consumer",
    ),
    _spec(
        name="XGROUP DESTROY",
        arity=4,
        flags=WRITE,
        categories=("stream",),
        keys=(key_at(2, "RW delete"),),
        since="5.0.0",
        summary="Delete a consumer group.",
        complexity="O(N) for N pending entries of the group.",
        arguments="key group",
    ),
    _spec(
        name="XGROUP HELP",
        arity=2,
        flags=LOADING | STALE,
        categories=("stream",),
        since="5.0.0",
        summary="List the subcommands.",
        complexity="O(1)",
    ),
    _spec(
        name="XGROUP SETID",
        arity=-5,
        flags=WRITE,
        categories=("stream",),
        keys=(key_at(2, "RW update"),),
        since="5.0.0",
        summary="Set a group's last-delivered ID.",
        complexity="O(1)",
        history=(("7.0.0", "Option ENTRIESREAD."),),
        arguments="""
            key group id-selector=<id | new-id='$'>
            [ENTRIESREAD entriesread:integer"entries-read"]
        """,
    ),
    _spec(
        name="XIDMPRECORD",
        arity=5,
        flags=WRITE | DENYOOM | FAST,
        categories=("stream",),
        keys=(key_at(1, "RW update"),),
        since="8.6.2",
        summary="Record which entry an idempotent ID of a producer stands for.",
        complexity="O(1)",
        arguments="key pid iid stream-id",
    ),
    _spec(
        name="XINFO",
        arity=-2,
        since="5.0.0",
        summary="Commands that describe streams, groups and consumers.",
        complexity="Depends on the subcommand.",
    ),
    _spec(
        name="XINFO CONSUMERS",
        arity=4,
        flags=READONLY,
        categories=("stream",),
        keys=(key_at(2, "RO access"),),
        since="5.0.0",
        summary="List a group's consumers.",
        complexity="O(N) for N consumers.",
        history=(("7.2.0", "Field inactive; idle counts from the last attempt to read."),),
        tips=("nondeterministic_output",),
        arguments="key group",
    ),
    _spec(
        name="XINFO GROUPS",
        arity=3,
        flags=READONLY,
        categories=("stream",),
        keys=(key_at(2, "RO access"),),
        since="5.0.0",
        summary="List a stream's consumer groups.",
        complexity="O(N) for N groups.",
        history=(("7.0.0", "Fields entries-read and lag."),),
        arguments="key",
    ),
    _spec(
        name="XINFO HELP",
        arity=2,
        flags=LOADING | STALE,
        categories=("stream",),
        since="5.0.0",
        summary="List the subcommands.",
        complexity="O(1)",
    ),
    _spec(
        name="XINFO STREAM",
        arity=-3,
        flags=READONLY,
        categories=("stream",),
        keys=(key_at(2, "RO access"),),
        since="5.0.0",
        summary="Describe a stream.",
        complexity="O(1); with FULL, O(N) for N entries shown.",
        history=(
            ("6.0.0", "Option FULL."),
            ("7.0.0", "Fields about counts (entries-added, lag, ...) and deleted entries."),
            ("7.2.0", "Field active-time; seen-time is the last attempt to read."),
        ),
        arguments="key [full-block=(FULL [COUNT count:integer])]",
    ),
    _spec(
        name="XLEN",
        arity=2,
        flags=READONLY | FAST,
        categories=("stream",),
        keys=(key_at(1, "RO"),),
        since="5.0.0",
        summary="Return the number of entries in a stream.",
        complexity="O(1)",
        arguments="key",
    ),
    _spec(
        name="XNACK",
        arity=-7,
        flags=WRITE | FAST,
        categories=("stream",),
        keys=(key_at(1, "RW update"),),
        since="8.8.0",
        summary="Give pending entries back to their group, to be delivered again.",
        complexity="O(1) for each ID.",
        arguments="""
            key group mode=<SILENT | FAIL | FATAL> IDS ids=(numids:integer id...)
            [RETRYCOUNT count:integer] [FORCE]
        """,
    ),
    _spec(
        name="XPENDING",
        arity=-3,
        flags=READONLY,
        categories=("stream",),
        keys=(key_at(1, "RO access"),),
        since="5.0.0",
        summary="Show a group's pending entries: a summary, or the entries in a range.",
        complexity="O(N) for N entries looked at; the summary is O(M) for M consumers.",
        history=(("6.2.0", "Option IDLE and exclusive bounds."),),
        tips=("nondeterministic_output",),
        arguments="""
            key group
            [filters=([IDLE min-idle-time:integer@6.2.0] start end count:integer [consumer])]
        """,
    ),
    _spec(
        name="XRANGE",
        arity=-4,
        flags=READONLY,
        categories=("stream",),
        keys=(key_at(1, "RO access"),),
        since="5.0.0",
        summary="Return the entries between two IDs.",
        complexity="O(log M + N) for N entries returned out of M.",
        history=(("6.2.0", "Exclusive bounds."),),
        arguments="key start end [COUNT count:integer]",
    ),
    _spec(
        name="XREAD",
        arity=-4,
        flags=BLOCKING | READONLY,
        categories=("stream",),
        keys=(keys_after("STREAMS", 1, "RO access incomplete", limit=2),),
        finder=stream_keys,
        since="5.0.0",
        summary="Return the entries after an ID, from one or more streams; wait if asked to.",
        complexity="O(N) for N entries returned, from each stream.",
        history=(("8.10.0", "Options MAXCOUNT and MAXSIZE."),),
        arguments="""
            [COUNT count:integer] [MAXCOUNT maxcount:integer@8.10.0]
            [MAXSIZE maxsize:integer@8.10.0] [BLOCK milliseconds:integer]
            STREAMS streams=(key... id...)
        """,
    ),
    _spec(
        name="XREADGROUP",
        arity=-7,
        flags=BLOCKING | WRITE,
        categories=("stream",),
        keys=(keys_after("STREAMS", 4, "RO access incomplete", limit=2),),
        finder=stream_keys,
        since="5.0.0",
        summary="Deliver new entries to a consumer, or return its pending ones; wait if asked.",
        complexity="O(N) for N entries returned, from each stream.",
        history=(
            ("8.4.0", "Option CLAIM."),
            ("8.10.0", "Options MAXCOUNT and MAXSIZE."),
        ),
        arguments="""
            GROUP group-block=(group consumer) [COUNT count:integer]
            [MAXCOUNT maxcount:integer@8.10.0] [MAXSIZE maxsize:integer@8.10.0]
            [BLOCK milliseconds:integer] [CLAIM min-idle-time:integer@8.4.0] [NOACK]
            STREAMS streams=(key... id...)
        """,
    ),
    _spec(
        name="XREVRANGE",
        arity=-4,
        flags=READONLY,
        categories=("stream",),
        keys=(key_at(1, "RO access"),),
        since="5.0.0",
        summary="Return the entries between two IDs, newest first.",
        complexity="O(log M + N) for N entries returned out of M.",
        history=(("6.2.0", "Exclusive bounds."),),
        arguments="key end start [COUNT count:integer]",
    ),
    _spec(
        name="XSETID",
        arity=-3,
        flags=WRITE | DENYOOM | FAST,
        categories=("stream",),
        keys=(key_at(1, "RW update"),),
        since="5.0.0",
        summary="Set a stream's last ID.",
        complexity="O(1)",
        history=(("7.0.0", "Options ENTRIESADDED and MAXDELETEDID."),),
        arguments="""
            key last-id [ENTRIESADDED entries-added:integer@7.0.0]
            [MAXDELETEDID max-deleted-id@7.0.0]
        """,
    ),
    _spec(
        name="XTRIM",
        arity=-4,
        flags=WRITE,
        categories=("stream",),
        keys=(key_at(1, "RW delete"),),
        since="5.0.0",
        summary="Remove the oldest entries of a stream.",
        complexity="O(N) for N entries removed; whole blocks go at once.",
        history=(
            ("6.2.0", "Options MINID and LIMIT."),
            ("8.2.0", "Options KEEPREF, DELREF and ACKED."),
        ),
        tips=("nondeterministic_output",),
        arguments="""
            key
            trim=(strategy=<MAXLEN | MINID@6.2.0> [operator=<equal='='
            | approximately='~'>] threshold [LIMIT count:integer@6.2.0] [condition=<KEEPREF
            | DELREF | ACKED>])
        """,
    ),
)
