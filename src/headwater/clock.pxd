from headwater.raw cimport unix_ms


cdef class Clock:
    cdef public long long now_ms
    cpdef void refresh(self) except *
    cpdef long long read_us(self) except? -1

cdef class ManualClock(Clock):
    cdef long long _manual_ms
    cpdef void refresh(self) except *
    cpdef long long read_us(self) except? -1
    cpdef void advance(self, long long ms) except *
