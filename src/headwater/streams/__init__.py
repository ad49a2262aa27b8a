"""The stream data structure: IDs, blocks, groups, pending entries. No I/O, no clock, no sockets."""
