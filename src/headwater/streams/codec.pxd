cimport cython


@cython.final
cdef class Codec:
    cdef public object decompress
    cdef object _kept                       # deque of Block
    cdef long long _taken, _mark
    cdef public Py_ssize_t limit
    cdef readonly Py_ssize_t blocks
    cdef readonly Py_ssize_t raw_bytes
    cdef readonly Py_ssize_t packed_bytes
    cdef readonly Py_ssize_t kept_bytes
    cdef readonly long long unpacked

    @cython.locals(raw=bytes)
    cpdef bytes unpack(self, bytes data, Py_ssize_t size)
    cpdef object keep(self, object block, Py_ssize_t size)
    cdef object _let_go(self)
    @cython.locals(old="long long")
    cpdef object next_age(self)
    cpdef object clear(self)


@cython.final
@cython.no_gc
cdef class Packed:
    cdef readonly Codec codec
    cdef readonly bytes data
    cdef readonly Py_ssize_t raw_bytes
