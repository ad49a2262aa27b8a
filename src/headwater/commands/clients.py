"""CLIENT: what a connection tells of itself, and what is done to others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from headwater import errors
from headwater.commands.blocking import end_hold, unblock
from headwater.commands.client_line import client_line
from headwater.commands.help import help_of
from headwater.commands.session import REPLY_OFF, REPLY_ON, REPLY_SKIP_NEXT
from headwater.commands.state import NOT_PAUSED, PAUSED_ALL, PAUSED_WRITES
from headwater.commands.table import command

if TYPE_CHECKING:
    from headwater.commands.session import Session
    from headwater.commands.state import ServerState
    from headwater.resp.reply import Reply
    from headwater.resp.request import Request

_MAX_MS = (1 << 63) - 1

NORMAL, PUBSUB, OTHER = "normal", "pubsub", "other"
CLIENT_TYPES = {
    b"normal": NORMAL,
    # There are no clients of this type here.
    b"master": OTHER,
    b"replica": OTHER,
    b"slave": OTHER,
    b"pubsub": PUBSUB,
}


def is_plain(word: bytes) -> bool:
    """Whether all bytes are visible ASCII, so that a line of CLIENT LIST can be read back."""
    return all(33 <= byte <= 126 for byte in word)


def check_client_name(name: bytes) -> None:
    if not is_plain(name):
        raise errors.CLIENT_NAME_CHARACTERS.error()


def _on_or_off(request: Request) -> bool:
    if request.text_equals(2, b"ON"):
        return True
    if request.text_equals(2, b"OFF"):
        return False
    raise errors.SYNTAX.error()


def _client_type(word: bytes) -> str:
    found = CLIENT_TYPES.get(word.lower())
    if found is None:
        raise errors.CLIENT_TYPE.error(word)
    return found


def type_of(session: Session) -> str:
    """The type of a connection; a monitor is a normal one, as in Redis."""
    return NORMAL if session.subscriptions is None else PUBSUB


# --- a connection about itself ---


@command("CLIENT ID")
def client_id(session: Session, request: Request, reply: Reply) -> None:
    """The connection's number; a later connection has a higher one."""
    reply.integer(session.id)


@command("CLIENT INFO")
def client_info(session: Session, request: Request, reply: Reply) -> None:
    """The connection's line of CLIENT LIST."""
    _write_lines(reply, (session,))


@command("CLIENT GETNAME")
def client_getname(session: Session, request: Request, reply: Reply) -> None:
    """The connection's name, null if it has none."""
    if session.name:
        reply.bulk(session.name)
    else:
        reply.null()


@command("CLIENT SETNAME")
def client_setname(session: Session, request: Request, reply: Reply) -> None:
    """Name the connection; an empty name takes the name away."""
    name = request.arg(2)
    check_client_name(name)
    session.name = name
    reply.ok()


@command("CLIENT SETINFO")
def client_setinfo(session: Session, request: Request, reply: Reply) -> None:
    """Set the name or the version of the library that the client uses."""
    is_name = request.text_equals(2, b"LIB-NAME")
    if not is_name and not request.text_equals(2, b"LIB-VER"):
        raise errors.CLIENT_INFO_OPTION.error(request.arg(2))
    value = request.arg(3)
    if not is_plain(value):
        raise errors.CLIENT_INFO_CHARACTERS.error(request.arg(2))
    if is_name:
        session.library_name = value
    else:
        session.library_version = value
    reply.ok()


@command("CLIENT REPLY")
def client_reply(session: Session, request: Request, reply: Reply) -> None:
    """Switch replies on, off, or off for the next command; only ON is answered."""
    if request.text_equals(2, b"ON"):
        session.reply_mode = REPLY_ON
        reply.ok()
    elif request.text_equals(2, b"OFF"):
        session.reply_mode = REPLY_OFF
    elif request.text_equals(2, b"SKIP"):
        if session.reply_mode != REPLY_OFF:
            session.reply_mode = REPLY_SKIP_NEXT
    else:
        raise errors.SYNTAX.error()


