"""EVAL, EVALSHA, their read-only twins, and SCRIPT; the cache of scripts.

`run_script` is how a script runs: one unit of the journal, at one moment of the clock. Functions
(FCALL) run through it too.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from typing import Any

from headwater import errors
from headwater._version import REDIS_VERSION
from headwater.commands.flags import ALLOW_BUSY
from headwater.commands.help import help_of
from headwater.commands.script_calls import (
    ALLOW_OOM,
    COMPATIBLE,
    NO_WRITES,
    ScriptHost,
    finish,
    sha1_of,
)
from headwater.commands.session import Session
from headwater.commands.state import ServerState
from headwater.commands.table import Command, command
from headwater.limits import SCRIPTS_CACHED
from headwater.resp.parser import split_words
from headwater.resp.reply import Reply
from headwater.resp.request import Request
from headwater.scripting.functions import FLAG_NAMES, Functions

_log = logging.getLogger("headwater")
_SHA_BYTES = 40
_BIG_BYTES = 65536
_SCRIPT_BYTES = 200
"""What a cached script takes beside its text."""
_COMPATIBLE, _NO_WRITES, _ALLOW_OOM = COMPATIBLE, NO_WRITES, ALLOW_OOM  # as C numbers

FLAGS = {name: 1 << bit for bit, name in enumerate(FLAG_NAMES)}
"""What a script can say of itself in its first line."""


class Script:
    """A cached script. `kept`: SCRIPT LOAD brought it, so it is not forgotten."""

    __slots__ = ("flags", "kept", "sha", "size")

    def __init__(self, sha: bytes, flags: int, kept: bool, size: int) -> None:
        self.sha = sha
        self.flags = flags
        self.kept = kept
        self.size = size


class Scripting:
    """The scripts of one server, and the machine they run in, which is made when it is needed.

    `scripts` by SHA-1; `passing` are those that EVAL brought, the least recently used first.
    """

    __slots__ = ("_vm", "bytes", "evicted", "functions", "host", "passing", "scripts", "state")

    def __init__(self, state: ServerState) -> None:
        self.state = state
        self.host = ScriptHost(state)
        self._vm: Any = None
        self.scripts: dict[bytes, Script] = {}
        self.passing: OrderedDict[bytes, Script] = OrderedDict()
        self.bytes = 0
        self.evicted = 0
        self.functions = Functions(
            state.keyspace.libraries, lambda: make_vm(self.host, b"user_function")
        )

    def vm(self) -> Any:
        """The machine of EVAL's scripts."""
        if self._vm is None:
            self._vm = make_vm(self.host, b"user_script")
        return self._vm

    def vm_bytes(self) -> int:
        return 0 if self._vm is None else self._vm.memory()

    def find(self, sha: bytes) -> Script | None:
        """The cached script of that SHA-1, in lower case."""
        script = self.scripts.get(sha)
        if script is not None and not script.kept:
            self.passing.move_to_end(sha)
        return script

    def add(self, sha: bytes, text: bytes, kept: bool) -> Script:
        """Compile and cache a script; raises what is wrong with it."""
        from headwater.scripting.vm import ScriptError

        flags, body = shebang(text)
        vm = self.vm()
        try:
            vm.compile(sha, body)
        except ScriptError as error:
            raise errors.SCRIPT_COMPILE.error(error.text) from None
        script = Script(sha, flags, kept, len(text) + _SCRIPT_BYTES)
        self.scripts[sha] = script
        self.bytes += script.size
        if not kept:
            self.passing[sha] = script
            if len(self.passing) > SCRIPTS_CACHED:
                oldest, forgotten = self.passing.popitem(last=False)
                del self.scripts[oldest]
                self.bytes -= forgotten.size
                self.evicted += 1
                vm.forget(oldest)
        return script

    def keep(self, script: Script) -> None:
        """SCRIPT LOAD brings a script that EVAL had brought."""
        if not script.kept:
            script.kept = True
            del self.passing[script.sha]

    def flush(self) -> None:
        """Forget all scripts, and the machine with them."""
        self.scripts.clear()
        self.passing.clear()
        self.bytes = 0
        if self._vm is not None:
            self._vm.close()
            self._vm = None

    def only_reads(self, command: Command, request: Request) -> bool:
        """Whether the script of an EVAL says of itself that it writes nothing.

        CLIENT PAUSE WRITE lets it run then.
        """
        flags = COMPATIBLE
        if command.name == b"eval":
            try:
                flags, _ = shebang(request.arg(1))
            except errors.CommandError:
                return False
        elif command.name == b"evalsha":
            script = self.scripts.get(request.arg(1).lower())
            if script is not None:
                flags = script.flags
        elif command.name == b"fcall":
            function = self.functions.find(request.arg(1))
            if function is not None:
                flags = function.flags
        return bool(flags & NO_WRITES)

    # --- a script that runs for too long ---

    def set_limit(self, threshold_ms: int) -> None:
        """Follow `busy-reply-threshold`; 0: scripts may run for ever."""
        self.host.limit_us = 1000 * threshold_ms if threshold_ms > 0 else -1

    def run_long(self) -> None:
        """The script at hand has run for longer than that: others are told so meanwhile."""
        state = self.state
        if state.server is None:
            return
        if state.busy is None:
            state.busy = self
            _log.warning(
                "a script runs for more than %d ms; SCRIPT KILL or FUNCTION KILL ends it",
                self.host.limit_us // 1000,
            )
        state.server.serve_meanwhile(self.host.caller)

    def refusal(self, session: Session, command: Command, request: Request) -> bytes | None:
        """What a client is answered while a script keeps the server busy (`ServerState.busy`)."""
        if not command.flags & ALLOW_BUSY:
            return self.busy_text()
        if command.name == b"shutdown" and not (
            request.argc == 2 and request.text_equals(1, b"NOSAVE")
        ):
            return self.busy_text()
        return None

    def busy_text(self) -> bytes:
        """The error that tells what keeps the server busy."""
        if self.host.runs_function:
            return errors.FUNCTION_BUSY.text()
        return errors.SCRIPT_BUSY.text()

    def kill(self, functions: bool) -> None:
        """SCRIPT KILL or FUNCTION KILL; raises why the script at hand can not be ended."""
        host = self.host
        if host.caller is None:
            raise errors.SCRIPT_NOT_BUSY.error()
        if host.wrote:
            raise errors.SCRIPT_UNKILLABLE.error()
        if host.runs_function != functions:
            raise errors.CommandError(self.busy_text())
        host.kill = True
        _log.warning("a script is ended by SCRIPT KILL or FUNCTION KILL")

    def abort(self) -> None:
        """The server stops: end the script at hand, and let nothing of it reach the journal."""
        host = self.host
        if host.caller is not None:
            self.state.recorder.recording = False
            self.state.recorder.drop()
            host.kill = True
            host.caller.close()


