cimport cython

from headwater.raw cimport get_u32, put_u32
from headwater.streams.digests cimport DigestTable
from headwater.streams.handles cimport HandleOrder
from headwater.streams.ids cimport u64
from headwater.streams.records cimport Records

cdef u64 _LOW_HALF
cdef Py_ssize_t LANE_BYTES, FIRST, LAST, _FIRST_LANES, _SMALL_BYTES, _DROPPED_AT_ONCE


@cython.final
cdef class Lanes:
    cdef readonly bytes field
    cdef readonly Py_ssize_t held_count
    cdef readonly Records records           # of held entries; owner: the lane
    cdef readonly HandleOrder held, ready
    cdef DigestTable _table                 # lanes by the digest of their value
    cdef bytearray _lanes
    cdef bytearray _lane_of                 # u32 for each handle of a pending entry

    @cython.locals(table=DigestTable, live=Py_ssize_t, lane="unsigned int", pos=Py_ssize_t)
    cpdef unsigned int start(self, u64 key) except? 0
    cpdef bint is_busy(self, u64 key) noexcept
    @cython.locals(other="unsigned int")
    cpdef int set_lane(self, unsigned int handle, unsigned int lane) except -1
    @cython.locals(lane="unsigned int")
    cpdef int enter(self, unsigned int handle, u64 key) except -1
    cpdef unsigned int lane_of(self, unsigned int handle) noexcept
    @cython.locals(lane="unsigned int")
    cpdef u64 value_of(self, unsigned int handle) noexcept
    @cython.locals(lane="unsigned int")
    cpdef int left(self, unsigned int handle) except -1
    @cython.locals(number=Py_ssize_t, slot=Py_ssize_t, lane="unsigned int")
    cpdef void all_left(self) except *
    @cython.locals(table=DigestTable, live=Py_ssize_t, lane="unsigned int", pos=Py_ssize_t)
    cdef unsigned int _lane_for(self, u64 key) except 0
    @cython.locals(pos=Py_ssize_t)
    cdef Py_ssize_t _room_for(self, unsigned int lane) except -1
    @cython.locals(pos=Py_ssize_t, n="unsigned int", first="unsigned int")
    cdef int _begin_flight(self, unsigned int lane) except -1
    @cython.locals(pos=Py_ssize_t, n="unsigned int", first="unsigned int")
    cdef int _end_flight(self, unsigned int lane) except -1
    cdef int _forget_lane(self, unsigned int lane) except -1
    @cython.locals(records=Records)
    cdef int _put_ready(self, unsigned int handle) except -1
    @cython.locals(records=Records)
    cdef int _take_ready(self, unsigned int handle) except -1
    @cython.locals(records=Records, last="unsigned int", above=bint, lane="unsigned int", before="unsigned int",
                   pos=Py_ssize_t, is_first=bint, handle="unsigned int")
    cpdef void hold(self, u64 ms, u64 seq, u64 key) except *
    cpdef bint has_ready(self) noexcept
    @cython.locals(records=Records, lane="unsigned int", pos=Py_ssize_t)
    cpdef unsigned int take(self, unsigned int handle, bint flies) except? 0
    @cython.locals(held="unsigned int", lane="unsigned int")
    cpdef bint release(self, u64 ms, u64 seq, unsigned int handle) except? -1
    @cython.locals(handle="unsigned int")
    cpdef void drop(self, u64 ms, u64 seq) except *
    @cython.locals(records=Records, behind=list, handle="unsigned int")
    cpdef void drop_range(self, u64 ms1, u64 seq1, u64 ms2, u64 seq2) except *
    @cython.locals(lanes=bytearray, lane="unsigned int", pos=Py_ssize_t)
    cpdef void forget_held(self) except *
    @cython.locals(records=Records, ms=u64, seq=u64, lane="unsigned int", pos=Py_ssize_t, both=u64,
                   before="unsigned int", behind="unsigned int", free=bint)
    cdef int _remove(self, unsigned int handle) except -1
    cpdef bint is_held(self, u64 ms, u64 seq) except? -1
    @cython.locals(handle="unsigned int")
    cpdef (bint, u64, u64) first_held(self, u64 ms, u64 seq) except *
    @cython.locals(found=list, handle="unsigned int", lane="unsigned int", key=u64)
    cpdef list held_from(self, u64 ms, u64 seq, Py_ssize_t limit)
    @cython.locals(twin=Lanes)
    cpdef Lanes copy(self)
    cpdef Py_ssize_t free_units(self) noexcept
    cpdef list parts(self)
    @cython.locals(page=bytearray, order=HandleOrder, chunk=bytearray, total=Py_ssize_t)
    cpdef Py_ssize_t memory_usage(self) except -1
