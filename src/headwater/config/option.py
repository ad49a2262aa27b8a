"""One row of the option table, and the topics that rows are sorted under."""

from __future__ import annotations

from dataclasses import dataclass

from headwater.config.kinds import Kind

MIB = 1024 * 1024

NETWORK = "Network"
TLS = "TLS"
CLIENTS = "Clients"
SERVER = "Server"
SECURITY = "Security"
MEMORY = "Memory"
STREAMS = "Streams"
LISTS = "Lists"
SCRIPTS = "Scripts"
PERSISTENCE = "Persistence"
MONITORING = "Monitoring"
TOPICS = (
    NETWORK,
    TLS,
    CLIENTS,
    SERVER,
    SECURITY,
    MEMORY,
    STREAMS,
    LISTS,
    SCRIPTS,
    PERSISTENCE,
    MONITORING,
)


@dataclass(frozen=True, slots=True)
class Option:
    """One directive."""

    name: str
    kind: Kind
    default: str
    """As in a configuration file, unquoted; words are separated by spaces."""
    topic: str
    summary: str
    unit: str = ""
    mutable: bool = True
    """Whether CONFIG SET may change it."""
    protected: bool = False
    """Whether CONFIG SET asks `enable-protected-configs` first."""
    secret: bool = False
    """Whether the value is kept out of error messages and logs."""
    reference: bool = False
    """Whether the value names something whose content counts (a file): CONFIG SET to the same
    value is a change, too."""
    twin: str = ""
    """Another name of this directive: both always have one value."""
    warning: str = ""
    """What to say when it is turned away from its default: it is kept, but not in effect yet."""
