cimport cython

from headwater.commands.session cimport Session
from headwater.raw cimport alloc, receive, transmit_bytes
from headwater.server.poller cimport Poller, SocketTransport

cdef Py_ssize_t READ_BUFFER_BYTES, SEND_PIECE_BYTES, TLS_READ_BYTES, TRANSPORT_HIGH_BYTES
cdef int TLS_HANDSHAKE_STEPS


@cython.final
cdef class Secure:
    cdef public object context
    cdef readonly object incoming       # into OpenSSL; empty between calls, as outgoing is
    cdef readonly object outgoing
    cdef readonly bytearray cipher      # what every read of a TLS client fills
    cdef object _view                   # of it
    cdef object _loop
    cdef object _may_begin
    cdef object _plain
    cdef object _plain_of
    cdef dict _handshakes
    cdef object _timer
    cdef int _steps
    cdef unsigned long long _round      # of the poller, in which _steps are left
    cdef Py_ssize_t _logged
    cdef double _logged_at

    cpdef object wrap(self, Poller poller, sock)
    cpdef object close(self)
    cpdef object plain_view(self, bytearray buf)
    cpdef object feed(self, Py_ssize_t n)
    cpdef object discard(self)
    cpdef object began(self, TlsTransport transport)
    cpdef object ended(self, TlsTransport transport)
    cpdef object end_overdue(self)
    cpdef bint take_step(self, unsigned long long rounds) except -1


cdef class TlsTransport(SocketTransport):
    cdef Secure _secure
    cdef object _ssl                    # an SSLObject
    cdef bint _shaken                   # the handshake is done
    cdef bytes _sealed
    cdef Py_ssize_t _sealed_sent

    @cython.locals(secure=Secure, n=Py_ssize_t)
    cdef object _receive(self)
    @cython.locals(secure=Secure)
    cdef bint _shake(self) except -1
    @cython.locals(secure=Secure, n=Py_ssize_t, filled=Py_ssize_t, ended=bint, client=Session)
    cdef object _open(self)
    cdef object _end_of_input(self)
    cpdef object fail(self, str text)
    @cython.locals(taken=Py_ssize_t, size=Py_ssize_t)
    cpdef object write(self, bytes data)
    cpdef object write_span(self, bytearray buf, Py_ssize_t n)
    cdef bytes _seal(self, data)
    @cython.locals(size=Py_ssize_t, sent=Py_ssize_t)
    cdef object _put(self, bytes sealed)
    @cython.locals(parts=list, data=bytes, part=bytes, end=Py_ssize_t)
    cdef bytes _next_piece(self, Py_ssize_t limit)
    @cython.locals(left=Py_ssize_t, size=Py_ssize_t, sent=Py_ssize_t, piece=bytes)
    cdef object _send_queue(self)
    cdef object _lose(self, error)
    cdef object _say_goodbye(self)
