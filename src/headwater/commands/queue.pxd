cimport cython

from headwater.commands.table cimport Command
from headwater.raw cimport alloc, copy, get_u64, put_u64
from headwater.resp.request cimport Request

cdef Py_ssize_t _FIRST_BYTES, _SPARE_BYTES, _REQUEST_BYTES


@cython.final
cdef class Transaction:
    cdef bytearray _buf, _marks
    cdef Py_ssize_t _filled, _marked
    cdef list _commands
    cdef unsigned int _flags
    cdef public bint failed
    cdef public Request request         # what `fill` filled last

    cpdef int queue(self, Command command, Request request) except -1
    @cython.locals(argc=Py_ssize_t, first=Py_ssize_t, n=Py_ssize_t, base=Py_ssize_t, at=Py_ssize_t,
                   i=Py_ssize_t, marks=bytearray)
    cdef int _keep(self, Command command, Request request) except -1
    cpdef int fail(self) except -1
    cpdef bint has(self, unsigned int flags) noexcept
    cpdef list take(self)
    @cython.locals(argc=Py_ssize_t, i=Py_ssize_t, marks=bytearray, request=Request)
    cpdef Py_ssize_t fill(self, Py_ssize_t at) except -1
    cpdef int reset(self) except -1


@cython.locals(bigger=bytearray)
cdef bytearray _bigger(bytearray buf, Py_ssize_t filled, Py_ssize_t more)
