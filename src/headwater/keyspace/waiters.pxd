cimport cython

from headwater.keyspace.database cimport Database
from headwater.resp.request cimport Request


cdef class Blocked:
    cdef readonly object session
    cdef readonly object command
    cdef readonly Request request
    cdef readonly Database database
    cdef readonly list keys
    cdef readonly bytes group
    cdef readonly long long deadline_ms     # 0: none
    cdef readonly bint claims
    cdef public long long due_ms
    cdef public bytes timeout_reply       # None: a null array
    cdef public long long order             # grows with arrival
    cdef public long long scheduled_ms      # in the heap under this time, or NEVER


cdef class KeyWaiters:
    cdef readonly dict readers              # Blocked -> None
    cdef readonly dict groups               # name -> {Blocked: None}
    cdef public Py_ssize_t claiming         # readers with CLAIM

    cpdef bint is_empty(self) noexcept


cdef class Waiters:
    cdef readonly Py_ssize_t count
    cdef long long _next_order
    cdef list _heap                         # (time, order, Blocked), void ones included
    cdef Py_ssize_t _stale                  # how many of them are void
    cdef public long long timer_ms
    cdef public object on_earlier

    @cython.locals(queue=KeyWaiters, members=dict)
    cpdef object add(self, Blocked blocked)
    @cython.locals(queue=KeyWaiters, members=dict)
    cpdef object remove(self, Blocked blocked)
    @cython.locals(at="long long")
    cpdef object schedule(self, Blocked blocked)
    cdef object _forget_one(self)
    @cython.locals(at="long long", blocked=Blocked)
    cpdef long long next_ms(self) except? -1
    @cython.locals(blocked=Blocked)
    cpdef Blocked pop_due(self, long long now_ms)
