cimport cython

from headwater.lists.elements cimport (
    put_digits,
    put_replies,
    put_replies_back,
    put_reply,
    reply_bytes,
    size_at,
    start_before,
    text_length,
    text_span,
)
from headwater.lists.node cimport Node
from headwater.raw cimport alloc, copy, cut
from headwater.resp.reply cimport Reply

cdef Py_ssize_t _ATTACH_BYTES, _PIECE_MIN_BYTES
cdef Node _GONE


@cython.final
cdef class Run:
    cdef readonly list nodes
    cdef readonly Py_ssize_t offset, count
    cdef readonly Py_ssize_t size

    cpdef bint is_big(self) noexcept
    @cython.locals(items=Py_ssize_t, node=Node)
    cpdef Py_ssize_t behind(self) except -1
    @cython.locals(out=bytearray, at=Py_ssize_t, left=Py_ssize_t, passed=Py_ssize_t, i=Py_ssize_t, node=Node,
                   n=Py_ssize_t)
    cpdef object write(self, Reply reply, bint reverse)


@cython.final
cdef class Pieces:
    cdef list _nodes
    cdef bint _reverse
    cdef Py_ssize_t _left, _rest, _items, _index, _passed, _at
    cdef Node _node
    cdef Py_ssize_t _text, _text_end

    cpdef Py_ssize_t left(self) noexcept
    @cython.locals(node=Node)
    cdef int _open_next(self) except -1
    @cython.locals(size=Py_ssize_t, piece=bytearray, filled=Py_ssize_t, buf=bytearray, pos=Py_ssize_t, n=Py_ssize_t)
    cpdef bytes read(self, Py_ssize_t max_bytes)
    @cython.locals(n=Py_ssize_t)
    cdef Py_ssize_t _go_on(self, bytearray piece, Py_ssize_t filled, Py_ssize_t size) except -1
    cpdef list parts(self)
