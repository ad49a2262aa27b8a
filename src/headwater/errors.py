"""Every error reply, declared once with its code and exact text.

Clients match these words (`NOGROUP`, `BUSYGROUP`, ...), so they are Redis's own. A text that
is declared twice is an import error.
"""

from __future__ import annotations


class HeadwaterError(Exception):
    """Base of all errors that this package raises on purpose."""


class StoreError(HeadwaterError):
    """An embedded store cannot be used, or not in this way; the text says what to do."""


class StoreInUse(StoreError):  # noqa: N818 - the name says it
    """Another process uses the data directory; `pid` is its number, if it could be read."""

    def __init__(self, text: str, pid: int | None = None) -> None:
        super().__init__(text)
        self.pid = pid


class StoreClosed(StoreError):  # noqa: N818
    """The store was closed before, has crashed, or belongs to the process that forked this one."""


class CommandError(HeadwaterError):
    """A command failed; `text` is the error reply without its `-` and line end.

    `counted`: it is in the statistics of errors already.
    """

    counted = False

    def __init__(self, text: bytes) -> None:
        super().__init__(text.decode("utf-8", "replace"))
        self.text = text


class ErrorReply:
    """One error that commands may answer, with `{}` where a value goes."""

    __slots__ = ("_plain", "template")

    def __init__(self, template: str) -> None:
        self.template = template
        self._plain = template.encode()

    def error(self, *values: object) -> CommandError:
        """Return the exception to raise; bytes values go in as they are (latin-1)."""
        return CommandError(self.text(*values))

    def text(self, *values: object) -> bytes:
        """Return the reply's text; line ends in values become spaces, as in Redis."""
        if not values:
            return self._plain
        words = [
            v.decode("latin-1") if isinstance(v, bytes | bytearray) else str(v) for v in values
        ]
        text = self.template.format(*words)
        return text.replace("\r", " ").replace("\n", " ").encode("latin-1", "replace")


_declared: set[str] = set()


def declare(code: str, text: str) -> ErrorReply:
    """Declare an error reply: its code (`ERR`, `WRONGTYPE`, ...) and its text."""
    template = f"{code} {text}"
    if template in _declared:
        raise ValueError(f"this error reply is declared twice: {template}")
    _declared.add(template)
    return ErrorReply(template)


# --- any command ---
SYNTAX = declare("ERR", "syntax error")
OUT_OF_MEMORY = declare("OOM", "command not allowed when used memory > 'maxmemory'.")
SUBSCRIBED = declare(
    "ERR",
    "Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed"
    " in this context",
)
SSUBSCRIBE_DENIED = declare("ERR", "SSUBSCRIBE isn't allowed for a DENY BLOCKING client")
NOT_AN_INTEGER = declare("ERR", "value is not an integer or out of range")
NOT_A_FLOAT = declare("ERR", "value is not a valid float")
OUT_OF_RANGE = declare("ERR", "value is out of range")
NOT_POSITIVE = declare("ERR", "value is out of range, must be positive")
WRONG_TYPE = declare("WRONGTYPE", "Operation against a key holding the wrong kind of value")
NO_SUCH_KEY = declare("ERR", "no such key")
WRONG_ARITY = declare("ERR", "wrong number of arguments for '{}' command")
UNKNOWN_COMMAND = declare("ERR", "unknown command '{}', with args beginning with: {}")
UNKNOWN_COMMAND_ALONE = declare("ERR", "unknown command '{}'")
UNKNOWN_SUBCOMMAND = declare("ERR", "unknown subcommand '{}'. Try {} HELP.")
SUBCOMMAND_ARGUMENTS = declare(
    "ERR", "unknown subcommand or wrong number of arguments for '{}'. Try {} HELP."
)

