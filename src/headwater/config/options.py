"""The option table: every directive with its kind, default and one-line summary.

Flags, the configuration file, CONFIG GET|SET|REWRITE and docs/configuration.md are all read
from these rows. Names, defaults and ranges are Redis's where Redis has the directive.
"""

from __future__ import annotations

from dataclasses import dataclass

from headwater.config.kinds import (
    INT32_MAX,
    INT64_MAX,
    Bool,
    ClientLimits,
    Directory,
    Enum,
    Events,
    Integer,
    Kind,
    Memory,
    Never,
    Octal,
    SavePoints,
    Text,
    TotalMemory,
    Words,
    plain_file_name,
)

MIB = 1024 * 1024

NETWORK = "Network"
CLIENTS = "Clients"
SERVER = "Server"
SECURITY = "Security"
MEMORY = "Memory"
STREAMS = "Streams"
PERSISTENCE = "Persistence"
MONITORING = "Monitoring"
TOPICS = (NETWORK, CLIENTS, SERVER, SECURITY, MEMORY, STREAMS, PERSISTENCE, MONITORING)

_NOT_PUBLISHED = "this version publishes no keyspace notifications yet"


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
    warning: str = ""
    """What to say when it is turned away from its default: it is kept, but not in effect yet."""


_FLAG = Bool()
_SECONDS = Integer(0, INT32_MAX)
_LOCAL = Enum(("no", "yes", "local"))

