"""When idempotent IDs were recorded: what Redis's format leaves out, beside the stream.

Redis forgets an ID by the time of its entry; here it is the time of recording that counts, and
the two differ for entries with IDs of their own and for XIDMPRECORD. So an AUX field, which Redis
passes over, stands before a key whose stream has a window: for each ID, in the order in which
they follow in the value, the unix time in ms as 8 bytes, little-endian.
"""

from __future__ import annotations

import struct

from headwater.streams.idmp import Idmp

IDMP_TIMES = b"headwater-idmp-times"


def pack_times(idmp: Idmp) -> bytes:
    """The field's value for a window; b"" if it remembers nothing."""
    times = [
        entry.time_ms for producer in idmp.producers.values() for entry in producer.by_iid.values()
    ]
    return struct.pack(f"<{len(times)}q", *times)


def unpack_times(value: bytes) -> list[int]:
    """The times in a field's value; what is not a whole one is left out."""
    return list(struct.unpack_from(f"<{len(value) // 8}q", value))
