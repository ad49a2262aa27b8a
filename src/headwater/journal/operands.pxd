cimport cython

from headwater.journal.batches cimport RecordWriter
from headwater.raw cimport copy_bytes, put_u32, put_u64
from headwater.streams.ids cimport u64


cdef class OperandWriter(RecordWriter):
    @cython.locals(n=Py_ssize_t, pos=Py_ssize_t, buf=bytearray)
    cdef Py_ssize_t _key(self, int op, Py_ssize_t db, bytes key, Py_ssize_t more) except -1
    @cython.locals(pos=Py_ssize_t)
    cdef Py_ssize_t _group(self, int op, Py_ssize_t db, bytes key, bytes group, Py_ssize_t more) except -1
    @cython.locals(pos=Py_ssize_t)
    cdef Py_ssize_t _member(
        self, int op, Py_ssize_t db, bytes key, bytes group, bytes consumer, Py_ssize_t more
    ) except -1
    cdef Py_ssize_t _text(self, Py_ssize_t pos, bytes text) noexcept
    cdef Py_ssize_t _id(self, Py_ssize_t pos, u64 ms, u64 seq) noexcept
