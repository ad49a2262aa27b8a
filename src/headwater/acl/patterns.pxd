cimport cython

from headwater.glob cimport matches
from headwater.raw cimport cut, equal_bytes

cdef int _GLOB, _EXACT, _PREFIX


@cython.final
cdef class Pattern:
    cdef readonly bytes text
    cdef readonly int grants
    cdef int _kind
    cdef bytes _start           # what a text begins with, or is

    cpdef bint matches(self, bytearray buf, Py_ssize_t pos, Py_ssize_t n) except *
    cpdef bint is_text(self, bytearray buf, Py_ssize_t pos, Py_ssize_t n) noexcept
