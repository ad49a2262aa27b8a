cimport cython

from headwater.keyspace.cut cimport Cut, TableCut
from headwater.raw cimport monotonic_us
from headwater.rdb.encoder cimport Encoder, file_version
from headwater.rdb.output cimport Output
from headwater.value cimport Value

cdef int _WORKING, _WAITING, _DONE, _FAILED
cdef Py_ssize_t AT_ONCE_UNITS, PIECE_BYTES, SLICE_BYTES


cdef class Snapshot:
    cdef Cut _cut
    cdef Encoder _encoder
    cdef bint _checksum
    cdef Py_ssize_t _table              # the database's number; -1 before the first
    cdef bint _in_key                   # a key is begun and not complete
    cdef bint _held                     # its value stays as it is between steps
    cdef bint _at_end                   # all is encoded
    cdef readonly object file
    cdef readonly Py_ssize_t keys
    cdef readonly Py_ssize_t keys_done
    cdef readonly int state
    cdef readonly str error

    cpdef int step(self, long long budget_us) except -1
    @cython.locals(encoder=Encoder, cut=Cut, out=Output, until_us="long long")
    cdef int _step(self, long long budget_us) except -1
    @cython.locals(cut=Cut, encoder=Encoder, table=TableCut, value=Value)
    cdef bint _next_key(self) except -1
    cdef int _end(self) except -1
    cpdef bint run(self) except *
    cpdef object abort(self, str error=*)
