cimport cython

from headwater.commands.session cimport Session
from headwater.keyspace.database cimport Database, Keyspace
from headwater.lists.list cimport List
from headwater.lists.run cimport Run
from headwater.resp.reply cimport Reply
from headwater.resp.request cimport Request
from headwater.value cimport Value

cdef unsigned int _LIST, _GENERIC
cdef Py_ssize_t _ELEMENT_MAX_BYTES
cdef long long _INT64_MAX

@cython.locals(value=Value)
cpdef List list_to_read(Database database, bytes key)
@cython.locals(value=Value)
cpdef List list_to_write(Database database, bytes key)
@cython.locals(argc=Py_ssize_t, size=Py_ssize_t, i=Py_ssize_t, n=Py_ssize_t, database=Database, keyspace=Keyspace,
               key=bytes, found=List, value=List, buf=bytearray)
cdef object _push(Session session, Request request, Reply reply, bint front, bint makes, bytes event)
cpdef object lpush(Session session, Request request, Reply reply)
cpdef object rpush(Session session, Request request, Reply reply)
cpdef object lpushx(Session session, Request request, Reply reply)
cpdef object rpushx(Session session, Request request, Reply reply)
@cython.locals(found=list)
cdef Py_ssize_t _find(List value, Request request, Py_ssize_t i) except -2
@cython.locals(after=bint, database=Database, keyspace=Keyspace, key=bytes, value=List, index=Py_ssize_t)
cpdef object linsert(Session session, Request request, Reply reply)
@cython.locals(database=Database, keyspace=Keyspace, key=bytes, value=List, index="long long")
cpdef object lset(Session session, Request request, Reply reply)
@cython.locals(count="long long", database=Database, keyspace=Keyspace, key=bytes, value=List, removed=Py_ssize_t)
cpdef object lrem(Session session, Request request, Reply reply)
@cython.locals(start="long long", stop="long long", database=Database, keyspace=Keyspace, key=bytes, value=List,
               length=Py_ssize_t, first=Py_ssize_t, count=Py_ssize_t, front=Py_ssize_t, back=Py_ssize_t, many=bint)
cpdef object ltrim(Session session, Request request, Reply reply)
cdef object _bury(Keyspace keyspace, list dropped)
cpdef (Py_ssize_t, Py_ssize_t) range_of(long long start, long long stop, Py_ssize_t length) noexcept
@cython.locals(value=List)
cpdef object llen(Session session, Request request, Reply reply)
@cython.locals(start="long long", stop="long long", value=List, count=Py_ssize_t, first=Py_ssize_t, run=Run)
cpdef object lrange(Session session, Request request, Reply reply)
@cython.locals(value=List, index="long long")
cpdef object lindex(Session session, Request request, Reply reply)
@cython.locals(rank="long long", count="long long", most="long long", i=Py_ssize_t, value=List, found=list, back=bint,
               limit="long long", index=Py_ssize_t)
cpdef object lpos(Session session, Request request, Reply reply)
cdef long long _not_negative(Request request, Py_ssize_t i, str name) except -1
