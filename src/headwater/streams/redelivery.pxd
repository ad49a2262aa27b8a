cimport cython

from headwater.streams.due cimport DueOrder
from headwater.streams.held cimport Held
from headwater.streams.lanes cimport Lanes
from headwater.streams.settings cimport GroupSettings

cdef long long _NEVER_MS
cdef long long _FATAL
cdef int _LEASE_CONNECTION


@cython.final
cdef class Redelivery:

    cdef readonly GroupSettings settings
    cdef readonly DueOrder due
    cdef readonly DueOrder exhausted
    cdef public unsigned int holder
    cdef readonly Held held
    cdef public Lanes lanes                     # or None
    cdef public long long signalled_ms
    cdef public long long retry_ms, complained_ms
    cdef public bint full
    cdef public dict parked                     # owner -> parked readers, or None
    cdef public list freed

    @cython.locals(settings=GroupSettings, wait_ms="long long", due_ms="long long")
    cpdef int owned(self, unsigned int handle, long long time_ms, long long count) except -1
    cpdef int released(self, unsigned int handle, long long count, long long due_ms) except -1
    cpdef int lapse(self, unsigned int handle, long long time_ms, long long count) except -1
    cpdef int removed(self, unsigned int handle) except -1
    cpdef int left_owner(self, unsigned int owner) except -1
    cpdef int clear(self) except -1
    cpdef unsigned int holder_of(self, unsigned int handle) noexcept
    @cython.locals(at="long long")
    cpdef long long next_ms(self) noexcept
    @cython.locals(at="long long", dead_ms="long long")
    cpdef long long moment(self) noexcept
    cpdef long long deferred_ms(self, unsigned int handle) except? 0
    cdef int _put(self, unsigned int handle, long long due_ms, long long count) except -1
    cdef int _forget(self, unsigned int handle) except -1
    @cython.locals(twin=Redelivery)
    cpdef Redelivery copy(self)
    cpdef Py_ssize_t memory_usage(self) except -1
