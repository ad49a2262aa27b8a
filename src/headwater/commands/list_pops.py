"""Lists: what takes items away and moves them, at once or as soon as there are some.

A command that finds nothing and may wait does so in commands/blocking.py, and runs here again
when one of its lists has items.
"""

from __future__ import annotations

from headwater import errors
from headwater.commands.blocking import wait_to_pop
from headwater.commands.lists import list_to_write
from headwater.commands.session import Session
from headwater.commands.table import command
from headwater.commands.timeouts import deadline_in
from headwater.keyspace.database import Database
from headwater.keyspace.notifications import GENERIC, LIST
from headwater.lists.elements import text_at
from headwater.lists.list import List
from headwater.raw import parse_int
from headwater.resp.reply import Reply
from headwater.resp.request import Request

_LIST, _GENERIC = LIST, GENERIC  # the same as C numbers


def _removed(
    database: Database, key: bytes, value: List, count: int, front: bool, recorded: bool
) -> None:
    """Take so many items of a key's list away, and the key with the last one.

    `recorded`: that they are gone; that the key is, never.
    """
    keyspace = database.keyspace
    if keyspace.notify_classes:
        database.notify(_LIST, b"lpop" if front else b"rpop", key)
    if count == value.length:
        database.delete(key)
        if keyspace.notify_classes:
            database.notify(_GENERIC, b"del", key)
    else:
        dropped = value.drop(count, front)
        if dropped is not None:
            keyspace.graveyard.append(dropped)
        if value.quick:
            value.shrink(keyspace.list_fill, True)
        if not recorded:
            keyspace.recorder.pop(database.index, key, keyspace.list_fill, count, front)
    database.signal_modified(key)
    keyspace.dirty += count - 1


def _take(
    database: Database, key: bytes, value: List, count: int, front: bool, reply: Reply
) -> None:
    """Reply with an array of so many items at one end, or all, and take them away."""
    if count > value.length:
        count = value.length
    reply.array(count)
    run = value.run(0 if front else value.length - count, count)
    run.write(reply, not front)
    _removed(database, key, value, count, front, False)


def _pop(session: Session, request: Request, reply: Reply, front: bool) -> None:
    """LPOP, RPOP."""
    count = -1
    if request.argc > 2:
        if request.argc > 3:
            raise errors.WRONG_ARITY.error(b"lpop" if front else b"rpop")
        ok, count = parse_int(request.buf, request.start(2), request.length(2))
        if not ok or count < 0:
            raise errors.NOT_POSITIVE.error()
    database = session.database
    key = request.name(1)
    value = list_to_write(database, key)
    if value is None:
        if count < 0:
            reply.null()
        else:
            reply.null_array()
    elif count < 0:
        value.write_end(reply, front)
        _removed(database, key, value, 1, front, False)
    elif count == 0:
        reply.array(0)
    else:
        _take(database, key, value, count, front, reply)


def lpop(session: Session, request: Request, reply: Reply) -> None:
    _pop(session, request, reply, True)


def rpop(session: Session, request: Request, reply: Reply) -> None:
    _pop(session, request, reply, False)


command("LPOP")(lpop)
command("RPOP")(rpop)


# --- several keys ---


def _is_left(request: Request, i: int) -> bool:
    """LEFT or RIGHT."""
    if request.text_equals(i, b"LEFT"):
        return True
    if request.text_equals(i, b"RIGHT"):
        return False
    raise errors.SYNTAX.error()


class _ManyKeys:
    """numkeys key [key ...] LEFT | RIGHT [COUNT count], as LMPOP and BLMPOP have it."""

    __slots__ = ("count", "first", "front", "keys")

    def __init__(self, request: Request, i: int) -> None:
        ok, keys = parse_int(request.buf, request.start(i), request.length(i))
        if not ok or keys <= 0:
            raise errors.NUMKEYS_NOT_POSITIVE.error()
        where = i + 1
        if keys >= request.argc - where:
            raise errors.SYNTAX.error()
        self.first = where
        self.keys = keys
        where += keys
        self.front = _is_left(request, where)
        self.count = 1
        given = False
        i = where + 1
        while i < request.argc:
            if given or i + 1 == request.argc or not request.text_equals(i, b"COUNT"):
                raise errors.SYNTAX.error()
            ok, count = parse_int(request.buf, request.start(i + 1), request.length(i + 1))
            if not ok or count <= 0:
                raise errors.LMPOP_COUNT_NOT_POSITIVE.error()
            self.count = count
            given = True
            i += 2


def _pop_first(
    database: Database,
    request: Request,
    first: int,
    keys: int,
    count: int,
    front: bool,
    reply: Reply,
) -> bool:
    """Reply with items of the first of several keys that has a list; False: none has.

    `count` 0: one item, as BLPOP replies with it; else an array of up to so many.
    """
    for i in range(first, first + keys):
        key = request.name(i)
        value = list_to_write(database, key)
        if value is None:
            continue
        reply.array(2)
        reply.bulk(key)
        if count:
            _take(database, key, value, count, front, reply)
        else:
            value.write_end(reply, front)
            _removed(database, key, value, 1, front, False)
        return True
    return False


