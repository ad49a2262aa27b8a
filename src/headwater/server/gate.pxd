cimport cython

from headwater.journal.recorder cimport Recorder

cdef Py_ssize_t JOURNAL_BACKLOG_BYTES, JOURNAL_BATCH_BYTES


@cython.final
cdef class Gate:
    cdef object _loop
    cdef readonly Recorder recorder
    cdef public object commit           # () -> bytes that wait for the disk
    cdef public bint failing
    cdef public bint in_round
    cdef bint _scheduled
    cdef list _holders                  # of Connection
    cdef list _choked                   # of Connection

    cpdef bint is_open(self) noexcept
    cpdef void hold(self, connection) except *
    cpdef void schedule(self) except *
    cpdef object _end_scheduled(self)
    @cython.locals(recorder=Recorder)
    cpdef bint is_choked(self) except -1
    cpdef void choke(self, connection) except *
    @cython.locals(recorder=Recorder)
    cpdef void end_round(self) except *
    @cython.locals(holders=list, choked=list)
    cpdef void let_go(self) except *
