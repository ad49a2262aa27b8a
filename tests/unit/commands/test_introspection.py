"""COMMAND and its subcommands: as Redis answers them, for every command declared here."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pytest

from headwater.commands import introspection  # binds COMMAND
from headwater.commands.spec import SPECS
from headwater.commands.spec.delivery import DELIVERY
from headwater.commands.table import CommandTable
from headwater.errors import CommandError
from headwater.resp.reply import Reply
from headwater.resp.request import from_words
from support.servers import Server
from support.wire import Connection, plain, to_bytes

HANDLERS = {
    "COMMAND": introspection.command_all,
    "COMMAND COUNT": introspection.command_count,
    "COMMAND INFO": introspection.command_info,
    "COMMAND DOCS": introspection.command_docs,
    "COMMAND LIST": introspection.command_list,
    "COMMAND GETKEYS": introspection.command_getkeys,
    "COMMAND GETKEYSANDFLAGS": introspection.command_getkeysandflags,
}
CONTAINERS = {spec.container for spec in SPECS.values()}
# What the reference, redis-server 8.2, does not know.
NEWER = {"DELEX", "DIGEST", "INCREX", "MSETEX", "XCFGSET", "XIDMPRECORD", "XNACK"}
NEWER |= {"XGROUP CFGGET", "XGROUP CFGSET", *(spec.name for spec in DELIVERY)}
REFERENCE_VERSION = (8, 2)


class Recorded(Connection):
    """Reads replies from bytes instead of a socket."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)  # type: ignore[assignment]


class Ours:
    """A session that knows only the command table, with every declared command in it."""

    def __init__(self, resp: int) -> None:
        def unused(session: object, request: object, reply: object) -> None:
            raise AssertionError("no test runs this command")

        names = [name for name in SPECS if name not in CONTAINERS]
        self.table = CommandTable({**dict.fromkeys(names, unused), **HANDLERS})
        self.session: Any = SimpleNamespace(state=SimpleNamespace(table=self.table))
        self.reply = Reply()
        self.reply.resp3 = resp == 3

    def call(self, *words: str) -> tuple[str, Any]:
        found = self.table.lookup(words[0].encode())
        if found is not None and len(words) > 1:
            found = found.subcommand(words[1].encode())
        assert found is not None
        assert found.handler is not None
        request = from_words([to_bytes(word) for word in words])
        try:
            found.handler(self.session, request, self.reply)
        except CommandError as error:
            self.reply.error(error.text)
        data = b"".join(self.reply.take_parts())  # type: ignore[arg-type]
        reader = Recorded(data)
        answer = reader.read()
        assert reader.read_rest() == b""
        return answer


