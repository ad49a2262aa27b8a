cimport cython

from headwater.commands.session cimport Session
from headwater.commands.strings_options cimport (
    StringOptions,
    compares,
    condition_of,
    digest,
    expiry_time,
)
from headwater.keyspace.database cimport Database
from headwater.keyspace.strings cimport GrownString, Pieces, String
from headwater.raw cimport parse_int
from headwater.resp.reply cimport Reply
from headwater.resp.request cimport Request
from headwater.value cimport Value

cdef int _TAKES_SET, _TAKES_GETEX, _TAKES_MSETEX
cdef unsigned int GENERIC, OVERWRITTEN, STRING, TYPE_CHANGED
cdef int _EX, _PX
cdef long long _UNCHECKED_BYTES, _LONGEST_BYTES, _MAX_PAIRS
cdef Py_ssize_t _REFERENCE_BYTES

cpdef String string_of(Value value)
@cython.locals(string=GrownString)
cpdef object put_string(Reply reply, String value)
cdef object _put_pieces(Reply reply, GrownString value, Py_ssize_t start, Py_ssize_t n)
@cython.locals(bigger=GrownString)
cpdef GrownString grown(Database db, bytes key, String value)
cpdef object check_length(Session session, long long size, long long more)
@cython.locals(found=Value, value=String, type_changed=bint)
cpdef object store(Database db, bytes key, bytes data, long long expire_at, bint keep_ttl)
cpdef bint drop(Database db, bytes key) except *

@cython.locals(value=String)
cpdef object get(Session session, Request request, Reply reply)
@cython.locals(db=Database, i=Py_ssize_t, value=Value)
cpdef object mget(Session session, Request request, Reply reply)
@cython.locals(value=String)
cpdef object strlen(Session session, Request request, Reply reply)
@cython.locals(start="long long", end="long long", value=String, n="long long", backwards=bint, size="long long")
cpdef object getrange(Session session, Request request, Reply reply)
@cython.locals(value=String)
cpdef object digest_of(Session session, Request request, Reply reply)

@cython.locals(db=Database, key=bytes, options=StringOptions, expire_at="long long")
cpdef object set_(Session session, Request request, Reply reply)
@cython.locals(old=String)
cdef object _get_old(Database db, bytes key, Reply reply)
@cython.locals(db=Database, key=bytes)
cpdef object getset(Session session, Request request, Reply reply)
@cython.locals(db=Database, key=bytes)
cpdef object setnx(Session session, Request request, Reply reply)
@cython.locals(expire_at="long long")
cpdef object setex(Session session, Request request, Reply reply)
@cython.locals(expire_at="long long")
cpdef object psetex(Session session, Request request, Reply reply)
@cython.locals(db=Database, i=Py_ssize_t)
cpdef object mset(Session session, Request request, Reply reply)
@cython.locals(db=Database, i=Py_ssize_t)
cpdef object msetnx(Session session, Request request, Reply reply)
@cython.locals(ok=bint, pairs="long long", end=Py_ssize_t, i=Py_ssize_t, options=StringOptions,
               expire_at="long long", db=Database)
cpdef object msetex(Session session, Request request, Reply reply)

@cython.locals(db=Database, key=bytes, value=String)
cpdef object getdel(Session session, Request request, Reply reply)
@cython.locals(options=StringOptions, db=Database, key=bytes, value=String, now_ms="long long",
               expire_at="long long")
cpdef object getex(Session session, Request request, Reply reply)
@cython.locals(db=Database, key=bytes, value=Value, condition=int)
cpdef object delex(Session session, Request request, Reply reply)

@cython.locals(db=Database, key=bytes, data=bytes, value=String, string=GrownString)
cpdef object append(Session session, Request request, Reply reply)
@cython.locals(offset="long long", db=Database, key=bytes, value=String, n=Py_ssize_t, data=bytes,
               string=GrownString)
cpdef object setrange(Session session, Request request, Reply reply)
