cimport cython

from headwater.raw cimport monotonic_us, unix_us


cdef class Clock:
    cdef public long long now_ms
    cdef long long _offset_us           # unix time less raw.monotonic_us
    @cython.locals(unix="long long")
    cpdef void refresh(self) except *
    cpdef void follow(self, long long at_us) except *
    cpdef long long read_us(self) except? -1

cdef class ManualClock(Clock):
    cdef long long _manual_ms
    cpdef void refresh(self) except *
    cpdef void follow(self, long long at_us) except *
    cpdef long long read_us(self) except? -1
    cpdef void advance(self, long long ms) except *
