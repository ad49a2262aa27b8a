cimport cython

from headwater.value cimport Value

cdef int FINEST_BITS, LEVEL_BITS, LAST_LEVEL


@cython.locals(level=int, shift=int)
cpdef long long bucket_code(long long at_ms, long long now_ms) noexcept
@cython.locals(level=int, number="long long")
cpdef long long bucket_due(long long code) noexcept


cdef class ExpiryWheel:
    cdef list _heap
    cdef long long _next_due
    cdef public dict buckets
    cdef public Py_ssize_t count
    cdef public dict values             # the database's

    cpdef long long next_due_ms(self) noexcept
    @cython.locals(code="long long", due="long long", keys=list)
    cpdef object schedule(self, bytes key, Value value, long long now_ms)
    @cython.locals(keys=list, last=bytes, other=Value)
    cpdef object cancel(self, Value value)
    @cython.locals(place=Py_ssize_t, keys=list)
    cpdef bytes random_key(self, rng)
    @cython.locals(code="long long", keys=list, key=bytes, value=Value, expired=list)
    cpdef list take_due(self, long long now_ms, Py_ssize_t limit)
    @cython.locals(due="long long")
    cdef object _set_next_due(self)
