cimport cython

from headwater.journal.batches cimport Batch
from headwater.journal.recorder cimport Recorder


cdef class Committer:
    cdef public Recorder recorder
    cdef public int policy
    cdef public object writer           # SegmentWriter, or None
    cdef public unsigned long long epoch
    cdef public long long written
    cdef public long long synced
    cdef public long long syncs
    cdef public long long delayed
    cdef public object error            # OSError, or None
    cdef public bint sync_in_progress
    cdef public object on_progress
    cdef public object on_error
    cdef public object on_group
    cdef public object on_sync_failed
    cdef object _thread
    cdef list _queue                    # of Batch
    cdef long long _queued_bytes
    cdef bint _busy
    cdef bint _held_back
    cdef bint _doubtful
    cdef bint _late
    cdef long long _sync_began_ms
    cdef long long _sync_due_ms
    cdef long long _room
    cdef bint _low

    cpdef Py_ssize_t commit(self) except? -1
    @cython.locals(batch=Batch)
    cdef object _gather(self)
    @cython.locals(batch=Batch)
    cdef object _account(self, list batches)
    @cython.locals(batches=list, batch=Batch, written=Py_ssize_t)
    cdef bint _write_here(self) except -1
    cdef object _make_room(self)
