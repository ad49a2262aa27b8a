cimport cython

from headwater.raw cimport alloc, copy
from headwater.resp.reply cimport Reply
from headwater.streams.block cimport Block


cdef class Range:
    cdef readonly list blocks
    cdef readonly Py_ssize_t index1, slot1      # the first entry
    cdef readonly Py_ssize_t index2, slot2      # behind the last entry
    cdef readonly Py_ssize_t count
    cdef readonly Py_ssize_t size               # bytes

    @cython.locals(block=Block)
    cpdef Py_ssize_t _begin(self, Py_ssize_t index) noexcept
    @cython.locals(block=Block)
    cpdef Py_ssize_t _end(self, Py_ssize_t index) noexcept
    @cython.locals(step=Py_ssize_t, index=Py_ssize_t, stop=Py_ssize_t, begin=Py_ssize_t,
                   end=Py_ssize_t, left=Py_ssize_t, block=Block)
    cpdef void keep(self, long long limit, bint reverse) except *
    @cython.locals(kept=Py_ssize_t, size=Py_ssize_t, index=Py_ssize_t, block=Block, slot=Py_ssize_t)
    cpdef void keep_bytes(self, Py_ssize_t max_bytes) except *
    @cython.locals(buf=bytearray, pos=Py_ssize_t, index=Py_ssize_t, block=Block, slot=Py_ssize_t,
                   begin=Py_ssize_t, start=Py_ssize_t, end=Py_ssize_t)
    cpdef void write(self, Reply reply, bint reverse) except *


cdef class Pieces:
    cdef list _blocks
    cdef Block _block
    cdef bytearray _data
    cdef Py_ssize_t _index, _slot
    cdef Py_ssize_t _first, _last_first, _last_slot
    cdef Py_ssize_t _pos, _end
    cdef bint _reverse
    cdef Py_ssize_t _left

    @cython.locals(block=Block)
    cdef Py_ssize_t _begin_slot(self, Py_ssize_t index) noexcept
    @cython.locals(block=Block)
    cdef Py_ssize_t _end_slot(self, Py_ssize_t index) noexcept
    @cython.locals(block=Block)
    cdef void _open(self) except *
    @cython.locals(block=Block)
    cdef void _next_span(self) except *
    cpdef Py_ssize_t left(self) noexcept
    @cython.locals(size=Py_ssize_t, piece=bytearray, filled=Py_ssize_t, n=Py_ssize_t, block=Block)
    cpdef bytes read(self, Py_ssize_t max_bytes)
    cpdef list parts(self)
