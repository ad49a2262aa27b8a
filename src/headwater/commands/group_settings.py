"""XGROUP CFGSET and CFGGET: what a group is told about its deliveries (streams/settings.py)."""

from __future__ import annotations

from headwater import errors
from headwater.commands import leases, lifetimes
from headwater.commands.group_fields import (
    BACKLOG_FIELDS,
    SETTINGS_FIELDS,
    write_backlog,
    write_settings,
)
from headwater.commands.groups import group_of, group_of_xgroup, stream_of_xgroup
from headwater.commands.session import Session
from headwater.commands.streams import stream_to_read
from headwater.commands.table import command
from headwater.keyspace.notifications import STREAM
from headwater.resp.reply import Reply
from headwater.resp.request import Request
from headwater.streams import ordering
from headwater.streams.group import Group
from headwater.streams.settings import (
    LEASE_CONNECTION,
    LEASE_TIME,
    MAX_BACKOFF_STEPS,
    MAX_MS,
    GroupSettings,
)

ALL_OFF = GroupSettings()

_NUMBERS = {
    b"ACKWAIT": "ackwait_ms",
    b"MAXDELIVERIES": "max_deliveries",
    b"MAXPENDING": "max_pending",
    b"GROUPMAXPENDING": "group_max_pending",
    b"CONSUMERTTL": "consumer_ttl_ms",
    b"GROUPTTL": "group_ttl_ms",
}
"""The options with one number, and the settings they set."""

_OPTIONS = frozenset((*_NUMBERS, b"BACKOFF", b"DEADLETTER", b"ORDERBY", b"LEASE"))

_LEASES = {b"TIME": LEASE_TIME, b"CONNECTION": LEASE_CONNECTION}


def settings_of(group: Group) -> GroupSettings:
    """A group's settings, also those of one that has none."""
    return ALL_OFF if group.redelivery is None else group.redelivery.settings


@command("XGROUP CFGSET")
def xgroup_cfgset(session: Session, request: Request, reply: Reply) -> None:
    """XGROUP CFGSET key group option value ...: the options not given stay as they are."""
    if request.argc == 4:
        raise errors.XCFGSET_NOTHING.error()
    key = request.arg(2)
    stream = stream_of_xgroup(session, request)
    group = group_of_xgroup(stream, request)
    before = settings_of(group)
    settings = _changed(session, before, request)
    if settings.encode() != before.encode():
        state = session.state
        database = session.database
        ordering.configure(stream, group, None if settings.is_off() else settings)
        state.recorder.configure_group(database.index, key, group)
        lifetimes.begin(state, database, key, group, before)
        # The stream has a plan from now on, which leases need.
        database.keyspace.calendar.manage(database, key, stream)
        if settings.lease != before.lease:
            leases.adopt(state, stream, group)
        database.keyspace.dirty += 1
        database.notify(STREAM, b"xgroup-cfgset", key)
        if database.waiting:
            database.signal_ready(key)
    reply.ok()


@command("XGROUP CFGGET")
def xgroup_cfgget(session: Session, request: Request, reply: Reply) -> None:
    """XGROUP CFGGET key group: a map of all settings, also of those that are off."""
    key = request.arg(2)
    stream = stream_to_read(session.database, key)
    if stream is None:
        raise errors.XGROUP_NEEDS_KEY.error()
    group = group_of(stream, request.arg(3))
    if group is None:
        raise errors.NO_GROUP_FOR_KEY.error(request.arg(3), key)
    reply.map(SETTINGS_FIELDS + BACKLOG_FIELDS)
    write_settings(key, group, reply)
    write_backlog(stream, group, session.state.clock.now_ms, reply)


def _changed(session: Session, settings: GroupSettings, request: Request) -> GroupSettings:
    """The settings with what the request says from argument 4 on; raises what is wrong with it."""
    values = {name: getattr(settings, name) for name in GroupSettings.__slots__}
    i = 4
    while i < request.argc:
        option = request.arg(i).upper()
        i += 1
        if option not in _OPTIONS:
            raise errors.CFGSET_OPTION.error(option[:128])
        if i == request.argc:
            raise errors.CFGSET_NO_VALUE.error(option[:128])
        if option in _NUMBERS:
            values[_NUMBERS[option]] = _number(request, i, option)
            i += 1
        elif option == b"BACKOFF":
            values["backoff_ms"], i = _backoff(request, i)
        elif option == b"DEADLETTER":
            dead_letter = request.arg(i)
            if dead_letter == request.arg(2):
                raise errors.CFGSET_OWN_DEAD_LETTER.error()
            if dead_letter:
                stream_to_read(session.database, dead_letter)  # or WRONGTYPE
            values["dead_letter"] = dead_letter
            i += 1
        elif option == b"ORDERBY":
            values["order_by"] = request.arg(i)
            i += 1
        else:
            lease = request.arg(i).upper()
            if lease not in _LEASES:
                raise errors.CFGSET_LEASE.error()
            values["lease"] = _LEASES[lease]
            i += 1
    return GroupSettings(**values)


def _backoff(request: Request, i: int) -> tuple[tuple[int, ...], int]:
    """The values of BACKOFF from argument `i` on, and where they end; a lone 0 is off."""
    waits_ms = [_number(request, i, b"BACKOFF")]
    i += 1
    while i < request.argc and not _is_option(request.arg(i).upper()):
        waits_ms.append(_number(request, i, b"BACKOFF"))
        i += 1
    if waits_ms == [0]:
        return (), i
    if 0 in waits_ms:
        raise errors.CFGSET_BACKOFF_ZERO.error()
    if len(waits_ms) > MAX_BACKOFF_STEPS:
        raise errors.CFGSET_BACKOFF_STEPS.error(MAX_BACKOFF_STEPS)
    return tuple(waits_ms), i


def _is_option(word: bytes) -> bool:
    """Whether a word behind the waits of BACKOFF is an option, or looks like one that is not."""
    return word in _OPTIONS or word[:1].isalpha()


def _number(request: Request, i: int, option: bytes) -> int:
    """Argument `i` as a number of milliseconds or entries."""
    try:
        value = request.integer(i)
    except errors.CommandError:
        value = -1
    if not 0 <= value <= MAX_MS:
        raise errors.CFGSET_NUMBER.error(option, MAX_MS)
    return value
