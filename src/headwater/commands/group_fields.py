"""What there is to know of a group beside Redis's own fields: backlog, oldest entry, settings.

XGROUP CFGGET and XINFO GROUPS say the same with the same words. Who is told by XINFO GROUPS is a
matter of the client: some libraries take a field that they do not know for an error.
"""

from __future__ import annotations

from headwater.commands.session import Session
from headwater.resp.reply import Reply
from headwater.streams.group import Group
from headwater.streams.lag import backlog_of
from headwater.streams.settings import LEASE_CONNECTION, GroupSettings
from headwater.streams.stream import Stream

SETTINGS_FIELDS = 10
"""Fields that `write_settings` writes."""

BACKLOG_FIELDS = 2
"""Fields that `write_backlog` writes."""

_ALL_OFF = GroupSettings()


def write_settings(key: bytes, group: Group, reply: Reply) -> None:
    """The settings of a group, names and values; 0, an empty array or text for what is off."""
    settings = _ALL_OFF if group.redelivery is None else group.redelivery.settings
    reply.bulk(b"ackwait")
    reply.integer(settings.ackwait_ms)
    reply.bulk(b"backoff")
    reply.array(len(settings.backoff_ms))
    for wait_ms in settings.backoff_ms:
        reply.integer(wait_ms)
    reply.bulk(b"maxdeliveries")
    reply.integer(settings.max_deliveries)
    reply.bulk(b"deadletter")
    reply.bulk(settings.dead_letter or key + b":dead-letter")
    reply.bulk(b"maxpending")
    reply.integer(settings.max_pending)
    reply.bulk(b"groupmaxpending")
    reply.integer(settings.group_max_pending)
    reply.bulk(b"orderby")
    reply.bulk(settings.order_by)
    reply.bulk(b"lease")
    reply.bulk(b"connection" if settings.lease == LEASE_CONNECTION else b"time")
    reply.bulk(b"consumerttl")
    reply.integer(settings.consumer_ttl_ms)
    reply.bulk(b"groupttl")
    reply.integer(settings.group_ttl_ms)


def write_backlog(stream: Stream, group: Group, now_ms: int, reply: Reply) -> None:
    """How much the group has not been given, and how long it holds what it has longest."""
    reply.bulk(b"backlog")
    reply.integer(backlog_of(stream, group))
    reply.bulk(b"oldest-pending-ms")
    reply.integer(oldest_pending_ms(group, now_ms))


def oldest_pending_ms(group: Group, now_ms: int) -> int:
    """Time since the last delivery of the entry that is with its consumer longest; 0: none is."""
    pending = group.pending
    if pending.count == pending.nacked:
        return 0
    nacked = pending.newest_nacked
    handle = pending.records.behind(nacked) if nacked else pending.oldest
    return max(0, now_ms - pending.records.time(handle))


def shows_more(session: Session, stream: Stream) -> bool:
    """Whether XINFO GROUPS has more than Redis's fields for this client and this stream."""
    fields = session.state.config.get_text("xinfo-groups-fields")
    if fields != "auto":
        return fields == "all"
    library = session.library_name
    if library:
        return not _refuses(library)
    return stream.has_settings()


REFUSING = (b"go-redis",)
"""How the names begin that libraries with an error for unknown fields give themselves."""


def _refuses(library: bytes) -> bool:
    return library.lower().startswith(REFUSING)
