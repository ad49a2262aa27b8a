"""SUBSCRIBE and its kin, PUBLISH, PUBSUB.

Handlers are bound by a call: Cython drops a decorator from a function that the .pxd types.
"""

from __future__ import annotations

from headwater import errors
from headwater.commands.channels import CHANNEL, PATTERN, SHARD, Channels, Subscriptions
from headwater.commands.help import help_of
from headwater.commands.session import REPLY_ON, Session
from headwater.commands.table import command
from headwater.glob import matches
from headwater.resp.reply import Reply
from headwater.resp.request import Request

_CHANNEL, _PATTERN, _SHARD = CHANNEL, PATTERN, SHARD  # the same as C numbers

command("PUBSUB HELP")(help_of("PUBSUB"))


# --- messages ---


def publish(session: Session, request: Request, reply: Reply) -> None:
    """PUBLISH channel message: how many receive it."""
    channels: Channels = session.state.channels
    reply.integer(channels.publish(request.arg(1), request.arg(2)))


command("PUBLISH")(publish)


def spublish(session: Session, request: Request, reply: Reply) -> None:
    """SPUBLISH shardchannel message: how many receive it."""
    channels: Channels = session.state.channels
    reply.integer(channels.publish_shard(request.arg(1), request.arg(2)))


command("SPUBLISH")(spublish)


# --- who listens: one message for each name ---


def subscribe(session: Session, request: Request, reply: Reply) -> None:
    """SUBSCRIBE channel [channel ...]."""
    _subscribe(session, request, reply, _CHANNEL, b"subscribe")


command("SUBSCRIBE")(subscribe)


def psubscribe(session: Session, request: Request, reply: Reply) -> None:
    """PSUBSCRIBE pattern [pattern ...]."""
    _subscribe(session, request, reply, _PATTERN, b"psubscribe")


command("PSUBSCRIBE")(psubscribe)


def ssubscribe(session: Session, request: Request, reply: Reply) -> None:
    """SSUBSCRIBE shardchannel [shardchannel ...]; not inside of EXEC."""
    if session.deny_blocking:
        raise errors.SSUBSCRIBE_DENIED.error()
    _subscribe(session, request, reply, _SHARD, b"ssubscribe")


command("SSUBSCRIBE")(ssubscribe)


def unsubscribe(session: Session, request: Request, reply: Reply) -> None:
    """UNSUBSCRIBE [channel ...]: from all channels if none is named."""
    _unsubscribe(session, request, reply, _CHANNEL, b"unsubscribe")


command("UNSUBSCRIBE")(unsubscribe)


def punsubscribe(session: Session, request: Request, reply: Reply) -> None:
    """PUNSUBSCRIBE [pattern ...]: from all patterns if none is named."""
    _unsubscribe(session, request, reply, _PATTERN, b"punsubscribe")


command("PUNSUBSCRIBE")(punsubscribe)


def sunsubscribe(session: Session, request: Request, reply: Reply) -> None:
    """SUNSUBSCRIBE [shardchannel ...]: from all shard channels if none is named."""
    _unsubscribe(session, request, reply, _SHARD, b"sunsubscribe")


command("SUNSUBSCRIBE")(sunsubscribe)


def _subscribe(session: Session, request: Request, reply: Reply, kind: int, verb: bytes) -> None:
    channels: Channels = session.state.channels
    for i in range(1, request.argc):
        name = request.arg(i)
        count = channels.subscribe(session, kind, name)
        _confirm(session, session.subscriptions, reply, verb, name, count)


def _unsubscribe(session: Session, request: Request, reply: Reply, kind: int, verb: bytes) -> None:
    channels: Channels = session.state.channels
    names = request.words()[1:]
    mine = session.subscriptions
    if not names and mine is not None:
        names = list(mine.of(kind))
    if not names:
        _confirm(session, mine, reply, verb, None, 0 if mine is None else mine.count(kind))
    for name in names:
        count = channels.unsubscribe(session, kind, name)
        _confirm(session, mine, reply, verb, name, count)


def _confirm(
    session: Session,
    mine: Subscriptions | None,
    reply: Reply,
    verb: bytes,
    name: bytes | None,
    count: int,
) -> None:
    """One answer, a push as messages are; CLIENT REPLY does not silence it (as Redis)."""
    out = reply
    if session.reply_mode != REPLY_ON:
        out = Reply()
        out.resp3 = reply.resp3
    out.push(3)
    out.bulk(verb)
    if name is None:
        out.null()
    else:
        out.bulk(name)
    out.integer(count)
    if out is not reply:
        channels: Channels = session.state.channels
        for part in out.take_parts():
            assert isinstance(part, bytes)
            channels.owe(session, mine, part)


# --- PUBSUB ---


@command("PUBSUB CHANNELS")
def pubsub_channels(session: Session, request: Request, reply: Reply) -> None:
    """Names of channels that somebody listens to."""
    _list_names(session, request, reply, _CHANNEL)


@command("PUBSUB SHARDCHANNELS")
def pubsub_shardchannels(session: Session, request: Request, reply: Reply) -> None:
    """Names of shard channels that somebody listens to."""
    _list_names(session, request, reply, _SHARD)


def _list_names(session: Session, request: Request, reply: Reply, kind: int) -> None:
    if request.argc > 3:
        raise errors.SUBCOMMAND_ARGUMENTS.error(request.arg(1)[:128], "PUBSUB")
    found = list(session.state.channels.of(kind))
    if request.argc == 3:
        pattern = request.arg(2)
        found = [name for name in found if matches(pattern, name)]
    reply.array(len(found))
    for name in found:
        reply.bulk(name)


@command("PUBSUB NUMPAT")
def pubsub_numpat(session: Session, request: Request, reply: Reply) -> None:
    """How many different patterns are listened to."""
    reply.integer(len(session.state.channels.of(_PATTERN)))


@command("PUBSUB NUMSUB")
def pubsub_numsub(session: Session, request: Request, reply: Reply) -> None:
    """Each channel with how many listen to it."""
    _count_listeners(session, request, reply, _CHANNEL)


@command("PUBSUB SHARDNUMSUB")
def pubsub_shardnumsub(session: Session, request: Request, reply: Reply) -> None:
    """Each shard channel with how many listen to it."""
    _count_listeners(session, request, reply, _SHARD)


def _count_listeners(session: Session, request: Request, reply: Reply, kind: int) -> None:
    reply.array(2 * (request.argc - 2))
    for i in range(2, request.argc):
        name = request.arg(i)
        reply.bulk(name)
        reply.integer(session.state.channels.listeners(kind, name))
