cimport cython

from headwater.resp.reply cimport Reply
from headwater.resp.request cimport Request
from headwater.streams.block cimport Block
from headwater.streams.counts cimport BlockCounts
from headwater.streams.group cimport Group
from headwater.streams.ids cimport next_id, u64
from headwater.streams.range cimport Range
from headwater.streams.redelivery cimport Redelivery
from headwater.value cimport Value

cdef u64 _ADDED_MAX, _EVEN_MAX_MS
cdef long long _LISTPACK_MAX_BYTES
cdef Py_ssize_t _BLOCK_MAX_BYTES, _COMPACT_AT, _FEW_BLOCKS


cdef class Stream(Value):
    cdef readonly list blocks           # of Block; nothing to see below head
    cdef readonly Py_ssize_t head
    cdef readonly long long holes
    cdef public long long length
    cdef public u64 last_ms, last_seq   # last-generated ID
    cdef public u64 max_deleted_ms, max_deleted_seq
    cdef public u64 entries_added
    cdef public dict groups             # name -> Group, or None
    cdef public object idmp             # Idmp, or None
    cdef public object packing          # Registry or Listing, or None
    cdef public bint ordered
    cdef public object plan             # Plan, or None
    cdef readonly long long entry_bytes
    cdef readonly BlockCounts counts    # or None
    cdef public object retention, schedule, schema  # or None

    cpdef bint has_settings(self) except -1

    cpdef bytes type_name(self)
    cpdef bytes encoding(self)
    @cython.locals(i=Py_ssize_t, block=Block, total=Py_ssize_t)
    cpdef Py_ssize_t memory_usage(self) except? -1
    @cython.locals(units=Py_ssize_t, i=Py_ssize_t, block=Block)
    cpdef Py_ssize_t free_units(self) except? -1
    cpdef list parts(self)
    @cython.locals(other=Stream, block=Block, i=Py_ssize_t, n=Py_ssize_t)
    cpdef Value copy(self)
    @cython.locals(block=Block)
    cpdef (u64, u64) first_id(self) except *
    @cython.locals(payload=Py_ssize_t, i=Py_ssize_t, n=Py_ssize_t, block=Block, last=Block,
                   capacity=Py_ssize_t, held=Py_ssize_t, used=Py_ssize_t)
    cpdef int append(self, u64 ms, u64 seq, Request request, Py_ssize_t arg, Py_ssize_t fields,
                     long long node_max_entries, long long node_max_bytes) except -1
    @cython.locals(block=Block)
    cpdef int write_last_id(self, Reply reply) except -1
    cpdef int set_last_id(self, u64 ms, u64 seq) except -1
    @cython.locals(n=Py_ssize_t, last=Block)
    cpdef void add_block(self, Block block) except *
    @cython.locals(low=Py_ssize_t, high=Py_ssize_t, middle=Py_ssize_t, guess=Py_ssize_t, step=Py_ssize_t,
                   block=Block)
    cpdef (Py_ssize_t, Py_ssize_t) locate(self, u64 ms, u64 seq) except *
    @cython.locals(block=Block)
    cdef bint _ends_before(self, Py_ssize_t index, u64 ms, u64 seq) noexcept
    @cython.locals(n=u64, first_ms=u64, span=u64, block=Block)
    cdef Py_ssize_t _guess(self, u64 ms) noexcept
    @cython.locals(index=Py_ssize_t, slot=Py_ssize_t, block=Block, m=u64, s=u64)
    cpdef bint contains(self, u64 ms, u64 seq) except? -1
    @cython.locals(index=Py_ssize_t, slot=Py_ssize_t, block=Block)
    cpdef long long behind(self, u64 ms, u64 seq) except? 0
    @cython.locals(last=Py_ssize_t, i=Py_ssize_t, block=Block, entries="long long", counts=BlockCounts)
    cdef long long _before(self, Py_ssize_t index) except? 0
    @cython.locals(n=Py_ssize_t, index1=Py_ssize_t, slot1=Py_ssize_t, index2=Py_ssize_t,
                   slot2=Py_ssize_t, block=Block, m=u64, s=u64, found=Range)
    cpdef Range range(self, u64 ms1, u64 seq1, u64 ms2, u64 seq2, long long limit, bint reverse)
    cpdef bint delete(self, u64 ms, u64 seq) except? -1
    @cython.locals(index=Py_ssize_t, slot=Py_ssize_t, block=Block, m=u64, s=u64)
    cpdef bint take_out(self, u64 ms, u64 seq) except? -1
    @cython.locals(block=Block, live=Py_ssize_t, last=Py_ssize_t)
    cpdef void drop_block(self, Py_ssize_t index) except *
    @cython.locals(last=Py_ssize_t, i=Py_ssize_t, block=Block)
    cpdef void drop_run(self, Py_ssize_t index, Py_ssize_t n) except *
    @cython.locals(block=Block, ms1=u64, seq1=u64, ms2=u64, seq2=u64)
    cpdef void drop_entries(self, Py_ssize_t index, Py_ssize_t n) except *
    @cython.locals(block=Block, before=Py_ssize_t)
    cdef void _drop_first(self, Py_ssize_t index, Py_ssize_t n) except *
    @cython.locals(block=Block, ms=u64, seq=u64)
    cdef void _lose_blocks(self, Py_ssize_t index, Py_ssize_t n) except *
    @cython.locals(group=Group, redelivery=Redelivery)
    cdef void _hold_no_more(self, u64 ms1, u64 seq1, u64 ms2, u64 seq2) except *
    cdef void _count_less(self, Py_ssize_t index, Py_ssize_t n) except *
