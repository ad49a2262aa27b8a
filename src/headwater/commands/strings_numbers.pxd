cimport cython

from headwater.commands.session cimport Session
from headwater.commands.strings cimport drop, string_of
from headwater.commands.strings_options cimport expiry_time, expiry_unit
from headwater.keyspace.database cimport Database
from headwater.keyspace.strings cimport String, parse_integer
from headwater.raw cimport alloc, cut, parse_int, put_decimal
from headwater.resp.reply cimport Reply
from headwater.resp.request cimport Request

cdef unsigned int GENERIC, STRING
cdef long long _MAX, _MIN
cdef bytearray _scratch

@cython.locals(magnitude="unsigned long long")
cpdef bytes decimal(long long value)
@cython.locals(value=String)
cpdef String put_number(Database db, bytes key, String old, bytes data, bint is_text)
@cython.locals(ok=bint, number="long long")
cdef long long _integer_of(String value) except? -1
@cython.locals(db=Database, key=bytes, value=String, number="long long", data=bytes)
cdef object _add(Session session, Request request, Reply reply, long long by)
cpdef object incr(Session session, Request request, Reply reply)
cpdef object decr(Session session, Request request, Reply reply)
cpdef object incrby(Session session, Request request, Reply reply)
@cython.locals(by="long long")
cpdef object decrby(Session session, Request request, Reply reply)
