"""Strings: reading, setting, adding to them.

Handlers are bound by a call: Cython drops a decorator from a function that the .pxd types.
"""

from __future__ import annotations

from headwater import errors
from headwater.commands.session import Session
from headwater.commands.strings_options import (
    TAKES_EXISTENCE,
    TAKES_GET,
    TAKES_KEEPTTL,
    TAKES_PERSIST,
    TAKES_VALUE,
    StringOptions,
    compares,
    condition_of,
    digest,
    expiry_time,
)
from headwater.commands.table import command
from headwater.keyspace.database import Database
from headwater.keyspace.notifications import GENERIC, OVERWRITTEN, STRING, TYPE_CHANGED
from headwater.keyspace.strings import GrownString, Pieces, String
from headwater.limits import REPLY_REFERENCE_BYTES
from headwater.raw import parse_int
from headwater.resp.reply import Reply
from headwater.resp.request import Request
from headwater.value import Value

_TAKES_SET = TAKES_GET | TAKES_KEEPTTL | TAKES_EXISTENCE | TAKES_VALUE
_TAKES_GETEX = TAKES_PERSIST
_TAKES_MSETEX = TAKES_KEEPTTL | TAKES_EXISTENCE

_EX, _PX = 1, 2  # as in strings_options
_UNCHECKED_BYTES = 1024 * 1024  # proto-max-bulk-len is no lower
_LONGEST_BYTES = 0xFFFF_FFFF  # lengths have 32 bits in the journal
_MAX_PAIRS = 0x7FFF_FFFF
_REFERENCE_BYTES = REPLY_REFERENCE_BYTES  # the same as a C number


# --- what all of them need ---


def string_of(value: Value | None) -> String | None:
    """A key's value as a string, None if there is no key. Raises WRONG_TYPE."""
    if value is None:
        return None
    if not isinstance(value, String):
        raise errors.WRONG_TYPE.error()
    return value


def put_string(reply: Reply, value: String) -> None:
    """Write a string into the reply, a big one by reference."""
    if isinstance(value, GrownString) and value.used >= _REFERENCE_BYTES:
        _put_pieces(reply, value, 0, value.used)
    else:
        reply.bulk(value.content())


def _put_pieces(reply: Reply, value: GrownString, start: int, n: int) -> None:
    reply.raw_bytes(b"$%d\r\n" % n)
    reply.attach(Pieces(value, start, n))
    reply.raw_bytes(b"\r\n")


def grown(db: Database, key: bytes, value: String) -> GrownString:
    """The key's string in the form that can be changed in place, which the key gets if need be."""
    if isinstance(value, GrownString):
        return value
    bigger = GrownString(value.content())
    bigger.expire_at = value.expire_at
    db.replace(key, bigger)
    return bigger


def check_length(session: Session, size: int, more: int) -> None:
    """Refuse a string of `size` and `more` bytes that is too long. Raises STRING_TOO_LONG."""
    if size > _LONGEST_BYTES or size + more > _LONGEST_BYTES:
        raise errors.STRING_TOO_LONG.error()
    if size + more > _UNCHECKED_BYTES and size + more > session.state.config.get_int(
        "proto-max-bulk-len"
    ):
        raise errors.STRING_TOO_LONG.error()


def store(db: Database, key: bytes, data: bytes, expire_at: int, keep_ttl: bool) -> None:
    """Let the key hold a string, whatever it held, and tell everybody.

    It expires then (0: never); with `keep_ttl` when it did before.
    """
    found = db.lookup_write(key)
    type_changed = False
    if found is None:
        value = String(data)
        value.expire_at = expire_at
        db.add(key, value)
    elif type(found) is String:
        value = found
        value.assign(data)
        if expire_at:
            db.set_expiry(key, value, expire_at)
        elif value.expire_at and not keep_ttl:
            db.persist(value)
        if db.waiting:
            db.signal_ready(key)
    else:
        type_changed = not isinstance(found, String)
        value = String(data)
        value.expire_at = found.expire_at if keep_ttl else expire_at
        db.replace(key, value)
    db.keyspace.recorder.set(db.index, key, data, value.expire_at)
    db.signal_modified(key)
    if db.keyspace.notify_classes:
        if found is not None:
            db.notify(OVERWRITTEN, b"overwritten", key)
        if type_changed:
            db.notify(TYPE_CHANGED, b"type_changed", key)
        db.notify(STRING, b"set", key)
        if expire_at:
            db.notify(GENERIC, b"expire", key)


def drop(db: Database, key: bytes) -> bool:
    """Delete a key for a command that is not DEL, and tell everybody; whether it was there."""
    if not db.delete(key):
        return False
    db.signal_modified(key)
    db.notify(GENERIC, b"del", key)
    return True


