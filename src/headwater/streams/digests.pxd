cimport cython

from headwater.raw cimport equal_bytes, get_u32, get_u64, put_u32, put_u64
from headwater.streams.ids cimport u64

cdef u64 _LOW_HALF, _MASK, _MULTIPLIER, _LOW_MULTIPLIER, _HIGH_MULTIPLIER
cdef int _SHIFT
cdef Py_ssize_t _FIRST_SLOTS


@cython.locals(h=u64, word=u64, end=Py_ssize_t, left=Py_ssize_t)
cpdef u64 digest_of(bytearray buf, Py_ssize_t pos, Py_ssize_t n) noexcept
@cython.locals(n=Py_ssize_t, c="unsigned char", elements=Py_ssize_t, size=Py_ssize_t, found=bint,
               is_name=bint)
cpdef u64 digest_of_field(bytearray buf, Py_ssize_t pos, bytes field) noexcept


@cython.final
cdef class DigestTable:
    cdef readonly Py_ssize_t live, used
    cdef readonly bytearray slots, keys
    cdef Py_ssize_t _free
    cdef Py_ssize_t _mask

    cpdef unsigned int find(self, u64 key) noexcept
    @cython.locals(tag="unsigned int", place=Py_ssize_t, number="unsigned int")
    cpdef unsigned int find_or_add(self, u64 key) except 0
    cpdef u64 key(self, unsigned int number) noexcept
    @cython.locals(slots=bytearray, mask=Py_ssize_t, place=Py_ssize_t)
    cpdef int remove(self, unsigned int number) except -1
    @cython.locals(slots=bytearray, mask=Py_ssize_t, behind=Py_ssize_t, number="unsigned int", tag="unsigned int")
    cdef void _close_gap(self, Py_ssize_t place) noexcept
    @cython.locals(mixed=u64)
    cdef unsigned int _tag(self, u64 key) noexcept
    @cython.locals(slots=bytearray, place=Py_ssize_t, number="unsigned int")
    cdef Py_ssize_t _place_of(self, u64 key, unsigned int tag) noexcept
    @cython.locals(place=Py_ssize_t)
    cdef Py_ssize_t _empty_place(self, unsigned int tag) noexcept
    @cython.locals(old=bytearray, n=Py_ssize_t, pos=Py_ssize_t, number="unsigned int", tag="unsigned int",
                   place=Py_ssize_t)
    cdef void _grow(self) except *
    cdef void _clear(self, Py_ssize_t last) except *
    @cython.locals(twin=DigestTable)
    cpdef DigestTable copy(self)
    cpdef Py_ssize_t memory_usage(self) except -1
