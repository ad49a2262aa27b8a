cimport cython

from headwater.raw cimport cut, equal_bytes, find_byte, parse_int

cdef long long _NULL, _NAMES, _NAME_MAX_BYTES
cdef list _names


@cython.final
cdef class EntryReader:
    cdef readonly bytearray buf
    cdef readonly Py_ssize_t pos
    cdef readonly Py_ssize_t end

    cpdef int begin(self, bytearray buf, Py_ssize_t n) except -1
    @cython.locals(buf=bytearray, pos=Py_ssize_t, end=Py_ssize_t, p=Py_ssize_t, stop=Py_ssize_t,
                   number="long long")
    cpdef long long head(self, unsigned char kind) except? 0
    @cython.locals(line_end=Py_ssize_t, ok=bint, number="long long")
    cdef long long _signed(self) except? 0
    cpdef bytes bulk(self)
    @cython.locals(data=bytes)
    cdef bytes _string(self, long long n)
    @cython.locals(n="long long", buf=bytearray, pos=Py_ssize_t, slot=Py_ssize_t, known=bytes)
    cpdef bytes name(self)
    cpdef long long integer(self) except? 0
    cpdef bint is_null(self) except -1
    @cython.locals(found=dict, n="long long")
    cpdef dict fields(self)
    @cython.locals(found=list, n="long long", parts="long long")
    cpdef list entries(self, bint claimed)
    @cython.locals(found=list, n="long long")
    cpdef list streams(self, bint claimed)
    cpdef object unexpected(self)
