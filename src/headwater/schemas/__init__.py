"""Schemas of streams: their versions, what fits them, and how two of them compare.

No commands, no keyspace, no clock. The library that checks values is asked for in `library.py`
alone, and only when a schema is used.
"""
