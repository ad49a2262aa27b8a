"""Publish and subscribe.

The facts are those of Redis 8.10; `headwater.commands.grammar` explains `arguments`.
"""

from __future__ import annotations

from functools import partial

from headwater.commands.flags import DENYOOM, FAST, LOADING, MAY_WRITE, NOSCRIPT, PUBSUB, STALE
from headwater.commands.keyspecs import key_at, keys_from
from headwater.commands.spec.model import Spec

_spec = partial(Spec, group="pubsub")
_LISTENS = PUBSUB | NOSCRIPT | LOADING | STALE
_TELLS = PUBSUB | LOADING | STALE

PUBSUB_COMMANDS: tuple[Spec, ...] = (
    _spec(
        name="PSUBSCRIBE",
        arity=-2,
        flags=_LISTENS | DENYOOM,
        since="2.0.0",
        summary="Listen to all channels whose names match patterns.",
        complexity="O(N) for N patterns.",
        arguments="pattern:pattern...",
    ),
    _spec(
        name="PUBLISH",
        arity=3,
        flags=_TELLS | FAST | MAY_WRITE,
        since="2.0.0",
        summary="Send a message to a channel; returns how many clients receive it.",
        complexity="O(N+M) for N receivers and M patterns that anybody listens to.",
        arguments="channel message",
    ),
    _spec(
        name="PUBSUB",
        arity=-2,
        since="2.8.0",
        summary="Commands about channels and who listens.",
        complexity="Depends on the subcommand.",
    ),
    _spec(
        name="PUBSUB CHANNELS",
        arity=-2,
        flags=_TELLS,
        since="2.8.0",
        summary="List the channels that somebody listens to.",
        complexity="O(N) for N channels.",
        arguments="[pattern:pattern]",
    ),
    _spec(
        name="PUBSUB HELP",
        arity=2,
        flags=LOADING | STALE,
        since="6.2.0",
        summary="List the subcommands.",
        complexity="O(1)",
    ),
    _spec(
        name="PUBSUB NUMPAT",
        arity=2,
        flags=_TELLS,
        since="2.8.0",
        summary="Count the different patterns that somebody listens to.",
        complexity="O(1)",
    ),
    _spec(
        name="PUBSUB NUMSUB",
        arity=-2,
        flags=_TELLS,
        since="2.8.0",
        summary="Count the listeners of each channel, without those by pattern.",
        complexity="O(N) for N channels.",
        arguments="[channel...]",
    ),
    _spec(
        name="PUBSUB SHARDCHANNELS",
        arity=-2,
        flags=_TELLS,
        since="7.0.0",
        summary="List the shard channels that somebody listens to.",
        complexity="O(N) for N shard channels.",
        arguments="[pattern:pattern]",
    ),
    _spec(
        name="PUBSUB SHARDNUMSUB",
        arity=-2,
        flags=_TELLS,
        since="7.0.0",
        summary="Count the listeners of each shard channel.",
        complexity="O(N) for N shard channels.",
        arguments="[shardchannel...]",
    ),
    _spec(
        name="PUNSUBSCRIBE",
        arity=-1,
        flags=_LISTENS,
        since="2.0.0",
        summary="Stop listening by patterns, or by all of them.",
        complexity="O(N) for N patterns.",
        arguments="[pattern:pattern...]",
    ),
    _spec(
        name="SPUBLISH",
        arity=3,
        flags=_TELLS | FAST | MAY_WRITE,
        keys=(key_at(1, "not_key"),),
        since="7.0.0",
        summary="Send a message to a shard channel; returns how many clients receive it.",
        complexity="O(N) for N receivers.",
        arguments="shardchannel message",
    ),
    _spec(
        name="SSUBSCRIBE",
        arity=-2,
        flags=_LISTENS | DENYOOM,
        keys=(keys_from(1, "not_key"),),
        since="7.0.0",
        summary="Listen to shard channels.",
        complexity="O(N) for N shard channels.",
        arguments="shardchannel...",
    ),
    _spec(
        name="SUBSCRIBE",
        arity=-2,
        flags=_LISTENS | DENYOOM,
        since="2.0.0",
        summary="Listen to channels.",
        complexity="O(N) for N channels.",
        arguments="channel...",
    ),
    _spec(
        name="SUNSUBSCRIBE",
        arity=-1,
        flags=_LISTENS,
        keys=(keys_from(1, "not_key"),),
        since="7.0.0",
        summary="Stop listening to shard channels, or to all of them.",
        complexity="O(N) for N shard channels.",
        arguments="[shardchannel...]",
    ),
    _spec(
        name="UNSUBSCRIBE",
        arity=-1,
        flags=_LISTENS,
        since="2.0.0",
        summary="Stop listening to channels, or to all of them.",
        complexity="O(N) for N channels.",
        arguments="[channel...]",
    ),
)
