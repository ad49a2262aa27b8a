cimport cython

from headwater.commands.blocking cimport wait_to_pop
from headwater.commands.lists cimport list_to_write
from headwater.commands.session cimport Session
from headwater.keyspace.database cimport Database, Keyspace
from headwater.lists.elements cimport text_at
from headwater.lists.list cimport List
from headwater.lists.node cimport Node
from headwater.lists.run cimport Run
from headwater.raw cimport parse_int
from headwater.resp.reply cimport Reply
from headwater.resp.request cimport Request

cdef unsigned int _LIST, _GENERIC

@cython.locals(keyspace=Keyspace, dropped=list)
cdef object _removed(Database database, bytes key, List value, Py_ssize_t count, bint front, bint recorded)
@cython.locals(run=Run)
cdef object _take(Database database, bytes key, List value, long long count, bint front, Reply reply)
@cython.locals(ok=bint, count="long long", database=Database, key=bytes, value=List)
cdef object _pop(Session session, Request request, Reply reply, bint front)
cpdef object lpop(Session session, Request request, Reply reply)
cpdef object rpop(Session session, Request request, Reply reply)
cdef bint _is_left(Request request, Py_ssize_t i) except -1


cdef class _ManyKeys:
    cdef Py_ssize_t first, keys
    cdef long long count
    cdef bint front


@cython.locals(i=Py_ssize_t, key=bytes, value=List)
cdef bint _pop_first(
    Database database,
    Request request,
    Py_ssize_t first,
    Py_ssize_t keys,
    long long count,
    bint front,
    Reply reply,
) except -1
cdef list _keys_of(Request request, Py_ssize_t first, Py_ssize_t keys)
@cython.locals(what=_ManyKeys)
cpdef object lmpop(Session session, Request request, Reply reply)
@cython.locals(what=_ManyKeys, deadline_ms="long long")
cpdef object blmpop(Session session, Request request, Reply reply)
@cython.locals(keys=Py_ssize_t, deadline_ms="long long")
cdef object _blocking_pop(Session session, Request request, Reply reply, bint front)
cpdef object blpop(Session session, Request request, Reply reply)
cpdef object brpop(Session session, Request request, Reply reply)
@cython.locals(other=List, keyspace=Keyspace, fill="long long", node=Node, text=bytes,
               data=bytearray, is_new=bint)
cdef object _move(
    Database database,
    bytes source,
    List value,
    bytes target,
    bint from_front,
    bint to_front,
    Reply reply,
)
@cython.locals(database=Database, source=bytes, value=List)
cdef object _lmove(Session session, Request request, Reply reply, bint from_front, bint to_front)
@cython.locals(from_front=bint)
cpdef object lmove(Session session, Request request, Reply reply)
cpdef object rpoplpush(Session session, Request request, Reply reply)
@cython.locals(database=Database, source=bytes, value=List)
cdef object _blocking_move(
    Session session,
    Request request,
    Reply reply,
    bint from_front,
    bint to_front,
    long long deadline_ms,
)
@cython.locals(from_front=bint, to_front=bint, deadline_ms="long long")
cpdef object blmove(Session session, Request request, Reply reply)
@cython.locals(deadline_ms="long long")
cpdef object brpoplpush(Session session, Request request, Reply reply)
