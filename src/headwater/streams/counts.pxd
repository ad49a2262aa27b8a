cimport cython

from headwater.raw cimport get_i64, put_i64

cdef Py_ssize_t NODE_BYTES, _FIRST_NODES


@cython.final
cdef class BlockCounts:
    cdef readonly Py_ssize_t blocks
    cdef readonly Py_ssize_t size
    cdef readonly bytearray tree

    @cython.locals(tree=bytearray, at=Py_ssize_t, there="long long", lowest=Py_ssize_t, step=Py_ssize_t)
    cpdef int add(self, long long entries) except -1
    cpdef int change(self, Py_ssize_t number, long long more) except -1
    cpdef int remove(self, Py_ssize_t number, long long entries) except -1
    @cython.locals(tree=bytearray, at=Py_ssize_t, left="long long", entries="long long", step=Py_ssize_t,
                   there="long long")
    cpdef long long before(self, Py_ssize_t number) noexcept
    cpdef Py_ssize_t memory_usage(self) noexcept
    @cython.locals(tree=bytearray, at=Py_ssize_t, left="long long", step=Py_ssize_t, there="long long")
    cdef Py_ssize_t _position(self, Py_ssize_t number) noexcept
    @cython.locals(step=Py_ssize_t)
    cdef Py_ssize_t _highest_step(self) noexcept
    @cython.locals(tree=bytearray, pos=Py_ssize_t)
    cdef int _update(self, Py_ssize_t at, long long there, long long entries) except -1
    @cython.locals(old=bytearray, size=Py_ssize_t, at=Py_ssize_t, there="long long", entries="long long",
                   lowest=Py_ssize_t, step=Py_ssize_t)
    cdef int _renumber(self) except -1
