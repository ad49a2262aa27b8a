cimport cython

from headwater.commands.state cimport ServerState
from headwater.raw cimport parse_u64
from headwater.resp.request cimport Request
from headwater.streams.ids cimport strict_id, u64
from headwater.streams.trim cimport Trim


cdef class StreamOptions:
    cdef readonly Trim trim
    cdef readonly Py_ssize_t id_arg
    cdef readonly bint make_stream
    cdef readonly Py_ssize_t producer, iid


@cython.locals(options=StreamOptions, trim=Trim, references_given=bint, limit_given=bint,
               n=Py_ssize_t, i=Py_ssize_t, more=Py_ssize_t)
cpdef StreamOptions parse_options(Request request, bint is_xadd, ServerState state)
cdef object _take_producer(Request request, StreamOptions options, Py_ssize_t i, empty)
cdef object _check_id(Request request, Py_ssize_t i)
@cython.locals(n=Py_ssize_t, start=Py_ssize_t)
cpdef bint ends_with_star(Request request, Py_ssize_t i) noexcept
@cython.locals(ok=bint, ms=u64)
cpdef u64 star_ms(Request request, Py_ssize_t i) except? 0
cdef long long _default_limit(long long node_max_entries) noexcept
