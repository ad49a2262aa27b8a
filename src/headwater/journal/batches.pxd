cimport cython

from headwater.journal.format cimport put_record_header
from headwater.raw cimport alloc, copy, get_u32, put_u32

cdef Py_ssize_t BATCH_BYTES, BATCH_HEADER_BYTES, RECORD_HEADER_BYTES
cdef Py_ssize_t _BUFFER_BYTES, RECORD_BREAK_BYTES
cdef long long _UNKNOWN_LIMIT


cdef class Batch:
    cdef readonly bytearray buf
    cdef readonly Py_ssize_t size
    cdef readonly Py_ssize_t records
    cdef readonly long long position, end
    cdef readonly unsigned int chain_before, chain_after


cdef class RecordWriter:
    cdef public bint recording
    cdef readonly unsigned long long end
    cdef public unsigned long long released
    cdef readonly unsigned int chain
    cdef public int unit
    cdef readonly bytearray buf
    cdef Py_ssize_t _pos
    cdef long long _base
    cdef Py_ssize_t _record
    cdef Py_ssize_t _records
    cdef unsigned int _batch_chain
    cdef list _full
    cdef Py_ssize_t _full_bytes
    cdef int _list_kind
    cdef object _list_of
    cdef Py_ssize_t _list_at
    cdef long long _node_max_entries, _node_max_bytes, _list_fill

    cpdef object start(self, long long position, unsigned int chain)
    cpdef object repeat_limits(self)
    @cython.locals(position="long long")
    cpdef object stop(self)
    cdef object _begin_batch(self, long long position)
    cpdef void seal(self) except *
    cpdef void drop(self) noexcept
    @cython.locals(begin=Py_ssize_t, chain="unsigned int")
    cdef void _close(self) except *
    @cython.locals(old=bytearray, end=Py_ssize_t, left=Py_ssize_t, position="long long")
    cdef void _close_batch(self) except *
    @cython.locals(end=Py_ssize_t)
    cpdef Py_ssize_t gathered(self) noexcept
    @cython.locals(batch=Batch)
    cpdef Batch take(self)

    @cython.locals(pos=Py_ssize_t)
    cdef Py_ssize_t _room(self, Py_ssize_t n) except -1
    @cython.locals(capacity=Py_ssize_t, bigger=bytearray)
    cdef void _grow(self, Py_ssize_t n) except *
    cdef void _ends_at(self, Py_ssize_t pos) noexcept
    cdef bint _continues(self, int kind, object of, Py_ssize_t n) noexcept
    cdef Py_ssize_t _begin_list(self, Py_ssize_t pos, int kind, object of) noexcept
