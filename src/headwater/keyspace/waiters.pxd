cimport cython

from headwater.keyspace.database cimport Database
from headwater.raw cimport alloc, copy, get_u64, put_u64
from headwater.resp.request cimport Request


@cython.final
cdef class Terms:
    cdef readonly object command
    cdef readonly Database database
    cdef readonly list keys
    cdef readonly bytes group
    cdef public bytes consumer
    cdef public bint claims
    cdef public bint pops
    cdef readonly Py_ssize_t argc
    cdef readonly bytearray buf
    cdef readonly bytearray spans           # u64 start, u64 length of each word

    @cython.locals(argc=Py_ssize_t, first=Py_ssize_t, n=Py_ssize_t, i=Py_ssize_t)
    cdef int copy_words(self, Request request) except -1
    cpdef Py_ssize_t start(self, Py_ssize_t i) noexcept
    cpdef Py_ssize_t length(self, Py_ssize_t i) noexcept
    @cython.locals(i=Py_ssize_t)
    cpdef int fill(self, Request request) except -1


@cython.final
@cython.freelist(64)
cdef class Blocked:
    cdef readonly object session
    cdef readonly Terms terms
    cdef readonly long long deadline_ms     # 0: none
    cdef public long long due_ms
    cdef public bytes timeout_reply       # None: a null array
    cdef public long long order             # grows with arrival
    cdef public long long scheduled_ms      # in the heap under this time, or NEVER
    cdef public bytes owed                  # or None
    cdef public dict parked                 # key -> owner, where it is parked; or None


@cython.final
cdef class Parked:
    cdef readonly object redelivery
    cdef readonly dict owners               # number -> OrderedDict of Blocked: None


@cython.final
cdef class KeyWaiters:
    cdef readonly dict readers              # Blocked -> None
    cdef public object poppers              # OrderedDict of Blocked: None, or None
    cdef readonly dict groups               # name -> OrderedDict of Blocked: None
    cdef public Py_ssize_t claiming         # readers with CLAIM
    cdef public dict parked                 # name -> Parked, or None

    cpdef bint is_empty(self) noexcept
    cpdef list members_of(self, bytes group)
    @cython.locals(parked=Parked)
    cpdef int park(self, bytes key, Blocked blocked, unsigned int owner, redelivery) except -1
    @cython.locals(parked=Parked, blocked=Blocked)
    cpdef bint unpark(self, bytes key, bytes group, unsigned int owner) except -1
    cpdef int unpark_all(self, bytes key, bytes group) except -1
    @cython.locals(parked=Parked)
    cpdef int leave(self, bytes key, Blocked blocked) except -1


@cython.final
cdef class Waiters:
    cdef readonly Py_ssize_t count
    cdef long long _next_order
    cdef list _heap                         # (time, order, Blocked), void ones included
    cdef Py_ssize_t _stale                  # how many of them are void
    cdef public long long timer_ms
    cdef public object on_earlier
    cdef public Terms recent                # or None
    cdef readonly Request request
    cdef readonly object owing              # deque of Blocked
    cdef public Py_ssize_t sent
    cdef public dict held                   # (Database, key) -> None
    cdef public list limited                # (key, owner, Redelivery)

    cpdef object owe(self, Blocked blocked, bytes data)
    @cython.locals(queue=KeyWaiters, terms=Terms, waiting=dict)
    cpdef object add(self, Blocked blocked)
    @cython.locals(queue=KeyWaiters, terms=Terms, waiting=dict)
    cpdef object remove(self, Blocked blocked)
    @cython.locals(at="long long")
    cpdef object schedule(self, Blocked blocked)
    cdef object _forget_one(self)
    cpdef long long next_ms(self) except *
    @cython.locals(at="long long", blocked=Blocked)
    cdef long long _next_at(self) except *
    @cython.locals(blocked=Blocked)
    cpdef Blocked pop_due(self, long long now_ms)
