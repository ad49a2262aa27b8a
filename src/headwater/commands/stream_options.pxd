cimport cython

from headwater.raw cimport parse_u64
from headwater.resp.request cimport Request
from headwater.streams.ids cimport strict_id, u64
from headwater.streams.trim cimport Trim

cdef int ACKED, DELREF, KEEPREF, MAXLEN, MINID, NONE
cdef int _A, _D, _I, _K, _L, _M, _N
cdef long long _DEFAULT_LIMIT, _MAX_DEFAULT_LIMIT, _NODES_PER_LIMIT


@cython.final
cdef class StreamOptions:
    cdef Trim _trim                     # what `trim` is when it is not None
    cdef readonly Trim trim
    cdef readonly Py_ssize_t id_arg
    cdef readonly bint make_stream
    cdef readonly Py_ssize_t producer, iid

    @cython.locals(trim=Trim, references_given=bint, limit_given=bint, n=Py_ssize_t, i=Py_ssize_t,
                   more=Py_ssize_t, c=int)
    cpdef int parse(self, Request request, bint is_xadd, long long node_max_entries) except -1
    @cython.locals(trim=Trim, c=int)
    cdef Py_ssize_t _threshold(self, Request request, Py_ssize_t i, int by) except -1
    cdef int _take_producer(self, Request request, Py_ssize_t i, empty) except -1


cdef int _check_id(Request request, Py_ssize_t i) except -1
cpdef bint is_star(Request request, Py_ssize_t i) noexcept
@cython.locals(n=Py_ssize_t, start=Py_ssize_t)
cpdef bint ends_with_star(Request request, Py_ssize_t i) noexcept
@cython.locals(ok=bint, ms=u64)
cpdef u64 star_ms(Request request, Py_ssize_t i) except? 0
cdef long long _default_limit(long long node_max_entries) noexcept