# --- the request parser; the connection is closed behind these ---
PROTOCOL_MULTIBULK_LENGTH = declare("ERR", "Protocol error: invalid multibulk length")
PROTOCOL_UNAUTHENTICATED_MULTIBULK = declare(
    "ERR", "Protocol error: unauthenticated multibulk length"
)
PROTOCOL_BULK_LENGTH = declare("ERR", "Protocol error: invalid bulk length")
PROTOCOL_UNAUTHENTICATED_BULK = declare("ERR", "Protocol error: unauthenticated bulk length")
PROTOCOL_BIG_COUNT = declare("ERR", "Protocol error: too big mbulk count string")
PROTOCOL_BIG_BULK_COUNT = declare("ERR", "Protocol error: too big bulk count string")
PROTOCOL_BIG_INLINE = declare("ERR", "Protocol error: too big inline request")
PROTOCOL_EXPECTED_BULK = declare("ERR", "Protocol error: expected '$', got '{}'")
PROTOCOL_QUOTES = declare("ERR", "Protocol error: unbalanced quotes in request")

# --- streams ---
INVALID_ID = declare("ERR", "Invalid stream ID specified as stream command argument")
XADD_ID_TOO_SMALL = declare(
    "ERR", "The ID specified in XADD is equal or smaller than the target stream top item"
)
XADD_ID_ZERO = declare("ERR", "The ID specified in XADD must be greater than 0-0")
NO_GROUP_FOR_KEY = declare("NOGROUP", "No such consumer group '{}' for key name '{}'")
XADD_EXHAUSTED = declare(
    "ERR", "The stream has exhausted the last possible ID, unable to add more items"
)

# --- COMMAND ---
COMMAND_INVALID = declare("ERR", "Invalid command specified")
COMMAND_WITHOUT_KEYS = declare("ERR", "The command has no key arguments")
COMMAND_INVALID_ARITY = declare("ERR", "Invalid number of arguments specified for command")
COMMAND_INVALID_ARGUMENTS = declare("ERR", "Invalid arguments specified for command")

# --- dispatch ---
NO_AUTH = declare("NOAUTH", "Authentication required.")
NOT_IN_TRANSACTION = declare("ERR", "Command not allowed inside a transaction")
DEBUG_DISABLED = declare(
    "ERR",
    'DEBUG command not allowed. If the enable-debug-command option is set to "local", '
    "you can run it from a local connection, otherwise you need to set this option in the "
    "configuration file, and then restart the server.",
)
MONITOR_KEYSPACE = declare("ERR", "Replica can't interact with the keyspace")
INTERNAL = declare("ERR", "internal error in '{}'; the server's log has the details")

# --- blocking ---
UNBLOCKED = declare("UNBLOCKED", "client unblocked via CLIENT UNBLOCK")
NEGATIVE_TIMEOUT = declare("ERR", "timeout is negative")
TIMEOUT_NOT_INTEGER = declare("ERR", "timeout is not an integer or out of range")
TIMEOUT_OUT_OF_RANGE = declare("ERR", "timeout is out of range")

# --- lists ---
TIMEOUT_NOT_FLOAT = declare("ERR", "timeout is not a float or out of range")
ELEMENT_TOO_LARGE = declare("ERR", "Element too large")
INDEX_OUT_OF_RANGE = declare("ERR", "index out of range")
NUMKEYS_NOT_POSITIVE = declare("ERR", "numkeys should be greater than 0")
LMPOP_COUNT_NOT_POSITIVE = declare("ERR", "count should be greater than 0")
LPOS_RANK_ZERO = declare(
    "ERR",
    "RANK can't be zero: use 1 to start from the first match, 2 from the second ... "
    "or use negative to start from the end of the list",
)
LPOS_NEGATIVE = declare("ERR", "{} can't be negative")