@pytest.fixture(params=[2, 3], ids=["resp2", "resp3"])
def resp(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def ours(resp: int) -> Ours:
    return Ours(resp)


@pytest.fixture
def theirs(redis_server: Server, resp: int) -> Connection:
    connection = redis_server.connect()
    connection.hello(resp)
    return connection


def as_pairs(reply: tuple[str, Any]) -> list[tuple[bytes, tuple[str, Any]]]:
    """Names and values in order, from a map or a flat array."""
    kind, value = reply
    if kind == "%":
        return [(key[1], item) for key, item in value]
    return [(value[i][1], value[i + 1]) for i in range(0, len(value), 2)]


def comparable_key_spec(reply: tuple[str, Any]) -> Any:
    """A key spec without its notes, and without the flag that is newer than the reference."""
    return [
        (name, (value[0], [flag for flag in value[1] if flag != ("+", b"incomplete")]))
        for name, value in as_pairs(reply)
        if name != b"notes"
    ]


NEWER_DENYOOM = (b"subscribe", b"psubscribe", b"ssubscribe")


def comparable_info(reply: tuple[str, Any]) -> Any:
    """An entry of COMMAND INFO; its subcommands are compared by themselves."""
    assert reply[0] == "*"
    fields = list(reply[1])
    if fields[0][1] in NEWER_DENYOOM:
        fields[2] = (fields[2][0], [flag for flag in fields[2][1] if flag != ("+", b"denyoom")])
    key_specs = fields[8]
    fields[8] = (key_specs[0], [comparable_key_spec(key) for key in key_specs[1]])
    fields[9] = (fields[9][0], bool(fields[9][1]))
    return fields


def test_info_of_every_command_as_redis(ours: Ours, theirs: Connection) -> None:
    names = [spec.full_name for name, spec in SPECS.items() if name not in NEWER]
    mine = ours.call("COMMAND", "INFO", *names)
    reference = theirs.call("COMMAND", "INFO", *names)
    assert mine[0] == reference[0] == "*"
    for name, one, other in zip(names, mine[1], reference[1], strict=True):
        assert comparable_info(one) == comparable_info(other), name


def is_newer(since: bytes) -> bool:
    return tuple(map(int, since.split(b".")[:2])) > REFERENCE_VERSION


def comparable_argument(reply: tuple[str, Any]) -> Any:
    facts = as_pairs(reply)
    names = [name for name, _ in facts]
    found: list[Any] = [reply[0], names]
    for name, value in facts:
        if name == b"arguments":
            found.append(comparable_arguments(value))
        elif name != b"since":
            found.append(value)
    return found


def comparable_arguments(reply: tuple[str, Any]) -> Any:
    """The tree without what is newer than the reference, group by group."""
    found = []
    for argument in reply[1]:
        since = dict(as_pairs(argument)).get(b"since")
        if since is None or not is_newer(since[1]):
            found.append(comparable_argument(argument))
    return reply[0], found


def comparable_docs(reply: tuple[str, Any]) -> Any:
    """An entry of COMMAND DOCS without the sentences, which are our own."""
    ours_alone = {b"summary", b"complexity", b"history", b"replaced_by", b"subcommands"}
    found: list[Any] = [reply[0]]
    for name, value in as_pairs(reply):
        if name == b"arguments":
            found.append((name, comparable_arguments(value)))
        elif name not in ours_alone:
            found.append((name, value))
    return found


def test_docs_of_every_command_as_redis(ours: Ours, theirs: Connection) -> None:
    names = [spec.full_name for name, spec in SPECS.items() if name not in NEWER]
    mine = ours.call("COMMAND", "DOCS", *names)
    reference = theirs.call("COMMAND", "DOCS", *names)
    assert mine[0] == reference[0]
    mine_by_name = as_pairs(mine)
    reference_by_name = as_pairs(reference)
    assert [name for name, _ in mine_by_name] == [name.encode() for name in names]
    for (name, one), (_, other) in zip(mine_by_name, reference_by_name, strict=True):
        assert comparable_docs(one) == comparable_docs(other), name


def test_docs_hold_the_subcommands_and_the_history(ours: Ours) -> None:
    docs = dict(as_pairs(ours.call("COMMAND", "DOCS", "xgroup", "xadd")))
    xgroup = dict(as_pairs(docs[b"xgroup"]))
    subcommands = dict(as_pairs(xgroup[b"subcommands"]))
    assert set(subcommands) == {
        b"xgroup|cfgget",
        b"xgroup|cfgset",
        b"xgroup|create",
        b"xgroup|createconsumer",
        b"xgroup|delconsumer",
        b"xgroup|destroy",
        b"xgroup|help",
        b"xgroup|reset",
        b"xgroup|setid",
    }
    history = dict(as_pairs(docs[b"xadd"]))[b"history"]
    assert history[0] == ("~" if ours.reply.resp3 else "*")
    assert [plain(change)[0] for change in history[1]] == [b"6.2.0", b"7.0.0", b"8.2.0", b"8.6.0"]


REQUESTS = [
    "INFO nosuch",
    "INFO xgroup|nosuch NOSUCH",
    "DOCS nosuch",
    "GETKEYS get",
    "GETKEYS nosuch a",
    "GETKEYS ping",
    "GETKEYS GET a",
    "GETKEYS get a b",
    "GETKEYS del a b c",
    "GETKEYS rename a b",
    "GETKEYS copy a b REPLACE",
    "GETKEYS xadd s * f v",
    "GETKEYS xgroup",
    "GETKEYS xgroup create s g $",
    "GETKEYS xgroup nosuch s g $",
    "GETKEYS xgroup|create s g $",
    "GETKEYS xgroup create s",
    "GETKEYS xinfo stream s FULL",
    "GETKEYS memory usage k",
    "GETKEYS object encoding k",
    "GETKEYS object help",
    "GETKEYS xread count 1 streams a b 1 2",
    "GETKEYS xread block 0 count 3 STREAMS k 0",
    "GETKEYS xread streams",
    "GETKEYS xread streams a b",
    "GETKEYS xreadgroup group STREAMS c streams k >",
    "GETKEYS xreadgroup group g c count 3 noack streams k l > >",
    "GETKEYSANDFLAGS ping",
    "GETKEYSANDFLAGS get a",
    "GETKEYSANDFLAGS set a b",
    "GETKEYSANDFLAGS set a b NX get",
    "GETKEYSANDFLAGS copy a b",
    "GETKEYSANDFLAGS xinfo stream k",
    "GETKEYSANDFLAGS xadd k * a b",
    "GETKEYSANDFLAGS xautoclaim k g c 0 0",
    "GETKEYSANDFLAGS xreadgroup group g c streams a b > >",
    "LIST x",
    "LIST FILTERBY",
    "LIST FILTERBY ACLCAT",
    "LIST FILTERBY foo bar",
    "LIST FILTERBY ACLCAT nosuch",
    "LIST FILTERBY ACLCAT @stream",
    "LIST FILTERBY MODULE x",
    "LIST FILTERBY PATTERN nosuch*",
    "LIST FILTERBY ACLCAT stream extra",
]


@pytest.mark.parametrize("line", REQUESTS)
def test_answers_as_redis(ours: Ours, theirs: Connection, line: str) -> None:
    words = ("COMMAND", *line.split())
    assert ours.call(*words) == theirs.call(*words)


@pytest.mark.parametrize(
    "filter_by",
    ["ACLCAT STREAM", "ACLCAT dangerous", "ACLCAT blocking", "PATTERN XG*", "PATTERN *|s[e-l]*"],
)
def test_list_filters_as_redis(ours: Ours, theirs: Connection, filter_by: str) -> None:
    words = ("COMMAND", "LIST", "FILTERBY", *filter_by.split())
    known_here = {spec.full_name.encode() for spec in SPECS.values()}
    newer = {SPECS[name].full_name.encode() for name in NEWER}
    mine = {name[1] for name in ours.call(*words)[1]}
    reference = {name[1] for name in theirs.call(*words)[1]}
    assert mine - newer == reference & known_here


@pytest.mark.parametrize(
    ("line", "keys"),
    [
        ("xread count 1 maxcount 5 maxsize 9 streams a b 1 2", [b"a", b"b"]),
        ("xreadgroup noack group streams streams claim 7 STREAMS a >", [b"a"]),
        ("xnack s g FAIL IDS 1 1-1", [b"s"]),
        ("xidmprecord s p i 1-1", [b"s"]),
    ],
)
def test_keys_of_what_is_newer_than_the_reference(line: str, keys: list[bytes]) -> None:
    assert plain(Ours(2).call("COMMAND", "GETKEYS", *line.split())) == keys


@pytest.mark.parametrize(
    "line", ["xread count 1 streams a b 1", "xread foo bar streams a 1", "xread block 1 count 2"]
)
def test_a_read_that_does_not_add_up_has_no_keys(line: str) -> None:
    answer = Ours(2).call("COMMAND", "GETKEYS", *line.split())
    assert answer == ("-", b"ERR Invalid arguments specified for command")


def test_count_list_and_everything_agree(ours: Ours) -> None:
    count = ours.call("COMMAND", "COUNT")
    assert count == (":", sum(1 for spec in SPECS.values() if not spec.container))
    names = plain(ours.call("COMMAND", "LIST"))
    assert sorted(names) == sorted(spec.full_name.encode() for spec in SPECS.values())
    assert len(ours.call("COMMAND", "INFO")[1]) == count[1]
    assert len(as_pairs(ours.call("COMMAND", "DOCS"))) == count[1]


def test_help_names_every_subcommand() -> None:
    table = CommandTable()
    container = table.lookup(b"command")
    assert container is not None
    found = container.subcommand(b"HELP")
    assert found is not None
    reply = Reply()
    found.handler(None, from_words([b"COMMAND", b"HELP"]), reply)
    kind, lines = Recorded(reply.take()).read()
    assert kind == "*"
    assert {line[0] for line in lines} == {"+"}
    words = {line[1].split()[0] for line in lines if not line[1].startswith(b" ")}
    assert {b"COUNT", b"DOCS", b"GETKEYS", b"HELP", b"INFO", b"LIST"} <= words