# --- reading ---


def get(session: Session, request: Request, reply: Reply) -> None:
    value = string_of(session.database.lookup_read(request.name(1)))
    if value is None:
        reply.null()
    else:
        put_string(reply, value)


command("GET")(get)


def mget(session: Session, request: Request, reply: Reply) -> None:
    """What is no string counts as missing."""
    db = session.database
    reply.array(request.argc - 1)
    for i in range(1, request.argc):
        value = db.lookup_read(request.name(i))
        if isinstance(value, String):
            put_string(reply, value)
        else:
            reply.null()


command("MGET")(mget)


def strlen(session: Session, request: Request, reply: Reply) -> None:
    value = string_of(session.database.lookup_read(request.name(1)))
    reply.integer(0 if value is None else value.length())


command("STRLEN")(strlen)


def getrange(session: Session, request: Request, reply: Reply) -> None:
    start = request.integer(2)
    end = request.integer(3)
    value = string_of(session.database.lookup_read(request.name(1)))
    n = 0 if value is None else value.length()
    backwards = start < 0 and end < 0 and start > end
    if start < 0:
        start = max(0, start + n)
    if end < 0:
        end = max(0, end + n)
    if end >= n:
        end = n - 1
    if value is None or backwards or start > end:
        reply.bulk(b"")
        return
    size = end - start + 1
    if size == n:
        put_string(reply, value)
    elif isinstance(value, GrownString) and size >= _REFERENCE_BYTES:
        _put_pieces(reply, value, start, size)
    else:
        reply.bulk(value.part(start, size))


command("GETRANGE")(getrange)
command("SUBSTR")(getrange)


def digest_of(session: Session, request: Request, reply: Reply) -> None:
    value = string_of(session.database.lookup_read(request.name(1)))
    if value is None:
        reply.null()
    else:
        reply.bulk(digest(value.content()))


command("DIGEST")(digest_of)


# --- setting ---


def set_(session: Session, request: Request, reply: Reply) -> None:
    db = session.database
    key = request.name(1)
    if request.argc == 3:
        store(db, key, request.arg(2), 0, False)
        reply.ok()
        return
    options = StringOptions()
    options.read(request, 3, _TAKES_SET)
    expire_at = options.expire_at(request, session.state.clock.now_ms, "set")
    if options.get:
        _get_old(db, key, reply)
    if options.condition and not options.holds(request, db.lookup_write(key)):
        if not options.get:
            reply.null()
        return
    store(db, key, request.arg(2), expire_at, options.keep_ttl)
    if not options.get:
        reply.ok()


command("SET")(set_)


def _get_old(db: Database, key: bytes, reply: Reply) -> None:
    old = string_of(db.lookup_read(key))
    if old is None:
        reply.null()
    else:
        put_string(reply, old)


def getset(session: Session, request: Request, reply: Reply) -> None:
    db = session.database
    key = request.name(1)
    _get_old(db, key, reply)
    store(db, key, request.arg(2), 0, False)


command("GETSET")(getset)


def setnx(session: Session, request: Request, reply: Reply) -> None:
    db = session.database
    key = request.name(1)
    if db.lookup_write(key) is not None:
        reply.integer(0)
        return
    store(db, key, request.arg(2), 0, False)
    reply.integer(1)


command("SETNX")(setnx)


def setex(session: Session, request: Request, reply: Reply) -> None:
    expire_at = expiry_time(request, _EX, 2, session.state.clock.now_ms, "setex")
    store(session.database, request.name(1), request.arg(3), expire_at, False)
    reply.ok()


command("SETEX")(setex)


def psetex(session: Session, request: Request, reply: Reply) -> None:
    expire_at = expiry_time(request, _PX, 2, session.state.clock.now_ms, "psetex")
    store(session.database, request.name(1), request.arg(3), expire_at, False)
    reply.ok()


command("PSETEX")(psetex)


def mset(session: Session, request: Request, reply: Reply) -> None:
    if request.argc % 2 == 0:
        raise errors.WRONG_ARITY.error("mset")
    db = session.database
    for i in range(1, request.argc, 2):
        store(db, request.arg(i), request.arg(i + 1), 0, False)
    reply.ok()


command("MSET")(mset)


def msetnx(session: Session, request: Request, reply: Reply) -> None:
    if request.argc % 2 == 0:
        raise errors.WRONG_ARITY.error("msetnx")
    db = session.database
    for i in range(1, request.argc, 2):
        if db.lookup_write(request.arg(i)) is not None:
            reply.integer(0)
            return
    for i in range(1, request.argc, 2):
        store(db, request.arg(i), request.arg(i + 1), 0, False)
    reply.integer(1)


