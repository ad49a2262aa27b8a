cimport cython

from headwater.keyspace.database cimport Database
from headwater.streams.retention cimport Retention
from headwater.streams.stream cimport Stream


@cython.locals(retention=Retention)
cpdef long long retain_appended(Database database, bytes key, Stream stream) except? 0
