cimport cython

from headwater.raw cimport alloc, copy, copy_bytes, cut, decimal_length, move, put_decimal


@cython.final
cdef class Reply:
    cdef public bytearray buf
    cdef Py_ssize_t _capacity
    cdef public Py_ssize_t pos
    cdef public list parts          # bytes and sources that go out before the buffer
    cdef public bint resp3

    cpdef int reserve(self, Py_ssize_t n) except -1
    @cython.locals(capacity=Py_ssize_t, bigger=bytearray)
    cdef int _grow(self, Py_ssize_t n) except -1
    cpdef bint empty(self) noexcept
    cpdef Py_ssize_t part_count(self) noexcept
    cpdef void rewind(self, Py_ssize_t part_count, Py_ssize_t pos) except *
    cpdef int clear(self) except -1
    cpdef bytes take(self)
    cpdef int reset(self) except -1
    cpdef list take_parts(self)
    @cython.locals(shrink=Py_ssize_t, start=Py_ssize_t, fixed=bytearray)
    cpdef void set_head(self, Py_ssize_t part_count, Py_ssize_t pos, Py_ssize_t announced, Py_ssize_t n) except *
    cpdef int attach(self, source) except -1
    cpdef int attach_bytes(self, bytes data) except -1
    @cython.locals(pos=Py_ssize_t, magnitude="unsigned long long")
    cpdef int _head(self, unsigned char kind, long long n) except -1
    @cython.locals(pos=Py_ssize_t)
    cpdef int _line(self, unsigned char kind, bytes text) except -1
    cpdef int ok(self) except -1
    cpdef int simple(self, bytes text) except -1
    cpdef int error(self, bytes text) except -1
    cpdef int integer(self, long long value) except -1
    @cython.locals(n=Py_ssize_t, pos=Py_ssize_t)
    cpdef void bulk(self, bytes data) except *
    cpdef int bulk_text(self, str text) except -1
    cpdef int null(self) except -1
    cpdef int null_array(self) except -1
    cpdef int array(self, long long n) except -1
    cpdef int map(self, long long n) except -1
    cpdef int keyed(self, long long n) except -1
    cpdef int set(self, long long n) except -1
    cpdef int push(self, long long n) except -1
    cpdef int boolean(self, bint value) except -1
    cpdef int double(self, double value) except -1
    cpdef int verbatim(self, bytes text) except -1
    @cython.locals(n=Py_ssize_t, pos=Py_ssize_t)
    cpdef int stream_id(self, unsigned long long ms, unsigned long long seq) except -1
    cpdef int raw_bytes(self, bytes data) except -1
    cpdef int span(self, bytearray buf, Py_ssize_t pos, Py_ssize_t n) except -1
