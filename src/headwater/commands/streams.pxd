cimport cython

from headwater.commands.retention cimport retain_appended
from headwater.commands.session cimport Session
from headwater.commands.state cimport ServerState
from headwater.commands.stream_options cimport StreamOptions, ends_with_star, is_star, star_ms
from headwater.journal.recorder cimport Recorder
from headwater.keyspace.database cimport Database
from headwater.raw cimport parse_int
from headwater.resp.reply cimport Reply
from headwater.resp.request cimport Request
from headwater.streams.idmp cimport Idmp, content_iid
from headwater.streams.ids cimport exclusive_id, is_exclusive, next_id, previous_id, range_id, strict_id, u64
from headwater.streams.range cimport Range
from headwater.streams.references cimport drop_references, is_acknowledged
from headwater.streams.stream cimport Stream
from headwater.streams.trim cimport Trim
from headwater.value cimport Value

cdef u64 MAX
cdef unsigned int STREAM
cdef long long _ENTRY_MAX_BYTES
cdef int KEEPREF, DELREF, ACKED

cpdef Stream stream_to_read(Database database, bytes key)
cpdef Stream stream_to_write(Database database, bytes key)
@cython.locals(state=ServerState, options=StreamOptions, id_arg=Py_ssize_t, automatic=bint,
               first=Py_ssize_t, pairs=Py_ssize_t, ms=u64, seq=u64, given_seq=bint, key=bytes,
               database=Database, stream=Stream, is_new=bint, now_ms="long long", pid=bytes, iid=bytes,
               idmp=Idmp, recorder=Recorder, old_ms=u64, old_seq=u64, ok=bint, trimmed="long long")
cpdef object xadd(Session session, Request request, Reply reply)
@cython.locals(trimmed="long long", recorder=Recorder, drops_references=bint, ms=u64, seq=u64)
cpdef long long trim_stream(Database database, bytes key, Stream stream, Trim trim) except? -1
@cython.locals(total=Py_ssize_t, i=Py_ssize_t, last=Py_ssize_t)
cdef int _check_size(Request request, Py_ssize_t first) except -1
@cython.locals(stream=Stream)
cpdef object xlen(Session session, Request request, Reply reply)
cpdef object xrange_(Session session, Request request, Reply reply)
cpdef object xrevrange(Session session, Request request, Reply reply)
@cython.locals(start_arg=Py_ssize_t, end_arg=Py_ssize_t, ms1=u64, seq1=u64, ms2=u64, seq2=u64, ok=bint,
               count="long long", i=Py_ssize_t, stream=Stream, run=Range)
cdef object _range(Session session, Request request, Reply reply, bint reverse)
@cython.locals(key=bytes, stream=Stream, i=Py_ssize_t, deleted="long long", ms=u64, seq=u64,
               recorder=Recorder, db=Py_ssize_t)
cpdef object xdel(Session session, Request request, Reply reply)


cdef class IdList:
    cdef readonly int references
    cdef readonly Py_ssize_t first      # argument that is the first ID
    cdef readonly long long count


cpdef int delete_entry(Stream stream, u64 ms, u64 seq, int references) except? -9
@cython.locals(ids=IdList, key=bytes, stream=Stream, i=Py_ssize_t, deleted="long long", ms=u64, seq=u64,
               result=int, recorder=Recorder, drops_references=bint)
cpdef object xdelex(Session session, Request request, Reply reply)
@cython.locals(options=StreamOptions, key=bytes, stream=Stream, trimmed="long long", trim=Trim)
cpdef object xtrim(Session session, Request request, Reply reply)
