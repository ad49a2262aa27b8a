# Compiled for PUBLISH.

cimport cython

from headwater.commands.channels cimport Channels, Subscriptions
from headwater.commands.session cimport Session
from headwater.resp.reply cimport Reply
from headwater.resp.request cimport Request

cdef int _CHANNEL, _PATTERN, _SHARD

@cython.locals(channels=Channels)
cpdef object publish(Session session, Request request, Reply reply)
@cython.locals(channels=Channels)
cpdef object spublish(Session session, Request request, Reply reply)
cpdef object subscribe(Session session, Request request, Reply reply)
cpdef object psubscribe(Session session, Request request, Reply reply)
cpdef object ssubscribe(Session session, Request request, Reply reply)
cpdef object unsubscribe(Session session, Request request, Reply reply)
cpdef object punsubscribe(Session session, Request request, Reply reply)
cpdef object sunsubscribe(Session session, Request request, Reply reply)
@cython.locals(channels=Channels, i=Py_ssize_t, name=bytes, count=Py_ssize_t)
cdef object _subscribe(Session session, Request request, Reply reply, int kind, bytes verb)
@cython.locals(channels=Channels, name=bytes, mine=Subscriptions, count=Py_ssize_t)
cdef object _unsubscribe(Session session, Request request, Reply reply, int kind, bytes verb)
@cython.locals(out=Reply, channels=Channels)
cdef object _confirm(
    Session session, Subscriptions mine, Reply reply, bytes verb, bytes name, Py_ssize_t count
)
