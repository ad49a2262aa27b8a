cimport cython

from headwater.keyspace.strings cimport String
from headwater.lists.list cimport List
from headwater.rdb.crc64 cimport crc64
from headwater.rdb.list_encoder cimport ListEncoder
from headwater.rdb.output cimport Output
from headwater.rdb.stream_encoder cimport StreamEncoder, stream_type
from headwater.streams.stream cimport Stream
from headwater.value cimport Value

cdef int OPCODE_AUX
cdef int OPCODE_EOF
cdef int OPCODE_EXPIRETIME_MS
cdef int OPCODE_FUNCTION2
cdef int OPCODE_RESIZEDB
cdef int OPCODE_SELECTDB
cdef int TYPE_STREAM_LISTPACKS_4
cdef int TYPE_STREAM_LISTPACKS_5
cdef int TYPE_STRING
cdef int TYPE_LIST_QUICKLIST_2
cdef int VERSION_IDMP
cdef int VERSION_LISTS
cdef int VERSION_LIBRARIES
cdef int VERSION_NACKED
cdef int VERSION_STREAMS
cdef int VERSION_STRINGS
cdef Py_ssize_t COMPRESS_MAX_BYTES
cdef Py_ssize_t _ALL
cdef Py_ssize_t _PIECE_BYTES

cpdef list standard_aux(str redis_version, long long ctime_s, long long used_memory, bint aof_base)
cpdef int file_version(bint has_idmp, bint has_nacked) noexcept
cpdef int value_type(Value value) except -1
cpdef int needed_version(Value value) except -1
cdef int _version_of(int kind) noexcept
@cython.locals(kind="int", encoder=Encoder, out=Output)
cpdef bytes dump_payload(Value value, bint compress)
@cython.locals(encoder=Encoder, out=Output)
cpdef bytes dump_libraries(list codes, bint compress)


@cython.final
cdef class Encoder:
    cdef readonly Output out
    cdef StreamEncoder _stream
    cdef bint _is_stream
    cdef ListEncoder _list
    cdef bint _is_list
    cdef String _string
    cdef Py_ssize_t _string_pos
    cdef unsigned long long _crc
    cdef Py_ssize_t _summed
    cdef int _version
    cdef object _extras
    cdef tuple _waiting

    @cython.locals(out=Output)
    cpdef void begin_file(self, int version, list aux) except *
    @cython.locals(out=Output)
    cpdef void function(self, bytes code) except *
    cpdef void select(self, long long database, Py_ssize_t keys, Py_ssize_t expires) except *
    @cython.locals(kind="int", out=Output)
    cpdef void begin(self, bytes key, Value value, long long expire_at) except *
    @cython.locals(out=Output)
    cdef void _begin_key(self, bytes key, Value value, long long expire_at, int kind) except *
    @cython.locals(n=Py_ssize_t)
    cpdef void begin_value(self, Value value, int kind) except *
    @cython.locals(string=String, left=Py_ssize_t, piece=Py_ssize_t)
    cpdef bint step(self, Py_ssize_t max_bytes) except -1
    @cython.locals(begin=Py_ssize_t, chunk=bytes, key=bytes, value=Value, expire_at="long long")
    cdef void _write_extras(self, Py_ssize_t max_bytes) except *
    @cython.locals(out=Output)
    cpdef void end_file(self, bint checksum) except *
    cpdef bytes take(self)
    @cython.locals(out=Output)
    cdef void _sum(self) noexcept
