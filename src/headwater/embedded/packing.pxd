cimport cython

from headwater.raw cimport alloc, copy, copy_bytes, copy_text, cut, put_decimal, text_bytes

cdef Py_ssize_t _BUFFER_BYTES, _BUFFER_KEPT_BYTES, _HEAD_BYTES


@cython.final
cdef class Packer:
    cdef object _encode
    cdef bint _utf8
    cdef bytearray _buf
    cdef Py_ssize_t _capacity
    cdef Py_ssize_t _pos
    cdef dict _names                    # name: tuple of its words

    cdef bytes _take(self)
    @cython.locals(words=tuple, i=Py_ssize_t)
    cdef int _add(self, tuple args) except -1
    cdef tuple _split(self, name)
    @cython.locals(pos=Py_ssize_t)
    cdef int _head(self, int kind, Py_ssize_t n) except -1
    @cython.locals(n=Py_ssize_t)
    cdef int _word(self, bytes data) except -1
    @cython.locals(n=Py_ssize_t)
    cdef int _text(self, str text) except -1
    cdef int _end(self, Py_ssize_t pos) except -1
    @cython.locals(capacity=Py_ssize_t, bigger=bytearray)
    cdef int _grow(self, Py_ssize_t n) except -1
