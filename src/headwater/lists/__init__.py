"""Lists: items, nodes, the list. No I/O, no clock, no sockets."""