OPTIONS: tuple[Option, ...] = (
    # --- network ---
    Option("port", Integer(0, 65535), "6379", NETWORK, "TCP port to listen on; 0 for none"),
    Option(
        "bind",
        Words("address ...", 16, "Too many bind addresses specified."),
        "127.0.0.1 -::1",
        NETWORK,
        "Addresses to listen on; '-' before one: no error if it is unavailable",
    ),
    Option(
        "tcp-backlog",
        Integer(0, INT32_MAX),
        "511",
        NETWORK,
        "Connections that may wait to be accepted",
        unit="connections",
        mutable=False,
    ),
    Option(
        "tcp-keepalive",
        _SECONDS,
        "300",
        NETWORK,
        "Probe silent connections after this time; 0 never",
        unit="seconds",
    ),
    Option(
        "unixsocket",
        Text("path"),
        "",
        NETWORK,
        "Path of a unix socket to listen on, beside TCP",
        mutable=False,
    ),
    Option(
        "unixsocketperm",
        Octal(0o777),
        "0",
        NETWORK,
        "Permissions of the unix socket; 0 leaves them to the umask",
        mutable=False,
    ),
    # --- clients ---
    Option(
        "maxclients",
        Integer(1, 2**32 - 1, unsigned=True),
        "10000",
        CLIENTS,
        "Clients connected at once, at most",
        unit="clients",
    ),
    Option(
        "timeout",
        _SECONDS,
        "0",
        CLIENTS,
        "Close a client that is idle for this long; 0 never",
        unit="seconds",
    ),
    Option(
        "client-query-buffer-limit",
        Memory(MIB),
        "1gb",
        CLIENTS,
        "Bytes of one client's unfinished request, at most",
        unit="bytes",
    ),
    Option(
        "client-output-buffer-limit",
        ClientLimits(),
        "normal 0 0 0 replica 256mb 64mb 60 pubsub 32mb 8mb 60",
        CLIENTS,
        "Bytes of replies that may wait for a client of each class before it is cut",
    ),
    Option(
        "proto-max-bulk-len",
        Memory(MIB),
        "512mb",
        CLIENTS,
        "Size of one argument of a request, at most",
        unit="bytes",
    ),
    # --- server ---
    Option(
        "databases",
        Integer(1, INT32_MAX),
        "16",
        SERVER,
        "Number of databases",
        mutable=False,
    ),
    Option(
        "dir",
        Directory(),
        ".",
        SERVER,
        "Directory of the data, created at start; relative paths start here",
        protected=True,
    ),
    Option(
        "hz",
        Integer(0, INT32_MAX, clamp=(1, 500)),
        "10",
        SERVER,
        "Rounds of background work a second",
    ),
    Option(
        "pidfile",
        Text("path"),
        "",
        SERVER,
        "File that holds the process ID while the server runs",
        mutable=False,
    ),
    Option(
        "daemonize",
        Never("the server stays in the foreground; run it under a service manager such as systemd"),
        "no",
        SERVER,
        "Only 'no': a service manager keeps the server in the background",
        mutable=False,
    ),
    Option(
        "loglevel",
        Enum(("debug", "verbose", "notice", "warning", "nothing")),
        "notice",
        SERVER,
        "Lowest level of the messages that are logged",
    ),
    Option(
        "logfile",
        Text("path"),
        "",
        SERVER,
        'File to log to; "" for the standard output',
        mutable=False,
    ),
    # --- security ---
    Option(
        "requirepass",
        Text("password"),
        "",
        SECURITY,
        'Password of the default user; "" for none',
        secret=True,
    ),
    Option(
        "protected-mode",
        _FLAG,
        "yes",
        SECURITY,
        "Without a password, take commands from this machine only",
    ),
    Option(
        "enable-debug-command",
        _LOCAL,
        "no",
        SECURITY,
        "Who may use DEBUG: nobody, everybody, local connections",
        mutable=False,
    ),
    Option(
        "enable-protected-configs",
        _LOCAL,
        "no",
        SECURITY,
        "Who may CONFIG SET dir and dbfilename: nobody, everybody, local connections",
        mutable=False,
    ),
    # --- memory ---
    Option(
        "maxmemory",
        TotalMemory(),
        "0",
        MEMORY,
        "Memory to use for data, at most; 0 for no limit",
        unit="bytes",
    ),
    Option(
        "maxmemory-policy",
        Enum(
            (
                "volatile-lru",
                "volatile-lfu",
                "volatile-random",
                "volatile-ttl",
                "allkeys-lru",
                "allkeys-lfu",
                "allkeys-random",
                "noeviction",
            )
        ),
        "noeviction",
        MEMORY,
        "What to evict when maxmemory is reached",
    ),
    Option("lazyfree-lazy-eviction", _FLAG, "no", MEMORY, "Free evicted values by and by"),
    Option("lazyfree-lazy-expire", _FLAG, "no", MEMORY, "Free expired values by and by"),
    Option("lazyfree-lazy-server-del", _FLAG, "no", MEMORY, "Free replaced values by and by"),
    Option("lazyfree-lazy-user-del", _FLAG, "no", MEMORY, "DEL behaves as UNLINK"),
    Option("lazyfree-lazy-user-flush", _FLAG, "no", MEMORY, "FLUSHALL and FLUSHDB behave as ASYNC"),
    # --- streams ---
    Option(
        "stream-node-max-entries",
        Integer(0, INT64_MAX),
        "100",
        STREAMS,
        "Entries of one block of a stream, at most; 0 for no limit",
        unit="entries",
    ),
    Option(
        "stream-node-max-bytes",
        Memory(),
        "4096",
        STREAMS,
        "Size of one block of a stream, at most; 0 for no limit",
        unit="bytes",
    ),
    Option(
        "stream-compress-depth",
        Integer(0, INT32_MAX),
        "2",
        STREAMS,
        "The newest blocks of each stream that are not compressed in memory; 0: none ever is",
        unit="blocks",
    ),
    Option(
        "stream-idmp-duration",
        Integer(1, 86400),
        "100",
        STREAMS,
        "How long a new stream remembers the idempotent IDs of its producers",
        unit="seconds",
    ),
    Option(
        "stream-idmp-maxsize",
        Integer(1, 10000),
        "100",
        STREAMS,
        "Idempotent IDs that a new stream remembers for each producer, at most",
        unit="IDs",
    ),
    # --- persistence ---
    Option(
        "appendonly",
        _FLAG,
        "yes",
        PERSISTENCE,
        "Write every change to the journal before its reply leaves",
    ),
    Option(
        "appendfsync",
        Enum(("everysec", "always", "no")),
        "everysec",
        PERSISTENCE,
        "When the journal is forced to disk",
    ),
    Option(
        "appenddirname",
        Text("file name", plain_file_name("appenddirname", may_be_empty=False)),
        "appendonlydir",
        PERSISTENCE,
        "Directory of the journal's files, inside dir",
        mutable=False,
    ),
    Option(
        "no-appendfsync-on-rewrite",
        _FLAG,
        "no",
        PERSISTENCE,
        "Do not force the journal to disk while a snapshot or rewrite is under way",
    ),
    Option(
        "auto-aof-rewrite-percentage",
        Integer(0, INT32_MAX),
        "100",
        PERSISTENCE,
        "Rewrite the journal when it grew by this much; 0 never",
        unit="percent",
    ),
    Option(
        "auto-aof-rewrite-min-size",
        Memory(),
        "64mb",
        PERSISTENCE,
        "Do not rewrite a journal smaller than this",
        unit="bytes",
    ),
    Option(
        "aof-load-truncated",
        _FLAG,
        "yes",
        PERSISTENCE,
        "Start although the journal's end is missing",
    ),
    Option(
        "save",
        SavePoints(),
        "",
        PERSISTENCE,
        "Take a snapshot after so many seconds if so many changes were made",
    ),
    Option(
        "dbfilename",
        Text("file name", plain_file_name("dbfilename", may_be_empty=True)),
        "dump.rdb",
        PERSISTENCE,
        "File of the snapshot, inside dir",
        protected=True,
    ),
    Option(
        "rdb-skip-unknown-types",
        _FLAG,
        "no",
        PERSISTENCE,
        "Load a snapshot without its keys of types that Headwater does not have",
    ),
    Option(
        "stop-writes-on-bgsave-error",
        _FLAG,
        "yes",
        PERSISTENCE,
        "Refuse changes after a snapshot that failed, while there are save points",
    ),
    Option("rdbcompression", _FLAG, "yes", PERSISTENCE, "Compress texts in the snapshot"),
    Option(
        "rdbchecksum",
        _FLAG,
        "yes",
        PERSISTENCE,
        "End the snapshot with a checksum",
        mutable=False,
    ),
    # --- monitoring ---
    Option(
        "slowlog-log-slower-than",
        Integer(-1, INT64_MAX),
        "10000",
        MONITORING,
        "Commands slower than this go to SLOWLOG; 0 for all, -1 for none",
        unit="microseconds",
    ),
    Option(
        "slowlog-max-len",
        Integer(0, INT64_MAX),
        "128",
        MONITORING,
        "Entries that SLOWLOG keeps",
        unit="entries",
    ),
    Option(
        "latency-monitor-threshold",
        Integer(0, INT64_MAX),
        "0",
        MONITORING,
        "Events slower than this go to LATENCY; 0 for none",
        unit="milliseconds",
    ),
    Option(
        "notify-keyspace-events",
        Events(),
        "",
        MONITORING,
        "Which keyspace events are published",
        warning=_NOT_PUBLISHED,
    ),
)

BY_NAME: dict[str, Option] = {option.name: option for option in OPTIONS}
