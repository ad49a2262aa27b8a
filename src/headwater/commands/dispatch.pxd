cimport cython

from headwater.commands.memory_limit cimport MemoryLimit
from headwater.commands.session cimport Session, keep_silent
from headwater.commands.state cimport ServerState
from headwater.commands.table cimport Command
from headwater.raw cimport monotonic_us
from headwater.resp.reply cimport Reply
from headwater.resp.request cimport Request

cdef unsigned int ADMIN, DENYOOM, FAST, IMMEDIATE, LOADING, MAY_WRITE, NO_AUTH, NO_MULTI, PROTECTED, READONLY, SKIP_MONITOR, SKIP_SLOWLOG, WRITE
cdef int REPLY_ON
cdef int _DONE, _WAITS, _POSTPONED
cdef int NOT_PAUSED, PAUSED_ALL
cdef long long _CLOCK_US

@cython.locals(state=ServerState, parts=Py_ssize_t, pos=Py_ssize_t, command=Command,
               container=Command, refusal=bytes)
cpdef int execute(Session session, Request request, Reply reply) except -1
@cython.locals(state=ServerState, parts=Py_ssize_t, pos=Py_ssize_t, start="long long", end="long long", took="long long", waits=bint)
cpdef void call(Session session, Command command, Request request, Reply reply) except *
@cython.locals(state=ServerState)
cdef bytes _refusal(Session session, Request request, Command command, Command container)
cdef object _refuse(Session session, bytes name, Command command, Reply reply, bytes text)
cdef bint _held_back(Session session, ServerState state, Command command, Request request) except -1
