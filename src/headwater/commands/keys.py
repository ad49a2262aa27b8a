"""Commands about keys whatever they hold, and about whole databases."""

from __future__ import annotations

from headwater import errors
from headwater.commands.help import help_of
from headwater.commands.session import Session
from headwater.commands.table import command
from headwater.glob import matches
from headwater.keyspace.database import Database
from headwater.keyspace.notifications import GENERIC, NEW, OVERWRITTEN, TYPE_CHANGED
from headwater.resp.reply import Reply
from headwater.resp.request import Request
from headwater.value import Value

SCAN_COUNT = 10  # keys that SCAN looks at without COUNT, as in Redis
INT_MIN, INT_MAX = -(1 << 31), (1 << 31) - 1
CURSOR_MAX = (1 << 64) - 1


# --- existence ---


@command("UNLINK")
@command("DEL")
def delete(session: Session, request: Request, reply: Reply) -> None:
    """Big values are freed in pieces either way, so the two do the same."""
    db = session.database
    count = 0
    for i in range(1, request.argc):
        key = request.arg(i)
        if db.delete(key):
            db.signal_modified(key)
            db.notify(GENERIC, b"del", key)
            count += 1
    reply.integer(count)


@command("EXISTS")
def exists(session: Session, request: Request, reply: Reply) -> None:
    db = session.database
    count = 0
    for i in range(1, request.argc):
        if db.inspect(request.arg(i)) is not None:
            count += 1
    reply.integer(count)


@command("TOUCH")
def touch(session: Session, request: Request, reply: Reply) -> None:
    db = session.database
    db.keyspace.touch = True  # also for a client with NO-TOUCH: it is what was asked for
    count = 0
    for i in range(1, request.argc):
        if db.lookup_read(request.arg(i)) is not None:
            count += 1
    reply.integer(count)


@command("TYPE")
def type_of(session: Session, request: Request, reply: Reply) -> None:
    value = session.database.inspect(request.arg(1))
    reply.simple(b"none" if value is None else value.type_name())


# --- listing ---


@command("KEYS")
def keys(session: Session, request: Request, reply: Reply) -> None:
    pattern = request.arg(1)
    everything = pattern == b"*"
    now_ms = session.state.clock.now_ms
    found = [
        key
        for key, value in session.database.values.items()
        if (everything or matches(pattern, key)) and not 0 < value.expire_at <= now_ms
    ]
    reply.array(len(found))
    for key in found:
        reply.bulk(key)


@command("SCAN")
def scan(session: Session, request: Request, reply: Reply) -> None:
    cursor = parse_cursor(request.arg(1))
    count = SCAN_COUNT
    pattern = b"*"
    type_name = b""
    i = 2
    while i < request.argc:
        if i + 1 == request.argc:
            raise errors.SYNTAX.error()
        if request.text_equals(i, b"COUNT"):
            count = request.integer(i + 1)
            if count < 1:
                raise errors.SYNTAX.error()
        elif request.text_equals(i, b"MATCH"):
            pattern = request.arg(i + 1)
        elif request.text_equals(i, b"TYPE"):
            type_name = request.arg(i + 1).lower()
        else:
            raise errors.SYNTAX.error()
        i += 2
    db = session.database
    following, candidates = db.order.scan(cursor, count)
    found = []
    for key in candidates:
        if pattern != b"*" and not matches(pattern, key):
            continue
        value = db.peek(key)
        if value is not None and (not type_name or value.type_name() == type_name):
            found.append(key)
    reply.array(2)
    reply.bulk(b"%d" % following)
    reply.array(len(found))
    for key in found:
        reply.bulk(key)


def parse_cursor(text: bytes) -> int:
    """A cursor of SCAN: 64 bits without sign, written as strtoull reads it."""
    digits = text.lstrip(b" \t\n\v\f\r").removeprefix(b"+")
    if not digits.isdigit() or int(digits) > CURSOR_MAX:
        raise errors.INVALID_CURSOR.error()
    return int(digits)


