cimport cython

from headwater.raw cimport copy, get_i64, get_u32, get_u64, put_i64, put_u32, put_u64

cdef Py_ssize_t SLOT_BYTES, ORDER, HANDLE, _FIRST_SLOTS, _SMALL_BYTES


@cython.final
cdef class DueOrder:

    cdef readonly Py_ssize_t length
    cdef readonly unsigned long long order
    cdef readonly bytearray slots
    cdef readonly bytearray places

    cpdef unsigned int first(self) noexcept
    cpdef long long first_ms(self) noexcept
    cpdef bint has(self, unsigned int handle) noexcept
    cpdef long long due_ms(self, unsigned int handle) except? 0
    @cython.locals(place=Py_ssize_t)
    cpdef int put(self, unsigned int handle, long long due_ms) except -1
    @cython.locals(
        place=Py_ssize_t, last=Py_ssize_t, due_ms="long long", order="unsigned long long", moved="unsigned int"
    )
    cpdef bint remove(self, unsigned int handle) except -1
    @cython.locals(slots=bytearray, start=Py_ssize_t, above=Py_ssize_t, pos=Py_ssize_t, other="long long")
    cdef bint _rise(
        self, Py_ssize_t place, long long due_ms, unsigned long long order, unsigned int handle
    ) except -1
    @cython.locals(
        slots=bytearray, below=Py_ssize_t, pos=Py_ssize_t, end=Py_ssize_t, right=Py_ssize_t,
        other="long long", rival="long long",
    )
    cdef int _sink(
        self, Py_ssize_t place, long long due_ms, unsigned long long order, unsigned int handle
    ) except -1
    cdef int _move(self, Py_ssize_t pos, Py_ssize_t place) except -1
    @cython.locals(pos=Py_ssize_t)
    cdef int _fill(
        self, Py_ssize_t place, long long due_ms, unsigned long long order, unsigned int handle
    ) except -1
    cpdef int clear(self) except -1
    @cython.locals(twin=DueOrder)
    cpdef DueOrder copy(self)
    cpdef Py_ssize_t memory_usage(self) except -1
