from headwater.embedded.caller cimport Caller

cdef class StreamCommands(Caller):
    pass
