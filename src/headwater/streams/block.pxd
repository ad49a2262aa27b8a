cimport cython

from headwater.raw cimport alloc, copy, decimal_length, equal, get_u32, put_decimal, put_u32
from headwater.resp.request cimport Request
from headwater.streams.ids cimport u64
from headwater.streams.listpack cimport element_bytes, integer_bytes


cdef u64 _SIGNED_MAX


cdef class Block:
    cdef public bytearray buf
    cdef readonly Py_ssize_t capacity
    cdef readonly Py_ssize_t used
    cdef readonly bytearray offsets         # u32 each
    cdef readonly Py_ssize_t slots
    cdef public Py_ssize_t first            # the first live slot
    cdef readonly Py_ssize_t dead           # entries that were here and are gone
    cdef readonly bint sealed               # nothing is appended, nor dropped in place, any more
    cdef readonly u64 last_ms, last_seq     # ID of the last live entry
    cdef readonly u64 tail_ms, tail_seq     # ID of the last entry ever appended
    cdef readonly Py_ssize_t entries_bytes  # of the entries ever appended, in Redis's listpack
    cdef bytearray _master                  # field names of the first entry: u32 length, bytes
    cdef Py_ssize_t _master_bytes           # of the node's head, in Redis's listpack
    cdef Py_ssize_t _master_fields
    cdef u64 _master_ms, _master_seq

    cpdef Py_ssize_t live(self) noexcept
    cpdef Py_ssize_t offset(self, Py_ssize_t slot) noexcept
    @cython.locals(buf=bytearray, pos=Py_ssize_t, ms=u64, seq=u64, c="unsigned char")
    cpdef (u64, u64) entry_id(self, Py_ssize_t slot) noexcept
    @cython.locals(low=Py_ssize_t, high=Py_ssize_t, middle=Py_ssize_t, m=u64, s=u64)
    cpdef Py_ssize_t find(self, u64 ms, u64 seq) noexcept
    cpdef Py_ssize_t listpack_bytes(self) noexcept
    cpdef void follow(self, Block other) noexcept
    @cython.locals(last=Py_ssize_t, span=Py_ssize_t, span_bytes=Py_ssize_t, id_bytes=Py_ssize_t,
                   size=Py_ssize_t, buf=bytearray, pos=Py_ssize_t)
    cpdef void append(self, u64 ms, u64 seq, Request request, Py_ssize_t arg, Py_ssize_t fields) except *
    @cython.locals(capacity=Py_ssize_t, bigger=bytearray)
    cdef void _grow(self, Py_ssize_t size) except *
    @cython.locals(n=Py_ssize_t, bigger=bytearray)
    cdef void _grow_offsets(self) except *
    @cython.locals(buf=bytearray, same=bint, elements=Py_ssize_t, size=Py_ssize_t, i=Py_ssize_t)
    cdef void _count_as_listpack(self, u64 ms, u64 seq, Request request, Py_ssize_t arg, Py_ssize_t fields) except *
    @cython.locals(size=Py_ssize_t, names=bytearray, bytes_in_listpack=Py_ssize_t, pos=Py_ssize_t,
                   i=Py_ssize_t, n=Py_ssize_t)
    cdef void _become_master(self, Request request, Py_ssize_t arg, Py_ssize_t fields) except *
    @cython.locals(names=bytearray, pos=Py_ssize_t, i=Py_ssize_t, n=Py_ssize_t)
    cdef bint _same_fields(self, Request request, Py_ssize_t arg, Py_ssize_t fields) noexcept
    @cython.locals(exact=bytearray, tight=bytearray)
    cpdef void seal(self) except *
    cpdef void load(self, bytearray entries, Py_ssize_t n, bytearray offsets, Py_ssize_t slots) except *
    cpdef void load_history(
        self, Py_ssize_t dead, Py_ssize_t entries_bytes, u64 tail_ms, u64 tail_seq
    ) noexcept
    cpdef void load_master(
        self, bytearray names, Py_ssize_t names_bytes, Py_ssize_t fields, u64 ms, u64 seq
    ) noexcept
    @cython.locals(other=Block)
    cpdef Block twin(self)
    cpdef Block own(self)
    @cython.locals(other=Block)
    cpdef Block without(self, Py_ssize_t slot)
    @cython.locals(start=Py_ssize_t, cut_start=Py_ssize_t, cut_end=Py_ssize_t, other=Block,
                   live=Py_ssize_t, i=Py_ssize_t, moved=Py_ssize_t)
    cdef Block _without(self, Py_ssize_t slot)
    cdef void _take_history(self, Block other) noexcept
    cpdef void drop_first(self, Py_ssize_t n) noexcept
    cpdef Py_ssize_t memory_bytes(self) noexcept


@cython.locals(difference=u64)
cdef int _difference_bytes(u64 value, u64 base) noexcept
cdef long long _as_signed(u64 value) noexcept
