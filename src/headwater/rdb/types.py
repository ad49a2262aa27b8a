"""The numbers of the RDB format: opcodes, types of values, encodings, versions.

docs/formats/rdb.md tells what stands behind each of them.
"""

from __future__ import annotations

MAGIC = b"REDIS"
"""What a file begins with; four decimal digits of its version follow."""

HEADER_BYTES = 9
CHECKSUM_BYTES = 8

# --- versions ---

VERSION_STRINGS = 6
"""The first that payloads of DUMP had (Redis 2.6); strings have been the same ever since."""
VERSION_LIBRARIES = 10
"""The first that carries FUNCTION2 (Redis 7.0)."""
VERSION_LISTS = 10
"""The first that carries LIST_QUICKLIST_2 (Redis 7.0)."""
VERSION_STREAMS = 11
"""The first that carries STREAM_LISTPACKS_3 (Redis 7.2); 12 (7.4 to 8.4) differs in hashes."""
VERSION_IDMP = 13
"""The first that carries STREAM_LISTPACKS_4 (Redis 8.6)."""
VERSION_NACKED = 14
"""The first that carries STREAM_LISTPACKS_5 (Redis 8.8)."""
OLDEST_VERSION = 1
NEWEST_VERSION = 14

# --- opcodes: a byte where else the type of the next value stands ---

OPCODE_SLOT_INFO = 244
OPCODE_FUNCTION2 = 245
OPCODE_FUNCTION_PRE_GA = 246
OPCODE_MODULE_AUX = 247
OPCODE_IDLE = 248
OPCODE_FREQ = 249
OPCODE_AUX = 250
OPCODE_RESIZEDB = 251
OPCODE_EXPIRETIME_MS = 252
OPCODE_EXPIRETIME = 253
OPCODE_SELECTDB = 254
OPCODE_EOF = 255

OPCODE_KEY_META = 243
"""What Redis 8.6 puts before a key to which modules have tied metadata."""

# --- types of values ---

TYPE_STRING = 0
TYPE_LIST = 1
TYPE_SET = 2
TYPE_ZSET = 3
TYPE_HASH = 4
TYPE_ZSET_2 = 5
TYPE_MODULE_PRE_GA = 6
TYPE_MODULE_2 = 7
TYPE_HASH_ZIPMAP = 9
TYPE_LIST_ZIPLIST = 10
TYPE_SET_INTSET = 11
TYPE_ZSET_ZIPLIST = 12
TYPE_HASH_ZIPLIST = 13
TYPE_LIST_QUICKLIST = 14
TYPE_STREAM_LISTPACKS = 15
TYPE_HASH_LISTPACK = 16
TYPE_ZSET_LISTPACK = 17
TYPE_LIST_QUICKLIST_2 = 18
TYPE_STREAM_LISTPACKS_2 = 19
TYPE_SET_LISTPACK = 20
TYPE_STREAM_LISTPACKS_3 = 21
TYPE_HASH_METADATA_PRE_GA = 22
TYPE_HASH_LISTPACK_EX_PRE_GA = 23
TYPE_HASH_METADATA = 24
TYPE_HASH_LISTPACK_EX = 25
TYPE_STREAM_LISTPACKS_4 = 26
TYPE_STREAM_LISTPACKS_5 = 27
TYPE_ARRAY = 28
TYPE_HASH_TEMPLATE_LISTPACK = 29
TYPE_HASH_TEMPLATE_LISTPACK_REFERENCE = 30
TYPE_HASH_TEMPLATE_ARRAY = 31
TYPE_HASH_TEMPLATE_ARRAY_REFERENCE = 32
TYPE_GCRA = 33

# --- lengths: the two high bits of the first byte ---

LENGTH_6BIT = 0
LENGTH_14BIT = 1
LENGTH_32BIT = 0x80
"""This byte alone; four bytes follow, big-endian."""
LENGTH_64BIT = 0x81
"""This byte alone; eight bytes follow, big-endian."""
LENGTH_ENCODED = 3
"""Not a length: the six low bits say how the string that follows is encoded."""

# --- encodings of strings ---

ENCODING_INT8 = 0
ENCODING_INT16 = 1
ENCODING_INT32 = 2
ENCODING_LZF = 3

# --- parts of what a module saved (TYPE_MODULE_2, OPCODE_MODULE_AUX) ---

MODULE_OPCODE_EOF = 0
MODULE_OPCODE_SINT = 1
MODULE_OPCODE_UINT = 2
MODULE_OPCODE_FLOAT = 3
MODULE_OPCODE_DOUBLE = 4
MODULE_OPCODE_STRING = 5

# --- kinds of a list's nodes (TYPE_LIST_QUICKLIST_2) ---

LIST_NODE_PLAIN = 1
LIST_NODE_PACKED = 2

# --- flags of an entry in a stream's listpack ---

ENTRY_DELETED = 1
ENTRY_SAME_FIELDS = 2
"""The names of the fields are those of the node's first entry, and are left out."""
