cimport cython

from headwater.commands.channels cimport Channels
from headwater.commands.session cimport Session
from headwater.journal.recorder cimport Recorder

cdef Py_ssize_t JOURNAL_BACKLOG_BYTES, JOURNAL_BATCH_BYTES


@cython.final
cdef class Gate:
    cdef object _loop
    cdef readonly Recorder recorder
    cdef public Channels channels       # or None
    cdef public object commit           # () -> bytes that wait for the disk
    cdef public bint failing
    cdef public bint in_round
    cdef public bint meanwhile
    cdef bint _scheduled
    cdef Py_ssize_t _backlog
    cdef object _held                   # deque of (position, session, part, its bytes)
    cdef list _choked                   # of Connection

    cpdef bint is_open(self) noexcept
    cpdef void hold(self, Session session, part, Py_ssize_t size) except *
    cpdef void schedule(self) except *
    cpdef object _end_scheduled(self)
    @cython.locals(recorder=Recorder)
    cpdef bint is_choked(self) except -1
    cpdef object write(self)
    cdef object _commit(self)
    cpdef void choke(self, connection) except *
    @cython.locals(recorder=Recorder, channels=Channels)
    cpdef void end_round(self) except *
    cpdef object schedule_messages(self)
    @cython.locals(choked=list, position="unsigned long long",
                   released="unsigned long long", session=Session, size=Py_ssize_t)
    cpdef void let_go(self) except *
