cimport cython

from headwater.commands.session cimport Session
from headwater.commands.streams cimport stream_to_read
from headwater.journal.recorder cimport Recorder
from headwater.keyspace.database cimport Database
from headwater.raw cimport parse_int
from headwater.resp.reply cimport Reply
from headwater.resp.request cimport Request
from headwater.streams.block cimport Block
from headwater.streams.delivery cimport claimable_at, deliver, deliver_claiming, deliver_history
from headwater.streams.group cimport Consumer, Group
from headwater.streams.ids cimport next_id, parse_span, previous_id, text, u64
from headwater.streams.range cimport Range
from headwater.streams.stream cimport Stream

cdef u64 MAX
cdef long long NEVER, _TIMEOUT_MAX_MS


cdef class ReadOptions:
    cdef readonly long long block_ms        # -1: do not wait; 0: for ever
    cdef readonly long long count           # of each stream
    cdef readonly long long max_entries     # of all streams (MAXCOUNT)
    cdef readonly long long max_bytes       # of all streams (MAXSIZE)
    cdef readonly long long min_idle_ms     # CLAIM
    cdef readonly bint noack
    cdef readonly bytes group, consumer
    cdef readonly Py_ssize_t keys           # argument that is the first key
    cdef readonly Py_ssize_t streams        # number of keys


@cython.locals(ok=bint, value="long long")
cdef long long _timeout(Request request, Py_ssize_t i) except? -1
@cython.locals(ok=bint, value="long long")
cdef long long _positive(Request request, Py_ssize_t i, str name) except? -1


cdef class Budget:
    cdef long long count, entries
    cdef readonly long long bytes

    cdef bint is_spent(self) noexcept
    cdef long long next_count(self) noexcept
    cdef void spend(self, long long entries, long long size) noexcept


@cython.locals(options=ReadOptions, n=Py_ssize_t, database=Database, i=Py_ssize_t, k=Py_ssize_t, stream=Stream,
               budget=Budget, parts=Py_ssize_t, pos=Py_ssize_t, served=Py_ssize_t, ms=u64, seq=u64,
               streams=list, ids=list, run=Range)
cpdef object xread(Session session, Request request, Reply reply)
@cython.locals(c="unsigned char", block=Block, ms=u64, seq=u64, ok=bint)
cdef (u64, u64) _id_to_read_behind(Stream stream, Request request, Py_ssize_t i) except *
@cython.locals(ok=bint, ms=u64, seq=u64)
cdef (u64, u64) _read_id(Request request, Py_ssize_t i) except *
@cython.locals(ok=bint, run=Range)
cdef Range _entries_behind(Stream stream, u64 ms, u64 seq, Budget budget)
cdef object _begin_stream(Reply reply, bytes key)
cdef long long _deadline(Session session, ReadOptions options) except? -1
@cython.locals(options=ReadOptions, n=Py_ssize_t, database=Database, name=bytes, i=Py_ssize_t, k=Py_ssize_t,
               key=bytes, stream=Stream, group=Group, consumer=Consumer, now_ms="long long", budget=Budget,
               parts=Py_ssize_t, pos=Py_ssize_t, served=Py_ssize_t, due_ms="long long",
               stream_parts=Py_ssize_t, stream_pos=Py_ssize_t, id_arg=Py_ssize_t, ms=u64, seq=u64,
               entries="long long", size="long long", at="long long", claims=bint,
               min_idle_ms="long long", recorder=Recorder, claimed=list, new="long long")
cpdef object xreadgroup(Session session, Request request, Reply reply)
@cython.locals(c="unsigned char")
cdef object _check_group_id(Request request, Py_ssize_t i)
