"""What the body of a record is made of: operations, each the effect of a command.

A record holds the operations of one command, or of one EXEC, one behind the other; they are
applied together or not at all. They say what happened and not what was asked for: IDs and times
are decided, options are gone. So applying them needs no clock, no configuration and nothing
else but the operations before.

`journal/recorder.py` writes them and `persistence/apply.py` applies them, in functions of the same
names. All numbers are little-endian; times are unix ms; `ms | seq` is an ID.

    op      u8, the number below
    text    u32 bytes | bytes
    key     u32 database | text
    group   key | text, the group's name
    member  group | text, the consumer's name

LIMITS            op | i64 entries | i64 bytes
ADD               op | key | u64 ms | u64 seq | text
TRIM              op | key | u8 flags | u64 entries
DELETE            op | key | u8 flags | u32 n | n times (u64 ms | u64 seq)
SET_ID            op | key | u8 flags | u64 ms | u64 seq | i64 added | u64 ms | u64 seq
REMEMBER          op | key | u8 flags | i64 duration | i64 maxsize | u64 ms | u64 seq | i64 time |
                       text | text
SET_WINDOW        op | key | i64 duration | i64 maxsize
CREATE_GROUP      op | group | u8 flags | u64 ms | u64 seq | i64 entries read
SET_POSITION      op | group | u64 ms | u64 seq | i64 entries read
DESTROY_GROUP     op | group
CREATE_CONSUMER   op | member | i64 time
DELETE_CONSUMER   op | member
DELIVER           op | member | u8 flags | i64 time | u64 entries | u64 ms | u64 seq
DELIVER_AGAIN     op | member | i64 time | u64 entries | u64 ms | u64 seq
ASSIGN            op | member | i64 delivery time | i64 time | u32 n |
                       n times (u64 ms | u64 seq | u64 count)
NACK              op | group | u32 n | n times (u64 ms | u64 seq | u64 count)
ACKNOWLEDGE       op | group | u32 n | n times (u64 ms | u64 seq)
ACKNOWLEDGE_AND_DELETE
                  op | group | u8 flags | u32 n | n times (u64 ms | u64 seq)
SET               op | key | i64 expiry | text
RESTORE           op | key | i64 expiry | text
DELETE_KEY        op | key
EXPIRE            op | key | i64 expiry
MOVE_KEY          op | key | key
COPY_KEY          op | key | key
SWAP              op | u32 database | u32 database
FLUSH             op | u32 database
FLUSH_ALL         op
APPEND            op | key | text
WRITE             op | key | u64 offset | text
LIST_LIMIT        op | i64 limit
PUSH              op | key | u8 flags | u32 n | n times text
POP               op | key | u8 flags | u64 items
SET_ITEM          op | key | u64 index | text
INSERT_ITEM       op | key | u8 flags | u64 index | text
REMOVE_ITEMS      op | key | i64 count | text
CUT               op | key | u64 items | u64 items
MOVE_ITEM         op | key | text | u8 flags
LOAD_LIBRARY      op | text | text
DELETE_LIBRARY    op | text
FLUSH_LIBRARIES   op
CONFIGURE_GROUP   op | group | text
DEFER             op | group | u32 n | n times (u64 ms | u64 seq | i64 time)
DELIVER_ORDERED   op | member | u8 flags | i64 time | u64 held | u64 new | u64 chosen |
                       u64 ms | u64 seq
FORGET_HELD       op | group
RETAIN            op | key | text
SCHEDULE          op | key | u64 handle | i64 due | i64 every | text
CANCEL_SCHEDULED  op | key | u64 handle
RUN_SCHEDULED     op | key | u64 handle | i64 due | u64 ms | u64 seq
DROP_PENDING      op | group
SET_SCHEMA        op | key | u8 flags | u32 number | u8 compat | i64 time | text
DELETE_SCHEMA     op | key
DROP_RUN          op | key | u64 ms | u64 seq | u64 entries
READ_GROUP        op | group | i64 time
SEE_CONSUMER      op | member | i64 time

What each means, with its flags, stands at its number.
"""

from __future__ import annotations

LIMITS = 1
"""From now on blocks end at so many entries and bytes (`stream-node-max-entries`, `-bytes`)."""

ADD = 2
"""Append an entry; the text is its fields as they are stored, `*2n CRLF $.. field $.. value ..`.
A key that is missing becomes a stream."""

TRIM = 3
"""Drop so many entries from the stream's head. DROPS_REFERENCES: and what groups hold of them."""

DELETE = 4
"""Delete entries, in this order. TRIMMED: the max deleted ID stays. DROPS_REFERENCES as in TRIM."""

SET_ID = 5
"""Set the last ID, the number of entries ever added and the max deleted ID. LIMITS_GROUPS: no
group has read more than were added."""

REMEMBER = 6
"""An idempotent ID (producer, ID) stands for an entry. The window is made, of that duration (s)
and size, if there is none. COUNTS_AS_ADDED: XADD added the entry."""

SET_WINDOW = 7
"""Set the duration (s) and size of the window of idempotent IDs, which is made if there is none."""

CREATE_GROUP = 8
"""Create a group at an ID. MAKES_STREAM: the key is missing and becomes an empty stream."""

SET_POSITION = 9
"""Set a group's last-delivered ID and how many entries it has read up to there (-1: unknown)."""

DESTROY_GROUP = 10
CREATE_CONSUMER = 11
"""Create a consumer, last seen at this time."""

