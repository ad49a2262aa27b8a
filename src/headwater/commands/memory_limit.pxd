cimport cython

from headwater.commands.table cimport Command
from headwater.keyspace.database cimport Keyspace
from headwater.raw cimport monotonic_us
from headwater.resp.request cimport Request

cdef unsigned int DENYOOM
cdef long long _CHANGE_BYTES, SNAPSHOT_SHARE, SLACK_SHARE, SLACK_BYTES, EVICT_US
cdef long long _ASK_EVERY, _SHORTEST_US, _CLEAN_US, _SHARE, _IDLE_SHARE, _IDLE_US
cdef Py_ssize_t _CLEAN_UNITS
cdef frozenset _MULTIPLY


@cython.final
cdef class MemoryLimit:
    cdef readonly Keyspace keyspace
    cdef readonly object evictor
    cdef readonly long long limit           # bytes; 0: none
    cdef readonly bint over
    cdef readonly long long used            # when it was measured last
    cdef object _measure, _pages            # functions
    cdef long long _resident                # pages at that time
    cdef long long _room                    # what may be added before it is measured again
    cdef long long _to_free                 # still to be evicted
    cdef long long _bytes, _changes         # of requests since then, Keyspace.dirty at that time
    cdef long long _dirty                   # Keyspace.dirty when it was looked at last
    cdef long long _asked
    cdef long long _cost_us, _measured_us   # of the last measurement

    @cython.locals(was_limited=bint)
    cpdef object configure(self, long long limit, str policy, long long samples)
    @cython.locals(multiplies=bint, last=Py_ssize_t)
    cpdef bint about_to_run(self, Command command, Request request) except *
    cpdef bint has_room(self) except -1
    @cython.locals(passed_us="long long")
    cpdef object tick(self)
    cpdef object estimate(self)
    cpdef object report(self)
    @cython.locals(start_us="long long", slack="long long", excess="long long")
    cpdef object measure(self)
    cdef long long _slack(self) noexcept
    @cython.locals(dirty="long long")
    cdef long long _added(self) noexcept
    cdef object _look(self)
    @cython.locals(freed="long long", limit="long long")
    cdef object _evict(self)
