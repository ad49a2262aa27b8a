cimport cython

from headwater.keyspace.database cimport Database
from headwater.keyspace.waiters cimport KeyWaiters
from headwater.streams.group cimport Group
from headwater.streams.redelivery cimport Redelivery
from headwater.streams.stream cimport Stream


@cython.locals(redelivery=Redelivery, at_ms="long long")
cpdef void settled(Database database, bytes key, Stream stream, Group group) except *
@cython.locals(freed=list, queue=KeyWaiters)
cpdef int unpark(Database database, bytes key, Group group, Redelivery redelivery) except -1
