"""XREDRIVE: dead letters go back to the streams that they come from.

A dead letter is an entry whose last fields are those of DEAD_LETTER_FIELDS, in that order: what
stands before them is the entry that it was.
"""

from __future__ import annotations

from headwater import errors
from headwater.commands.appending import append_fields
from headwater.commands.dead_letters import DEAD_LETTER_FIELDS
from headwater.commands.schema_check import check_entry
from headwater.commands.session import Session
from headwater.commands.streams import stream_to_write
from headwater.commands.table import command
from headwater.errors import CommandError
from headwater.keyspace.notifications import STREAM
from headwater.limits import REDRIVE_AT_ONCE, REDRIVE_LOOKS
from headwater.raw import parse_int
from headwater.resp.parser import RequestParser
from headwater.resp.reply import Reply
from headwater.resp.request import Request, from_words
from headwater.streams.ids import next_id, strict_id, text
from headwater.streams.stream import Stream

_LONGEST_BULK_BYTES = 1 << 62  # what was stored had its limits when it came


class RedriveOptions:
    """[TO key] [COUNT n | IDS numids id [id ...]], in any order.

    to: b"" is a key like any other, None where it is not given. ids: None for all.
    """

    __slots__ = ("count", "ids", "to")

    def __init__(self, request: Request) -> None:
        self.to: bytes | None = None
        self.count = 0
        self.ids: list[tuple[int, int]] | None = None
        i = 2
        while i < request.argc:
            more = i + 1 < request.argc
            if more and request.text_equals(i, b"TO") and self.to is None:
                self.to = request.arg(i + 1)
                i += 2
            elif more and request.text_equals(i, b"COUNT") and not self.count:
                ok, self.count = parse_int(request.buf, request.start(i + 1), request.length(i + 1))
                if not ok or self.count <= 0:
                    raise errors.REDRIVE_COUNT.error()
                i += 2
            elif more and request.text_equals(i, b"IDS") and self.ids is None:
                i = self._read_ids(request, i + 1)
            else:
                raise errors.REDRIVE_SYNTAX.error()
        if self.count and self.ids is not None:
            raise errors.REDRIVE_COUNT_AND_IDS.error()
        self.count = min(self.count or REDRIVE_AT_ONCE, REDRIVE_AT_ONCE)

    def _read_ids(self, request: Request, i: int) -> int:
        """Read `numids id ...` from argument `i` on; the argument behind it."""
        ok, numids = parse_int(request.buf, request.start(i), request.length(i))
        if not ok or numids <= 0:
            raise errors.NUMIDS_NOT_POSITIVE.error()
        behind = i + 1 + numids
        if behind > request.argc:
            raise errors.NUMIDS_MISMATCH.error()
        self.ids = sorted({strict_id(request, at, 0) for at in range(i + 1, behind)})
        return behind


