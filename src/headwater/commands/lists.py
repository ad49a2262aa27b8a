"""Lists: what adds, changes, shows and searches items. list_pops.py has what takes them away.

In Redis's terms the left end of a list is its head; here it is called the front.
"""

from __future__ import annotations

from headwater import errors
from headwater.commands.session import Session
from headwater.commands.table import command
from headwater.keyspace.database import Database, Keyspace
from headwater.keyspace.notifications import GENERIC, LIST
from headwater.lists.list import List
from headwater.lists.node import Node
from headwater.resp.reply import Reply
from headwater.resp.request import Request

_LIST, _GENERIC = LIST, GENERIC  # the same as C numbers
ELEMENT_MAX_BYTES = (1 << 32) - 1024
_ELEMENT_MAX_BYTES = ELEMENT_MAX_BYTES
_INT64_MAX = (1 << 63) - 1


def list_to_read(database: Database, key: bytes) -> List | None:
    """The list of a key, None if there is no key. Raises WRONG_TYPE."""
    value = database.lookup_read(key)
    if value is None:
        return None
    if not isinstance(value, List):
        raise errors.WRONG_TYPE.error()
    return value


def list_to_write(database: Database, key: bytes) -> List | None:
    """The list of a key that may change, None if there is no key. Raises WRONG_TYPE."""
    value = database.lookup_write(key)
    if value is None:
        return None
    if not isinstance(value, List):
        raise errors.WRONG_TYPE.error()
    return value


# --- adding ---


def _push(
    session: Session, request: Request, reply: Reply, front: bool, makes: bool, event: bytes
) -> None:
    """LPUSH, RPUSH, LPUSHX, RPUSHX."""
    argc = request.argc
    size = 0
    for i in range(2, argc):
        n = request.length(i)
        if n > _ELEMENT_MAX_BYTES:
            raise errors.ELEMENT_TOO_LARGE.error()
        size += n
    database = session.database
    keyspace = database.keyspace
    key = request.name(1)
    found = list_to_write(database, key)
    if found is None and not makes:
        reply.integer(0)
        return
    value = List() if found is None else found
    value.expect(keyspace.list_fill, size, argc - 2)
    buf = request.buf
    for i in range(2, argc):
        value.push(buf, request.start(i), request.length(i), front)
    if found is None:  # not before: should memory not suffice, there is no key without items
        database.add(key, value)
    if keyspace.recorder.recording:
        keyspace.recorder.push(database.index, key, keyspace.list_fill, request, 2, front)
    database.signal_modified(key)
    keyspace.dirty += argc - 3
    if keyspace.notify_classes:
        database.notify(_LIST, event, key)
    reply.integer(value.length)


def lpush(session: Session, request: Request, reply: Reply) -> None:
    _push(session, request, reply, True, True, b"lpush")


def rpush(session: Session, request: Request, reply: Reply) -> None:
    _push(session, request, reply, False, True, b"rpush")


def lpushx(session: Session, request: Request, reply: Reply) -> None:
    _push(session, request, reply, True, False, b"lpush")


def rpushx(session: Session, request: Request, reply: Reply) -> None:
    _push(session, request, reply, False, False, b"rpush")


command("LPUSH")(lpush)
command("RPUSH")(rpush)
command("LPUSHX")(lpushx)
command("RPUSHX")(rpushx)


def _find(value: List, request: Request, i: int) -> int:
    """The index of the first item that is this word of the request, or -1."""
    found = value.find_all(request.buf, request.start(i), request.length(i), 1, 1, 0, False)
    return found[0] if found else -1


def linsert(session: Session, request: Request, reply: Reply) -> None:
    """LINSERT key BEFORE | AFTER pivot element: the length, -1 without the pivot."""
    after = request.text_equals(2, b"AFTER")
    if not after and not request.text_equals(2, b"BEFORE"):
        raise errors.SYNTAX.error()
    if request.length(4) > _ELEMENT_MAX_BYTES:
        raise errors.ELEMENT_TOO_LARGE.error()
    database = session.database
    keyspace = database.keyspace
    key = request.arg(1)
    value = list_to_write(database, key)
    if value is None:
        reply.integer(0)
        return
    index = _find(value, request, 3)
    if index < 0:
        reply.integer(-1)
        return
    value.expect(keyspace.list_fill, request.length(4), 1)
    value.insert(index, after, request.buf, request.start(4), request.length(4))
    keyspace.recorder.insert_item(database.index, key, keyspace.list_fill, index, after, request, 4)
    database.signal_modified(key)
    database.notify(_LIST, b"linsert", key)
    reply.integer(value.length)


command("LINSERT")(linsert)


# --- changing ---


def lset(session: Session, request: Request, reply: Reply) -> None:
    """LSET key index element."""
    if request.length(3) > _ELEMENT_MAX_BYTES:
        raise errors.ELEMENT_TOO_LARGE.error()
    database = session.database
    keyspace = database.keyspace
    key = request.arg(1)
    value = list_to_write(database, key)
    if value is None:
        raise errors.NO_SUCH_KEY.error()
    index = request.integer(2)
    if index < 0:
        index += value.length
    if index < 0 or index >= value.length:
        raise errors.INDEX_OUT_OF_RANGE.error()
    value.expect(keyspace.list_fill, request.length(3), 1)
    value.set_item(index, request.buf, request.start(3), request.length(3))
    value.shrink(keyspace.list_fill, True)
    keyspace.recorder.set_item(database.index, key, keyspace.list_fill, index, request, 3)
    database.signal_modified(key)
    database.notify(_LIST, b"lset", key)
    reply.ok()


