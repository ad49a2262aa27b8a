cimport cython

from headwater.commands.session cimport Session
from headwater.commands.state cimport ServerState
from headwater.glob cimport matches
from headwater.resp.reply cimport Reply

cdef int _CHANNEL, _PATTERN, _SHARD
cdef unsigned int _KEYSPACE, _KEYEVENT
cdef Py_ssize_t _SLICE, _SLICE_SHARE, _OWED_MESSAGES, _OWED_BYTES, REPLY_REFERENCE_BYTES
cdef bytes _OF_CHANNEL, _OF_PATTERN, _OF_SHARD


@cython.final
cdef class Subscriptions:
    cdef public Session session             # None when it is gone
    cdef public dict channels, patterns, shards   # name -> None
    cdef public list owed                   # bytes, in order
    cdef public Py_ssize_t owed_bytes
    cdef bint _listed
    cdef Py_ssize_t _earlier

    cpdef dict of(self, int kind)
    cpdef Py_ssize_t count(self, int kind) except -1
    cpdef bint is_empty(self) except *
    cpdef object begin_own(self)
    cpdef object end_own(self)
    @cython.locals(owed=list, data=bytes)
    cpdef object write_owed(self, Reply reply)


@cython.final
cdef class _Message:
    cdef bytes _kind
    cdef tuple _words
    cdef bytes _payload
    cdef bytes _resp2, _resp3               # None until somebody needs it
    cdef bint parts
    cdef Py_ssize_t size, payload_bytes, entries

    @cython.locals(session=Session, data=bytes, owed=list)
    cdef object owe(self, Subscriptions receiver, Reply scratch)
    @cython.locals(word=bytes)
    cdef bytes _encode(self, Reply scratch, bint resp3)


@cython.final
cdef class Channels:
    cdef ServerState _state
    cdef dict _names, _patterns, _shards    # name -> Subscriptions, or a dict of them
    cdef Reply _scratch
    cdef Py_ssize_t _messages, _bytes
    cdef public unsigned int classes        # notify-keyspace-events
    cdef readonly Py_ssize_t listening
    cdef readonly object owing              # deque of Subscriptions
    cdef public object on_owed

    cpdef dict of(self, int kind)
    cpdef Py_ssize_t listeners(self, int kind, bytes name) except -1
    @cython.locals(mine=Subscriptions, names=dict, known=dict)
    cpdef Py_ssize_t subscribe(self, Session session, int kind, bytes name) except -1
    @cython.locals(mine=Subscriptions, names=dict)
    cpdef Py_ssize_t unsubscribe(self, Session session, int kind, bytes name) except -1
    @cython.locals(known=dict)
    cdef object _remove(self, Subscriptions mine, int kind, bytes name)
    @cython.locals(mine=Subscriptions, kind=int, name=bytes)
    cpdef object leave(self, Session session)
    @cython.locals(mine=Subscriptions)
    cpdef object forget(self, Session session)
    @cython.locals(count=Py_ssize_t, pattern=bytes)
    cpdef Py_ssize_t publish(self, bytes channel, bytes payload) except -1
    cpdef Py_ssize_t publish_shard(self, bytes channel, bytes payload) except -1
    cpdef object announce(self, unsigned int event_class, bytes event, bytes key, Py_ssize_t database)
    @cython.locals(scratch=Reply, only=Subscriptions, one=Subscriptions, several=dict, n=Py_ssize_t)
    cdef Py_ssize_t _send(self, _Message message, listeners) except -1
    cpdef object owe(self, Session session, Subscriptions mine, bytes data)
    cdef object _list(self, Subscriptions receiver)
    @cython.locals(n=Py_ssize_t, receiver=Subscriptions)
    cpdef bint deliver(self) except *
    cpdef object deliver_all(self)
    @cython.locals(owed=list, session=Session, n=Py_ssize_t, data=bytes, scratch=Reply)
    cdef object _hand_over(self, Subscriptions receiver)
