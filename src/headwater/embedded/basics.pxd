from headwater.embedded.streams cimport StreamCommands

cdef class Commands(StreamCommands):
    pass
