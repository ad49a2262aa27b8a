cimport cython

from headwater.commands.session cimport Session
from headwater.commands.settling cimport settled
from headwater.commands.state cimport ServerState
from headwater.journal.recorder cimport Recorder
from headwater.keyspace.database cimport Database
from headwater.resp.reply cimport Reply
from headwater.streams.delivery cimport (
    EntryFinder,
    claim_bytes,
    deliver_handles,
    deliver_history,
    hand_over,
    history_within,
    one_more,
    run_behind,
    write_run,
    write_with_zeros,
)
from headwater.streams.due cimport DueOrder
from headwater.streams.group cimport Consumer, Group
from headwater.streams.ids cimport next_id, u64
from headwater.streams.ordering cimport Chosen, choose
from headwater.streams.pending cimport PendingEntries
from headwater.streams.records cimport Records
from headwater.streams.redelivery cimport Redelivery
from headwater.streams.settings cimport GroupSettings
from headwater.streams.stream cimport Stream

cdef long long _DROPPED_AT_ONCE, _LOOKED_AT_ONCE, _RECHECK_MS, _NO_LIMIT, _EVERY_ENTRY


@cython.final
cdef class DueEntries:
    cdef Session _session
    cdef Database _database
    cdef bytes _key
    cdef Stream _stream
    cdef Group _group
    cdef Consumer _consumer
    cdef long long _now_ms
    cdef EntryFinder _finder
    cdef long long _count
    cdef long long _max_bytes
    cdef bint _extra                        # each is sent with the two elements of CLAIM
    cdef readonly list handles
    cdef readonly long long size
    cdef readonly long long dropped
    cdef readonly bint limited
    cdef readonly long long next_ms
    cdef readonly long long room

    cdef bint is_full(self) except -1
    @cython.locals(due=DueOrder, records=Records, number="unsigned int", handle="unsigned int")
    cdef int take_due(self, Redelivery redelivery) except -1
    @cython.locals(due=DueOrder, found=list, n="long long", handle="unsigned int", due_ms="long long")
    cdef int _take_own(self, Redelivery redelivery) except -1
    @cython.locals(pending=PendingEntries, records=Records, recorder=Recorder, due=DueOrder, ms=u64, seq=u64)
    cdef void _take(self, Redelivery redelivery, unsigned int handle) except *
    @cython.locals(records=Records, idle_ms="long long")
    cdef int _add(self, unsigned int handle) except -1
    @cython.locals(pending=PendingEntries, records=Records, due=DueOrder, defers=bint, taken=set,
                   until_ms="long long", number="unsigned int", handle="unsigned int",
                   behind="unsigned int", passed="long long")
    cdef int take_idle(self, Redelivery redelivery, long long min_idle_ms) except -1
    cdef int _bury(self, unsigned int handle) except -1
    @cython.locals(pending=PendingEntries, records=Records, finder=EntryFinder, number="unsigned int",
                   now_ms="long long", handle="unsigned int", delivered=u64)
    cdef int hand_over(self, bint claiming, Reply reply) except -1


@cython.locals(
    state=ServerState, database=Database, recorder=Recorder, now_ms="long long", redelivery=Redelivery,
    settings=GroupSettings, claiming=bint, due=DueEntries, left="long long", room="long long",
    bytes_left="long long", extra=Py_ssize_t, chosen=Chosen, index1=Py_ssize_t, slot1=Py_ssize_t,
    index2=Py_ssize_t, slot2=Py_ssize_t, new=Py_ssize_t, size=Py_ssize_t, again=Py_ssize_t,
    total=Py_ssize_t,
)
cpdef (Py_ssize_t, Py_ssize_t, long long) deliver_managed(
    Session session,
    bytes key,
    Stream stream,
    Group group,
    Consumer consumer,
    long long count,
    long long max_bytes,
    long long min_idle_ms,
    bint noack,
    bint patient,
    Reply reply,
) except *
@cython.locals(
    redelivery=Redelivery, records=Records, finder=EntryFinder, now_ms="long long", stuck=Py_ssize_t,
    handle="unsigned int", ms=u64, seq=u64,
)
cdef Py_ssize_t _bury_history(
    Session session, bytes key, Stream stream, Group group, list handles, list remain
) except -1
@cython.locals(
    redelivery=Redelivery, database=Database, recorder=Recorder, now_ms="long long",
    pending=PendingEntries, records=Records, remain=list, handles=list, given=list,
    stuck=Py_ssize_t, ok=bint, from_ms=u64, from_seq=u64, limit="long long", wanted="long long",
    before="long long", within=Py_ssize_t, last="unsigned int", handle="unsigned int",
    entries=Py_ssize_t, size=Py_ssize_t,
)
cpdef (Py_ssize_t, Py_ssize_t) history_managed(
    Session session,
    bytes key,
    Stream stream,
    Group group,
    Consumer consumer,
    u64 ms,
    u64 seq,
    long long count,
    long long max_bytes,
    Reply reply,
) except *