# --- idempotent production ---
IDMP_TWICE = declare("ERR", "syntax error, IDMP/IDMPAUTO specified multiple times")
IDMP_NO_PRODUCER = declare("ERR", "syntax error, IDMP requires a non-empty producer ID")
IDMPAUTO_NO_PRODUCER = declare("ERR", "syntax error, IDMPAUTO requires a non-empty producer ID")
IDMP_NO_IID = declare("ERR", "syntax error, IDMP requires a non-empty idempotent ID")
IDMP_NEEDS_AUTO_ID = declare(
    "ERR", "syntax error, IDMP/IDMPAUTO can be used only with auto-generated IDs"
)
XCFGSET_NOTHING = declare("ERR", "At least one parameter must be specified")
XCFGSET_DURATION = declare("ERR", "IDMP-DURATION must be between {} and {} seconds")
XCFGSET_MAXSIZE = declare("ERR", "IDMP-MAXSIZE must be between {} and {} entries")
XCFGSET_RETAIN = declare(
    "ERR", "RETAIN-{} must be a whole number from 0 (no limit) to 9007199254740991, not '{}'"
)
XCFGSET_ACKED = declare("ERR", "RETAIN-ACKED must be yes or no, not '{}'")
XIDMPRECORD_EMPTY = declare("ERR", "producer-id and idempotent-id must not be empty")
XIDMPRECORD_NO_ENTRY = declare("ERR", "The specified stream ID was deleted or doesn't exist")
XIDMPRECORD_OTHER_ENTRY = declare(
    "ERR", "The specified IDMP producer-id/idempotent-id pair maps to a different stream ID"
)

# --- XSETID ---
XSETID_ENTRIES_ADDED_NEGATIVE = declare("ERR", "entries_added must be positive")
XSETID_BELOW_GIVEN_DELETED = declare(
    "ERR", "The ID specified in XSETID is smaller than the provided max_deleted_entry_id"
)
XSETID_BELOW_DELETED = declare(
    "ERR", "The ID specified in XSETID is smaller than current max_deleted_entry_id"
)
XSETID_BELOW_LAST_ENTRY = declare(
    "ERR", "The ID specified in XSETID is smaller than the target stream top item"
)
XSETID_ENTRIES_ADDED_LOW = declare(
    "ERR", "The entries_added specified in XSETID is smaller than the target stream length"
)

# --- XADD, XTRIM, XDELEX, ranges ---
TRIM_TWICE = declare(
    "ERR", "syntax error, MAXLEN and MINID options at the same time are not compatible"
)
NEGATIVE_MAXLEN = declare("ERR", "The MAXLEN argument must be >= 0.")
NEGATIVE_LIMIT = declare("ERR", "The LIMIT argument must be >= 0.")
LIMIT_WITHOUT_TRIM = declare(
    "ERR", "syntax error, LIMIT cannot be used without specifying a trimming strategy"
)
LIMIT_WITHOUT_APPROXIMATE = declare(
    "ERR", "syntax error, LIMIT cannot be used without the special ~ option"
)
XTRIM_WITHOUT_STRATEGY = declare(
    "ERR", "syntax error, XTRIM must be called with at least one trimming strategy"
)
TOO_LARGE = declare("ERR", "Elements are too large to be stored")
RANGE_START = declare("ERR", "invalid start ID for the interval")
RANGE_END = declare("ERR", "invalid end ID for the interval")

# --- XREAD, XREADGROUP ---
XREAD_UNBALANCED = declare(
    "ERR",
    "Unbalanced '{}' list of streams: for each stream key an ID, '+', or '$' must be specified.",
)
XREADGROUP_UNBALANCED = declare(
    "ERR", "Unbalanced '{}' list of streams: for each stream key an ID or '>' must be specified."
)
XREAD_WITH_GROUP = declare(
    "ERR", "The {} option is only supported by XREADGROUP. You called XREAD instead."
)
XREADGROUP_WITHOUT_GROUP = declare("ERR", "Missing GROUP option for XREADGROUP")
XREADGROUP_LAST = declare(
    "ERR",
    "The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this "
    "consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would "
    "just return an empty result set.",
)
XREADGROUP_PLUS = declare(
    "ERR",
    "The + ID is meaningless in the context of XREADGROUP: you want to read the history of this "
    "consumer by specifying a proper ID, or use the > ID to get new messages. The + ID would "
    "just return an empty result set.",
)
XREAD_NEW = declare(
    "ERR",
    "The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> "
    "option.",
)
XREADGROUP_NO_GROUP = declare(
    "NOGROUP", "No such key '{}' or consumer group '{}' in XREADGROUP with GROUP option"
)
READ_LIMIT_NOT_POSITIVE = declare("ERR", "{} must be a positive integer")
READ_MAXCOUNT_BELOW_COUNT = declare("ERR", "MAXCOUNT must be greater than or equal to COUNT")

