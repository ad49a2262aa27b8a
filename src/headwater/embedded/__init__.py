"""The store in the process: an engine without sockets, with redis-py and typed methods."""
