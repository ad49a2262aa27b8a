cimport cython

from headwater.lists.elements cimport put_element, put_integer
from headwater.raw cimport alloc, equal, get_u32, put_u16, put_u32
from headwater.streams.block cimport Block
from headwater.streams.ids cimport u64

cdef int ENTRY_SAME_FIELDS
cdef Py_ssize_t _HEADER_BYTES
cdef int _END
cdef Py_ssize_t _ELEMENTS_UNKNOWN
cdef Py_ssize_t _ENTRY_BYTES
cdef Py_ssize_t _KEEP_BYTES
cdef u64 _SIGNED_MAX


@cython.final
cdef class Packer:
    cdef readonly bytearray buf
    cdef readonly Py_ssize_t used
    cdef readonly u64 ms, seq
    cdef Py_ssize_t _fields
    cdef bytearray _names
    cdef Py_ssize_t _elements

    @cython.locals(size=Py_ssize_t, pos=Py_ssize_t, slot=Py_ssize_t, out=bytearray,
                   elements=Py_ssize_t)
    cpdef void pack(self, Block block) except *
    @cython.locals(source=bytearray, out=bytearray, at=Py_ssize_t, fields=Py_ssize_t,
                   i=Py_ssize_t, n=Py_ssize_t, start=Py_ssize_t)
    cdef Py_ssize_t _put_names(self, Block block, Py_ssize_t pos) except -1
    @cython.locals(source=bytearray, data="const unsigned char *", out=bytearray, end=Py_ssize_t,
                   at=Py_ssize_t, ms=u64, seq=u64, fields=Py_ssize_t, names=bytearray,
                   flags_pos=Py_ssize_t, fields_at=Py_ssize_t, fields_pos=Py_ssize_t, same=bint,
                   i=Py_ssize_t, n=Py_ssize_t)
    cdef Py_ssize_t _put_entry(self, Block block, Py_ssize_t slot, Py_ssize_t pos) except -1


cdef Py_ssize_t _behind_id(bytearray source, Py_ssize_t at) noexcept
cdef Py_ssize_t _behind_line(bytearray source, Py_ssize_t at) noexcept
@cython.locals(value=Py_ssize_t)
cdef Py_ssize_t _number(bytearray source, Py_ssize_t at) noexcept
@cython.locals(difference=u64)
cdef Py_ssize_t _put_difference(bytearray out, Py_ssize_t pos, u64 value, u64 base) noexcept
cdef long long _as_signed(u64 value) noexcept
