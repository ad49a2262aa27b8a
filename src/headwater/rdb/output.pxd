cimport cython

from headwater.raw cimport (
    alloc,
    copy,
    copy_bytes,
    cut,
    move,
    parse_int,
    put_i64,
    put_u16,
    put_u64,
)
from headwater.rdb.lzf cimport compress

cdef int _INT8
cdef int _INT16
cdef int _INT32
cdef int _LZF
cdef Py_ssize_t _LENGTH_BYTES
cdef Py_ssize_t _INTEGER_MAX_BYTES
cdef Py_ssize_t _COMPRESS_ABOVE_BYTES
cdef Py_ssize_t _MUST_SAVE_BYTES
cdef Py_ssize_t _START_BYTES
cdef Py_ssize_t _KEEP_BYTES


@cython.final
cdef class Output:
    cdef readonly bytearray buf
    cdef readonly Py_ssize_t pos
    cdef readonly bint compress

    @cython.locals(need=Py_ssize_t, bigger=bytearray)
    cpdef void reserve(self, Py_ssize_t n) except *
    cpdef bytes take(self)
    cpdef void raw(self, bytes data) except *
    cpdef void byte(self, int value) except *
    cpdef void u16(self, int value) except *
    cpdef void u64(self, unsigned long long value) except *
    cpdef void time(self, long long ms) except *
    @cython.locals(buf="unsigned char *", pos=Py_ssize_t, i="int")
    cpdef void length(self, unsigned long long value) except *
    cpdef void entry_id(self, unsigned long long ms, unsigned long long seq) except *
    @cython.locals(buf="unsigned char *", i="int")
    cdef void _big_endian(self, Py_ssize_t pos, unsigned long long value) except *
    @cython.locals(n=Py_ssize_t)
    cpdef void string(self, bytes data) except *
    @cython.locals(ok=bint, value="long long", begin=Py_ssize_t, place=Py_ssize_t,
                   packed=Py_ssize_t)
    cpdef void span(self, bytearray buf, Py_ssize_t start, Py_ssize_t n) except *
    cpdef void copied(self, bytearray buf, Py_ssize_t start, Py_ssize_t n) except *
    @cython.locals(buf="unsigned char *", pos=Py_ssize_t, size="int", i="int")
    cdef bint _integer(self, long long value) except -1
