cimport cython

from headwater.commands.blocking cimport pending_changed, stand_aside, terms_of, wait, waits_on
from headwater.commands.redelivering cimport deliver_managed, history_managed
from headwater.commands.session cimport Session
from headwater.commands.streams cimport stream_to_read
from headwater.journal.recorder cimport Recorder
from headwater.keyspace.database cimport Database, Keyspace
from headwater.keyspace.waiters cimport Terms, Waiters
from headwater.raw cimport alloc, equal, get_u64, parse_int, put_u64
from headwater.resp.reply cimport Reply
from headwater.resp.request cimport Request, from_words
from headwater.streams.block cimport Block
from headwater.streams.delivery cimport claimable_at, deliver, deliver_claiming, deliver_history
from headwater.streams.group cimport Consumer, Group
from headwater.streams.ids cimport next_id, parse_span, previous_id, text, u64
from headwater.streams.range cimport Range
from headwater.streams.stream cimport Stream

cdef u64 MAX
cdef unsigned int KEY_MISS, STREAM
cdef long long _NEVER, _TIMEOUT_MAX_MS


@cython.final
@cython.freelist(8)
cdef class ReadOptions:
    cdef readonly long long block_ms        # -1: do not wait; 0: for ever
    cdef readonly long long count           # of each stream
    cdef readonly long long max_entries     # left of all streams (MAXCOUNT)
    cdef readonly long long max_bytes       # left of all streams (MAXSIZE)
    cdef readonly long long min_idle_ms     # CLAIM
    cdef readonly bint noack
    cdef readonly bytes group, consumer
    cdef readonly Py_ssize_t keys           # argument that is the first key
    cdef readonly Py_ssize_t streams        # number of keys

    @cython.locals(argc=Py_ssize_t, i=Py_ssize_t, more=Py_ssize_t, c=int)
    cdef int parse(self, Request request, bint is_group) except -1
    cdef bint is_spent(self) noexcept
    cdef long long next_count(self) noexcept
    cdef void spend(self, long long entries, long long size) noexcept


@cython.locals(ok=bint, value="long long")
cdef long long _timeout(Request request, Py_ssize_t i) except? -1
@cython.locals(ok=bint, value="long long")
cdef long long _positive(Request request, Py_ssize_t i, str name) except? -1


@cython.locals(options=ReadOptions, n=Py_ssize_t, keys=Py_ssize_t, database=Database, k=Py_ssize_t, stream=Stream,
               parts=Py_ssize_t, pos=Py_ssize_t, served=Py_ssize_t, ms=u64, seq=u64,
               streams=list, ids=bytearray, run=Range)
cpdef object xread(Session session, Request request, Reply reply)
@cython.locals(c="unsigned char", block=Block, ms=u64, seq=u64, ok=bint)
cdef (u64, u64) _id_to_read_behind(Stream stream, Request request, Py_ssize_t i) except *
@cython.locals(ok=bint, ms=u64, seq=u64)
cdef (u64, u64) _read_id(Request request, Py_ssize_t i) except *
@cython.locals(ok=bint, run=Range)
cdef Range _entries_behind(Stream stream, u64 ms, u64 seq, ReadOptions options)
@cython.locals(terms=Terms)
cdef object _found_nothing(
    Session session, Request request, Reply reply, ReadOptions options, bytearray ids, bint claims, long long due_ms
)
@cython.locals(first_id=Py_ssize_t, i=Py_ssize_t, pos=Py_ssize_t, size=Py_ssize_t, start=Py_ssize_t,
               length=Py_ssize_t, k=Py_ssize_t, ok=bint, ms=u64, seq=u64)
cdef bint _same_terms(Terms terms, Session session, Request request, ReadOptions options, bytearray ids) except -1
@cython.locals(words=list, keys=list, k=Py_ssize_t, i=Py_ssize_t)
cdef Terms _new_terms(Session session, Request request, ReadOptions options, bytearray ids)
cdef int _begin_stream(Reply reply, bytes key) except -1
cdef long long _deadline(Session session, ReadOptions options) except? -1
@cython.locals(options=ReadOptions, n=Py_ssize_t, database=Database, name=bytes, i=Py_ssize_t, k=Py_ssize_t,
               key=bytes, stream=Stream, first=Stream, others=list, parts=Py_ssize_t, pos=Py_ssize_t,
               served=Py_ssize_t, due_ms="long long", got=bint, at="long long", claims=bint,
               waiters=Waiters, begins=bint)
cpdef object xreadgroup(Session session, Request request, Reply reply)
@cython.locals(now_ms="long long", recorder=Recorder, recording=bint, database=Database, keyspace=Keyspace,
               key=bytes, group=Group, consumer=Consumer, parts=Py_ssize_t, pos=Py_ssize_t,
               id_arg=Py_ssize_t, ms=u64, seq=u64, entries=Py_ssize_t, size=Py_ssize_t,
               claimed=list, new="long long", at="long long", count="long long", max_bytes="long long")
cdef (bint, long long) _read_group(
    Session session, Request request, ReadOptions options, Py_ssize_t k, Stream stream, Reply reply
) except *
cdef bint _is_new(Request request, Py_ssize_t i) noexcept
@cython.locals(c="unsigned char")
cdef object _check_group_id(Request request, Py_ssize_t i)
