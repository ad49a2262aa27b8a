"""RESTORE."""

from __future__ import annotations

from headwater import errors
from headwater.commands.keys import notify_replaced, type_before
from headwater.commands.session import Session
from headwater.commands.table import command
from headwater.keyspace.notifications import GENERIC, NEW
from headwater.lists.list import List
from headwater.rdb.loader import IDLE_MAX_S, PayloadFooterError, load_payload
from headwater.rdb.source import RdbError
from headwater.resp.reply import Reply
from headwater.resp.request import Request

FREQ_MAX = 255
_INT64_MAX = (1 << 63) - 1


class _Options:
    """What stands behind the payload. FREQ is checked and nothing else: no counter is kept."""

    def __init__(self, request: Request) -> None:
        self.replace = False
        self.absolute = False
        self.idle_s = -1
        freq = -1
        i = 4
        while i < request.argc:
            more = i + 1 < request.argc
            if request.text_equals(i, b"REPLACE"):
                self.replace = True
            elif request.text_equals(i, b"ABSTTL"):
                self.absolute = True
            elif request.text_equals(i, b"IDLETIME") and more and freq < 0:
                i += 1
                self.idle_s = request.integer(i)
                if self.idle_s < 0:
                    raise errors.RESTORE_IDLETIME.error()
            elif request.text_equals(i, b"FREQ") and more and self.idle_s < 0:
                i += 1
                freq = request.integer(i)
                if not 0 <= freq <= FREQ_MAX:
                    raise errors.RESTORE_FREQ.error()
            else:
                raise errors.SYNTAX.error()
            i += 1


@command("RESTORE")
def restore(session: Session, request: Request, reply: Reply) -> None:
    """A key that has expired already is not made, but what it replaces is deleted (as Redis)."""
    db = session.database
    options = _Options(request)
    key = request.arg(1)
    old = db.lookup_write(key)
    if old is not None and not options.replace:
        raise errors.BUSY_KEY.error()
    old_type = type_before(old)
    ttl_ms = request.integer(2)
    if ttl_ms < 0:
        raise errors.RESTORE_TTL.error()
    payload = request.arg(3)
    try:
        value = load_payload(payload)
    except PayloadFooterError:
        raise errors.RESTORE_FOOTER.error() from None
    except RdbError:
        raise errors.RESTORE_FORMAT.error() from None
    now_ms = session.state.clock.now_ms
    expire_at = ttl_ms if ttl_ms == 0 or options.absolute else ttl_ms + now_ms
    # A time that no 64 bits hold has passed in Redis.
    if expire_at and (expire_at <= now_ms or expire_at > _INT64_MAX):
        if db.delete(key):
            db.signal_modified(key)
            db.notify(GENERIC, b"del", key)
        reply.ok()
        return
    value.expire_at = expire_at
    if isinstance(value, List):
        value.settle(db.keyspace.list_fill)
        db.keyspace.recorder.list_limit(db.keyspace.list_fill)
    db.set(key, value)
    db.keyspace.notice(value)
    if options.idle_s >= 0:
        value.access_ms = now_ms - 1000 * min(options.idle_s, IDLE_MAX_S)
    db.keyspace.recorder.restore(db.index, key, expire_at, payload)
    db.signal_modified(key)
    if old_type:
        db.notify(NEW, b"new", key)
    db.notify(GENERIC, b"restore", key)
    notify_replaced(db, key, old_type)
    reply.ok()
