cimport cython

from headwater.raw cimport alloc, copy, get_u32, get_u64, put_u32, put_u64
from headwater.resp.reply cimport Reply
from headwater.streams.block cimport Block, id_at
from headwater.streams.delivery cimport EntryFinder, hand_over, run_behind
from headwater.streams.digests cimport digest_of_field
from headwater.streams.group cimport Consumer, Group
from headwater.streams.ids cimport u64
from headwater.streams.lanes cimport Lanes
from headwater.streams.pending cimport PendingEntries
from headwater.streams.records cimport Records
from headwater.streams.redelivery cimport Redelivery
from headwater.streams.settings cimport GroupSettings
from headwater.streams.stream cimport Stream

cdef long long _HELD_AT_ONCE, _HELD_PER_POLL, _BYTES_AT_ONCE, _NO_LIMIT
cdef Py_ssize_t _ENTRY_BYTES, _SEQ, _SIZE, _LANE, _FIRST_ENTRIES, _MOST_EXPECTED
cdef Consumer _NOBODY


@cython.final
cdef class Chosen:
    cdef readonly long long count, size, held, passed
    cdef readonly bint changed, more
    cdef bytearray _entries
    cdef list _runs
    cdef bytearray _spans

    @cython.locals(pos=Py_ssize_t, bigger=bytearray, entries=bytearray, spans=bytearray, runs=Py_ssize_t,
                   end=Py_ssize_t)
    cdef int _add(self, u64 ms, u64 seq, unsigned int lane, bytearray data, Py_ssize_t start,
                  Py_ssize_t size) except -1
    @cython.locals(runs=Py_ssize_t, spans=bytearray)
    cdef int _begin_run(self, bytearray data, Py_ssize_t start, Py_ssize_t size) except -1
    @cython.locals(finder=EntryFinder, records=Records, handle="unsigned int", ms=u64, seq=u64,
                   lane="unsigned int", block=Block)
    cdef void _take_ready(self, Stream stream, Lanes lanes, long long count, long long max_bytes,
                         long long extra, bint noack) except *
    @cython.locals(index1=Py_ssize_t, slot1=Py_ssize_t, n=Py_ssize_t, size=Py_ssize_t, field=bytes, blocks=list,
                   index=Py_ssize_t, slot=Py_ssize_t, held="long long", passed="long long", full=bint,
                   block=Block, data=bytearray, slots=Py_ssize_t, start=Py_ssize_t, behind=Py_ssize_t,
                   key=u64, lane="unsigned int", free=bint, ms=u64, seq=u64)
    cdef void _pass_new(self, Stream stream, Group group, Lanes lanes, long long count,
                       long long max_bytes, long long extra, bint noack, long long most_held,
                       long long most_passed) except *
    cdef bint _is_full(self, long long count, long long max_bytes, long long extra) noexcept
    @cython.locals(spans=bytearray, i=Py_ssize_t, data=bytearray, buf=bytearray, pos=Py_ssize_t,
                   entry=Py_ssize_t, start=Py_ssize_t, end=Py_ssize_t, size=Py_ssize_t)
    cpdef void write(self, Reply reply, bint claiming) except *
    @cython.locals(redelivery=Redelivery, lanes=Lanes, pending=PendingEntries, entries=bytearray,
                   number="unsigned int", end=Py_ssize_t, pos=Py_ssize_t, handle="unsigned int")
    cpdef void hand_over(self, Group group, Consumer consumer, long long now_ms, bint noack) except *


@cython.locals(redelivery=Redelivery, lanes=Lanes, chosen=Chosen, most_held="long long")
cpdef Chosen choose(Stream stream, Group group, long long count, long long max_bytes, long long extra,
                    bint noack, bint patient)
@cython.locals(redelivery=Redelivery, lanes=Lanes, chosen=Chosen)
cpdef Chosen choose_again(Stream stream, Group group, long long held, long long passed, bint noack)
cdef void _end_draining(Group group, Redelivery redelivery) except *
@cython.locals(redelivery=Redelivery, lanes=Lanes, records=Records, ms=u64, seq=u64, finder=EntryFinder,
               block=Block, key=u64)
cpdef void became_pending(Stream stream, Group group, unsigned int handle) except *
@cython.locals(redelivery=Redelivery, lanes=Lanes)
cpdef bint forget_held(Group group) except -1
@cython.locals(before=Lanes, redelivery=Redelivery, lanes=Lanes, finder=EntryFinder, pending=PendingEntries,
               handle="unsigned int", ms=u64, seq=u64, key=u64)
cpdef void configure(Stream stream, Group group, GroupSettings settings) except *
@cython.locals(redelivery=Redelivery)
cpdef Lanes load_lanes(Stream stream, Group group)
