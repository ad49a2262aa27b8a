cimport cython

from headwater.raw cimport monotonic_us
from headwater.rdb.source cimport RdbSource

cdef int _ELEMENTS_A_LOOK
cdef int _STRING
cdef int _NUMBER
cdef int _EIGHT
cdef unsigned long long _SINT
cdef unsigned long long _UINT
cdef unsigned long long _FLOAT
cdef unsigned long long _DOUBLE
cdef unsigned long long _MODULE_STRING
cdef unsigned long long _MODULE_END
cdef int _ELEMENTS
cdef int _MODULE
cdef int _ARRAY
cdef int _DONE


@cython.final
cdef class Skipper:
    cdef RdbSource _source
    cdef bytes _each
    cdef unsigned long long _left
    cdef int _stage
    cdef readonly object name

    cpdef bint step(self, long long until_us) except -1
    @cython.locals(count=int)
    cdef object _skip_elements(self)
    @cython.locals(source=RdbSource, i=Py_ssize_t, part=int, n=int)
    cdef object _skip_parts(self, bytes parts)
    @cython.locals(count=int)
    cdef object _skip_module(self)
    @cython.locals(source=RdbSource, count=int, tag="unsigned long long")
    cdef object _skip_array(self)


@cython.locals(opcode="unsigned long long")
cpdef bint skip_module_part(RdbSource source) except -1
