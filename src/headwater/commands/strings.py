"""SET and GET."""

from __future__ import annotations

from headwater import errors
from headwater.commands.expire import expiry_ms
from headwater.commands.session import Session
from headwater.commands.table import command
from headwater.keyspace.database import Database
from headwater.keyspace.strings import String
from headwater.resp.reply import Reply
from headwater.resp.request import Request
from headwater.value import Value
from headwater.xxh3 import xxh3_64

_EXPIRIES = (  # option, unit in ms, whether it counts from now
    (b"EX", 1000, True),
    (b"PX", 1, True),
    (b"EXAT", 1000, False),
    (b"PXAT", 1, False),
)
_CONDITIONS = (b"IFEQ", b"IFNE", b"IFDEQ", b"IFDNE")
_DIGEST_DIGITS = 16


def string_of(value: Value | None) -> bytes | None:
    """The bytes of a string, None if there is no key. Raises WRONG_TYPE."""
    if value is None:
        return None
    if not isinstance(value, String):
        raise errors.WRONG_TYPE.error()
    return value.data


@command("GET")
def get(session: Session, request: Request, reply: Reply) -> None:
    data = string_of(session.database.lookup_read(request.arg(1)))
    if data is None:
        reply.null()
    else:
        reply.bulk(data)


class _SetOptions:
    """The options of SET. The same option may be given twice, and the last one counts.

    condition: NX, XX or one of _CONDITIONS; operand: what it compares with.
    """

    __slots__ = ("condition", "expire_at", "get", "keep_ttl", "operand")

    def __init__(self, session: Session, request: Request) -> None:
        self.condition = b""
        self.operand = b""
        self.get = False
        self.keep_ttl = False
        self.expire_at = 0
        expiry: tuple[int, int, bool] | None = None
        i = 3
        while i < request.argc:
            taken = 1
            if request.text_equals(i, b"GET"):
                self.get = True
            elif request.text_equals(i, b"KEEPTTL") and expiry is None:
                self.keep_ttl = True
            elif self._is_condition(request, i):
                taken = 1 if self.condition in (b"NX", b"XX") else 2
            else:
                expiry = self._expiry(request, i, expiry)
                taken = 2
            i += taken
        if expiry is not None:
            self.expire_at = self._expire_at(session, request, expiry)

    def _is_condition(self, request: Request, i: int) -> bool:
        for word in (b"NX", b"XX"):
            if request.text_equals(i, word) and self.condition in (b"", word):
                self.condition = word
                return True
        for word in _CONDITIONS:
            if not request.text_equals(i, word) or i + 1 == request.argc:
                continue
            if self.condition in (b"", word):
                self.condition = word
                self.operand = request.arg(i + 1)
                return True
        return False

    def _expiry(
        self, request: Request, i: int, known: tuple[int, int, bool] | None
    ) -> tuple[int, int, bool]:
        """Where the time stands, its unit, and whether it counts from now. Raises SYNTAX."""
        for word, unit_ms, from_now in _EXPIRIES:
            if not request.text_equals(i, word) or self.keep_ttl or i + 1 == request.argc:
                continue
            if known is None or known[1:] == (unit_ms, from_now):
                return i + 1, unit_ms, from_now
        raise errors.SYNTAX.error()

    def _expire_at(self, session: Session, request: Request, expiry: tuple[int, int, bool]) -> int:
        at, unit_ms, from_now = expiry
        number = request.integer(at)
        if number <= 0:
            raise errors.INVALID_EXPIRE_TIME.error("set")
        return expiry_ms(number, unit_ms, session.state.clock.now_ms if from_now else 0, "set")

    def hold(self, current: Value | None) -> bool:
        """Whether the condition holds. Raises WRONG_TYPE, INVALID_DIGEST."""
        if self.condition == b"NX":
            return current is None
        if self.condition == b"XX":
            return current is not None
        if not self.condition:
            return True
        data = string_of(current)
        if data is None:
            return self.condition in (b"IFNE", b"IFDNE")
        if self.condition in (b"IFEQ", b"IFNE"):
            same = data == self.operand
        elif len(self.operand) != _DIGEST_DIGITS:
            raise errors.INVALID_DIGEST.error()
        else:
            same = digest(data) == self.operand.lower()
        return same == (self.condition in (b"IFEQ", b"IFDEQ"))


def digest(data: bytes) -> bytes:
    """The digest of a string that IFDEQ and IFDNE compare: its XXH3, in hexadecimal."""
    return b"%016x" % xxh3_64(data)


@command("SET")
def set_(session: Session, request: Request, reply: Reply) -> None:
    db = session.database
    key = request.arg(1)
    if request.argc == 3:
        _store(db, key, request.arg(2), 0, keep_ttl=False)
        reply.ok()
        return
    options = _SetOptions(session, request)
    if options.get:
        old = string_of(db.lookup_read(key))
        if old is None:
            reply.null()
        else:
            reply.bulk(old)
    if not options.hold(db.lookup_write(key)):
        if not options.get:
            reply.null()
        return
    _store(db, key, request.arg(2), options.expire_at, options.keep_ttl)
    if not options.get:
        reply.ok()


def _store(db: Database, key: bytes, data: bytes, expire_at: int, keep_ttl: bool) -> None:
    if expire_at and expire_at <= db.clock.now_ms:
        if db.delete(key):
            db.signal_modified(key)
        return
    value = String(data)
    value.expire_at = expire_at
    old = db.lookup_write(key)
    if old is None:
        db.add(key, value)
    else:
        if keep_ttl:
            value.expire_at = old.expire_at
        db.replace(key, value)
    db.keyspace.recorder.set(db.index, key, data, value.expire_at)
    db.signal_modified(key)