@command("CLIENT NO-EVICT")
def client_no_evict(session: Session, request: Request, reply: Reply) -> None:
    """Whether the connection is spared when clients are closed to save memory."""
    session.no_evict = _on_or_off(request)
    reply.ok()


@command("CLIENT NO-TOUCH")
def client_no_touch(session: Session, request: Request, reply: Reply) -> None:
    """Whether the connection's commands leave the time of a key's last access as it is."""
    session.no_touch = _on_or_off(request)
    reply.ok()


# --- all connections ---


def _write_lines(reply: Reply, sessions: Iterable[Session]) -> None:
    text = "".join([client_line(session) + "\n" for session in sessions])
    reply.verbatim(text.encode("latin-1", "replace"))


@command("CLIENT LIST")
def client_list(session: Session, request: Request, reply: Reply) -> None:
    """A line for each connection, or for those of a type or with the given IDs."""
    clients = session.state.clients
    if request.argc == 2:
        _write_lines(reply, clients.values())
    elif request.argc == 4 and request.text_equals(2, b"TYPE"):
        wanted = _client_type(request.arg(3))
        _write_lines(reply, [one for one in clients.values() if type_of(one) == wanted])
    elif request.argc > 3 and request.text_equals(2, b"ID"):
        found = [clients.get(_listed_id(request, i)) for i in range(3, request.argc)]
        _write_lines(reply, [one for one in found if one is not None])
    else:
        raise errors.SYNTAX.error()


def _listed_id(request: Request, i: int) -> int:
    try:
        return request.integer(i)
    except errors.CommandError:
        raise errors.CLIENT_ID_INVALID.error() from None


