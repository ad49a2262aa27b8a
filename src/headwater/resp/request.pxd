cimport cython

from headwater.raw cimport (
    alloc,
    copy_bytes,
    cut,
    decimal_length,
    equal_bytes,
    parse_int,
    put_decimal,
)


cdef Py_ssize_t _SPANS_AT_REST, _SPANS_KEPT, _NAMES, _NAME_MAX_BYTES
cdef list _names


@cython.final
cdef class Request:
    cdef public bytearray buf
    cdef public Py_ssize_t argc
    cdef public bint wellformed
    cdef readonly Py_ssize_t capacity
    cdef long long[::1] spans       # start and length of each argument

    cpdef void clear(self) noexcept
    cpdef int release(self) except -1
    @cython.locals(n=Py_ssize_t)
    cpdef int push(self, Py_ssize_t start, Py_ssize_t length) except -1
    @cython.locals(bigger="long long[::1]", i=Py_ssize_t)
    cpdef int grow(self) except -1
    @cython.locals(i=Py_ssize_t)
    cpdef void shift(self, Py_ssize_t offset) noexcept
    cpdef Py_ssize_t start(self, Py_ssize_t i) noexcept
    cpdef Py_ssize_t length(self, Py_ssize_t i) noexcept
    cpdef bytes arg(self, Py_ssize_t i)
    @cython.locals(pos=Py_ssize_t, n=Py_ssize_t, buf=bytearray, slot=Py_ssize_t, known=bytes)
    cpdef bytes name(self, Py_ssize_t i)
    @cython.locals(n=Py_ssize_t, pos=Py_ssize_t, j=Py_ssize_t, c="unsigned char", buf=bytearray)
    cpdef bint text_equals(self, Py_ssize_t i, bytes upper) noexcept
    @cython.locals(ok=bint, value="long long")
    cpdef long long integer(self, Py_ssize_t i) except? 0
    @cython.locals(i=Py_ssize_t)
    cpdef list words(self)
    @cython.locals(pos=Py_ssize_t, word=bytes)
    cpdef void set_words(self, list words) except *


@cython.locals(size=Py_ssize_t, pos=Py_ssize_t, word=bytes, buf=bytearray)
cpdef bytearray encode_words(list words)

cpdef Request from_words(list words)
