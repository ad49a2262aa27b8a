from headwater.clock cimport Clock
from headwater.commands.queue cimport Transaction
from headwater.commands.memory_limit cimport MemoryLimit
from headwater.commands.stream_options cimport StreamOptions
from headwater.commands.table cimport CommandTable
from headwater.journal.recorder cimport Recorder
from headwater.keyspace.database cimport Keyspace
from headwater.keyspace.waiters cimport Waiters
from headwater.resp.reply cimport Reply


cdef class ServerState:
    cdef public Clock clock
    cdef public Keyspace keyspace
    cdef public Recorder recorder           # the keyspace's
    cdef public CommandTable table
    cdef public object config
    cdef public Waiters waiters
    cdef public object slowlog
    cdef public object latency
    cdef public object server
    cdef public object persistence
    cdef public object packer
    cdef public object access               # ACL's users
    cdef public object channels             # of pub/sub
    cdef public object scripting            # scripts and functions
    cdef public object leases               # of sessions, for LEASE connection
    cdef public object busy                 # a script that runs too long, or None
    cdef public Transaction spare_transaction   # or None
    cdef public MemoryLimit memory          # used, and maxmemory
    cdef public bint over_memory            # commands that need memory are refused
    cdef public bint loading
    cdef public bytes write_refusal         # empty: nothing is refused
    cdef public dict clients                # id -> Session
    cdef public unsigned long long last_client_id
    cdef public list monitors
    cdef public int paused                  # CLIENT PAUSE
    cdef public long long paused_until_ms
    cdef public list postponed              # sessions with a request that the pause holds back
    cdef public Reply wake_reply            # where the replies of woken sessions are written
    cdef public StreamOptions stream_options   # of the XADD or XTRIM that runs
    cdef public str run_id
    cdef public long long at_us
    cdef public long long started_ms
    cdef public long long ready_ms          # when the data set was loaded
    # Settings.
    cdef public long long node_max_entries, node_max_bytes
    cdef public long long idmp_duration_s, idmp_maxsize
    cdef public long long slow_us           # slowlog-log-slower-than; -1: off
    cdef public long long latency_threshold_ms
    # Statistics.
    cdef public long long blocked_clients
    cdef public long long commands_processed
    cdef public long long connections_received, rejected_connections
    cdef public long long read_bytes, written_bytes
    cdef public long long error_replies, unexpected_errors
    cdef public dict error_statistics       # code -> times

    cpdef object reset_statistics(self)
    cpdef unsigned long long next_client_id(self) noexcept
    cpdef object count_error(self, bytes text)