def make_vm(host: ScriptHost, label: bytes) -> Any:
    """A machine with all libraries; `label` names its scripts in errors."""
    from headwater.scripting.libraries import load
    from headwater.scripting.vm import VM

    return VM(host, label, REDIS_VERSION.encode(), load)


def shebang(text: bytes) -> tuple[int, bytes]:
    """The flags of a script, and its text without the first line, should that tell them."""
    if not text.startswith(b"#!"):
        return COMPATIBLE, text
    line, newline, _ = text.partition(b"\n")
    if not newline:
        raise errors.SCRIPT_SHEBANG.error()
    words = split_words(line)
    if words is None:
        raise errors.SCRIPT_QUOTES.error()
    if words[0] != b"#!lua":
        raise errors.SCRIPT_ENGINE.error(words[0])
    flags = 0
    for word in words[1:]:
        if not word.startswith(b"flags="):
            raise errors.SCRIPT_OPTION.error(word)
        listed = word.removeprefix(b"flags=")
        for name in listed.split(b",") if listed else ():
            flag = FLAGS.get(name)
            if flag is None:
                raise errors.SCRIPT_FLAG.error(name)
            flags |= flag
    # The line stays, empty, so that lines are counted from the same place.
    return flags, text[len(line) :]


def run_script(
    session: Session,
    reply: Reply,
    vm: Any,
    host: ScriptHost,
    name: bytes,
    request: Request,
    flags: int,
    as_function: bool,
    key: bytes = b"",
) -> None:
    """Run what a machine keeps under a name for a request `EVAL script numkeys key... arg...`.

    A function is kept under `key`.
    """
    state = session.state
    if state.over_memory and not flags & (_COMPATIBLE | _ALLOW_OOM | _NO_WRITES):
        raise errors.OUT_OF_MEMORY.error()
    if not flags & (_COMPATIBLE | _NO_WRITES) and state.write_refusal:
        raise errors.CommandError(state.write_refusal)
    keys = _check_keys(request)
    words = [request.arg(i) for i in range(3, request.argc)]
    last = request.argc - 1
    size = request.start(last) + request.length(last) - request.start(0)
    if size > _BIG_BYTES:
        vm.make_room(2 * size + 64 * len(words))
    recorder = state.recorder
    host.begin(session, name, flags, as_function, vm.room_for)
    recorder.unit += 1
    try:
        if as_function:
            host.words = [request.arg(0), request.arg(1), request.arg(2), *words]
            result = vm.apply(key, session.resp3, keys, words)
        else:
            result = vm.run(name, session.resp3, keys, words)
    finally:
        recorder.unit -= 1
        host.end()
        state.busy = None
    finish(host, reply, result)


