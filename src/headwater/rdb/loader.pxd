cimport cython

from headwater.keyspace.strings cimport String
from headwater.raw cimport get_u16, get_u64, monotonic_us
from headwater.rdb.crc64 cimport crc64
from headwater.rdb.list_decoder cimport ListDecoder
from headwater.rdb.skipping cimport Skipper
from headwater.rdb.source cimport RdbSource, payload_source
from headwater.rdb.stream_decoder cimport StreamDecoder
from headwater.value cimport Value

cdef int _KEYS_A_LOOK
cdef long long _FOREVER_US
cdef int _FIRST_OPCODE
cdef long long _NO_EXPIRY
cdef bytes _NO_KEY
cdef int _TYPE_STRING


@cython.final
cdef class Loader:
    cdef readonly RdbSource source
    cdef readonly int version
    cdef readonly long long keys
    cdef public bint skip_unknown
    cdef readonly bint done
    cdef object _sink
    cdef bint _checksum
    cdef bint _started
    cdef long long _db_index
    cdef long long _expire_at
    cdef long long _idle_s
    cdef int _freq
    cdef bytes _key
    cdef StreamDecoder _stream
    cdef list _idmp_times
    cdef list _extras
    cdef ListDecoder _list
    cdef Skipper _skipper
    cdef dict _skipped
    cdef dict _counts
    cdef dict _templates

    @cython.locals(until_us="long long", count=int)
    cpdef bint step(self, long long budget_us) except -1
    @cython.locals(source=RdbSource)
    cdef object _begin(self)
    cdef object _next(self, int kind, long long until_us)
    cdef bytes _in_value(self, object kind)
    @cython.locals(decoder=StreamDecoder)
    cdef object _go_on_with_stream(self, long long until_us)
    cdef object _begin_list(self, int kind, long long until_us)
    @cython.locals(decoder=ListDecoder)
    cdef object _go_on_with_list(self, long long until_us)
    cdef object _begin_skipping(self, int kind)
    @cython.locals(skipper=Skipper)
    cdef object _go_on_skipping(self, long long until_us)
    cdef object _with_key(self, object error)
    cdef object _hand_over(self, Value value)
    cdef object _forget_key(self)
    @cython.locals(source=RdbSource)
    cdef object _read_opcode(self, int opcode)
    cdef object _set_expiry(self, long long at_ms)
    @cython.locals(source=RdbSource)
    cdef object _read_end(self)


@cython.locals(end=Py_ssize_t, buf=bytearray, source=RdbSource, kind=int, codes=list)
cpdef list load_libraries(bytes payload)
@cython.locals(end=Py_ssize_t, buf=bytearray)
cdef tuple _checked(bytes payload, Py_ssize_t least)
@cython.locals(end=Py_ssize_t, buf=bytearray, source=RdbSource, kind=int, decoder=StreamDecoder,
               reader=ListDecoder)
cpdef Value load_payload(bytes payload)
