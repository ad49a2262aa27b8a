"""The options of XADD and XTRIM, read in the order and with the checks of Redis 8.10."""

from __future__ import annotations

from headwater import errors
from headwater.raw import parse_u64
from headwater.resp.request import Request
from headwater.streams.ids import strict_id
from headwater.streams.trim import ACKED, DELREF, KEEPREF, MAXLEN, MINID, NONE, Trim

_DEFAULT_LIMIT = 10000
_MAX_DEFAULT_LIMIT = 1000000
_NODES_PER_LIMIT = 100
_A, _D, _I, _K, _L, _M, _N = b"adiklmn"


class StreamOptions:
    """What stands between the key and the ID of XADD, or behind the key of XTRIM.

    `trim` is None when nothing is trimmed. `id_arg`: the argument that is the ID (XADD).
    `producer`: the argument that is the producer's ID, 0 without IDMP; `iid` likewise, 0 when
    it is computed. One object serves all requests of a server: it is valid until the next
    `parse`.
    """

    __slots__ = ("_trim", "id_arg", "iid", "make_stream", "producer", "trim")

    def __init__(self) -> None:
        self._trim = Trim()
        self.trim: Trim | None = None
        self.id_arg = 0
        self.make_stream = True
        self.producer = 0
        self.iid = 0

    def parse(self, request: Request, is_xadd: bool, node_max_entries: int) -> None:
        """Read the options from argument 2 on; raises what is wrong with the first bad one."""
        trim = self._trim
        trim.by = NONE
        trim.approximate = False
        trim.limit = 0
        trim.references = KEEPREF
        self.trim = None
        self.make_stream = True
        self.producer = 0
        self.iid = 0
        references_given = False
        limit_given = False
        n = request.argc
        i = 2
        while i < n:
            more = n - 1 - i
            # Its first letter, to look at only those words that it may be.
            c = request.buf[request.spans[2 * i]] | 32 if request.spans[2 * i + 1] else 0
            if c == _M and more and request.text_equals(i, b"MAXLEN"):
                i = self._threshold(request, i, MAXLEN)
                trim.maxlen = request.integer(i - 1)
                if trim.maxlen < 0:
                    raise errors.NEGATIVE_MAXLEN.error()
            elif c == _M and more and request.text_equals(i, b"MINID"):
                i = self._threshold(request, i, MINID)
                trim.minid_ms, trim.minid_seq = strict_id(request, i - 1, 0)
            elif is_xadd and is_star(request, i):
                break
            elif c == _L and more and request.text_equals(i, b"LIMIT"):
                trim.limit = request.integer(i + 1)
                if trim.limit < 0:
                    raise errors.NEGATIVE_LIMIT.error()
                limit_given = True
                i += 2
            elif c == _N and is_xadd and request.text_equals(i, b"NOMKSTREAM"):
                self.make_stream = False
                i += 1
            elif c == _K and not references_given and request.text_equals(i, b"KEEPREF"):
                references_given = True
                i += 1
            elif c == _D and not references_given and request.text_equals(i, b"DELREF"):
                trim.references = DELREF
                references_given = True
                i += 1
            elif c == _A and not references_given and request.text_equals(i, b"ACKED"):
                trim.references = ACKED
                references_given = True
                i += 1
            elif c == _I and is_xadd and more and request.text_equals(i, b"IDMPAUTO"):
                self._take_producer(request, i, errors.IDMPAUTO_NO_PRODUCER)
                i += 2
            elif c == _I and is_xadd and more >= 2 and request.text_equals(i, b"IDMP"):
                self._take_producer(request, i, errors.IDMP_NO_PRODUCER)
                if request.length(i + 2) == 0:
                    raise errors.IDMP_NO_IID.error()
                self.iid = i + 2
                i += 3
            elif is_xadd:
                break
            else:
                raise errors.SYNTAX.error()
        self.id_arg = i
        if is_xadd and i < n and not is_star(request, i):
            _check_id(request, i)
            if self.producer:
                raise errors.IDMP_NEEDS_AUTO_ID.error()
        if trim.limit and trim.by == NONE:
            raise errors.LIMIT_WITHOUT_TRIM.error()
        if not is_xadd and trim.by == NONE:
            raise errors.XTRIM_WITHOUT_STRATEGY.error()
        if limit_given and not trim.approximate:
            raise errors.LIMIT_WITHOUT_APPROXIMATE.error()
        if trim.by != NONE:
            if trim.approximate and not limit_given:
                trim.limit = _default_limit(node_max_entries)
            self.trim = trim

    def _threshold(self, request: Request, i: int, by: int) -> int:
        """Read MAXLEN or MINID and its `~` or `=`; returns the argument behind the threshold."""
        trim = self._trim
        if trim.by != NONE:
            raise errors.TRIM_TWICE.error()
        trim.by = by
        if request.argc - 1 - i >= 2 and request.length(i + 1) == 1:
            c = request.buf[request.start(i + 1)]
            if c == 126:
                trim.approximate = True
                i += 1
            elif c == 61:
                i += 1
        return i + 2

    def _take_producer(self, request: Request, i: int, empty: errors.ErrorReply) -> None:
        if self.producer:
            raise errors.IDMP_TWICE.error()
        if request.length(i + 1) == 0:
            raise empty.error()
        self.producer = i + 1


def _check_id(request: Request, i: int) -> None:
    if not ends_with_star(request, i):
        strict_id(request, i, 0)
    else:
        star_ms(request, i)


def is_star(request: Request, i: int) -> bool:
    """Tell whether argument `i` is `*`."""
    return request.spans[2 * i + 1] == 1 and request.buf[request.spans[2 * i]] == 42


def ends_with_star(request: Request, i: int) -> bool:
    """Tell whether argument `i` is `<ms>-*`."""
    n = request.length(i)
    start = request.start(i)
    return n > 2 and request.buf[start + n - 1] == 42 and request.buf[start + n - 2] == 45


def star_ms(request: Request, i: int) -> int:
    """The first half of `<ms>-*`, or raises INVALID_ID."""
    ok, ms = parse_u64(request.buf, request.start(i), request.length(i) - 2)
    if not ok:
        raise errors.INVALID_ID.error()
    return ms


def _default_limit(node_max_entries: int) -> int:
    """How many entries an approximate trim may look at when no LIMIT says so."""
    if node_max_entries <= 0:
        return _DEFAULT_LIMIT
    return min(_NODES_PER_LIMIT * node_max_entries, _MAX_DEFAULT_LIMIT)
