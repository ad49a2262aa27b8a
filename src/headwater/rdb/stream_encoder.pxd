cimport cython

from headwater.rdb.listpack cimport Packer
from headwater.rdb.output cimport Output
from headwater.streams.group cimport Consumer, Group
from headwater.streams.handles cimport HandleOrder
from headwater.streams.idmp cimport Idmp, Producer, Remembered
from headwater.streams.ids cimport u64
from headwater.streams.pending cimport PendingEntries
from headwater.streams.records cimport Records
from headwater.streams.stream cimport Stream

cdef int TYPE_STREAM_LISTPACKS_3
cdef int TYPE_STREAM_LISTPACKS_4
cdef int TYPE_STREAM_LISTPACKS_5
cdef int _RUN
cdef int _BLOCKS
cdef int _GROUP
cdef int _PENDING
cdef int _CONSUMER
cdef int _OWNED
cdef int _NACKED
cdef int _PRODUCER
cdef int _REMEMBERED
cdef int _DONE

@cython.locals(group=Group)
cpdef int stream_type(Stream stream) except -1


@cython.final
cdef class StreamEncoder:
    cdef Output _out
    cdef Packer _packer
    cdef Stream _stream
    cdef int _type
    cdef int _next
    cdef Py_ssize_t _index
    cdef list _groups
    cdef Group _group
    cdef HandleOrder _order
    cdef Py_ssize_t _number
    cdef Py_ssize_t _slot
    cdef list _consumers
    cdef unsigned int _handle
    cdef list _producers
    cdef list _remembered

    cpdef void begin(self, Stream stream, int stream_type) except *
    @cython.locals(out=Output, limit=Py_ssize_t)
    cpdef bint step(self, Py_ssize_t max_bytes) except -1
    @cython.locals(stream=Stream, out=Output, packer=Packer, first_ms=u64, first_seq=u64)
    cdef object _put_block(self)
    @cython.locals(out=Output, group=Group, pending=PendingEntries)
    cdef object _begin_group(self)
    cdef object _begin_order(self, HandleOrder order)
    @cython.locals(out=Output, group=Group, order=HandleOrder, records=Records, left="int",
                   end=Py_ssize_t, handle="unsigned int")
    cdef object _put_pending(self)
    cdef object _next_chunk(self, HandleOrder order)
    @cython.locals(out=Output, group=Group, consumer=Consumer, order=HandleOrder)
    cdef object _begin_consumer(self)
    @cython.locals(out=Output, group=Group, order=HandleOrder, records=Records, left="int",
                   end=Py_ssize_t, handle="unsigned int")
    cdef object _put_owned(self)
    @cython.locals(out=Output, group=Group, pending=PendingEntries, records=Records, left="int",
                   handle="unsigned int")
    cdef object _put_nacked(self)
    @cython.locals(out=Output, idmp=Idmp)
    cdef object _begin_idmp(self)
    @cython.locals(out=Output, idmp=Idmp, pid=bytes, producer=Producer)
    cdef object _begin_producer(self)
    @cython.locals(out=Output, until=Py_ssize_t, entry=Remembered)
    cdef object _put_remembered(self)
    cdef object _end(self)