# --- CONFIG ---
CONFIG_UNKNOWN = declare("ERR", "Unknown option or number of arguments for CONFIG SET - '{}'")
CONFIG_SET_FAILED = declare("ERR", "CONFIG SET failed (possibly related to argument '{}') - {}")
CONFIG_NO_FILE = declare("ERR", "The server is running without a config file")
CONFIG_REWRITE_FAILED = declare("ERR", "Rewriting config file: {}")

# --- keys, expiry, strings ---
DB_OUT_OF_RANGE = declare("ERR", "DB index is out of range")
SWAPDB_FIRST = declare("ERR", "invalid first DB index")
SWAPDB_SECOND = declare("ERR", "invalid second DB index")
INT_OUT_OF_RANGE = declare("ERR", "value is out of range, value must between {} and {}")
SAME_OBJECT = declare("ERR", "source and destination objects are the same")
INVALID_CURSOR = declare("ERR", "invalid cursor")
NO_ACCESS_FREQUENCY = declare(
    "ERR",
    "An LFU maxmemory policy is not selected, access frequency not tracked. Please note that "
    "when switching between policies at runtime LRU and LFU data will take some time to adjust.",
)
INVALID_EXPIRE_TIME = declare("ERR", "invalid expire time in '{}' command")
UNSUPPORTED_OPTION = declare("ERR", "Unsupported option {}")
EXPIRE_NX_AND_OTHERS = declare(
    "ERR", "NX and XX, GT or LT options at the same time are not compatible"
)
EXPIRE_GT_AND_LT = declare("ERR", "GT and LT options at the same time are not compatible")
INVALID_DIGEST = declare("ERR", "must be exactly 16 hexadecimal characters")
STRING_TOO_LONG = declare("ERR", "string exceeds maximum allowed size (proto-max-bulk-len)")
OFFSET_OUT_OF_RANGE = declare("ERR", "offset is out of range")
WOULD_OVERFLOW = declare("ERR", "increment or decrement would overflow")
DECREMENT_OVERFLOW = declare("ERR", "decrement would overflow")
NOT_FINITE = declare("ERR", "increment would produce NaN or Infinity")
OPTION_NOT_AN_INTEGER = declare("ERR", "{} is not an integer or out of range")
OPTION_NOT_A_FLOAT = declare("ERR", "{} is not a valid float")
INCREX_BOUNDS = declare("ERR", "LBOUND can't be greater than UBOUND")
INCREX_ENX = declare("ERR", "ENX flag requires an expiration")
MSETEX_NUMKEYS = declare("ERR", "invalid numkeys value")
MSETEX_PAIRS = declare("ERR", "wrong number of key-value pairs")
DELEX_WRONG_TYPE = declare("ERR", "Key should be of string type if conditions are specified")
DELEX_CONDITION = declare("ERR", "Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE")
LCS_LENGTH_AND_INDEXES = declare(
    "ERR", "If you want both the length and indexes, please just use IDX."
)
LCS_NOT_STRINGS = declare("ERR", "The specified keys must contain string values")
LCS_TOO_LONG = declare("ERR", "String too long for LCS")
LCS_MEMORY = declare(
    "ERR", "Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"
)

# --- transactions ---
NESTED_MULTI = declare("ERR", "MULTI calls can not be nested")
EXEC_WITHOUT_MULTI = declare("ERR", "EXEC without MULTI")
DISCARD_WITHOUT_MULTI = declare("ERR", "DISCARD without MULTI")
WATCH_INSIDE_MULTI = declare("ERR", "WATCH inside MULTI is not allowed")
EXEC_ABORTED = declare("EXECABORT", "Transaction discarded because of previous errors.")
EXEC_REFUSED = declare("EXECABORT", "Transaction discarded because of: {}")
CLAIM_NEGATIVE = declare("ERR", "min-idle-time must be a positive integer")
NUMIDS_NOT_POSITIVE = declare("ERR", "Number of IDs must be a positive integer")
NUMIDS_MISMATCH = declare("ERR", "The `numids` parameter must match the number of arguments")