command("MSETNX")(msetnx)


def msetex(session: Session, request: Request, reply: Reply) -> None:
    ok, pairs = parse_int(request.buf, request.start(1), request.length(1))
    if not ok or pairs <= 0 or pairs > _MAX_PAIRS:
        raise errors.MSETEX_NUMKEYS.error()
    if pairs > (request.argc - 2) // 2:
        raise errors.MSETEX_PAIRS.error()
    end = 2 + 2 * pairs
    options = StringOptions()
    options.read(request, end, _TAKES_MSETEX)
    expire_at = options.expire_at(request, session.state.clock.now_ms, "msetex")
    db = session.database
    if options.condition:
        for i in range(2, end, 2):
            if not options.holds(request, db.lookup_write(request.arg(i))):
                reply.integer(0)
                return
    for i in range(2, end, 2):
        store(db, request.arg(i), request.arg(i + 1), expire_at, options.keep_ttl)
    reply.integer(1)


command("MSETEX")(msetex)


# --- reading and deleting, or expiring ---


def getdel(session: Session, request: Request, reply: Reply) -> None:
    db = session.database
    key = request.name(1)
    value = string_of(db.lookup_read(key))
    if value is None:
        reply.null()
        return
    put_string(reply, value)
    drop(db, key)


command("GETDEL")(getdel)


def getex(session: Session, request: Request, reply: Reply) -> None:
    options = StringOptions()
    options.read(request, 2, _TAKES_GETEX)
    db = session.database
    key = request.name(1)
    value = string_of(db.lookup_read(key))
    if value is None:
        reply.null()
        return
    now_ms = session.state.clock.now_ms
    expire_at = options.expire_at(request, now_ms, "getex")
    put_string(reply, value)
    if expire_at == 0:
        if options.persist and value.expire_at:
            db.persist(value)
            db.keyspace.recorder.expire(db.index, key, 0)
            db.signal_modified(key)
            db.notify(GENERIC, b"persist", key)
    elif expire_at <= now_ms:
        drop(db, key)
    else:
        db.set_expiry(key, value, expire_at)
        db.keyspace.recorder.expire(db.index, key, expire_at)
        db.signal_modified(key)
        db.notify(GENERIC, b"expire", key)


command("GETEX")(getex)


def delex(session: Session, request: Request, reply: Reply) -> None:
    """Without a condition any type is deleted. The key is looked at before the condition."""
    if request.argc != 2 and request.argc != 4:
        raise errors.WRONG_ARITY.error("delex")
    db = session.database
    key = request.name(1)
    if request.argc == 4:
        value = db.lookup_write(key)
        if value is None:
            reply.integer(0)
            return
        if not isinstance(value, String):
            raise errors.DELEX_WRONG_TYPE.error()
        condition = condition_of(request, 2)
        if condition < 3:  # NX and XX are none here
            raise errors.DELEX_CONDITION.error()
        if not compares(condition, value, request.arg(3)):
            reply.integer(0)
            return
    reply.integer(1 if drop(db, key) else 0)


command("DELEX")(delex)


# --- changing in place ---


def append(session: Session, request: Request, reply: Reply) -> None:
    db = session.database
    key = request.name(1)
    data = request.arg(2)
    value = string_of(db.lookup_write(key))
    if value is None:
        db.add(key, String(data))
        db.keyspace.recorder.set(db.index, key, data, 0)
        reply.integer(len(data))
    else:
        check_length(session, value.length(), len(data))
        string = grown(db, key, value)
        string.append(data)
        db.keyspace.recorder.append(db.index, key, data)
        reply.integer(string.used)
    db.signal_modified(key)
    db.notify(STRING, b"append", key)


command("APPEND")(append)


def setrange(session: Session, request: Request, reply: Reply) -> None:
    offset = request.integer(2)
    if offset < 0:
        raise errors.OFFSET_OUT_OF_RANGE.error()
    db = session.database
    key = request.name(1)
    value = string_of(db.lookup_write(key))
    n = request.length(3)
    if n == 0:
        reply.integer(0 if value is None else value.length())
        return
    check_length(session, offset, n)
    data = request.arg(3)
    string = GrownString(b"") if value is None else grown(db, key, value)
    string.write(offset, data)
    if value is None:  # not before: memory may not suffice
        db.add(key, string)
    db.keyspace.recorder.write(db.index, key, offset, data)
    db.signal_modified(key)
    db.notify(STRING, b"setrange", key)
    reply.integer(string.used)


command("SETRANGE")(setrange)
