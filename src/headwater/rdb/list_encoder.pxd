cimport cython

from headwater.lists.elements cimport text_length, text_span
from headwater.lists.list cimport List
from headwater.lists.node cimport Node
from headwater.raw cimport alloc, copy, put_u16, put_u32
from headwater.rdb.output cimport Output

cdef Py_ssize_t COMPRESS_MAX_BYTES, _START_BYTES, _KEEP_BYTES, _HEADER_BYTES, _HEAD_BYTES, _PIECE_BYTES
cdef int _END, _PACKED, _PLAIN
cdef Py_ssize_t _ELEMENTS_UNKNOWN


@cython.final
cdef class ListEncoder:
    cdef Output _out
    cdef List _list
    cdef Py_ssize_t _next
    cdef bytearray _buf
    cdef Py_ssize_t _pos, _end

    cpdef object begin(self, List value)
    @cython.locals(value=List, out=Output, most=Py_ssize_t, piece=Py_ssize_t)
    cpdef bint step(self, Py_ssize_t max_bytes) except -1
    @cython.locals(out=Output, n=Py_ssize_t, pos=Py_ssize_t, size=Py_ssize_t, buf=bytearray)
    cdef object _put_node(self, Node node)
