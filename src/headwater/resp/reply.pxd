cimport cython

from headwater.raw cimport alloc, copy, copy_bytes, cut, decimal_length, move, put_decimal


cdef class Reply:
    cdef public bytearray buf
    cdef Py_ssize_t _capacity
    cdef public Py_ssize_t pos
    cdef public list parts          # bytes and sources that go out before the buffer
    cdef public bint resp3

    cpdef void reserve(self, Py_ssize_t n) except *
    @cython.locals(capacity=Py_ssize_t, bigger=bytearray)
    cdef void _grow(self, Py_ssize_t n) except *
    cpdef bint empty(self) noexcept
    cpdef Py_ssize_t part_count(self) noexcept
    cpdef void rewind(self, Py_ssize_t part_count, Py_ssize_t pos) except *
    cpdef void clear(self) except *
    cpdef bytes take(self)
    cpdef void reset(self) except *
    cpdef list take_parts(self)
    @cython.locals(shrink=Py_ssize_t, start=Py_ssize_t, fixed=bytearray)
    cpdef void set_head(self, Py_ssize_t part_count, Py_ssize_t pos, Py_ssize_t announced, Py_ssize_t n) except *
    cpdef void attach(self, source) except *
    cpdef void attach_bytes(self, bytes data) except *
    @cython.locals(pos=Py_ssize_t, magnitude="unsigned long long")
    cpdef void _head(self, unsigned char kind, long long n) except *
    @cython.locals(pos=Py_ssize_t)
    cpdef void _line(self, unsigned char kind, bytes text) except *
    cpdef void ok(self) except *
    cpdef void simple(self, bytes text) except *
    cpdef void error(self, bytes text) except *
    cpdef void integer(self, long long value) except *
    @cython.locals(n=Py_ssize_t, pos=Py_ssize_t)
    cpdef void bulk(self, bytes data) except *
    cpdef void bulk_text(self, str text) except *
    cpdef void null(self) except *
    cpdef void null_array(self) except *
    cpdef void array(self, long long n) except *
    cpdef void map(self, long long n) except *
    cpdef void keyed(self, long long n) except *
    cpdef void set(self, long long n) except *
    cpdef void push(self, long long n) except *
    cpdef void boolean(self, bint value) except *
    cpdef void double(self, double value) except *
    cpdef void verbatim(self, bytes text) except *
    @cython.locals(n=Py_ssize_t, pos=Py_ssize_t)
    cpdef void stream_id(self, unsigned long long ms, unsigned long long seq) except *
    cpdef void raw_bytes(self, bytes data) except *
    cpdef void span(self, bytearray buf, Py_ssize_t pos, Py_ssize_t n) except *
