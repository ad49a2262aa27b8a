from headwater.raw cimport alloc
from headwater.resp.reply cimport Reply
from headwater.resp.request cimport Request
from headwater.server.gate cimport Gate


cdef class Shared:
    cdef public object loop
    cdef readonly Gate gate
    cdef readonly bytearray read_buffer
    cdef readonly Reply reply
    cdef readonly Request request
    cdef public long long max_bulk_bytes    # proto-max-bulk-len
    cdef public long long max_query_bytes   # client-query-buffer-limit
    cdef readonly object turns
    cdef public bint limits_output      # client-output-buffer-limit has limits for normal clients
    cdef public object on_output
    cdef object on_new
    cdef object on_gone
    cdef object on_stalled
    cdef object on_pushed
