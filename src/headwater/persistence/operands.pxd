cimport cython

from headwater.keyspace.database cimport Database, Keyspace
from headwater.keyspace.strings cimport GrownString, String
from headwater.raw cimport cut, equal, get_i64, get_u32, get_u64
from headwater.streams.group cimport Consumer, Group
from headwater.streams.ids cimport u64
from headwater.streams.stream cimport Stream
from headwater.value cimport Value


cdef class Operands:
    cdef readonly Keyspace keyspace
    cdef bytearray _buf
    cdef Py_ssize_t _pos, _end, _record
    cdef int _op
    cdef long long _db
    cdef bytearray _cached
    cdef bytes _key
    cdef Database _database
    cdef Value _value
    cdef Stream _stream
    cdef Group _group

    cdef void _fail(self, why) except *
    cdef void _need(self, Py_ssize_t n) except *
    cdef int _flags(self) except -1
    cdef unsigned int _u32(self) except? 0
    cdef u64 _u64(self) except? 0
    @cython.locals(n=u64)
    cdef long long _number(self, u64 most) except? 0
    cdef long long _i64(self) except? 0
    @cython.locals(n=Py_ssize_t)
    cdef bytes _text(self)
    @cython.locals(n=Py_ssize_t)
    cdef Py_ssize_t _count(self, Py_ssize_t size) except -1
    @cython.locals(db=Py_ssize_t, databases=list, database=Database)
    cdef Database _one_database(self)
    cdef void _forget(self) noexcept
    @cython.locals(buf=bytearray, pos=Py_ssize_t, db="long long", n=Py_ssize_t, value=Value)
    cdef void _any_key(self) except *
    @cython.locals(value=Value)
    cdef Value _a_value(self)
    @cython.locals(value=Value, string=String, bigger=GrownString)
    cdef GrownString _grown_string(self)
    @cython.locals(stream=Stream)
    cdef Stream _a_stream(self)
    @cython.locals(stream=Stream, name=bytes, group=Group)
    cdef Stream _a_group(self)
    @cython.locals(name=bytes, consumer=Consumer)
    cdef Consumer _a_consumer(self, Group group)
    @cython.locals(group=Group)
    cdef Group _the_group(self)
