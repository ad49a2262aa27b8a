cimport cython

from headwater.raw cimport cut, find_byte, parse_int
from headwater.resp.request cimport Request


cdef int _MORE, _READY, _FAILED
cdef long long MULTIBULK_MAX_ARGS, UNAUTHENTICATED_MAX_ARGS, UNAUTHENTICATED_MAX_BULK_BYTES
cdef Py_ssize_t INLINE_MAX_BYTES


@cython.final
cdef class RequestParser:
    cdef public Request request     # the request at hand
    cdef readonly Request shared
    cdef public long long max_bulk_bytes
    cdef public bint authenticated
    cdef readonly bytes error
    cdef public Py_ssize_t begin    # where the request at hand begins in the buffer
    cdef public Py_ssize_t pos      # the next byte to look at
    cdef readonly long long remaining   # arguments still to come; -1 between requests
    cdef long long bulk_length      # of the argument at hand; -1 when not yet known

    @cython.locals(status=int, request=Request)
    cpdef int parse(self, bytearray buf, Py_ssize_t end) except? -2
    cpdef void moved(self, Py_ssize_t offset) noexcept
    cpdef void restart(self) noexcept
    cpdef int release(self) except -1
    cpdef Py_ssize_t wanted(self) noexcept
    @cython.locals(private=Request, shared=Request, i=Py_ssize_t)
    cdef void _hold(self) except *
    cdef int _fail(self, bytes text) noexcept
    @cython.locals(newline=Py_ssize_t, ok=bint, count="long long")
    cdef int _header(self, bytearray buf, Py_ssize_t end) except? -2
    @cython.locals(request=Request, pos=Py_ssize_t, p=Py_ssize_t, length="long long", status=int,
                   remaining="long long", argc=Py_ssize_t)
    cdef int _arguments(self, bytearray buf, Py_ssize_t end) except? -2
    cdef int _not_a_bulk(self, bytearray buf, Py_ssize_t end) except? -2
    @cython.locals(newline=Py_ssize_t, ok=bint, length="long long")
    cdef int _bulk_header(self, bytearray buf, Py_ssize_t end) except? -2
    @cython.locals(newline=Py_ssize_t, stop=Py_ssize_t)
    cdef int _inline(self, bytearray buf, Py_ssize_t end) except? -2
