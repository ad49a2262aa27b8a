cimport cython

from headwater.raw cimport (
    alloc,
    copy,
    copy_bytes,
    decimal_length,
    equal,
    get_u32,
    put_decimal,
    put_u32,
)
from headwater.resp.reply cimport Reply
from headwater.resp.request cimport Request
from headwater.streams.codec cimport Codec, Packed
from headwater.streams.ids cimport u64
from headwater.streams.listpack cimport element_bytes, integer_bytes


cdef u64 _SIGNED_MAX
cdef Py_ssize_t HEAD_BYTES
cdef int _PACKED


@cython.final
@cython.no_gc
cdef class Block:
    cdef public bytearray buf
    cdef readonly Py_ssize_t capacity
    cdef readonly Py_ssize_t used
    cdef readonly bytearray offsets         # u32 each
    cdef readonly Py_ssize_t slots
    cdef public Py_ssize_t first            # the first live slot
    cdef readonly Py_ssize_t dead           # entries that were here and are gone
    cdef readonly Packed packed             # or None
    cdef public int form                    # RAW, WAITING, PACKED or REFUSED
    cdef readonly bint sealed               # nothing is appended, nor dropped in place, any more
    cdef readonly u64 last_ms, last_seq     # ID of the last live entry
    cdef readonly u64 tail_ms, tail_seq     # ID of the last entry ever appended
    cdef readonly Py_ssize_t entries_bytes  # of the entries ever appended, in Redis's listpack
    cdef bytearray _master                  # field names of the first entry: u32 length, bytes
    cdef Py_ssize_t _master_bytes           # of the node's head, in Redis's listpack
    cdef Py_ssize_t _master_fields
    cdef u64 _master_ms, _master_seq

    cpdef Py_ssize_t live(self) noexcept
    cpdef Py_ssize_t live_bytes(self) except -1
    cpdef Py_ssize_t offset(self, Py_ssize_t slot) except -1
    cpdef bytearray data(self)
    cpdef (u64, u64) entry_id(self, Py_ssize_t slot) except *
    cdef (u64, u64) _id_at(self, Py_ssize_t slot) noexcept
    @cython.locals(low=Py_ssize_t, high=Py_ssize_t, middle=Py_ssize_t, m=u64, s=u64)
    cpdef Py_ssize_t find(self, u64 ms, u64 seq) except -1
    @cython.locals(counts=Py_ssize_t)
    cpdef Py_ssize_t listpack_bytes(self) noexcept
    cpdef int follow(self, Block other) except -1
    @cython.locals(last=Py_ssize_t, span=Py_ssize_t, span_bytes=Py_ssize_t, id_bytes=Py_ssize_t,
                   size=Py_ssize_t, buf=bytearray, pos=Py_ssize_t)
    cpdef int append(self, u64 ms, u64 seq, Request request, Py_ssize_t arg, Py_ssize_t fields) except -1
    @cython.locals(capacity=Py_ssize_t, bigger=bytearray)
    cdef int _grow(self, Py_ssize_t size) except -1
    @cython.locals(n=Py_ssize_t, bigger=bytearray)
    cdef int _grow_offsets(self) except -1
    @cython.locals(buf=bytearray, names=bytearray, at=Py_ssize_t, same=bint, elements=Py_ssize_t,
                   size=Py_ssize_t, i=Py_ssize_t, n=Py_ssize_t, pos=Py_ssize_t)
    cdef int _count_as_listpack(
        self, u64 ms, u64 seq, Request request, Py_ssize_t arg, Py_ssize_t fields
    ) except -1
    @cython.locals(pos=Py_ssize_t, n=Py_ssize_t, buf=bytearray)
    cpdef int write_id(self, Py_ssize_t slot, Reply reply) except -1
    @cython.locals(size=Py_ssize_t, names=bytearray, bytes_in_listpack=Py_ssize_t, pos=Py_ssize_t,
                   i=Py_ssize_t, n=Py_ssize_t)
    cdef int _become_master(self, Request request, Py_ssize_t arg, Py_ssize_t fields) except -1
    @cython.locals(exact=bytearray, tight=bytearray)
    cpdef void seal(self) except *
    @cython.locals(raw=bytearray, end=Py_ssize_t, slot=Py_ssize_t, start=Py_ssize_t)
    cpdef bytearray to_pack(self)
    cpdef object pack(self, Packed packed)
    @cython.locals(other=Block)
    cpdef Block opened(self)
    cpdef Py_ssize_t drop_copy(self) noexcept
    @cython.locals(packed=Packed, codec=Codec)
    cdef object _unpack(self)
    @cython.locals(packed=Packed, codec=Codec, used=Py_ssize_t, raw=bytes, buf=bytearray,
                   offsets=bytearray, at=Py_ssize_t, slot=Py_ssize_t)
    cdef object _unpack_from(self, Block other)
    cpdef void load(self, bytearray entries, Py_ssize_t n, bytearray offsets, Py_ssize_t slots) except *
    cpdef void load_history(
        self, Py_ssize_t dead, Py_ssize_t entries_bytes, u64 tail_ms, u64 tail_seq
    ) noexcept
    cpdef void load_master(
        self, bytearray names, Py_ssize_t names_bytes, Py_ssize_t fields, u64 ms, u64 seq
    ) noexcept
    @cython.locals(other=Block, packed=Packed, codec=Codec)
    cpdef Block twin(self)
    cpdef Block own(self)
    @cython.locals(other=Block)
    cpdef Block without(self, Py_ssize_t slot)
    @cython.locals(start=Py_ssize_t, cut_start=Py_ssize_t, cut_end=Py_ssize_t, other=Block,
                   live=Py_ssize_t, i=Py_ssize_t, moved=Py_ssize_t, buf=bytearray)
    cdef Block _without(self, Py_ssize_t slot)
    cdef void _take_history(self, Block other) noexcept
    cpdef void drop_first(self, Py_ssize_t n) noexcept
    cpdef Py_ssize_t memory_bytes(self) noexcept


@cython.locals(ms=u64, seq=u64, c="unsigned char")
cpdef (u64, u64) id_at(bytearray buf, Py_ssize_t pos) noexcept
@cython.locals(difference=u64)
cdef int _difference_bytes(u64 value, u64 base) noexcept
cdef long long _as_signed(u64 value) noexcept
