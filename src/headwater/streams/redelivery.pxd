cimport cython

from headwater.raw cimport get_u32, put_u32
from headwater.streams.due cimport DueOrder
from headwater.streams.settings cimport GroupSettings

cdef long long _NEVER_MS
cdef int _LEASE_CONNECTION


@cython.final
cdef class Redelivery:

    cdef readonly GroupSettings settings
    cdef readonly DueOrder due
    cdef readonly DueOrder exhausted
    cdef public unsigned int holder
    cdef readonly bytearray holders
    cdef public object lanes

    @cython.locals(settings=GroupSettings, wait_ms="long long")
    cpdef int owned(self, unsigned int handle, long long time_ms, long long count) except -1
    cpdef int released(self, unsigned int handle, long long count, long long due_ms) except -1
    cpdef int removed(self, unsigned int handle) except -1
    cpdef int clear(self) except -1
    cpdef unsigned int holder_of(self, unsigned int handle) noexcept
    @cython.locals(at="long long")
    cpdef long long next_ms(self) noexcept
    cdef int _put(self, unsigned int handle, long long due_ms, long long count) except -1
    cdef int _forget(self, unsigned int handle) except -1
    cdef int _hold(self, unsigned int handle, unsigned int holder) except -1
    cpdef Py_ssize_t memory_usage(self) except -1
