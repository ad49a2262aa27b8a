cimport cython

from headwater.raw cimport get_u64

cdef unsigned long long POLYNOMIAL
cdef unsigned long long _TABLE[2048]

@cython.locals(i="int", value="unsigned long long")
cdef void _fill_tables() noexcept

@cython.locals(value="unsigned long long", end=Py_ssize_t)
cpdef unsigned long long crc64(
    bytearray buf, Py_ssize_t pos, Py_ssize_t n, unsigned long long start
) noexcept
