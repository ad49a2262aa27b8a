cimport cython

cdef long long _NEVER_MS, _FATAL


@cython.final
cdef class GroupSettings:

    cdef readonly long long ackwait_ms
    cdef readonly tuple backoff_ms
    cdef readonly long long max_deliveries
    cdef readonly bytes dead_letter
    cdef readonly long long max_pending
    cdef readonly long long group_max_pending
    cdef readonly bytes order_by
    cdef readonly int lease
    cdef readonly long long consumer_ttl_ms
    cdef readonly long long group_ttl_ms

    cpdef bint is_off(self) except -1
    cpdef long long wait_ms(self, long long count) except? 0
    @cython.locals(steps=Py_ssize_t, step=Py_ssize_t, wait="long long")
    cpdef long long backoff(self, long long count) except? 0
    cpdef bint is_last(self, long long count) except -1
    cpdef bytes encode(self)
