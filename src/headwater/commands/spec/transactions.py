"""Transactions.

The facts are those of Redis 8.10; `headwater.commands.grammar` explains `arguments`.
"""

from __future__ import annotations

from functools import partial

from headwater.commands.flags import (
    ALLOW_BUSY,
    FAST,
    IMMEDIATE,
    LOADING,
    NOSCRIPT,
    SKIP_SLOWLOG,
    STALE,
)
from headwater.commands.keyspecs import keys_from
from headwater.commands.spec.model import Spec

_spec = partial(Spec, group="transactions")

TRANSACTIONS: tuple[Spec, ...] = (
    _spec(
        name="DISCARD",
        arity=1,
        flags=IMMEDIATE | NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY,
        categories=("transaction",),
        since="2.0.0",
        summary="Leave the transaction without running its commands.",
        complexity="O(N) for N queued commands.",
    ),
    _spec(
        name="EXEC",
        arity=1,
        flags=IMMEDIATE | NOSCRIPT | LOADING | STALE | SKIP_SLOWLOG,
        categories=("transaction",),
        since="1.2.0",
        summary="Run the queued commands, unless a watched key has changed.",
        complexity="Depends on the queued commands.",
    ),
    _spec(
        name="MULTI",
        arity=1,
        flags=IMMEDIATE | NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY,
        categories=("transaction",),
        since="1.2.0",
        summary="Begin a transaction: queue what follows until EXEC.",
        complexity="O(1)",
    ),
    _spec(
        name="UNWATCH",
        arity=1,
        flags=NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY,
        categories=("transaction",),
        since="2.2.0",
        summary="Forget the watched keys.",
        complexity="O(1)",
    ),
    _spec(
        name="WATCH",
        arity=-2,
        flags=IMMEDIATE | NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY,
        categories=("transaction",),
        keys=(keys_from(1, "RO"),),
        since="2.2.0",
        summary="Watch keys: EXEC does nothing if one of them changes before it.",
        complexity="O(1) for each key.",
        arguments="key...",
    ),
)
