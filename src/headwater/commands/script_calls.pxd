cimport cython

from headwater.commands.session cimport Session
from headwater.commands.state cimport ServerState
from headwater.commands.table cimport Command
from headwater.raw cimport cut, find_byte, monotonic_us, parse_int
from headwater.resp.reply cimport Reply
from headwater.resp.request cimport Request

cdef unsigned int ADMIN, DENYOOM, MAY_WRITE, NOSCRIPT, SKIP_MONITOR, WRITE
cdef int _NO_WRITES, _ALLOW_OOM
cdef Py_ssize_t REPLY_REFERENCE_BYTES, _AT_ONCE
cdef long long _EXACT, _NEVER_US, _TURNS_US


cdef class ScriptSession(Session):
    cpdef object send(self, Reply reply)
    cpdef object resume(self)
    cpdef object close(self)


@cython.final
cdef class ScriptHost:
    cdef public ServerState state
    cdef public ScriptSession session       # who runs the commands
    cdef public Request request
    cdef public Reply reply
    cdef public Session caller              # None while no script runs
    cdef public object room_for             # of the machine
    cdef public bint runs_function
    cdef public unsigned int flags
    cdef public bytes name
    cdef public bint wrote, kill, out_of_memory
    cdef public long long started_us, limit_us
    cdef public long long next_us           # when others have their next turn
    cdef public list words                  # of the call of a function
    cdef list _left                         # values of a nested reply that were not taken yet

    cpdef object begin(self, Session caller, bytes name, unsigned int flags, bint runs_function, room_for)
    cpdef object end(self)
    @cython.locals(request=Request, session=ScriptSession, state=ServerState, command=Command,
                   flags="unsigned int", reply=Reply, start="long long", end="long long",
                   text=bytes)
    cdef object _run(self, list words)
    cdef object _run_long(self, long long now_us)
    @cython.locals(state=ServerState, session=ScriptSession)
    cdef bytes _refusal(self, Command command, unsigned int flags)
    cdef object _refused(self, bytes text)
    @cython.locals(reply=Reply, data=bytearray, n=Py_ssize_t, kind=int, end=Py_ssize_t, _ok=bint,
                   number="long long")
    cdef object _received(self)
    @cython.locals(parts=Parts, values=list)
    cdef object _taken_apart(self, bytearray data, Py_ssize_t n)


@cython.final
cdef class Parts:
    cdef readonly bytearray shape
    cdef readonly list values
    cdef readonly bint is_plain

    @cython.locals(kind=int, end=Py_ssize_t, n=Py_ssize_t, after=Py_ssize_t, length="long long", _ok=bint,
                   count="long long", _i="long long")
    cpdef Py_ssize_t add(self, bytearray data, Py_ssize_t pos) except -1
    @cython.locals(length="long long", count="long long", _i="long long", ignored=Parts)
    cdef Py_ssize_t _add_rare(
        self, bytearray data, Py_ssize_t pos, int kind, Py_ssize_t n, Py_ssize_t after
    ) except -1


cpdef object finish(ScriptHost host, Reply reply, result)
cdef object _finish_tuple(ScriptHost host, Reply reply, result)