class Redrive:
    """One XREDRIVE at work. `moved`: (old ID, new ID); `refusal`: why the first one stayed."""

    def __init__(
        self, session: Session, request: Request, options: RedriveOptions, stream: Stream
    ) -> None:
        self.moved: list[tuple[tuple[int, int], tuple[int, int]]] = []
        self.refusal: CommandError | None = None
        self._session = session
        self._request = request
        self._key = request.arg(1)
        self._to = options.to
        self._stream = stream
        self._parser = RequestParser(Request(), _LONGEST_BULK_BYTES)
        self._allowed: dict[bytes, bool] = {}

    def move_oldest(self, count: int) -> None:
        """Move so many dead letters, of those that are there when it begins."""
        stream = self._stream
        last = (stream.last_ms, stream.last_seq)
        ok, ms, seq = True, 0, 0
        looks = 0
        while ok and len(self.moved) < count and looks < count + REDRIVE_LOOKS:
            looks += 1
            index, slot = stream.locate(ms, seq)
            if index == len(stream.blocks):
                return
            ms, seq = stream.blocks[index].entry_id(slot)
            if (ms, seq) > last:
                return
            self._move(index, slot, ms, seq)
            ok, ms, seq = next_id(ms, seq)

    def move_these(self, ids: list[tuple[int, int]]) -> None:
        """Move the dead letters of these IDs; one that is not there is passed over."""
        stream = self._stream
        for ms, seq in ids:
            index, slot = stream.locate(ms, seq)
            if index < len(stream.blocks) and stream.blocks[index].entry_id(slot) == (ms, seq):
                self._move(index, slot, ms, seq)

    def _move(self, index: int, slot: int, ms: int, seq: int) -> None:
        """Move the entry that is there, unless something forbids it."""
        letter = self._fields(index, slot)
        own = letter.argc - 2 * len(DEAD_LETTER_FIELDS)
        if own < 2 or any(
            letter.arg(own + 2 * i) != name for i, name in enumerate(DEAD_LETTER_FIELDS)
        ):
            self._stays(errors.REDRIVE_NO_DEAD_LETTER.error(text(ms, seq)))
            return
        database = self._session.database
        key = letter.arg(own + 1) if self._to is None else self._to
        if self._to is None and not self._may_write(key):
            refusal: CommandError | None = errors.REDRIVE_DENIED.error(text(ms, seq), key)
        else:
            refusal = self._does_not_take(key, letter, own // 2, text(ms, seq))
        if refusal is not None:
            self._stays(refusal)
            return
        try:
            new = append_fields(self._session.state, database, key, letter, 0, own // 2)
        except CommandError as error:
            why = error.text.partition(b" ")[2]
            self._stays(errors.REDRIVE_REFUSED.error(text(ms, seq), key, why))
            return
        if self._stream.delete(ms, seq):
            self._session.state.recorder.delete(
                database.index, self._key, self._stream, ms, seq, False, False
            )
        self.moved.append(((ms, seq), new))

    def _fields(self, index: int, slot: int) -> Request:
        """An entry's fields and values, as they are stored."""
        block = self._stream.blocks[index]
        data = block.data()
        # Behind *2 CRLF $ the length of the ID in one or two digits, CRLF, the ID, CRLF.
        start = block.offset(slot)
        line_end = data.index(b"\r", start + 5)
        start = line_end + 4 + int(data[start + 5 : line_end])
        parser = self._parser
        parser.pos = start
        parser.parse(data, block.offset(slot + 1))
        return parser.request

    def _stays(self, why: CommandError) -> None:
        if self.refusal is None:
            self.refusal = why

    def _may_write(self, key: bytes) -> bool:
        """Whether the client may write to a key that an entry names.

        Asked as if the client had named it: who plants a dead letter gains nothing by it.
        """
        session = self._session
        if session.permissions is None:
            return True
        if key not in self._allowed:
            asked = from_words([b"XREDRIVE", self._key, b"TO", key])
            found = session.state.table.find(b"xredrive")
            self._allowed[key] = session.permissions.refusal(session, found, asked) is None
        return self._allowed[key]

    def _does_not_take(
        self, key: bytes, letter: Request, pairs: int, name: bytes
    ) -> CommandError | None:
        """Why a key cannot take so many fields of this dead letter; None if it can."""
        value = self._session.database.peek(key)
        if value is None:
            return None
        if not isinstance(value, Stream):
            return errors.REDRIVE_WRONG_TYPE.error(name, key)
        if value.schema is not None:
            try:
                check_entry(self._session.state, key, value, letter, 0, pairs)
            except CommandError as error:
                return errors.REDRIVE_MISFIT.error(name, error.text.partition(b" ")[2])
        return None


@command("XREDRIVE")
def xredrive(session: Session, request: Request, reply: Reply) -> None:
    """XREDRIVE key [TO key] [COUNT n | IDS numids id [id ...]]: old and new ID of what was moved.

    Oldest first, REDRIVE_AT_ONCE at most. What is no dead letter, or does not fit where it should
    go, stays; if nothing was moved for that reason, an error tells it.
    """
    options = RedriveOptions(request)
    database = session.database
    key = request.arg(1)
    stream = stream_to_write(database, key)
    if stream is None:
        reply.array(0)
        return
    work = Redrive(session, request, options, stream)
    if options.ids is None:
        work.move_oldest(options.count)
    else:
        work.move_these(options.ids)
    if work.refusal is not None and not work.moved:
        raise work.refusal
    if work.moved:
        database.signal_modified(key)
        database.notify(STREAM, b"xdel", key)
    reply.array(len(work.moved))
    for old, new in work.moved:
        reply.array(2)
        reply.stream_id(*old)
        reply.stream_id(*new)
