cimport cython

from headwater.raw cimport alloc, copy, cut, get_i64, get_u32, move, put_decimal
from headwater.rdb.crc64 cimport crc64
from headwater.rdb.lzf cimport decompress

cdef Py_ssize_t _KEPT_BYTES
cdef Py_ssize_t _PIECE
cdef unsigned long long _RATIO
cdef int _INT8
cdef int _INT16
cdef int _INT32
cdef int _LZF
cdef int _32BIT
cdef int _64BIT


@cython.final
cdef class RdbSource:
    cdef object _file
    cdef Py_ssize_t _left
    cdef bytearray _buf
    cdef Py_ssize_t _base, _pos, _end
    cdef bytearray _scratch
    cdef unsigned long long _crc
    cdef Py_ssize_t _summed_to
    cdef readonly bint summed
    cdef readonly bytearray data
    cdef readonly Py_ssize_t start, length

    cpdef object hold(self, bytearray buf, Py_ssize_t begin, Py_ssize_t end)
    cpdef Py_ssize_t offset(self) noexcept
    cpdef Py_ssize_t left(self) noexcept
    cpdef unsigned long long crc(self) noexcept
    cpdef object fail(self, str text)
    @cython.locals(n=Py_ssize_t)
    cdef void _sum(self) noexcept
    @cython.locals(have=Py_ssize_t, capacity=Py_ssize_t, bigger=bytearray, wanted=Py_ssize_t,
                   got=Py_ssize_t)
    cdef object _fill(self, Py_ssize_t n)
    @cython.locals(value="unsigned char")
    cpdef int u8(self) except -1
    @cython.locals(value="unsigned int")
    cpdef unsigned int u32(self) except? 0
    @cython.locals(value="long long")
    cpdef long long i64(self) except? 0
    @cython.locals(value="unsigned long long")
    cpdef unsigned long long id_half(self) except? 0
    @cython.locals(first=int, kind=int)
    cpdef unsigned long long number(self) except? 0
    @cython.locals(n=Py_ssize_t, value="unsigned long long")
    cdef unsigned long long _long_number(self, int first) except? 0
    @cython.locals(first=int, kind=int, n=Py_ssize_t)
    cpdef object string(self)
    cpdef bytes text(self)
    @cython.locals(left="unsigned long long")
    cpdef Py_ssize_t bounded(self, unsigned long long n) except -1
    @cython.locals(packed=Py_ssize_t, said="unsigned long long", size=Py_ssize_t,
                   capacity=Py_ssize_t)
    cdef object _encoded(self, int encoding)
    @cython.locals(n=Py_ssize_t, value="unsigned long long", bound="unsigned long long",
                   i=Py_ssize_t)
    cdef object _integer(self, int encoding)
    @cython.locals(have=Py_ssize_t)
    cpdef object skip(self, Py_ssize_t n)
    @cython.locals(first=int, packed=Py_ssize_t)
    cpdef object skip_string(self)


@cython.locals(source=RdbSource)
cpdef RdbSource payload_source(bytearray payload, Py_ssize_t begin, Py_ssize_t end)

@cython.locals(source=RdbSource)
cpdef RdbSource bytes_source(bytes data)

@cython.locals(value="unsigned long long", i=Py_ssize_t)
cpdef unsigned long long big_endian(bytearray buf, Py_ssize_t pos, Py_ssize_t n) noexcept
