cimport cython

from headwater.acl.plans cimport Plan
from headwater.acl.selectors cimport judge
from headwater.commands.session cimport Session
from headwater.commands.table cimport Command
from headwater.resp.request cimport Request


@cython.final
cdef class Permissions:
    cdef readonly object user
    cdef list _selectors
    cdef dict _plans                    # name of a command -> Plan
    cdef object _denied

    cpdef object refresh(self)
    cpdef Py_ssize_t verdict(self, Command command, Request request) except -1
    @cython.locals(verdict=Py_ssize_t, plan=Plan)
    cpdef object refusal(self, Session session, Command command, Request request)
    @cython.locals(verdict=Py_ssize_t)
    cpdef object refusal_in_script(self, Session session, Command command, Request request)
    cdef bytes _text(self, Command command, Py_ssize_t verdict)
