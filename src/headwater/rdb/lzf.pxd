cimport cython

from headwater.raw cimport copy, move

cdef int _HASH_SIZE
cdef int _HASH_SHIFT
cdef unsigned long long _MULTIPLIER
cdef Py_ssize_t _MAX_BACK
cdef Py_ssize_t _MAX_COPY
cdef Py_ssize_t _MAX_LITERALS
cdef int _SKIP_SHIFT
cdef Py_ssize_t _MAX_SKIP
cdef Py_ssize_t _FORGET_AT
cdef unsigned int _seen[16384]
cdef Py_ssize_t _next_place

@cython.locals(i="int", data="const unsigned char *", out="unsigned char *", begin=Py_ssize_t,
               literal=Py_ssize_t, end=Py_ssize_t, shift=Py_ssize_t, at=Py_ssize_t,
               stop=Py_ssize_t, word="unsigned long long", spot="unsigned int", found=Py_ssize_t,
               most=Py_ssize_t, length=Py_ssize_t, back=Py_ssize_t, skip=Py_ssize_t, code=Py_ssize_t)
cpdef Py_ssize_t compress(
    bytearray src, Py_ssize_t pos, Py_ssize_t n, bytearray dst, Py_ssize_t dst_pos, Py_ssize_t limit
) except? -1
@cython.locals(run=Py_ssize_t)
cdef Py_ssize_t _put_literals(
    bytearray src, Py_ssize_t pos, Py_ssize_t n, bytearray dst, Py_ssize_t at, Py_ssize_t stop
) noexcept
@cython.locals(data="const unsigned char *", out="unsigned char *", end=Py_ssize_t, at=Py_ssize_t,
               stop=Py_ssize_t, control="int", length=Py_ssize_t, found=Py_ssize_t)
cpdef bint decompress(
    bytearray src, Py_ssize_t pos, Py_ssize_t n, bytearray dst, Py_ssize_t dst_pos, Py_ssize_t size
) except -1
