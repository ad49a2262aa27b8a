cimport cython

from headwater.streams.block cimport Block
from headwater.streams.ids cimport u64
from headwater.streams.stream cimport Stream

cdef int _RAW, _WAITING, _REFUSED
cdef long long _AGE_MS
cdef Py_ssize_t _BLOCK_MAX_BYTES


@cython.final
cdef class Listing:
    cdef readonly Registry registry
    cdef readonly Stream stream             # or None
    cdef readonly u64 done_ms, done_seq
    cdef readonly u64 mark_ms, mark_seq
    cdef readonly long long due_ms

    cpdef object sealed(self, Stream stream)
    cpdef object rewritten(self, Stream stream, u64 ms, u64 seq)
    cpdef object forget(self)


@cython.final
cdef class Registry:
    cdef public Py_ssize_t depth
    cdef public long long now_ms
    cdef readonly object aging              # deque of Listing
    cdef readonly object ready

    cpdef object sealed(self, Stream stream)
    cpdef object rewritten(self, Stream stream, u64 ms, u64 seq)
    cpdef object added(self, Stream stream)
    cpdef object dropped(self, Stream stream)
    cpdef Py_ssize_t pending(self) except -1
    @cython.locals(stream=Stream)
    cpdef object list_it(self, Listing listing)
    cpdef bint has_work(self) except -1
    @cython.locals(first=Listing)
    cdef bint _is_due(self) except -1
    @cython.locals(found=list, listing=Listing, stream=Stream, blocks=list, stop=Py_ssize_t,
                   low=Py_ssize_t, high=Py_ssize_t, middle=Py_ssize_t, block=Block,
                   left=Py_ssize_t, size=Py_ssize_t)
    cpdef list take(self, Py_ssize_t most, Py_ssize_t max_bytes)
