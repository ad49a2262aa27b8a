"""Commands that set, tell and take away the time at which a key expires."""

from __future__ import annotations

from headwater import errors
from headwater.commands.session import Session
from headwater.commands.table import command
from headwater.keyspace.notifications import GENERIC
from headwater.resp.reply import Reply
from headwater.resp.request import Request

INT64_MIN, INT64_MAX = -(1 << 63), (1 << 63) - 1
NO_KEY, NO_EXPIRY = -2, -1
_NX, _XX, _GT, _LT = 1, 2, 4, 8
_CONDITIONS = ((b"NX", _NX), (b"XX", _XX), (b"GT", _GT), (b"LT", _LT))


def expiry_ms(number: int, unit_ms: int, base_ms: int, command_name: str) -> int:
    """The unix time in ms that is `number` units behind `base_ms`.

    Raises INVALID_EXPIRE_TIME if that is no signed 64-bit number, or the number of units in
    ms is none.
    """
    at_ms = number * unit_ms
    if not INT64_MIN <= at_ms <= INT64_MAX - base_ms:
        raise errors.INVALID_EXPIRE_TIME.error(command_name)
    return at_ms + base_ms


def _conditions(request: Request) -> int:
    flags = 0
    for i in range(3, request.argc):
        for word, flag in _CONDITIONS:
            if request.text_equals(i, word):
                flags |= flag
                break
        else:
            raise errors.UNSUPPORTED_OPTION.error(request.arg(i))
    if flags & _NX and flags != _NX:
        raise errors.EXPIRE_NX_AND_OTHERS.error()
    if flags & _GT and flags & _LT:
        raise errors.EXPIRE_GT_AND_LT.error()
    return flags


def _allowed(flags: int, current_ms: int, at_ms: int) -> bool:
    """Whether the conditions hold; a key without expiry (0) is one that expires at infinity."""
    if flags & _NX and current_ms:
        return False
    if flags & _XX and not current_ms:
        return False
    if flags & _GT and (not current_ms or at_ms <= current_ms):
        return False
    return not (flags & _LT and current_ms and at_ms >= current_ms)


def _expire(
    session: Session, request: Request, reply: Reply, unit_ms: int, base_ms: int, name: str
) -> None:
    flags = _conditions(request)
    at_ms = expiry_ms(request.integer(2), unit_ms, base_ms, name)
    db = session.database
    key = request.arg(1)
    value = db.lookup_write(key)
    if value is None or not _allowed(flags, value.expire_at, at_ms):
        reply.integer(0)
        return
    if at_ms <= session.state.clock.now_ms:
        db.delete(key)
        event = b"del"
    else:
        db.set_expiry(key, value, at_ms)
        session.state.recorder.expire(db.index, key, at_ms)
        event = b"expire"
    db.signal_modified(key)
    db.notify(GENERIC, event, key)
    reply.integer(1)


@command("EXPIRE")
def expire(session: Session, request: Request, reply: Reply) -> None:
    _expire(session, request, reply, 1000, session.state.clock.now_ms, "expire")


@command("PEXPIRE")
def pexpire(session: Session, request: Request, reply: Reply) -> None:
    _expire(session, request, reply, 1, session.state.clock.now_ms, "pexpire")


@command("EXPIREAT")
def expireat(session: Session, request: Request, reply: Reply) -> None:
    _expire(session, request, reply, 1000, 0, "expireat")


@command("PEXPIREAT")
def pexpireat(session: Session, request: Request, reply: Reply) -> None:
    _expire(session, request, reply, 1, 0, "pexpireat")


def _remaining(session: Session, request: Request, base_ms: int) -> int:
    """The key's expiry in ms counted from `base_ms`, NO_KEY or NO_EXPIRY."""
    value = session.database.inspect(request.arg(1))
    if value is None:
        return NO_KEY
    if not value.expire_at:
        return NO_EXPIRY
    return max(0, value.expire_at - base_ms)


def _seconds(ms: int) -> int:
    """Whole seconds, rounded; the negative answers stay what they are."""
    return ms if ms < 0 else (ms + 500) // 1000


@command("TTL")
def ttl(session: Session, request: Request, reply: Reply) -> None:
    reply.integer(_seconds(_remaining(session, request, session.state.clock.now_ms)))


@command("PTTL")
def pttl(session: Session, request: Request, reply: Reply) -> None:
    reply.integer(_remaining(session, request, session.state.clock.now_ms))


@command("EXPIRETIME")
def expiretime(session: Session, request: Request, reply: Reply) -> None:
    reply.integer(_seconds(_remaining(session, request, 0)))


@command("PEXPIRETIME")
def pexpiretime(session: Session, request: Request, reply: Reply) -> None:
    reply.integer(_remaining(session, request, 0))


@command("PERSIST")
def persist(session: Session, request: Request, reply: Reply) -> None:
    db = session.database
    key = request.arg(1)
    value = db.lookup_write(key)
    if value is None or not value.expire_at:
        reply.integer(0)
        return
    db.persist(value)
    session.state.recorder.expire(db.index, key, 0)
    db.signal_modified(key)
    db.notify(GENERIC, b"persist", key)
    reply.integer(1)
