"""Every limit that is not a configuration directive, with its unit and its reason."""

from __future__ import annotations

INLINE_MAX_BYTES = 64 * 1024
"""A line without its end grows no further: a client that sends no newline is cut (as Redis)."""

MULTIBULK_MAX_ARGS = 2**31 - 1
"""Arguments that one request may announce (as Redis); memory grows only as they arrive."""

UNAUTHENTICATED_MAX_ARGS = 10
UNAUTHENTICATED_MAX_BULK_BYTES = 16384
"""What HELLO with AUTH needs, and no more, before a client has authenticated (as Redis)."""

READ_BUFFER_BYTES = 256 * 1024
"""One buffer in which all connections parse in their turn; more never arrives at once."""

REPLY_BUFFER_BYTES = 64 * 1024
"""The reply buffer's size at rest, and how much is gathered before it goes to the socket."""

REPLY_REFERENCE_BYTES = 32 * 1024
"""Payload of at least this size is sent by reference, not copied into the reply buffer."""

PENDING_MIN_BYTES = 16 * 1024
"""First size of a connection's own input buffer, for what could not be executed at once."""

SEND_PIECE_BYTES = 64 * 1024
"""How much of a big reply is sent before other clients have their turn."""

TRANSPORT_HIGH_BYTES = 256 * 1024
TRANSPORT_LOW_BYTES = 64 * 1024
"""A transport that holds more than the first stops the client's requests, until it is down to
the second: this much a client that does not read can cost."""

TLS_READ_BYTES = 32 * 1024
"""Read from a TLS client at once, two of the largest records: what comes out of it always has
room in the read buffer, so nothing decrypted is ever left behind in OpenSSL."""

TLS_HANDSHAKE_SECONDS = 30
"""A client that has not finished its handshake by then is closed."""

TLS_HANDSHAKE_STEPS = 4
"""Steps of handshakes in a round of the event loop; the signature in one takes a millisecond."""

JOURNAL_BATCH_BYTES = 512 * 1024
"""What was recorded is written at the latest when it is so much, and not at the end of a round."""

JOURNAL_BACKLOG_BYTES = 32 * 1024 * 1024
"""While so much waits for a slow disk, no client's requests are executed."""

JOURNAL_RESERVE_BYTES = 16 * 1024 * 1024
JOURNAL_MARGIN_BYTES = 1024 * 1024
"""The journal has disk space of the first size reserved ahead of it, where the file system can;
commands that change something are refused while less than the second is left."""

UNPACKED_COPIES_BYTES = 16 * 1024 * 1024
"""Copies of compressed blocks that readers had unpacked, at most: a cache of work done."""

SCRIPT_MEMORY_BYTES = 1024 * 1024 * 1024
"""What a Lua machine may take: a script that wants more fails, and not the server."""

SCRIPTS_CACHED = 500
"""Scripts that EVAL brought; the one that was not used for longest is forgotten (as Redis 7.4)."""

REDRIVE_AT_ONCE = 10_000
"""Dead letters that one XREDRIVE moves at most: a tenth of a second's work."""

REDRIVE_LOOKS = 10_000
"""Entries that are no dead letters, or have to stay, among which one XREDRIVE looks for others."""
