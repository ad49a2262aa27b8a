cimport cython

from headwater.streams.block cimport Block
from headwater.streams.group cimport Group
from headwater.streams.ids cimport next_id, u64
from headwater.streams.pending cimport PendingEntries
from headwater.streams.stream cimport Stream

cdef u64 MAX
cdef long long _SOON_MS, _ROUND_MS, _RECHECK_MS, _PAUSE_MS, _UNITS_PER_MS, _NEVER_MS
cdef Py_ssize_t _AT_APPEND, _GROUPS_SHIFT, _MOVED_SHIFT, _NEEDED_UNITS


@cython.final
cdef class Retention:
    cdef readonly long long maxlen, maxage_ms, maxbytes
    cdef readonly bint acked
    cdef public long long wake_ms
    cdef readonly long long idle_ms, recheck_ms, round_ms
    cdef bint _in_round, _changed, _again
    cdef u64 _cursor_ms, _cursor_seq        # the round has come so far
    cdef u64 _top_ms, _top_seq              # the last ID that it looks at
    cdef u64 _met_ms, _met_seq
    cdef long long _units
    cdef readonly long long from_head
    cdef readonly list runs                 # (ms, seq, entries)
    cdef readonly list others               # (ms, seq)
    cdef readonly list dropped              # of Block

    cpdef bytes encode(self)
    cpdef Retention copy(self)
    cpdef int ask(self, Stream stream, long long at_ms) except -1
    cpdef int released(self, Stream stream, long long now_ms) except -1
    cdef bint _too_much(self, Stream stream) noexcept
    cdef u64 _old_ms(self, long long now_ms) noexcept
    @cython.locals(ms=u64, latest=u64)
    cdef long long _age_due_ms(self, Stream stream) except? 0
    cpdef bint appended(self, Stream stream, long long now_ms) except -1
    @cython.locals(ms=u64, seq=u64, acked=bint, looked=Py_ssize_t, went=bint)
    cpdef bint apply(self, Stream stream, long long now_ms, list groups, Py_ssize_t most) except -1
    cdef int _forget(self) except -1
    @cython.locals(blocks=Py_ssize_t, old_ms=u64, block=Block, live=Py_ssize_t)
    cdef Py_ssize_t _drop_blocks(
        self, Stream stream, long long now_ms, Py_ssize_t most, bint last_too, u64 ms, u64 seq
    ) except -1
    @cython.locals(block=Block, live=Py_ssize_t, n=Py_ssize_t, old_ms=u64, most=Py_ssize_t,
                   start=Py_ssize_t)
    cdef object _drop_entries(self, Stream stream, long long now_ms, u64 ms, u64 seq)
    @cython.locals(ms=u64, seq=u64, group=Group, ok=bint, m=u64, s=u64, first_ms=u64, first_seq=u64)
    cdef (u64, u64) _needed(self, Stream stream, list groups) except *
    @cython.locals(group=Group, pending=PendingEntries, handle="unsigned int", m=u64, s=u64, found=bint)
    cdef (u64, u64) _needed_from(
        self, list groups, u64 from_ms, u64 from_seq, u64 ms, u64 seq
    ) except *
    cdef int _begin_round(self, list groups, u64 ms, u64 seq) except -1
    @cython.locals(units=Py_ssize_t, group=Group, index=Py_ssize_t, slot=Py_ssize_t, end=Py_ssize_t,
                   block=Block, ms=u64, seq=u64, n=Py_ssize_t, entries="long long", ok=bint)
    cdef object _go_on(self, Stream stream, list groups, Py_ssize_t most)
    cdef bint _is_below_top(self, u64 ms, u64 seq) noexcept
    @cython.locals(found=list, asked=Py_ssize_t, ms=u64, seq=u64, needed_ms=u64, needed_seq=u64,
                   slot=Py_ssize_t)
    cdef Py_ssize_t _thin(self, Stream stream, list groups, Block block) except -1
