cimport cython

from headwater.journal.format cimport (
    batch_chain,
    batch_epoch,
    batch_index,
    batch_position,
    batch_records,
    batch_size,
    check_records,
    crc_of_id,
    is_batch_header,
)
from headwater.raw cimport alloc, copy, move


cdef class SegmentReader:
    cdef readonly object file
    cdef readonly bint last
    cdef readonly long long size
    cdef readonly int state
    cdef readonly str why
    cdef readonly long long offset

    # the current batch: its records are buf[begin:end]
    cdef readonly bytearray buf
    cdef readonly Py_ssize_t begin
    cdef readonly Py_ssize_t end
    cdef readonly unsigned int records
    cdef readonly unsigned long long epoch
    cdef readonly unsigned long long index
    cdef readonly unsigned long long position
    cdef readonly unsigned int chain

    # what is expected
    cdef bytes _journal_id
    cdef unsigned long long _number
    cdef unsigned int _id_crc
    cdef unsigned long long _durable
    cdef unsigned long long _next
    cdef unsigned long long _next_position

    # where in the file the next batch begins, and what of the file is in buf
    cdef long long _at
    cdef long long _start
    cdef Py_ssize_t _filled

    @cython.locals(
        head=Py_ssize_t,
        offset="long long",
        left="long long",
        pos=Py_ssize_t,
        size=Py_ssize_t,
        begin=Py_ssize_t,
        end=Py_ssize_t,
        announced="unsigned int",
        reached=Py_ssize_t,
        records="unsigned int",
        chain="unsigned int",
    )
    cpdef bint next_batch(self) except *
    cpdef object place(self)
    cpdef object error(self)
    cdef bint _read_header(self) except *
    @cython.locals(
        index="unsigned long long", position="unsigned long long", epoch="unsigned long long"
    )
    cdef bint _follows(self, Py_ssize_t pos) except *
    @cython.locals(pos=Py_ssize_t, room=Py_ssize_t, got=Py_ssize_t, buf=bytearray)
    cdef bint _load(self, long long offset, Py_ssize_t n) except *
    cdef bint _at_end(self) except *
    cdef bint _damaged(self, str why) except *
    cdef bint _broken(self, str why) except *
