cimport cython

from headwater.keyspace.strings cimport String
from headwater.resp.request cimport Request
from headwater.value cimport Value

cdef int _GET, _KEEPTTL, _PERSIST, _EXISTENCE, _VALUE
cdef int _ALWAYS, _IF_MISSING, _IF_EXISTS, _IF_EQUAL, _IF_NOT_EQUAL, _IF_DIGEST, _IF_NOT_DIGEST
cdef int _EX, _PX, _EXAT, _PXAT
cdef long long _INT64_MAX
cdef Py_ssize_t _DIGEST_DIGITS


@cython.final
cdef class StringOptions:
    cdef public int condition
    cdef public Py_ssize_t operand
    cdef public bint get, keep_ttl, persist
    cdef public int unit
    cdef public Py_ssize_t number

    @cython.locals(argc=Py_ssize_t, taken=int)
    cpdef object read(self, Request request, Py_ssize_t i, int takes)
    @cython.locals(n=Py_ssize_t, unit=int)
    cdef int _expiry(self, Request request, Py_ssize_t i, int takes) except -1
    @cython.locals(condition=int)
    cdef int _condition(self, Request request, Py_ssize_t i, int takes) except -1
    cpdef long long expire_at(self, Request request, long long now_ms, str name) except? 0
    cpdef bint holds(self, Request request, Value value) except *


@cython.locals(n=Py_ssize_t)
cpdef int condition_of(Request request, Py_ssize_t i) except -1
@cython.locals(same=bint)
cpdef bint compares(int condition, String value, bytes operand) except *
@cython.locals(n=Py_ssize_t)
cpdef int expiry_unit(Request request, Py_ssize_t i) except -1
@cython.locals(number="long long")
cpdef long long expiry_time(
    Request request, int unit, Py_ssize_t i, long long now_ms, str name
) except? 0
cpdef bytes digest(bytes data)
