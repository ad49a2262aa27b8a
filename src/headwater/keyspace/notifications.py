"""Keyspace notifications: the classes of events that subscribers can be told of.

The bits and letters are those of `notify-keyspace-events`, as Redis 8.10.
"""

from __future__ import annotations

KEYSPACE = 1 << 0  # K: to __keyspace@<db>__:<key>, the event's name
KEYEVENT = 1 << 1  # E: to __keyevent@<db>__:<event>, the key
GENERIC = 1 << 2  # g
STRING = 1 << 3  # $
LIST = 1 << 4  # l
SET = 1 << 5  # s
HASH = 1 << 6  # h
SORTED_SET = 1 << 7  # z
EXPIRED = 1 << 8  # x
EVICTED = 1 << 9  # e
STREAM = 1 << 10  # t
KEY_MISS = 1 << 11  # m
MODULE = 1 << 12  # d
NEW = 1 << 13  # n
OVERWRITTEN = 1 << 14  # o
TYPE_CHANGED = 1 << 15  # c
