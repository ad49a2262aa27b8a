cimport cython

from headwater.lists.elements cimport (
    element_bytes,
    put_element,
    replies_bytes,
    reply_bytes,
    size_at,
    skip,
    skip_back,
    start_before,
    text_length,
)
from headwater.raw cimport alloc, copy, move

cdef Py_ssize_t _HEAD_BYTES, _NODE_BYTES, _FIT_BYTES, _SPARE_BYTES, NODE_OBJECT_BYTES
cdef long long _last_stamp

cpdef long long new_stamp() noexcept


@cython.final
cdef class Node:
    cdef readonly bytearray buf
    cdef readonly unsigned int start, end         # where the items are
    cdef readonly unsigned int count
    cdef public bint plain
    cdef readonly Py_ssize_t replies        # bytes of all items as bulk strings
    cdef public long long stamp           # of the list that may change it

    cpdef Py_ssize_t size(self) noexcept
    @cython.locals(n=Py_ssize_t, twin=Node)
    cpdef Node clone(self, long long stamp)
    @cython.locals(live=Py_ssize_t, need=Py_ssize_t, slack=Py_ssize_t, bigger=bytearray, at=Py_ssize_t)
    cdef int _make_room(self, Py_ssize_t before, Py_ssize_t behind) except -1
    @cython.locals(live=Py_ssize_t, smaller=bytearray, at=Py_ssize_t)
    cdef int _fit(self) except -1
    @cython.locals(size=Py_ssize_t)
    cpdef object push(self, bytearray source, Py_ssize_t start, Py_ssize_t n, bint front)
    @cython.locals(size=Py_ssize_t, before=Py_ssize_t, behind=Py_ssize_t)
    cpdef object insert(self, Py_ssize_t pos, bytearray source, Py_ssize_t start, Py_ssize_t n)
    @cython.locals(before=Py_ssize_t)
    cpdef object replace(self, Py_ssize_t pos, bytearray source, Py_ssize_t start, Py_ssize_t n)
    cpdef object delete(self, Py_ssize_t pos)
    @cython.locals(size=Py_ssize_t, before=Py_ssize_t, behind=Py_ssize_t)
    cdef int _take_out(self, Py_ssize_t pos) except -1
    @cython.locals(pos=Py_ssize_t)
    cpdef object drop(self, Py_ssize_t count, bint front)
    @cython.locals(n=Py_ssize_t)
    cpdef int take_in(self, Node other) except -1
    cpdef Py_ssize_t position(self, Py_ssize_t index) noexcept
    cpdef Py_ssize_t last(self) noexcept
    cpdef Py_ssize_t replies_of(self, Py_ssize_t first, Py_ssize_t count) noexcept
    cpdef Py_ssize_t memory_usage(self) noexcept
