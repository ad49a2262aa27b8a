cimport cython

from headwater.commands.dispatch cimport call
from headwater.commands.queue cimport Transaction
from headwater.commands.session cimport Session
from headwater.commands.state cimport ServerState
from headwater.commands.table cimport Command
from headwater.journal.recorder cimport Recorder
from headwater.keyspace.database cimport Keyspace
from headwater.resp.reply cimport Reply
from headwater.resp.request cimport Request


@cython.locals(transaction=Transaction)
cpdef object abandon(Session session)
cpdef object give_back(Session session, Transaction transaction)
cpdef object unwatch_all(Session session)
@cython.locals(state=ServerState, keyspace=Keyspace, queue=list, could_not_block=bint,
               recorder=Recorder, at=Py_ssize_t, queued=Command)
cdef object _run(Session session, Transaction transaction, Reply reply)
cdef bint _is_refused(Session session, Command queued, Transaction transaction, Reply reply) except -1