def _check_keys(request: Request) -> int:
    """The number of keys of an EVAL; raises if it can not be right."""
    keys = request.integer(2)
    if keys > request.argc - 3:
        raise errors.SCRIPT_KEYS_TOO_MANY.error()
    if keys < 0:
        raise errors.SCRIPT_KEYS_NEGATIVE.error()
    return keys


def _eval(session: Session, request: Request, reply: Reply, read_only: bool) -> None:
    scripting: Scripting = session.state.scripting
    text = request.arg(1)
    sha = sha1_of(text)
    script = scripting.find(sha)
    if script is None:
        _check_keys(request)
        script = scripting.add(sha, text, False)
    _run(session, request, reply, scripting, script, read_only)


def _evalsha(session: Session, request: Request, reply: Reply, read_only: bool) -> None:
    scripting: Scripting = session.state.scripting
    if request.length(1) != _SHA_BYTES:
        _check_keys(request)
        raise errors.NO_SCRIPT.error()
    sha = request.name(1)
    script = scripting.find(sha)
    if script is None:
        script = scripting.find(sha.lower())
        if script is None:
            _check_keys(request)
            raise errors.NO_SCRIPT.error()
    _run(session, request, reply, scripting, script, read_only)


def _run(
    session: Session,
    request: Request,
    reply: Reply,
    scripting: Scripting,
    script: Script,
    read_only: bool,
) -> None:
    flags = script.flags
    if read_only:
        if not flags & (_COMPATIBLE | _NO_WRITES):
            raise errors.SCRIPT_WRITES_IN_RO.error()
        flags |= _NO_WRITES
    run_script(session, reply, scripting.vm(), scripting.host, script.sha, request, flags, False)


def eval_(session: Session, request: Request, reply: Reply) -> None:
    _eval(session, request, reply, False)


def eval_ro(session: Session, request: Request, reply: Reply) -> None:
    _eval(session, request, reply, True)


def evalsha(session: Session, request: Request, reply: Reply) -> None:
    _evalsha(session, request, reply, False)


def evalsha_ro(session: Session, request: Request, reply: Reply) -> None:
    _evalsha(session, request, reply, True)


def script_load(session: Session, request: Request, reply: Reply) -> None:
    scripting: Scripting = session.state.scripting
    text = request.arg(2)
    sha = sha1_of(text)
    script = scripting.scripts.get(sha)
    if script is None:
        scripting.add(sha, text, True)
    else:
        scripting.keep(script)
    reply.bulk(sha)


def script_exists(session: Session, request: Request, reply: Reply) -> None:
    scripts = session.state.scripting.scripts
    reply.array(request.argc - 2)
    for i in range(2, request.argc):
        reply.integer(1 if request.arg(i).lower() in scripts else 0)


def script_flush(session: Session, request: Request, reply: Reply) -> None:
    if request.argc > 3 or (
        request.argc == 3
        and not request.text_equals(2, b"SYNC")
        and not request.text_equals(2, b"ASYNC")
    ):
        raise errors.SCRIPT_FLUSH_MODE.error()
    session.state.scripting.flush()
    reply.ok()


def script_kill(session: Session, request: Request, reply: Reply) -> None:
    session.state.scripting.kill(False)
    reply.ok()


def script_debug(session: Session, request: Request, reply: Reply) -> None:
    if request.text_equals(2, b"NO"):
        reply.ok()
    elif request.text_equals(2, b"YES") or request.text_equals(2, b"SYNC"):
        raise errors.SCRIPT_DEBUGGER.error()
    else:
        raise errors.SCRIPT_DEBUG_MODE.error()


command("EVAL")(eval_)
command("EVAL_RO")(eval_ro)
command("EVALSHA")(evalsha)
command("EVALSHA_RO")(evalsha_ro)
command("SCRIPT LOAD")(script_load)
command("SCRIPT EXISTS")(script_exists)
command("SCRIPT FLUSH")(script_flush)
command("SCRIPT KILL")(script_kill)
command("SCRIPT DEBUG")(script_debug)
command("SCRIPT HELP")(help_of("SCRIPT"))