def _keys_of(request: Request, first: int, keys: int) -> list[bytes]:
    if keys == 1:
        return [request.name(first)]
    return list(dict.fromkeys([request.arg(first + i) for i in range(keys)]))


def lmpop(session: Session, request: Request, reply: Reply) -> None:
    """LMPOP numkeys key [key ...] LEFT | RIGHT [COUNT count]."""
    what = _ManyKeys(request, 1)
    if not _pop_first(
        session.database, request, what.first, what.keys, what.count, what.front, reply
    ):
        reply.null_array()


command("LMPOP")(lmpop)


def blmpop(session: Session, request: Request, reply: Reply) -> None:
    """BLMPOP timeout numkeys key [key ...] LEFT | RIGHT [COUNT count]."""
    what = _ManyKeys(request, 2)
    deadline_ms = deadline_in(request, 1, session.state.clock.now_ms)
    if _pop_first(session.database, request, what.first, what.keys, what.count, what.front, reply):
        return
    if session.deny_blocking:
        reply.null_array()
    else:
        wait_to_pop(session, request, _keys_of(request, what.first, what.keys), deadline_ms)


command("BLMPOP")(blmpop)


def _blocking_pop(session: Session, request: Request, reply: Reply, front: bool) -> None:
    """BLPOP, BRPOP."""
    keys = request.argc - 2
    deadline_ms = deadline_in(request, request.argc - 1, session.state.clock.now_ms)
    if _pop_first(session.database, request, 1, keys, 0, front, reply):
        return
    if session.deny_blocking:
        reply.null_array()
    else:
        wait_to_pop(session, request, _keys_of(request, 1, keys), deadline_ms)


def blpop(session: Session, request: Request, reply: Reply) -> None:
    _blocking_pop(session, request, reply, True)


def brpop(session: Session, request: Request, reply: Reply) -> None:
    _blocking_pop(session, request, reply, False)


command("BLPOP")(blpop)
command("BRPOP")(brpop)


# --- from one list to another ---


def _move(
    database: Database,
    source: bytes,
    value: List,
    target: bytes,
    from_front: bool,
    to_front: bool,
    reply: Reply,
) -> None:
    """Move the item at one end of a list to an end of another, or the same; reply with it."""
    other = list_to_write(database, target)
    keyspace = database.keyspace
    fill = keyspace.list_fill
    node = value.node(0 if from_front else value.node_count() - 1)
    text = text_at(node.buf, node.start if from_front else node.last())
    data = bytearray(text)
    if other is value:
        value.drop(1, from_front)
    is_new = other is None
    if other is None:
        other = List()
    other.expect(fill, len(data), 1)
    other.push(data, 0, len(data), to_front)
    if is_new:
        database.add(target, other)
    keyspace.recorder.move_item(database.index, source, fill, target, from_front, to_front)
    database.signal_modified(target)
    database.notify(_LIST, b"lpush" if to_front else b"rpush", target)
    reply.bulk(text)
    if other is not value:
        _removed(database, source, value, 1, from_front, True)
        return
    if value.quick:
        value.shrink(fill, True)
    database.signal_modified(source)
    database.notify(_LIST, b"lpop" if from_front else b"rpop", source)


def _lmove(
    session: Session, request: Request, reply: Reply, from_front: bool, to_front: bool
) -> None:
    database = session.database
    source = request.name(1)
    value = list_to_write(database, source)
    if value is None:
        reply.null()
    else:
        _move(database, source, value, request.name(2), from_front, to_front, reply)


def lmove(session: Session, request: Request, reply: Reply) -> None:
    """LMOVE source destination LEFT | RIGHT LEFT | RIGHT."""
    from_front = _is_left(request, 3)
    _lmove(session, request, reply, from_front, _is_left(request, 4))


def rpoplpush(session: Session, request: Request, reply: Reply) -> None:
    """RPOPLPUSH source destination."""
    _lmove(session, request, reply, False, True)


command("LMOVE")(lmove)
command("RPOPLPUSH")(rpoplpush)


def _blocking_move(
    session: Session,
    request: Request,
    reply: Reply,
    from_front: bool,
    to_front: bool,
    deadline_ms: int,
) -> None:
    """The destination is looked at only when there is something to move (as Redis)."""
    database = session.database
    source = request.name(1)
    value = list_to_write(database, source)
    if value is not None:
        _move(database, source, value, request.name(2), from_front, to_front, reply)
    elif session.deny_blocking:
        reply.null()
    else:
        wait_to_pop(session, request, [source], deadline_ms)


def blmove(session: Session, request: Request, reply: Reply) -> None:
    """BLMOVE source destination LEFT | RIGHT LEFT | RIGHT timeout."""
    from_front = _is_left(request, 3)
    to_front = _is_left(request, 4)
    deadline_ms = deadline_in(request, 5, session.state.clock.now_ms)
    _blocking_move(session, request, reply, from_front, to_front, deadline_ms)


def brpoplpush(session: Session, request: Request, reply: Reply) -> None:
    """BRPOPLPUSH source destination timeout."""
    deadline_ms = deadline_in(request, 3, session.state.clock.now_ms)
    _blocking_move(session, request, reply, False, True, deadline_ms)


command("BLMOVE")(blmove)
command("BRPOPLPUSH")(brpoplpush)
