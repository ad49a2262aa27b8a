cimport cython

from headwater.raw cimport alloc, copy, copy_bytes, cut, find_byte, move


cdef int _LIST, _MAP, _PUSH
cdef Py_ssize_t _DIGITS, _DEPTH_AT_REST
cdef Py_ssize_t REPLY_BUFFER_BYTES


@cython.final
cdef class ReplyDecoder:
    cdef public bint resp3
    cdef str _encoding              # None: bytes remain bytes
    cdef str _errors
    cdef object _make_error
    cdef bytearray _buf
    cdef Py_ssize_t _capacity
    cdef Py_ssize_t _begin          # of the reply at hand
    cdef Py_ssize_t _pos            # the next byte to look at
    cdef Py_ssize_t _end
    cdef Py_ssize_t _newline        # searched so far
    cdef Py_ssize_t _depth          # arrays that are open
    cdef Py_ssize_t _room           # for so many of them
    cdef list _open
    cdef list _keys
    cdef long long[::1] _left
    cdef long long[::1] _kinds

    cpdef Py_ssize_t waiting(self) noexcept
    cpdef int clear(self) except -1
    cpdef int feed(self, bytes data) except -1
    cpdef int feed_span(self, bytearray buf, Py_ssize_t pos, Py_ssize_t n) except -1
    cpdef int borrow(self, bytearray buf, Py_ssize_t n) except -1
    @cython.locals(begin=Py_ssize_t, left=Py_ssize_t, bigger=bytearray)
    cdef int _reserve(self, Py_ssize_t n) except -1
    cpdef object decode(self, bint raw=*)
    cpdef bytes take_bytes(self)
    @cython.locals(i=Py_ssize_t)
    cdef int _close_all(self) except -1
    @cython.locals(buf=bytearray, end=Py_ssize_t, pos=Py_ssize_t, p=Py_ssize_t, stop=Py_ssize_t,
                   after=Py_ssize_t, number="long long", kind="unsigned char", plain=bint)
    cdef object _read(self, str encoding)
    @cython.locals(top=Py_ssize_t, left="long long")
    cdef object _add(self, value)
    @cython.locals(depth=Py_ssize_t)
    cdef int _enter(self, int kind, long long n) except -1
    @cython.locals(room=Py_ssize_t, i=Py_ssize_t, left="long long[::1]", kinds="long long[::1]")
    cdef int _deepen(self) except -1
    @cython.locals(at=Py_ssize_t)
    cdef Py_ssize_t _line_end(self, bytearray buf, Py_ssize_t end) except? -2
    cdef object _integer(self, bytearray buf, Py_ssize_t end)
    cdef long long _number(self, bytearray buf, Py_ssize_t end) except? 0
    cdef object _scalar(self, bytearray buf, unsigned char kind, Py_ssize_t end)
    cdef object _error(self, bytes text)
    cdef object _malformed(self, bytearray buf, Py_ssize_t end)