@command("RANDOMKEY")
def random_key(session: Session, request: Request, reply: Reply) -> None:
    key = session.database.random_key()
    if key is None:
        reply.null()
    else:
        reply.bulk(key)


@command("DBSIZE")
def dbsize(session: Session, request: Request, reply: Reply) -> None:
    reply.integer(session.database.size())


# --- moving and copying ---


@command("RENAME")
def rename(session: Session, request: Request, reply: Reply) -> None:
    _rename(session.database, request, if_absent=False)
    reply.ok()


@command("RENAMENX")
def renamenx(session: Session, request: Request, reply: Reply) -> None:
    reply.integer(1 if _rename(session.database, request, if_absent=True) else 0)


def _rename(db: Database, request: Request, if_absent: bool) -> bool:
    """Rename the key; False if nothing was done. Raises NO_SUCH_KEY."""
    key = request.arg(1)
    new_key = request.arg(2)
    if db.lookup_write(key) is None:
        raise errors.NO_SUCH_KEY.error()
    if key == new_key:
        return False
    old = db.lookup_write(new_key)
    if old is not None and if_absent:
        return False
    old_type = type_before(old)
    db.move(key, db, new_key)
    db.keyspace.recorder.move_key(db.index, key, db.index, new_key)
    db.signal_modified(key)
    db.signal_watchers(new_key)
    if old_type:
        db.notify(NEW, b"new", new_key)
    db.notify(GENERIC, b"rename_from", key)
    db.notify(GENERIC, b"rename_to", new_key)
    notify_replaced(db, new_key, old_type)
    return True


def type_before(value: Value | None) -> bytes:
    """The type of a value that may be replaced; empty if there is none."""
    return b"" if value is None else value.type_name()


def notify_replaced(db: Database, key: bytes, old_type: bytes) -> None:
    """The events of a key that has another value now, and held `old_type` before."""
    if old_type:
        db.notify(OVERWRITTEN, b"overwritten", key)
        if db.values[key].type_name() != old_type:
            db.notify(TYPE_CHANGED, b"type_changed", key)


@command("MOVE")
def move(session: Session, request: Request, reply: Reply) -> None:
    db = session.database
    key = request.arg(1)
    target = _database(session, request, 2)
    if target is db:
        raise errors.SAME_OBJECT.error()
    if db.lookup_write(key) is None or target.lookup_write(key) is not None:
        reply.integer(0)
        return
    db.move(key, target, key)
    db.keyspace.recorder.move_key(db.index, key, target.index, key)
    db.signal_modified(key)
    target.signal_watchers(key)
    db.notify(GENERIC, b"move_from", key)
    target.notify(GENERIC, b"move_to", key)
    reply.integer(1)


@command("COPY")
def copy(session: Session, request: Request, reply: Reply) -> None:
    db = target = session.database
    key = request.arg(1)
    new_key = request.arg(2)
    replace = False
    i = 3
    while i < request.argc:
        if request.text_equals(i, b"REPLACE"):
            replace = True
        elif request.text_equals(i, b"DB") and i + 1 < request.argc:
            i += 1
            target = _database(session, request, i)
        else:
            raise errors.SYNTAX.error()
        i += 1
    if target is db and key == new_key:
        raise errors.SAME_OBJECT.error()
    value = db.lookup_read(key)
    old = None if value is None else target.lookup_write(new_key)
    if value is None or (old is not None and not replace):
        reply.integer(0)
        return
    old_type = type_before(old)
    twin = value.copy()
    twin.expire_at = value.expire_at
    target.set(new_key, twin)
    db.keyspace.recorder.copy_key(db.index, key, target.index, new_key)
    target.signal_modified(new_key)
    if old_type:
        target.notify(NEW, b"new", new_key)
    target.notify(GENERIC, b"copy_to", new_key)
    notify_replaced(target, new_key, old_type)
    reply.integer(1)


# --- databases ---


def _int32(request: Request, i: int) -> int:
    number = request.integer(i)
    if not INT_MIN <= number <= INT_MAX:
        raise errors.INT_OUT_OF_RANGE.error(INT_MIN, INT_MAX)
    return number


