"""Strings that are numbers: INCR, INCRBYFLOAT, INCREX and their like.

Handlers are bound by a call: Cython drops a decorator from a function that the .pxd types.
"""

from __future__ import annotations

from headwater import errors
from headwater.commands import long_double
from headwater.commands.session import Session
from headwater.commands.strings import drop, string_of
from headwater.commands.strings_options import expiry_time, expiry_unit
from headwater.commands.table import command
from headwater.keyspace.database import Database
from headwater.keyspace.notifications import GENERIC, STRING
from headwater.keyspace.strings import String, parse_integer
from headwater.raw import alloc, cut, parse_int, put_decimal
from headwater.resp.reply import Reply
from headwater.resp.request import Request

_MAX = 0x7FFF_FFFF_FFFF_FFFF
_MIN = -_MAX - 1
_scratch = alloc(24)


def decimal(value: int) -> bytes:
    """A signed 64-bit integer as it is printed."""
    if value >= 0:
        return cut(_scratch, 0, put_decimal(_scratch, 0, value))
    _scratch[0] = 45
    # The lowest value has no positive twin in 64 signed bits.
    magnitude = -(value + 1)
    return cut(_scratch, 0, put_decimal(_scratch, 1, magnitude + 1))


def put_number(db: Database, key: bytes, old: String | None, data: bytes, is_text: bool) -> String:
    """Let a key hold a number instead of the string `old`, or of nothing; the expiry stays."""
    if old is None:
        value = String(data)
        db.add(key, value)
    elif type(old) is String:
        value = old
        value.assign(data)
    else:
        value = String(data)
        value.expire_at = old.expire_at
        db.replace(key, value)
    value.is_text = is_text
    return value


def _integer_of(value: String | None) -> int:
    """The integer that a string is, 0 without one. Raises NOT_AN_INTEGER."""
    if value is None:
        return 0
    if value.length() > 20:
        raise errors.NOT_AN_INTEGER.error()
    ok, number = parse_integer(value.content())
    if not ok:
        raise errors.NOT_AN_INTEGER.error()
    return number


def _add(session: Session, request: Request, reply: Reply, by: int) -> None:
    db = session.database
    key = request.name(1)
    value = string_of(db.lookup_write(key))
    number = _integer_of(value)
    if (by < 0 and number < _MIN - by) or (by > 0 and number > _MAX - by):
        raise errors.WOULD_OVERFLOW.error()
    number += by
    data = decimal(number)
    value = put_number(db, key, value, data, False)
    db.keyspace.recorder.set(db.index, key, data, value.expire_at)
    db.signal_modified(key)
    db.notify(STRING, b"incrby", key)
    reply.integer(number)


def incr(session: Session, request: Request, reply: Reply) -> None:
    _add(session, request, reply, 1)


def decr(session: Session, request: Request, reply: Reply) -> None:
    _add(session, request, reply, -1)


def incrby(session: Session, request: Request, reply: Reply) -> None:
    _add(session, request, reply, request.integer(2))


def decrby(session: Session, request: Request, reply: Reply) -> None:
    by = request.integer(2)
    if by == _MIN:
        raise errors.DECREMENT_OVERFLOW.error()
    _add(session, request, reply, -by)


command("INCR")(incr)
command("DECR")(decr)
command("INCRBY")(incrby)
command("DECRBY")(decrby)


def _float_of(data: bytes, refusal: errors.ErrorReply, *words: object) -> long_double.Number | None:
    try:
        return long_double.parse(data)
    except long_double.NotANumberError:
        raise refusal.error(*words) from None


def incrbyfloat(session: Session, request: Request, reply: Reply) -> None:
    db = session.database
    key = request.name(1)
    value = string_of(db.lookup_write(key))
    old: long_double.Number | None = long_double.ZERO
    if value is not None:
        old = _float_of(value.content(), errors.NOT_A_FLOAT)
    by = _float_of(request.arg(2), errors.NOT_A_FLOAT)
    new = None if old is None or by is None else long_double.add(old, by)
    if new is None:
        raise errors.NOT_FINITE.error()
    data = long_double.text(new)
    value = put_number(db, key, value, data, True)
    db.keyspace.recorder.set(db.index, key, data, value.expire_at)
    db.signal_modified(key)
    db.notify(STRING, b"incrbyfloat", key)
    reply.bulk(data)


command("INCRBYFLOAT")(incrbyfloat)


# --- INCREX ---


class _Options:
    """The options of INCREX; each may be given once. Numbers are the words that hold them.

    Raises SYNTAX, INCREX_ENX.
    """

    __slots__ = (
        "by",
        "expiry",
        "if_none",
        "is_float",
        "lower",
        "persist",
        "saturate",
        "unit",
        "upper",
    )

    def __init__(self, request: Request) -> None:
        self.by = self.lower = self.upper = self.expiry = self.unit = 0
        self.is_float = self.saturate = self.persist = self.if_none = False
        i = 2
        while i < request.argc:
            i += self._flag(request, i) or self._number(request, i)
        if self.persist and (self.if_none or self.unit):
            raise errors.SYNTAX.error()
        if self.if_none and not self.unit:
            raise errors.INCREX_ENX.error()

    def _flag(self, request: Request, i: int) -> int:
        """1 if word `i` is an option by itself, else 0."""
        if not self.saturate and request.text_equals(i, b"SATURATE"):
            self.saturate = True
        elif not self.persist and request.text_equals(i, b"PERSIST"):
            self.persist = True
        elif not self.if_none and request.text_equals(i, b"ENX"):
            self.if_none = True
        else:
            return 0
        return 1

    def _number(self, request: Request, i: int) -> int:
        """2, the words of an option with a number."""
        unit = expiry_unit(request, i)
        if i + 1 == request.argc:
            raise errors.SYNTAX.error()
        if unit and not self.unit:
            self.unit, self.expiry = unit, i + 1
        elif not self.by and request.text_equals(i, b"BYINT"):
            self.by = i + 1
        elif not self.by and request.text_equals(i, b"BYFLOAT"):
            self.by, self.is_float = i + 1, True
        elif not self.lower and request.text_equals(i, b"LBOUND"):
            self.lower = i + 1
        elif not self.upper and request.text_equals(i, b"UBOUND"):
            self.upper = i + 1
        else:
            raise errors.SYNTAX.error()
        return 2


