"""RDB, the snapshot format of Redis: writing it, reading it, and the payloads of DUMP.

The format is in docs/formats/rdb.md. Nothing here knows files, clocks or the event loop.
"""
