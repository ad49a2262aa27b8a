cimport cython

from headwater.raw cimport (
    alloc,
    copy,
    decimal_length,
    equal,
    get_i64,
    get_u16,
    get_u32,
    move,
    put_decimal,
    put_u32,
)
from headwater.rdb.source cimport RdbSource
from headwater.streams.block cimport Block
from headwater.streams.ids cimport u64
from headwater.streams.listpack cimport integer_bytes
from headwater.streams.stream cimport Stream

cdef Py_ssize_t _HEAD_BYTES
cdef int _DELETED
cdef int _SAME_FIELDS
cdef Py_ssize_t _BLOCK_MAX
cdef Py_ssize_t _EXPANSION
cdef Py_ssize_t _FREE


@cython.final
cdef class NodeDecoder:
    cdef RdbSource _source
    cdef public Py_ssize_t bytes_read
    cdef Py_ssize_t _written
    cdef bytearray _data
    cdef Py_ssize_t _pos, _end
    cdef bint _is_integer
    cdef long long _integer
    cdef Py_ssize_t _start, _length
    cdef bytearray _names
    cdef Py_ssize_t _names_bytes
    cdef bytearray _rendered
    cdef bytearray _region
    cdef Py_ssize_t _fields
    cdef bytearray _out
    cdef Py_ssize_t _at
    cdef bytearray _offsets
    cdef Py_ssize_t _slots, _dead, _entries_bytes
    cdef u64 _master_ms, _master_seq
    cdef u64 _tail_ms, _tail_seq

    @cython.locals(live="long long", dead="long long", fields="long long", elements="long long",
                   last_ms=u64, last_seq=u64, found_live="long long", found_dead="long long",
                   entry_start=Py_ssize_t, flags="long long", entry_ms=u64, entry_seq=u64,
                   parts="long long", before=Py_ssize_t, said="long long")
    cpdef object decode(
        self, Stream stream, bytearray data, Py_ssize_t start, Py_ssize_t length, u64 ms, u64 seq
    )
    @cython.locals(data=bytearray, pos=Py_ssize_t, left=Py_ssize_t, first=int, size=Py_ssize_t,
                   value="long long")
    cdef int _element(self) except -1
    @cython.locals(n=Py_ssize_t, data=bytearray, value="long long", i=Py_ssize_t,
                   bound="long long")
    cdef Py_ssize_t _short_integer(self, int first) except -1
    @cython.locals(n=Py_ssize_t, data=bytearray, value=Py_ssize_t, ok=bint, i=Py_ssize_t)
    cdef Py_ssize_t _behind_size(self, Py_ssize_t pos, Py_ssize_t size) except -1
    cdef Py_ssize_t _number(self) except? -1
    @cython.locals(_=Py_ssize_t)
    cdef int _skip(self, Py_ssize_t n) except -1
    @cython.locals(start=Py_ssize_t, n=Py_ssize_t, _=Py_ssize_t)
    cdef object _read_names(self, Py_ssize_t fields)
    @cython.locals(out=bytearray, names=bytearray, rendered=bytearray, pos=Py_ssize_t,
                   used=Py_ssize_t, used_rendered=Py_ssize_t, begin=Py_ssize_t, n=Py_ssize_t,
                   _=Py_ssize_t)
    cdef object _keep_names(self, Py_ssize_t fields)
    @cython.locals(out=bytearray, pos=Py_ssize_t, bigger=bytearray)
    cdef int _write_head(self, u64 ms, u64 seq, u64 values) except -1
    @cython.locals(rendered=bytearray, pos=Py_ssize_t, n=Py_ssize_t, _=Py_ssize_t)
    cdef int _write_values(self, Py_ssize_t fields) except -1
    @cython.locals(_=Py_ssize_t)
    cdef int _write_pairs(self, Py_ssize_t fields) except -1
    @cython.locals(n=Py_ssize_t, out=bytearray, pos=Py_ssize_t, value=u64)
    cdef int _write_element(self) except -1
    @cython.locals(bigger=bytearray)
    cdef int _make_room(self, Py_ssize_t n) except -1
    @cython.locals(size=Py_ssize_t)
    cdef object _close_entry(self, Stream stream, Py_ssize_t before, u64 ms, u64 seq)
    @cython.locals(block=Block)
    cdef object _add_block(self, Stream stream, Py_ssize_t size)


cpdef bint is_above(u64 ms1, u64 seq1, u64 ms2, u64 seq2) noexcept
@cython.locals(up=u64, down=u64)
cpdef u64 add_wrapping(u64 base, long long difference) noexcept
cpdef u64 as_unsigned(long long value) noexcept