class _Change:
    """What INCREX makes of a number.

    old, new, applied: as they are stored and replied. rejected: nothing shall change.
    """

    __slots__ = ("applied", "new", "old", "rejected")

    def __init__(self, old: bytes, new: bytes, applied: bytes, rejected: bool) -> None:
        self.old = old
        self.new = new
        self.applied = applied
        self.rejected = rejected


def _integer_option(request: Request, i: int, name: str, default: int) -> int:
    if not i:
        return default
    ok, number = parse_int(request.buf, request.start(i), request.length(i))
    if not ok:
        raise errors.OPTION_NOT_AN_INTEGER.error(name)
    return number


def _float_option(
    request: Request, i: int, name: str, default: long_double.Number
) -> long_double.Number:
    if not i:
        return default
    number = _float_of(request.arg(i), errors.OPTION_NOT_A_FLOAT, name)
    if number is None:
        raise errors.OPTION_NOT_A_FLOAT.error(name)
    return number


def _change_integer(value: String | None, by: int, lower: int, upper: int, cap: bool) -> _Change:
    old = _integer_of(value)
    new = old + by
    if lower <= new <= upper:
        return _Change(b"%d" % old, b"%d" % new, b"%d" % by, False)
    if not cap:
        return _Change(b"%d" % old, b"", b"0", True)
    new = upper if new > upper else lower
    applied = min(max(new - old, _MIN), _MAX)
    return _Change(b"%d" % old, b"%d" % new, b"%d" % applied, False)


def _change_float(
    value: String | None,
    by: long_double.Number,
    lower: long_double.Number,
    upper: long_double.Number,
    cap: bool,
) -> _Change:
    old: long_double.Number | None = long_double.ZERO
    if value is not None:
        old = _float_of(value.content(), errors.NOT_A_FLOAT)
    if old is None:
        raise errors.NOT_FINITE.error()
    new = long_double.add(old, by)
    if new is not None and not long_double.less(new, lower) and not long_double.less(upper, new):
        return _Change(b"", long_double.text(new), long_double.text(by), False)
    if not cap:
        return _Change(long_double.text(old), b"", b"0", True)
    above = by[0] > 0 if new is None else long_double.less(upper, new)
    new = upper if above else lower
    applied = long_double.add(new, long_double.negated(old))
    if applied is None:
        applied = long_double.LARGEST if above else long_double.SMALLEST
    return _Change(b"", long_double.text(new), long_double.text(applied), False)


def increx(session: Session, request: Request, reply: Reply) -> None:
    """Both bounds are parsed before the key is looked at; what is out of bounds changes nothing."""
    options = _Options(request)
    now_ms = session.state.clock.now_ms
    db = session.database
    key = request.arg(1)
    if options.is_float:
        by = _float_option(request, options.by, "Increment", long_double.ZERO)
        low = _float_option(request, options.lower, "LBOUND", long_double.SMALLEST)
        high = _float_option(request, options.upper, "UBOUND", long_double.LARGEST)
        if long_double.less(high, low):
            raise errors.INCREX_BOUNDS.error()
        expire_at = _expiry(request, options, now_ms)
        value = string_of(db.lookup_write(key))
        change = _change_float(value, by, low, high, options.saturate)
    else:
        add = _integer_option(request, options.by, "Increment", 1)
        lowest = _integer_option(request, options.lower, "LBOUND", _MIN)
        highest = _integer_option(request, options.upper, "UBOUND", _MAX)
        if lowest > highest:
            raise errors.INCREX_BOUNDS.error()
        expire_at = _expiry(request, options, now_ms)
        value = string_of(db.lookup_write(key))
        change = _change_integer(value, add, lowest, highest, options.saturate)
    reply.array(2)
    for number in (change.old if change.rejected else change.new, change.applied):
        _put_number(reply, number, options.is_float)
    if change.rejected:
        return
    if options.if_none and value is not None and value.expire_at:
        expire_at = 0
    if expire_at and expire_at <= now_ms:
        drop(db, key)
        return
    value = put_number(db, key, value, change.new, options.is_float)
    persisted = options.persist and value.expire_at != 0
    if persisted:
        db.persist(value)
    elif expire_at:
        db.set_expiry(key, value, expire_at)
    db.keyspace.recorder.set(db.index, key, change.new, value.expire_at)
    db.signal_modified(key)
    db.notify(STRING, b"incrbyfloat" if options.is_float else b"incrby", key)
    if persisted:
        db.notify(GENERIC, b"persist", key)
    elif expire_at:
        db.notify(GENERIC, b"expire", key)


def _expiry(request: Request, options: _Options, now_ms: int) -> int:
    if not options.unit:
        return 0
    return expiry_time(request, options.unit, options.expiry, now_ms, "increx")


def _put_number(reply: Reply, number: bytes, is_float: bool) -> None:
    if not is_float:
        reply.integer(int(number))
    elif reply.resp3:
        reply.raw_bytes(b",%b\r\n" % number)
    else:
        reply.bulk(number)


command("INCREX")(increx)