def _database(session: Session, request: Request, i: int) -> Database:
    databases = session.state.keyspace.databases
    index = _int32(request, i)
    if not 0 <= index < len(databases):
        raise errors.DB_OUT_OF_RANGE.error()
    return databases[index]


@command("SELECT")
def select(session: Session, request: Request, reply: Reply) -> None:
    session.database = _database(session, request, 1)
    reply.ok()


@command("SWAPDB")
def swapdb(session: Session, request: Request, reply: Reply) -> None:
    keyspace = session.state.keyspace
    indexes = []
    for i, refusal in ((1, errors.SWAPDB_FIRST), (2, errors.SWAPDB_SECOND)):
        try:
            indexes.append(_int32(request, i))
        except errors.CommandError:
            raise refusal.error() from None
    if not all(0 <= index < len(keyspace.databases) for index in indexes):
        raise errors.DB_OUT_OF_RANGE.error()
    keyspace.swap(indexes[0], indexes[1])
    keyspace.recorder.swap(indexes[0], indexes[1])
    keyspace.dirty += 1
    reply.ok()


@command("FLUSHDB")
def flushdb(session: Session, request: Request, reply: Reply) -> None:
    _check_flush_mode(request)
    session.state.keyspace.dirty += session.database.flush() + 1
    session.state.recorder.flush(session.database.index)
    reply.ok()


@command("FLUSHALL")
def flushall(session: Session, request: Request, reply: Reply) -> None:
    _check_flush_mode(request)
    keyspace = session.state.keyspace
    keyspace.dirty += keyspace.flush_all() + 1
    keyspace.recorder.flush_all()
    session.state.persistence.saving.flushed()
    reply.ok()


def _check_flush_mode(request: Request) -> None:
    """ASYNC or SYNC or nothing: the keys are gone at once and freed in pieces in any case."""
    if request.argc == 1:
        return
    if request.argc == 2 and (request.text_equals(1, b"ASYNC") or request.text_equals(1, b"SYNC")):
        return
    raise errors.SYNTAX.error()


# --- OBJECT and MEMORY ---


def _inspect(session: Session, request: Request, reply: Reply) -> Value | None:
    """The value that the request is about; without one the reply is null."""
    value = session.database.inspect_quietly(request.arg(2))
    if value is None:
        reply.null()
    return value


@command("OBJECT ENCODING")
def object_encoding(session: Session, request: Request, reply: Reply) -> None:
    value = _inspect(session, request, reply)
    if value is not None:
        reply.bulk(value.encoding())


@command("OBJECT FREQ")
def object_freq(session: Session, request: Request, reply: Reply) -> None:
    if _inspect(session, request, reply) is not None:
        raise errors.NO_ACCESS_FREQUENCY.error()


@command("OBJECT IDLETIME")
def object_idletime(session: Session, request: Request, reply: Reply) -> None:
    value = _inspect(session, request, reply)
    if value is not None:
        reply.integer(max(0, session.state.clock.now_ms - value.access_ms) // 1000)


@command("OBJECT REFCOUNT")
def object_refcount(session: Session, request: Request, reply: Reply) -> None:
    if _inspect(session, request, reply) is not None:
        reply.integer(1)


@command("MEMORY USAGE")
def memory_usage(session: Session, request: Request, reply: Reply) -> None:
    """Nothing is sampled, so SAMPLES is checked and changes nothing."""
    i = 3
    while i < request.argc:
        if not request.text_equals(i, b"SAMPLES") or i + 1 == request.argc:
            raise errors.SYNTAX.error()
        if request.integer(i + 1) < 0:
            raise errors.SYNTAX.error()
        i += 2
    key = request.arg(2)
    value = session.database.peek(key)
    if value is None:
        reply.null()
    else:
        reply.integer(session.database.memory_usage(key, value))


command("OBJECT HELP")(help_of("OBJECT"))
command("MEMORY HELP")(help_of("MEMORY"))
