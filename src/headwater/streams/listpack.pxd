cimport cython

from headwater.raw cimport parse_int

cpdef int integer_bytes(long long value) noexcept
@cython.locals(ok=bint, value="long long", size=Py_ssize_t)
cpdef Py_ssize_t element_bytes(bytearray buf, Py_ssize_t pos, Py_ssize_t n) noexcept