class KillFilter:
    """Which connections CLIENT KILL closes: those that fit everything that is given."""

    __slots__ = ("address", "id", "local_address", "max_age_s", "skip_me", "type", "user")

    def __init__(self) -> None:
        self.id = 0
        self.type = ""
        self.user: bytes | None = None
        self.address: str | None = None
        self.local_address: str | None = None
        self.skip_me = True
        self.max_age_s = 0

    def matches(self, caller: Session, one: Session, now_ms: int) -> bool:
        """Whether `one` is to be closed when `caller` asks."""
        return (
            (self.id == 0 or one.id == self.id)
            and self.type in ("", type_of(one))
            and (self.user is None or one.user == self.user)
            and (self.address is None or one.address == self.address)
            and (self.local_address is None or one.local_address == self.local_address)
            and (self.max_age_s == 0 or (now_ms - one.connected_ms) // 1000 >= self.max_age_s)
            and not (self.skip_me and one is caller)
        )


def _text(word: bytes) -> str:
    return word.decode("utf-8", "surrogateescape")


def _parse_kill(state: ServerState, request: Request) -> KillFilter:
    """Read the filters of CLIENT KILL, pairs of a word and a value."""
    wanted = KillFilter()
    for i in range(2, request.argc, 2):
        if i + 1 == request.argc:
            raise errors.SYNTAX.error()
        if request.text_equals(i, b"ID"):
            try:
                wanted.id = request.integer(i + 1)
            except errors.CommandError:
                wanted.id = 0
            if wanted.id < 1:
                raise errors.CLIENT_ID_NOT_POSITIVE.error()
        elif request.text_equals(i, b"TYPE"):
            wanted.type = _client_type(request.arg(i + 1))
        elif request.text_equals(i, b"USER"):
            wanted.user = request.arg(i + 1)
            if wanted.user not in state.access.users:
                raise errors.CLIENT_USER.error(wanted.user)
        elif request.text_equals(i, b"ADDR"):
            wanted.address = _text(request.arg(i + 1))
        elif request.text_equals(i, b"LADDR"):
            wanted.local_address = _text(request.arg(i + 1))
        elif request.text_equals(i, b"SKIPME"):
            wanted.skip_me = request.text_equals(i + 1, b"YES")
            if not wanted.skip_me and not request.text_equals(i + 1, b"NO"):
                raise errors.SYNTAX.error()
        elif request.text_equals(i, b"MAXAGE"):
            wanted.max_age_s = _max_age(request, i + 1)
        else:
            raise errors.SYNTAX.error()
    return wanted


def _max_age(request: Request, i: int) -> int:
    try:
        seconds = request.integer(i)
    except errors.CommandError:
        raise errors.MAXAGE_NOT_INTEGER.error() from None
    if seconds < 1:
        raise errors.MAXAGE_NOT_POSITIVE.error()
    return seconds


@command("CLIENT KILL")
def client_kill(session: Session, request: Request, reply: Reply) -> None:
    """Close the connection from an address, or all that fit the filters.

    The caller's own is closed when its reply is sent.
    """
    state = session.state
    by_address = request.argc == 3
    if by_address:
        wanted = KillFilter()
        wanted.address = _text(request.arg(2))
        wanted.skip_me = False
    else:
        wanted = _parse_kill(state, request)
    now_ms = state.clock.now_ms
    killed = [one for one in state.clients.values() if wanted.matches(session, one, now_ms)]
    if by_address and not killed:
        raise errors.CLIENT_NOT_FOUND.error()
    for one in killed:
        if one is session:
            session.close_after_reply = True
        else:
            one.close()
    if by_address:
        reply.ok()
    else:
        reply.integer(len(killed))


@command("CLIENT UNBLOCK")
def client_unblock(session: Session, request: Request, reply: Reply) -> None:
    """End another connection's wait, as if its time were over or with an error."""
    if request.argc > 4:
        raise errors.SUBCOMMAND_ARGUMENTS.error(request.arg(1), b"CLIENT")
    with_error = request.argc == 4 and request.text_equals(3, b"ERROR")
    if request.argc == 4 and not with_error and not request.text_equals(3, b"TIMEOUT"):
        raise errors.UNBLOCK_REASON.error()
    other = session.state.clients.get(request.integer(2))
    reply.integer(1 if other is not None and unblock(other, with_error) else 0)


# --- CLIENT PAUSE: commands are held back, all of them or those that write ---


def end_pause(state: ServerState) -> None:
    """End the pause; the requests that it held back are executed now."""
    state.paused = NOT_PAUSED
    state.paused_until_ms = 0
    end_hold(state)
    postponed = state.postponed
    state.postponed = []
    for session in postponed:
        session.postponed = False
        session.resume()


def end_pause_if_over(state: ServerState) -> None:
    """End the pause when its time has come; the server's timer calls this."""
    if state.paused != NOT_PAUSED and state.clock.now_ms >= state.paused_until_ms:
        end_pause(state)


@command("CLIENT PAUSE")
def client_pause(session: Session, request: Request, reply: Reply) -> None:
    """Pause for so many ms. A pause that holds on is not shortened, nor ALL turned into WRITE."""
    if request.argc > 4:
        raise errors.SUBCOMMAND_ARGUMENTS.error(request.arg(1), b"CLIENT")
    writes_only = request.argc == 4 and request.text_equals(3, b"WRITE")
    if request.argc == 4 and not writes_only and not request.text_equals(3, b"ALL"):
        raise errors.PAUSE_MODE.error()
    state = session.state
    try:
        timeout_ms = request.integer(2)
    except errors.CommandError:
        raise errors.TIMEOUT_NOT_INTEGER.error() from None
    if timeout_ms < 0:
        raise errors.NEGATIVE_TIMEOUT.error()
    if timeout_ms > _MAX_MS - state.clock.now_ms:
        raise errors.TIMEOUT_OUT_OF_RANGE.error()
    until_ms = state.clock.now_ms + timeout_ms
    if state.clock.now_ms >= state.paused_until_ms:
        end_pause(state)
    if timeout_ms > 0:
        mode = PAUSED_WRITES if writes_only else PAUSED_ALL
        state.paused = max(state.paused, mode)
        state.paused_until_ms = max(state.paused_until_ms, until_ms)
    reply.ok()


@command("CLIENT UNPAUSE")
def client_unpause(session: Session, request: Request, reply: Reply) -> None:
    """End the pause at once."""
    end_pause(session.state)
    reply.ok()


command("CLIENT HELP")(help_of("CLIENT"))
