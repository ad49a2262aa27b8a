cimport cython

from headwater.commands.script_calls cimport ScriptHost, finish
from headwater.commands.session cimport Session
from headwater.commands.state cimport ServerState
from headwater.commands.table cimport Command
from headwater.journal.recorder cimport Recorder
from headwater.resp.reply cimport Reply
from headwater.resp.request cimport Request

cdef unsigned int ALLOW_BUSY, _ALLOW_OOM, _COMPATIBLE, _NO_WRITES
cdef Py_ssize_t SCRIPTS_CACHED, _BIG_BYTES, _SHA_BYTES


@cython.final
cdef class Script:
    cdef readonly bytes sha
    cdef readonly unsigned int flags
    cdef public bint kept
    cdef readonly Py_ssize_t size


@cython.final
cdef class Scripting:
    cdef public ServerState state
    cdef public ScriptHost host
    cdef object _vm
    cdef public dict scripts                # SHA-1 -> Script
    cdef public object passing              # OrderedDict, of those that are not kept
    cdef public long long bytes             # what the cached scripts take
    cdef public long long evicted
    cdef public object functions

    cpdef object vm(self)
    @cython.locals(script=Script)
    cpdef Script find(self, bytes sha)
    cpdef bytes refusal(self, Session session, Command command, Request request)
    cpdef bytes busy_text(self)


@cython.locals(keys="long long", state=ServerState, words=list, i=Py_ssize_t,
               last=Py_ssize_t, size=Py_ssize_t, recorder=Recorder)
cpdef object run_script(
    Session session,
    Reply reply,
    vm,
    ScriptHost host,
    bytes name,
    Request request,
    unsigned int flags,
    bint as_function,
    bytes key=*,
)
cdef object _eval(Session session, Request request, Reply reply, bint read_only)
@cython.locals(scripting=Scripting, sha=bytes, script=Script)
cdef object _evalsha(Session session, Request request, Reply reply, bint read_only)
@cython.locals(keys="long long")
cdef long long _check_keys(Request request) except? -2
@cython.locals(flags="unsigned int")
cdef object _run(
    Session session, Request request, Reply reply, Scripting scripting, Script script, bint read_only
)
cpdef object eval_(Session session, Request request, Reply reply)
cpdef object eval_ro(Session session, Request request, Reply reply)
cpdef object evalsha(Session session, Request request, Reply reply)
cpdef object evalsha_ro(Session session, Request request, Reply reply)
