cimport cython

from headwater.clock cimport Clock
from headwater.journal.recorder cimport Recorder
from headwater.keyspace.cut cimport TableCut
from headwater.keyspace.expiry cimport ExpiryWheel
from headwater.keyspace.order cimport Chunk, KeyOrder
from headwater.lists.node cimport Node
from headwater.streams.block cimport Block
from headwater.streams.handles cimport HandleOrder
from headwater.streams.packing cimport Registry
from headwater.streams.stream cimport Stream
from headwater.value cimport Value

cdef unsigned int EXPIRED, KEY_MISS, NEW


cdef class Keyspace:
    cdef public Clock clock
    cdef public list databases
    cdef public object rng
    cdef public long long dirty
    cdef public long long expired_keys
    cdef public long long keyspace_hits
    cdef public long long keyspace_misses
    cdef public bint active_expiry
    cdef public bint touch
    cdef public object waiters
    cdef public list ready              # (Database, key)
    cdef public list graveyard          # lists, dicts and deques
    cdef public Recorder recorder
    cdef public object libraries
    cdef public Registry packing
    cdef public object calendar
    cdef public bint has_idmp, has_nacked
    cdef public long long list_fill     # list-max-listpack-size
    cdef public unsigned int notify_classes
    cdef public object notifier
    cdef Py_ssize_t _next_expiring

    @cython.locals(due="long long", db=Database)
    cpdef long long next_due_ms(self) except? -1
    @cython.locals(now_ms="long long", share=Py_ssize_t, step=Py_ssize_t, db=Database)
    cpdef bint expire_due(self, Py_ssize_t max_keys) except *
    @cython.locals(units=Py_ssize_t, parts=list)
    cpdef Py_ssize_t bury(self, Value value) except -1
    cpdef bint free_some(self, Py_ssize_t budget) except *
    @cython.locals(db=Database)
    cpdef bint has_cut(self) except *
    cpdef object swap(self, Py_ssize_t first, Py_ssize_t second)


cdef class Database:
    cdef public Keyspace keyspace
    cdef public Clock clock
    cdef public Py_ssize_t index
    cdef public dict values             # key -> Value
    cdef public KeyOrder order
    cdef public ExpiryWheel wheel
    cdef public TableCut cut            # or None
    cdef public dict waiting
    cdef public dict watched            # key -> watcher -> Watch

    @cython.locals(value=Value)
    cpdef Value lookup_read(self, bytes key)
    @cython.locals(value=Value)
    cpdef Value lookup_write(self, bytes key)
    @cython.locals(value=Value)
    cpdef object about_to_change(self, bytes key)
    @cython.locals(value=Value)
    cpdef Value inspect(self, bytes key)
    @cython.locals(value=Value)
    cpdef Value inspect_quietly(self, bytes key)
    @cython.locals(value=Value)
    cpdef Value peek(self, bytes key)
    @cython.locals(value=Value)
    cpdef bint has_expired(self, bytes key) except *
    cpdef Py_ssize_t size(self) noexcept
    cpdef Py_ssize_t expiring(self) noexcept
    cpdef Py_ssize_t memory_usage(self, bytes key, Value value) except? -1
    @cython.locals(key=bytes)
    cpdef bytes random_key(self)
    cpdef object add(self, bytes key, Value value)
    @cython.locals(old=Value, kept=bint)
    cpdef object replace(self, bytes key, Value value)
    cpdef object set(self, bytes key, Value value)
    @cython.locals(value=Value)
    cpdef Value remove(self, bytes key)
    cdef object _take_out(self, bytes key, Value value)
    @cython.locals(kept=bint)
    cdef object _drop(self, bytes key, Value value)
    @cython.locals(value=Value)
    cpdef bint delete(self, bytes key) except *
    @cython.locals(value=Value)
    cpdef object expire(self, bytes key)
    @cython.locals(value=Value, accessed_ms="long long")
    cpdef object move(self, bytes key, Database target, bytes new_key)
    @cython.locals(count=Py_ssize_t, dropped=list)
    cpdef Py_ssize_t flush(self) except -1
    cpdef object set_expiry(self, bytes key, Value value, long long at_ms)
    cpdef object persist(self, Value value)
    cpdef object signal_modified(self, bytes key)
    @cython.locals(keyspace=Keyspace)
    cpdef object notify(self, unsigned int event_class, bytes event, bytes key)
    cpdef object signal_watchers(self, bytes key)
    cpdef object signal_ready(self, bytes key)