# --- connections and clients ---
AUTH_WITHOUT_PASSWORD = declare(
    "ERR",
    "AUTH <password> called without any password configured for the default user. "
    "Are you sure your configuration is correct?",
)
WRONG_PASSWORD = declare("WRONGPASS", "invalid username-password pair or user is disabled.")
NO_COMMAND_PERMISSION = declare("NOPERM", "User {} has no permissions to run the '{}' command")
NO_KEY_PERMISSION = declare("NOPERM", "No permissions to access a key")
NO_CHANNEL_PERMISSION = declare("NOPERM", "No permissions to access a channel")
NO_PERMISSION_ANY_MORE = declare(
    "NOPERM",
    "ACLs rules changed between the moment the transaction was accumulated and the EXEC call. "
    "This command is no longer allowed for the following reason: {}",
)
SCRIPT_DENIED = declare("ERR", "ACL failure in script: {}")
ACL_RULE = declare("ERR", "Error in ACL SETUSER modifier '{}': {}")
ACL_OPEN_SELECTOR = declare("ERR", "Unmatched parenthesis in acl selector starting at '{}'.")
ACL_USERNAME = declare("ERR", "Usernames can't contain spaces or null characters")
ACL_DEFAULT_STAYS = declare("ERR", "The 'default' user cannot be removed")
ACL_USER_UNKNOWN = declare("ERR", "User '{}' not found")
ACL_COMMAND_UNKNOWN = declare("ERR", "Command '{}' not found")
ACL_CATEGORY_UNKNOWN = declare("ERR", "Unknown category '{}'")
ACL_PASSWORD_BITS = declare(
    "ERR",
    "ACL GENPASS argument must be the number of bits for the output password, a positive number up "
    "to 4096",
)
ACL_NO_FILE = declare(
    "ERR",
    "This Redis instance is not configured to use an ACL file. You may want to specify users via "
    "the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis "
    "configuration file set) in order to store users in the Redis configuration.",
)
ACL_NOT_SAVED = declare(
    "ERR",
    "There was an error trying to save the ACLs. Please check the server logs for more information",
)
NO_PROTOCOL = declare("NOPROTO", "unsupported protocol version")
PROTOCOL_NOT_INTEGER = declare("ERR", "Protocol version is not an integer or out of range")
HELLO_OPTION = declare("ERR", "Syntax error in HELLO option '{}'")
HELLO_NO_AUTH = declare(
    "NOAUTH",
    "HELLO must be called with the client already authenticated, otherwise the HELLO <proto> "
    "AUTH <user> <pass> option can be used to authenticate the client and select the RESP "
    "protocol version at the same time",
)
CLIENT_NAME_CHARACTERS = declare(
    "ERR", "Client names cannot contain spaces, newlines or special characters."
)
CLIENT_INFO_CHARACTERS = declare("ERR", "{} cannot contain spaces, newlines or special characters.")
CLIENT_INFO_OPTION = declare("ERR", "Unrecognized option '{}'")
CLIENT_TYPE = declare("ERR", "Unknown client type '{}'")
CACHING_WITHOUT_TRACKING = declare(
    "ERR",
    "CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT "
    "mode enabled",
)
TRACKING_ABSENT = declare(
    "ERR", "CLIENT TRACKING is not supported: this server does not track what clients cache"
)
TRACKING_PREFIX = declare("ERR", "PREFIX option requires BCAST mode to be enabled")
TRACKING_OPTIN_OPTOUT = declare("ERR", "You can't specify both OPTIN mode and OPTOUT mode")
TRACKING_OPTIONS_BCAST = declare("ERR", "OPTIN and OPTOUT are not compatible with BCAST")
TRACKING_REDIRECT_TWICE = declare("ERR", "A client can only redirect to a single other client")
TRACKING_REDIRECT_ABSENT = declare("ERR", "The client ID you want redirect to does not exist")
CLIENT_ID_INVALID = declare("ERR", "Invalid client ID")
CLIENT_ID_NOT_POSITIVE = declare("ERR", "client-id should be greater than 0")
CLIENT_NOT_FOUND = declare("ERR", "No such client")
CLIENT_USER = declare("ERR", "No such user '{}'")
MAXAGE_NOT_INTEGER = declare("ERR", "maxage is not an integer or out of range")
MAXAGE_NOT_POSITIVE = declare("ERR", "maxage should be greater than 0")
UNBLOCK_REASON = declare("ERR", "CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
PAUSE_MODE = declare("ERR", "CLIENT PAUSE mode must be WRITE or ALL")

# --- RESTORE ---
BUSY_KEY = declare("BUSYKEY", "Target key name already exists.")
RESTORE_TTL = declare("ERR", "Invalid TTL value, must be >= 0")
RESTORE_IDLETIME = declare("ERR", "Invalid IDLETIME value, must be >= 0")
RESTORE_FREQ = declare("ERR", "Invalid FREQ value, must be >= 0 and <= 255")
RESTORE_FOOTER = declare("ERR", "DUMP payload version or checksum are wrong")
RESTORE_FORMAT = declare("ERR", "Bad data format")

# --- the server ---
SLOWLOG_COUNT = declare("ERR", "count should be greater than or equal to -1")
NO_LATENCY_SAMPLES = declare("ERR", "No samples available for event '{}'")
MONITOR_DENIED = declare("ERR", "MONITOR isn't allowed for DENY BLOCKING client")
LOADING = declare("LOADING", "Redis is loading the dataset in memory")
JOURNAL_FAILS = declare("MISCONF", "Errors writing to the AOF file: {}")
SNAPSHOT_FAILS = declare(
    "MISCONF",
    "Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. "
    "Commands that may modify the data set are disabled, because this instance is configured to "
    "report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). "
    "Please check the Redis logs for details about the RDB error.",
)
SAVE_IN_PROGRESS = declare("ERR", "Background save already in progress")
SAVE_WHILE_REWRITING = declare(
    "ERR",
    "Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order "
    "to schedule a BGSAVE whenever possible.",
)
REWRITE_IN_PROGRESS = declare("ERR", "Background append only file rewriting already in progress")
RELOAD_OPTIONS = declare("ERR", "DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.")
RELOAD_FAILED = declare("ERR", "Error trying to load the RDB dump, check server logs.")
LOADAOF_FAILED = declare("ERR", "Error trying to load the AOF files, check server logs.")
SHUTDOWN_FAILED = declare("ERR", "Errors trying to SHUTDOWN. Check logs.")
WAITAOF_WITHOUT_JOURNAL = declare(
    "ERR", "WAITAOF cannot be used when numlocal is set but appendonly is disabled."
)
NO_SHUTDOWN = declare("ERR", "No shutdown in progress.")
SHUTDOWN_EMBEDDED = declare("ERR", "there is no server to shut down")
RESP2_UNSUPPORTED = declare("ERR", "RESP2 is not supported by this command")
DEBUG_PROTOCOL_TYPE = declare(
    "ERR",
    "Wrong protocol type name. Please use one of the following: string|integer|double|bignum|"
    "null|array|set|map|attrib|push|verbatim|true|false",
)

# --- scripts ---
NO_SCRIPT = declare("NOSCRIPT", "No matching script. Please use EVAL.")
SCRIPT_COMPILE = declare("ERR", "Error compiling script (new function): {}")
SCRIPT_KEYS_TOO_MANY = declare("ERR", "Number of keys can't be greater than number of args")
SCRIPT_KEYS_NEGATIVE = declare("ERR", "Number of keys can't be negative")
SCRIPT_SHEBANG = declare("ERR", "Invalid script shebang")
SCRIPT_QUOTES = declare("ERR", "Invalid engine in script shebang")
SCRIPT_ENGINE = declare("ERR", "Unexpected engine in script shebang: {}")
SCRIPT_OPTION = declare("ERR", "Unknown lua shebang option: {}")
SCRIPT_FLAG = declare("ERR", "Unexpected flag in script shebang: {}")
SCRIPT_WRITES_IN_RO = declare("ERR", "Can not execute a script with write flag using *_ro command.")
SCRIPT_FLUSH_MODE = declare("ERR", "SCRIPT FLUSH only support SYNC|ASYNC option")
SCRIPT_DEBUG_MODE = declare("ERR", "Use SCRIPT DEBUG YES/SYNC/NO")
SCRIPT_DEBUGGER = declare("ERR", "the script debugger is not supported")
SCRIPT_NOT_BUSY = declare("NOTBUSY", "No scripts in execution right now.")
SCRIPT_UNKILLABLE = declare(
    "UNKILLABLE",
    "Sorry the script already executed write commands against the dataset. You can either wait the "
    "script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.",
)
SCRIPT_BUSY = declare(
    "BUSY",
    "Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
)
FUNCTION_BUSY = declare(
    "BUSY",
    "Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.",
)
FUNCTION_NOT_FOUND = declare("ERR", "Function not found")
FUNCTION_KEYS = declare("ERR", "Bad number of keys provided")
FUNCTION_LOAD_OPTION = declare("ERR", "Unknown option given: {}")
FUNCTION_LIST_OPTION = declare("ERR", "Unknown argument {}")
FUNCTION_LIST_NAME = declare("ERR", "library name argument was not given")
FUNCTION_FLUSH_MODE = declare("ERR", "FUNCTION FLUSH only supports SYNC|ASYNC option")
FUNCTION_RESTORE_POLICY = declare(
    "ERR", "Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE."
)
FUNCTION_REFUSED = declare("ERR", "{}")
LIBRARY_NOT_FOUND = declare("ERR", "Library not found")
CALL_WITHOUT_ARGUMENTS = declare(
    "ERR", "Please specify at least one argument for this redis lib call"
)
CALL_ARGUMENT_TYPE = declare("ERR", "Lua redis lib command arguments must be strings or integers")
CALL_UNKNOWN = declare("ERR", "Unknown Redis command called from script")
CALL_ARITY = declare("ERR", "Wrong number of args calling Redis command from script")
CALL_NOT_ALLOWED = declare("ERR", "This Redis command is not allowed from script")
CALL_WRITES = declare("ERR", "Write commands are not allowed from read-only scripts.")
CALL_MEMORY = declare("ERR", "the script uses too much memory")

# --- consumer groups ---
NO_KEY_OR_GROUP = declare("NOGROUP", "No such key '{}' or consumer group '{}'")
XGROUP_NEEDS_KEY = declare(
    "ERR",
    "The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use "
    "the MKSTREAM option to create an empty stream automatically.",
)
GROUP_EXISTS = declare("BUSYGROUP", "Consumer Group name already exists")
ENTRIESREAD_NEGATIVE = declare("ERR", "value for ENTRIESREAD must be positive or -1")
CFGSET_OPTION = declare("ERR", "unknown option '{}'. Try XGROUP HELP.")
CFGSET_NO_VALUE = declare("ERR", "option {} needs a value")
CFGSET_NUMBER = declare("ERR", "{} must be an integer from 0 (off) to {}")
CFGSET_BACKOFF_ZERO = declare(
    "ERR", "waits of BACKOFF must be above 0; BACKOFF 0 alone turns it off"
)
CFGSET_BACKOFF_STEPS = declare("ERR", "BACKOFF takes at most {} waits, the last one repeats")
CFGSET_LEASE = declare("ERR", "LEASE must be time or connection")
CFGSET_OWN_DEAD_LETTER = declare(
    "ERR", "DEADLETTER must be another stream than the one the group reads"
)
XNACK_MODE = declare("ERR", "mode must be SILENT, FAIL, or FATAL")
XNACK_NUMIDS = declare("ERR", "numids must be a positive integer")
XNACK_NUMIDS_MISMATCH = declare("ERR", "number of IDs doesn't match numids")
XNACK_RETRYCOUNT = declare("ERR", "Invalid RETRYCOUNT value, must be >= 0")
CLAIM_MIN_IDLE = declare("ERR", "Invalid min-idle-time argument for {}")
XCLAIM_OPTION = declare("ERR", "Unrecognized XCLAIM option '{}'")
XCLAIM_ARGUMENT = declare("ERR", "Invalid {} option argument for XCLAIM")
XAUTOCLAIM_COUNT = declare("ERR", "COUNT must be > 0")

# --- XSCHEDULE ---
SCHEDULE_WHEN = declare(
    "ERR", "When is the entry due? Give AT unix-time-milliseconds or IN milliseconds behind the key"
)
SCHEDULE_TIME = declare("ERR", "{} must be a number of milliseconds from 0 to 9007199254740991")
SCHEDULE_TOO_LATE = declare("ERR", "The entry would be due later than 9007199254740991")
SCHEDULE_EVERY = declare("ERR", "EVERY must be a number of milliseconds from {} to {}")
SCHEDULE_COUNT = declare("ERR", "COUNT must be a number from 1 to {}")
SCHEDULE_HANDLE = declare("ERR", "'{}' is no handle: XSCHEDULE ADD returned one, LIST shows them")

# --- XSCHEMA ---
SCHEMA_MISFIT = declare("SCHEMA", "{} v{}: {}")
SCHEMA_UNCHECKED = declare(
    "SCHEMA",
    "{} v{}: entries can not be checked, since the server lacks a package: "
    "pip install 'headwater[schema]'",
)
SCHEMA_INVALID = declare("SCHEMA", "{}: this can not be used as a schema: {}")
SCHEMA_LIBRARY = declare(
    "ERR", "XSCHEMA {} needs a package that the server lacks: pip install 'headwater[schema]'"
)
SCHEMA_COMPAT = declare("ERR", "COMPAT must be none, backward, forward or full")

# --- XGROUP RESET, XREDRIVE ---
RESET_POSITION = declare(
    "ERR",
    "Unknown position '{}': give an ID, -, 0, $, TIME unix-time-milliseconds, AGO milliseconds, or "
    "a time of ISO 8601 like 2026-11-22T12:00:00+01:00",
)
RESET_TIME = declare("ERR", "{} must be followed by milliseconds, from 0 to 9007199254740991")
RESET_PENDING = declare("ERR", "PENDING must be KEEP or DROP")
RESET_OPTION = declare(
    "ERR", "Unknown option '{}': behind the position come PENDING KEEP, PENDING DROP and DRYRUN"
)
REDRIVE_SYNTAX = declare(
    "ERR", "syntax error; behind the key come [TO key] and [COUNT n | IDS numids id ...], once each"
)
SCHEDULE_LIST_SYNTAX = declare("ERR", "syntax error; behind the key comes [COUNT n]")
SCHEMA_GET_SYNTAX = declare("ERR", "syntax error; behind the key comes [VERSION n]")
SCHEMA_SET_SYNTAX = declare(
    "ERR", "syntax error; behind the schema comes [COMPAT none|backward|forward|full]"
)
REDRIVE_COUNT = declare("ERR", "COUNT must be a number from 1 on")
REDRIVE_COUNT_AND_IDS = declare("ERR", "COUNT and IDS cannot be given together")
REDRIVE_NO_DEAD_LETTER = declare(
    "ERR",
    "Nothing was moved: entry {} is no dead letter, its last fields are not original_stream to "
    "dead_lettered_at",
)
REDRIVE_WRONG_TYPE = declare(
    "WRONGTYPE", "Nothing was moved: dead letter {} belongs to key '{}', which is no stream"
)
REDRIVE_REFUSED = declare("ERR", "Nothing was moved: dead letter {} for stream '{}': {}")
REDRIVE_DENIED = declare(
    "NOPERM",
    "Nothing was moved: dead letter {} belongs to key '{}', which this user may not write to",
)
AUTOCREATE_DENIED = declare(
    "NOPERM", "No such consumer group '{}' for key '{}', and this user may not create it"
)
REDRIVE_MISFIT = declare("SCHEMA", "Nothing was moved: dead letter {}: {}")

# --- refused connections ---
MAX_CLIENTS = declare("ERR", "max number of clients reached")
PROTECTED_MODE = declare(
    "DENIED",
    "Headwater is in protected mode: no password is set, so only clients of this machine are "
    "served. Set 'requirepass', or, if everybody may come, 'protected-mode no'.",
)
