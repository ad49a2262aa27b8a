cimport cython

from headwater.acl.patterns cimport Pattern
from headwater.acl.plans cimport Plan
from headwater.resp.request cimport Request

cdef Py_ssize_t _ALLOWED, _NO_COMMAND, _NO_KEY, _NO_CHANNEL, _PLACE
cdef int _ONE, _PATTERNS, _NONE, _READ


@cython.final
cdef class Selector:
    cdef public bytearray allowed
    cdef public bint all_commands, all_keys, all_channels
    cdef public bint future
    cdef public dict first_words        # number -> list of bytes
    cdef public list keys, channels     # Patterns
    cdef public list rules              # (granted, rule)

    cpdef Selector copy(self)
    cpdef bint grants_all(self) noexcept
    @cython.locals(words=list)
    cdef bint _allows_command(self, Plan plan, Request request) except -1
    @cython.locals(pattern=Pattern, pos=Py_ssize_t, n=Py_ssize_t)
    cdef bint _allows_key(self, Request request, Py_ssize_t at, int need) except -1
    @cython.locals(count=Py_ssize_t, at=Py_ssize_t, first=Py_ssize_t, last=Py_ssize_t, step=Py_ssize_t, need=int)
    cdef Py_ssize_t _refused_key(self, Plan plan, Request request) except -1
    @cython.locals(at=Py_ssize_t, rest=Py_ssize_t, end=Py_ssize_t, step=Py_ssize_t, word=bytes, takes=Py_ssize_t)
    cdef Py_ssize_t _refused_behind(self, Plan plan, Request request) except -1
    @cython.locals(pattern=Pattern)
    cpdef bint allows_channel(self, bytearray buf, Py_ssize_t pos, Py_ssize_t n, bint is_pattern) except -1
    @cython.locals(at=Py_ssize_t, end=Py_ssize_t, pos=Py_ssize_t, n=Py_ssize_t)
    cdef Py_ssize_t _refused_channel(self, Plan plan, Request request) except -1
    @cython.locals(at=Py_ssize_t)
    cpdef Py_ssize_t check(self, Plan plan, Request request) except -1


@cython.locals(selector=Selector, worst=Py_ssize_t, verdict=Py_ssize_t)
cpdef Py_ssize_t judge(list selectors, Plan plan, Request request) except -1
