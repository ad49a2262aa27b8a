cimport cython

from headwater.commands.session cimport Session, keep_silent
from headwater.commands.state cimport ServerState
from headwater.keyspace.database cimport Database, Keyspace
from headwater.keyspace.waiters cimport Blocked, KeyWaiters, Terms, Waiters
from headwater.lists.list cimport List
from headwater.raw cimport cut, monotonic_us
from headwater.resp.reply cimport Reply
from headwater.resp.request cimport Request, from_words
from headwater.streams.redelivery cimport Redelivery
from headwater.streams.stream cimport Stream
from headwater.value cimport Value

cdef long long _NEVER
cdef int NOT_PAUSED, PAUSED_ALL
cdef int _REPLY_ON, _NOTHING, _REPLIED, _FAILED
cdef Py_ssize_t REPLY_REFERENCE_BYTES, _SEND_AT_ONCE

@cython.locals(blocked=Blocked, state=ServerState)
cpdef bint waits_on(Session session, long long due_ms) except -1
cpdef Terms terms_of(Session session, Request request, list keys, bytes group)
@cython.locals(state=ServerState, blocked=Blocked)
cpdef int wait(Session session, Terms terms, long long deadline_ms, long long due_ms) except -1
@cython.locals(terms=Terms)
cpdef object wait_to_pop(Session session, Request request, list keys, long long deadline_ms)
@cython.locals(blocked=Blocked, state=ServerState)
cpdef int end_wait(Session session) except -1
@cython.locals(queue=KeyWaiters)
cpdef int pending_changed(Database database, bytes key) except -1
@cython.locals(keyspace=Keyspace, ready=list, database=Database, key=bytes, queue=KeyWaiters)
cpdef int serve_ready(ServerState state) except -1
@cython.locals(blocked=Blocked)
cdef object _serve_key(ServerState state, bytes key, KeyWaiters queue, Value value)
cdef bint _is_limited(ServerState state, bytes key, KeyWaiters queue, Blocked blocked) except -1
@cython.locals(waiters=Waiters, limited=list, blocked=Blocked, key=bytes, queue=KeyWaiters)
cpdef object stand_aside(Session session)
cdef object _park(bytes key, KeyWaiters queue, Blocked blocked, unsigned int owner, Redelivery redelivery)
cdef int _unpark(bytes key, KeyWaiters queue, Value value) except -1
@cython.locals(blocked=Blocked)
cdef object _serve_poppers(ServerState state, Database database, bytes key, KeyWaiters queue)
@cython.locals(keyspace=Keyspace, reply=Reply, terms=Terms, resp3=bint, data=bytes, hits="long long",
               misses="long long", blocked=Blocked, session=Session, start="long long", result=int)
cdef int _serve_readers(ServerState state, list readers) except -1
@cython.locals(blocked=Blocked, nothing_new=bint)
cdef int _serve_claiming(ServerState state, KeyWaiters queue, bytes name) except -1
@cython.locals(held=dict, database=Database, key=bytes)
cpdef int end_hold(ServerState state) except -1
@cython.locals(terms=Terms, key=bytes)
cdef bint _is_held(ServerState state, Blocked blocked) except -1
@cython.locals(session=Session, database=Database, terms=Terms, request=Request, result=int)
cdef int _run(ServerState state, Blocked blocked, Reply reply) except -1
@cython.locals(session=Session, start="long long", reply=Reply)
cdef bint _try_again(ServerState state, Blocked blocked) except -1
@cython.locals(blocked=Blocked)
cpdef int try_again(Session session) except -1
@cython.locals(blocked=Blocked, state=ServerState, waiters=Waiters)
cdef object _finish(Session session, Reply reply, bytes data, long long took_us)
cdef int _write_shared(bytes data, Reply reply) except -1
@cython.locals(waiters=Waiters, reply=Reply, n=Py_ssize_t, blocked=Blocked, session=Session)
cdef int _send_owed(ServerState state) except -1
cdef int _write_timeout(Blocked blocked, Reply reply) except -1
@cython.locals(now_ms="long long", blocked=Blocked, session=Session, reply=Reply)
cpdef int serve_due(ServerState state) except -1
@cython.locals(blocked=Blocked, reply=Reply)
cpdef bint unblock(Session session, bint with_error) except -1
