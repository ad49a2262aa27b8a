cimport cython

from headwater.resp.request cimport Request


@cython.locals(pairs=list, i=Py_ssize_t, field=bytes, value=bytes)
cpdef bytes content_iid(Request request, Py_ssize_t arg, Py_ssize_t fields)


@cython.final
cdef class Remembered:
    cdef readonly bytes pid
    cdef readonly bytes iid
    cdef readonly unsigned long long ms
    cdef readonly unsigned long long seq
    cdef readonly long long time_ms
    cdef public bint forgotten


@cython.final
cdef class Producer:
    cdef readonly dict by_iid       # iid -> Remembered
    cdef public object order        # deque of Remembered, or None

    @cython.locals(entry=Remembered)
    cpdef Remembered oldest(self)


@cython.final
cdef class Idmp:
    cdef readonly long long duration_s
    cdef readonly long long maxsize
    cdef public unsigned long long added
    cdef public unsigned long long duplicates
    cdef readonly Py_ssize_t count
    cdef readonly long long newest_ms
    cdef readonly dict producers    # pid -> Producer
    cdef readonly object order      # deque of Remembered

    @cython.locals(producer=Producer, found=Remembered)
    cpdef tuple lookup(self, bytes pid, bytes iid, long long now_ms)
    @cython.locals(producer=Producer, old=Remembered, entry=Remembered)
    cpdef object record(
        self,
        bytes pid,
        bytes iid,
        unsigned long long ms,
        unsigned long long seq,
        long long time_ms,
    )
    cdef object _forget(self, Producer producer, Remembered entry)
    @cython.locals(until_ms="long long", entry=Remembered, producer=Producer)
    cpdef object forget_expired(self, long long now_ms, long long limit=*)
    @cython.locals(producer=Producer)
    cdef object _compact(self)
    cpdef list configure(self, long long duration_s, long long maxsize)
    cpdef list parts(self)
    cpdef Py_ssize_t tracked(self, long long now_ms) except -1
    cpdef Py_ssize_t producer_count(self, long long now_ms) except -1
    cpdef list remembered(self)
    @cython.locals(other=Idmp, entry=Remembered)
    cpdef Idmp copy(self)
    @cython.locals(total=Py_ssize_t, producer=Producer)
    cpdef Py_ssize_t memory_usage(self) except -1
