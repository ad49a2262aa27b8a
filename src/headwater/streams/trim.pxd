cimport cython

from headwater.streams.block cimport Block
from headwater.streams.ids cimport u64
from headwater.streams.references cimport drop_references, is_acknowledged
from headwater.streams.stream cimport Stream

cdef Py_ssize_t _FEW_BLOCKS
cdef int _KEEPREF, _ACKED, _NONE, _MAXLEN, _MINID


@cython.final
cdef class Trim:
    cdef public int by
    cdef public bint approximate
    cdef public long long limit
    cdef public long long maxlen
    cdef public u64 minid_ms, minid_seq
    cdef public int references
    cdef readonly long long from_head
    cdef readonly list others           # (ms, seq)
    cdef readonly list dropped          # of Block

    @cython.locals(trimmed="long long", blocks=Py_ssize_t, index=Py_ssize_t, careful=bint, block=Block, live=Py_ssize_t,
                   whole=bint, kept=bint, at_head=bint, n=Py_ssize_t)
    cpdef long long apply(self, Stream stream) except? 0
    cpdef int forget(self) except -1
    cdef bint _is_done(self, Stream stream) noexcept
    @cython.locals(block=Block, left=Py_ssize_t, trimmed=Py_ssize_t, ms=u64, seq=u64, slot=Py_ssize_t)
    cdef (bint, Py_ssize_t) _trim_each(self, Stream stream, Py_ssize_t index, bint at_head) except *
