cimport cython

from headwater.keyspace.database cimport Database, Keyspace
from headwater.keyspace.strings cimport GrownString, String
from headwater.lists.list cimport List
from headwater.persistence.apply_managed cimport ManagedApplier
from headwater.raw cimport get_u32
from headwater.resp.request cimport Request
from headwater.streams.block cimport Block
from headwater.streams.delivery cimport EntryFinder, hand_over, one_more, run_behind
from headwater.streams.group cimport Consumer, Group
from headwater.streams.idmp cimport Idmp
from headwater.streams.ids cimport compare, next_id, text, u64
from headwater.streams.lag cimport set_entries_added
from headwater.streams.pending cimport PendingEntries
from headwater.streams.ordering cimport became_pending
from headwater.streams.references cimport drop_references
from headwater.streams.stream cimport Stream
from headwater.value cimport Value

cdef Py_ssize_t RECORD_HEADER_BYTES, FREE_ALL
cdef u64 LONGEST_STRING_BYTES
cdef long long MIN_DURATION_S, MAX_DURATION_S, MIN_MAXSIZE, MAX_MAXSIZE
cdef long long UNKNOWN
cdef int ACKNOWLEDGE, ACKNOWLEDGE_AND_DELETE, ADD, APPEND, ASSIGN, COPY_KEY, CREATE_CONSUMER, CREATE_GROUP
cdef int DELETE, DELETE_CONSUMER, DELETE_KEY, DELIVER, DELIVER_AGAIN, DESTROY_GROUP, EXPIRE, FLUSH
cdef int FLUSH_ALL, LIMITS, MOVE_KEY, NACK, REMEMBER, RESTORE, SET, SET_ID, SET_POSITION
cdef int SET_WINDOW, SWAP, TRIM, WRITE
cdef int COUNTS_AS_ADDED, DROPS_REFERENCES, LIMITS_GROUPS, MAKES_STREAM, NO_ACK, TRIMMED


@cython.final
cdef class Applier(ManagedApplier):
    cdef readonly long long applied

    @cython.locals(head=Py_ssize_t, pos=Py_ssize_t, n=Py_ssize_t)
    cpdef object apply(self, bytearray buf, Py_ssize_t begin, Py_ssize_t end)
    @cython.locals(op=int)
    cdef void _apply(self) except *

    @cython.locals(ms=u64, seq=u64, fields=Request)
    cdef void add_entry(self) except *
    @cython.locals(stream=Stream, flags=int, left="long long", block=Block, n=Py_ssize_t, slot=Py_ssize_t, ms=u64,
                   seq=u64)
    cdef void trim(self) except *
    @cython.locals(stream=Stream, flags=int, _=Py_ssize_t, ms=u64, seq=u64, found=bint)
    cdef void delete(self) except *
    cdef void _no_entry(self, u64 ms, u64 seq) except *
    @cython.locals(stream=Stream, flags=int, ms=u64, seq=u64, added="long long", block=Block)
    cdef void set_id(self) except *

    @cython.locals(stream=Stream, flags=int, duration_s="long long", maxsize="long long", ms=u64, seq=u64,
                   time_ms="long long", pid=bytes, iid=bytes, idmp=Idmp)
    cdef void remember(self) except *
    cdef void _check_window(self, long long duration_s, long long maxsize) except *
    @cython.locals(stream=Stream, duration_s="long long", maxsize="long long")
    cdef void set_window(self) except *

    @cython.locals(name=bytes, makes_stream=bint, ms=u64, seq=u64, entries_read="long long", stream=Stream)
    cdef void create_group(self) except *
    @cython.locals(group=Group, ms=u64, seq=u64)
    cdef void set_position(self) except *
    @cython.locals(entries_read="long long")
    cdef long long _entries_read(self) except? 0
    @cython.locals(stream=Stream, group=Group)
    cdef void destroy_group(self) except *
    @cython.locals(group=Group, name=bytes, seen_ms="long long")
    cdef void create_consumer(self) except *
    @cython.locals(group=Group, consumer=Consumer)
    cdef void delete_consumer(self) except *

    @cython.locals(stream=Stream, group=Group, consumer=Consumer, flags=int, time_ms="long long", entries="long long",
                   ms=u64, seq=u64, index1=Py_ssize_t, slot1=Py_ssize_t, index2=Py_ssize_t, slot2=Py_ssize_t,
                   count=Py_ssize_t, no_ack=bint, block=Block, last_ms=u64, last_seq=u64)
    cdef void deliver(self) except *
    @cython.locals(stream=Stream, group=Group, consumer=Consumer, time_ms="long long", entries="long long", ms=u64,
                   seq=u64, pending=PendingEntries, ok=bint, handles=list, finder=EntryFinder,
                   handle="unsigned int", count=u64)
    cdef void deliver_again(self) except *
    @cython.locals(stream=Stream, group=Group, consumer=Consumer, delivery_ms="long long", time_ms="long long",
                   pending=PendingEntries, _=Py_ssize_t, ms=u64, seq=u64, count=u64, handle="unsigned int")
    cdef void assign(self) except *
    @cython.locals(stream=Stream, group=Group, pending=PendingEntries, _=Py_ssize_t, ms=u64, seq=u64, count=u64,
                   handle="unsigned int")
    cdef void nack(self) except *
    @cython.locals(pending=PendingEntries, _=Py_ssize_t, ms=u64, seq=u64)
    cdef void acknowledge(self) except *
    @cython.locals(stream=Stream, pending=PendingEntries, flags=int, _=Py_ssize_t, ms=u64, seq=u64)
    cdef void acknowledge_and_delete(self) except *
    cdef void _not_pending(self, u64 ms, u64 seq) except *

    @cython.locals(at_ms="long long")
    cdef long long _expiry(self) except? 0
    @cython.locals(expire_at="long long")
    cdef void set(self) except *
    @cython.locals(data=bytes)
    cdef void append(self) except *
    @cython.locals(offset=u64, data=bytes)
    cdef void write(self) except *
    @cython.locals(expire_at="long long", payload=bytes, value=Value)
    cdef void restore(self) except *
    cdef void _hold(self, Value value, long long expire_at) except *
    @cython.locals(value=Value)
    cdef void delete_key(self) except *
    @cython.locals(value=Value, at_ms="long long")
    cdef void expire(self) except *
    @cython.locals(target=Database, new_key=bytes)
    cdef void move_key(self) except *
    @cython.locals(value=Value, target=Database, new_key=bytes, twin=Value)
    cdef void copy_key(self) except *
    cdef void _check_other(self, Database target, bytes key) except *

    @cython.locals(first=Database, second=Database)
    cdef void swap(self) except *
    cdef void flush(self) except *
    cdef void flush_all(self) except *
