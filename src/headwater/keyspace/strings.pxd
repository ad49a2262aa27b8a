cimport cython

from headwater.raw cimport alloc, copy, copy_bytes, cut
from headwater.value cimport Value

cdef Py_ssize_t _INTEGER_MAX_BYTES, _EMBEDDED_MAX_BYTES, _OBJECT_BYTES, _BUFFER_OBJECT_BYTES
cdef unsigned long long _INT64_MAX


cdef class String(Value):
    cdef bytes _data
    cdef public bint is_text

    cpdef bytes type_name(self)
    cpdef bytes encoding(self)
    cpdef Py_ssize_t memory_usage(self) except? -1
    cpdef Py_ssize_t free_units(self) except? -1
    @cython.locals(twin=String)
    cpdef Value copy(self)
    cpdef Py_ssize_t length(self) noexcept
    cpdef bytes content(self)
    cpdef bytes part(self, Py_ssize_t start, Py_ssize_t n)
    cpdef void assign(self, bytes data) noexcept


cdef class GrownString(String):
    cdef public bytearray buf
    cdef public Py_ssize_t used, lent
    cdef public bint owned

    cpdef bytes encoding(self)
    cpdef Py_ssize_t memory_usage(self) except? -1
    cpdef Py_ssize_t free_units(self) except? -1
    @cython.locals(twin=GrownString)
    cpdef Value copy(self)
    cpdef Py_ssize_t length(self) noexcept
    cpdef bytes content(self)
    cpdef bytes part(self, Py_ssize_t start, Py_ssize_t n)
    cpdef bytearray lend(self)
    cpdef object append(self, bytes data)
    @cython.locals(end=Py_ssize_t)
    cpdef object write(self, Py_ssize_t offset, bytes data)
    @cython.locals(mine=bytearray)
    cdef object _own(self)


@cython.final
cdef class Pieces:
    cdef bytearray _buf
    cdef Py_ssize_t _pos, _end

    cpdef Py_ssize_t left(self)
    @cython.locals(n=Py_ssize_t, piece=bytes)
    cpdef bytes read(self, Py_ssize_t max_bytes)
    cpdef list parts(self)


@cython.locals(known=bint, _="long long")
cpdef bint is_integer(bytes data) noexcept
@cython.locals(
    n=Py_ssize_t, negative=bint, i=Py_ssize_t, k=Py_ssize_t, digit="unsigned char",
    magnitude="unsigned long long", value="long long"
)
cpdef (bint, long long) parse_integer(bytes data) noexcept