command("LSET")(lset)


def lrem(session: Session, request: Request, reply: Reply) -> None:
    """LREM key count element: how many items were deleted."""
    count = request.integer(2)
    if count < -_INT64_MAX:
        raise errors.INT_OUT_OF_RANGE.error(-_INT64_MAX, _INT64_MAX)
    database = session.database
    keyspace = database.keyspace
    key = request.arg(1)
    value = list_to_write(database, key)
    if value is None:
        reply.integer(0)
        return
    removed = value.remove(request.buf, request.start(3), request.length(3), count)
    if removed == 0:
        reply.integer(0)
        return
    database.signal_modified(key)
    keyspace.dirty += removed - 1
    database.notify(_LIST, b"lrem", key)
    if value.length == 0:
        database.delete(key)
        database.notify(_GENERIC, b"del", key)
    else:
        value.shrink(keyspace.list_fill, True)
        keyspace.recorder.remove_items(database.index, key, keyspace.list_fill, count, request, 3)
    reply.integer(removed)


command("LREM")(lrem)


def ltrim(session: Session, request: Request, reply: Reply) -> None:
    """LTRIM key start stop: only the items of that range stay."""
    start = request.integer(2)
    stop = request.integer(3)
    database = session.database
    keyspace = database.keyspace
    key = request.arg(1)
    value = list_to_write(database, key)
    if value is None:
        reply.ok()
        return
    length = value.length
    first, count = range_of(start, stop, length)
    if count == 0:
        front, back = length, 0
    else:
        front, back = first, length - first - count
    database.signal_modified(key)
    keyspace.dirty += front + back - 1
    database.notify(_LIST, b"ltrim", key)
    if front == length:
        database.delete(key)
        database.notify(_GENERIC, b"del", key)
    else:
        many = value.quick
        if front:
            _bury(keyspace, value.drop(front, True))
        if back:
            _bury(keyspace, value.drop(back, False))
        value.shrink(keyspace.list_fill, True)
        if front or back or many != value.quick:
            keyspace.recorder.cut_list(database.index, key, keyspace.list_fill, front, back)
    reply.ok()


command("LTRIM")(ltrim)


def _bury(keyspace: Keyspace, dropped: list[Node | None] | None) -> None:
    if dropped is not None:
        keyspace.graveyard.append(dropped)


# --- showing ---


def range_of(start: int, stop: int, length: int) -> tuple[int, int]:
    """The first index and the number of items of a range as clients give it."""
    if start < 0:
        start += length
    if stop < 0:
        stop += length
    if start < 0:
        start = 0
    if stop >= length:
        stop = length - 1
    if start > stop:
        return 0, 0
    return start, stop - start + 1


def llen(session: Session, request: Request, reply: Reply) -> None:
    value = list_to_read(session.database, request.name(1))
    reply.integer(0 if value is None else value.length)


command("LLEN")(llen)


def lrange(session: Session, request: Request, reply: Reply) -> None:
    """LRANGE key start stop."""
    start = request.integer(2)
    stop = request.integer(3)
    value = list_to_read(session.database, request.name(1))
    count = 0
    first = 0
    if value is not None:
        first, count = range_of(start, stop, value.length)
    reply.array(count)
    if count and value is not None:
        run = value.run(first, count)
        run.write(reply, False)


command("LRANGE")(lrange)


def lindex(session: Session, request: Request, reply: Reply) -> None:
    """LINDEX key index. Without the key, the index is not looked at (as Redis)."""
    value = list_to_read(session.database, request.name(1))
    if value is None:
        reply.null()
        return
    index = request.integer(2)
    if index < 0:
        index += value.length
    if index < 0 or index >= value.length:
        reply.null()
    else:
        value.write_item(index, reply)


command("LINDEX")(lindex)


def lpos(session: Session, request: Request, reply: Reply) -> None:
    """LPOS key element [RANK rank] [COUNT num-matches] [MAXLEN len]."""
    rank = 1
    count = -1
    most = 0
    i = 3
    while i < request.argc:
        if i + 1 == request.argc:
            raise errors.SYNTAX.error()
        if request.text_equals(i, b"RANK"):
            rank = request.integer(i + 1)
            if rank < -_INT64_MAX:
                raise errors.INT_OUT_OF_RANGE.error(-_INT64_MAX, _INT64_MAX)
            if rank == 0:
                raise errors.LPOS_RANK_ZERO.error()
        elif request.text_equals(i, b"COUNT"):
            count = _not_negative(request, i + 1, "COUNT")
        elif request.text_equals(i, b"MAXLEN"):
            most = _not_negative(request, i + 1, "MAXLEN")
        else:
            raise errors.SYNTAX.error()
        i += 2
    value = list_to_read(session.database, request.name(1))
    found: list[int] = []
    if value is not None:
        back = rank < 0
        if back:
            rank = -rank
        limit = 1 if count < 0 else count
        found = value.find_all(
            request.buf, request.start(2), request.length(2), rank, limit, most, back
        )
    if count >= 0:
        reply.array(len(found))
        for index in found:
            reply.integer(index)
    elif found:
        reply.integer(found[0])
    else:
        reply.null()


command("LPOS")(lpos)


def _not_negative(request: Request, i: int, name: str) -> int:
    try:
        value = request.integer(i)
    except errors.CommandError:
        value = -1
    if value < 0:
        raise errors.LPOS_NEGATIVE.error(name)
    return value