DELETE_CONSUMER = 12
"""Delete a consumer with its pending entries."""

DELIVER = 13
"""Deliver the next so many entries behind the last-delivered ID; the last of them has this ID.
NO_ACK: they do not become pending."""

DELIVER_AGAIN = 14
"""Deliver so many of the consumer's own pending entries again, the first ones behind an ID; those
whose data is deleted are among them and stay as they are."""

ASSIGN = 15
"""Give entries to a consumer, in this order: pending ones, or such as become pending thereby. Each
gets the delivery time and its count; the consumer was active at the other time."""

NACK = 16
"""Take pending entries from their owners, in this order, and set their counts; one that is not
pending becomes so."""

ACKNOWLEDGE = 17
"""Entries are pending no more."""

ACKNOWLEDGE_AND_DELETE = 18
"""Entries are pending no more and deleted, where they still exist. DROPS_REFERENCES as in TRIM."""

SET = 19
"""The key holds this string and expires then (0: never), whatever it was."""

RESTORE = 20
"""The key holds what a payload of DUMP holds and expires then (0: never), whatever it was."""

DELETE_KEY = 21
"""The key is deleted, or has expired."""

EXPIRE = 22
"""The key expires then (0: never)."""

MOVE_KEY = 23
"""The first key's value, with its expiry, becomes the second's (RENAME, MOVE)."""

COPY_KEY = 24
"""The second key gets a copy of the first one's value, with its expiry."""

SWAP = 25
"""Two databases exchange their keys."""

FLUSH = 26
"""A database is emptied."""

FLUSH_ALL = 27
"""All databases are emptied."""

APPEND = 28
"""Bytes are added at the end of a string."""

WRITE = 29
"""Bytes are written at an offset of a string; zeros fill what was not there. A key that is missing
becomes a string."""

LIST_LIMIT = 30
"""From now on nodes of lists end at this limit (`list-max-listpack-size`)."""

PUSH = 31
"""Add items at a list's end, one after the other; AT_FRONT: at its beginning. A key that is
missing becomes a list."""

POP = 32
"""Take so many items away at a list's end, not all; AT_FRONT: at its beginning."""

SET_ITEM = 33
"""Give the item of this index another text."""

INSERT_ITEM = 34
"""Add an item before the one of this index; AFTER: behind it."""

REMOVE_ITEMS = 35
"""Delete items with this text: the first so many; if negative the last ones; 0: all."""

CUT = 36
"""Take so many items away at a list's beginning, and so many at its end."""

MOVE_ITEM = 37
"""Take the item at a list's end away (AT_FRONT: at its beginning) and add it at the end (TO_FRONT:
the beginning) of the list of another key of that database, or of the same; a key that is missing
becomes a list. When none is left, a DELETE_KEY follows."""

LOAD_LIBRARY = 40
"""A library of functions has this name and this code, whatever it was."""

DELETE_LIBRARY = 41
"""A library of functions is deleted."""

FLUSH_LIBRARIES = 42
"""All libraries of functions are deleted."""

CONFIGURE_GROUP = 43
"""A group has these settings (streams/settings.py); an empty text: all are off."""

DEFER = 44
"""Pending entries that nobody owns are due then, and not at once."""

DELIVER_ORDERED = 45
"""Deliver what ORDERBY lets go: go through the first so many held entries that are ready, then
through so many new ones; the group stands at this ID then, and so many of all are delivered. The
others are held (streams/ordering.py). NO_ACK: they do not become pending."""

FORGET_HELD = 46
"""A group holds nothing any more of what ORDERBY made wait."""

SET_SCHEMA = 52
"""This text is the schema of the stream, as a version of this number: a new one, or the current one
with another compat (schemas/versions.py). MAKES_STREAM: the key is missing and becomes an empty
stream."""

DELETE_SCHEMA = 53
"""The stream has no schema any more."""

DROP_PENDING = 54
"""Nothing is pending in a group any more."""

SCHEDULE = 49
"""An entry is scheduled: its handle, which was never used before, when it is due, after what time
it repeats (ms, 0: not at all), and its fields as in ADD. A key that is missing becomes a stream."""

CANCEL_SCHEDULED = 50
"""The entry of a handle is scheduled no more."""

RUN_SCHEDULED = 51
"""The entry of a handle is appended with this ID, and due again then (0: scheduled no more)."""

RETAIN = 48
"""A stream retains entries as this says (streams/retention.py); an empty text: all of them."""

DROP_RUN = 58
"""So many entries are gone, which filled whole blocks; the first was the first one at or above this
ID. The max deleted ID stays, as do references."""

READ_GROUP = 56
"""Somebody read from a group then, and nobody has since."""

SEE_CONSUMER = 57
"""A consumer was there then."""

NAMES = {
    number: name
    for name, number in list(globals().items())
    if name.isupper() and isinstance(number, int)
}
"""The name of each operation, for messages."""

# Flags.
DROPS_REFERENCES = 1  # of TRIM, DELETE, ACKNOWLEDGE_AND_DELETE
TRIMMED = 2  # of DELETE
LIMITS_GROUPS = 1  # of SET_ID
COUNTS_AS_ADDED = 1  # of REMEMBER
MAKES_STREAM = 1  # of CREATE_GROUP, SET_SCHEMA
NO_ACK = 1  # of DELIVER, DELIVER_ORDERED
AT_FRONT = 1  # of PUSH, POP, MOVE_ITEM
TO_FRONT = 2  # of MOVE_ITEM
AFTER = 1  # of INSERT_ITEM
