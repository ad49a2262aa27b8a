"""CLIENT and its subcommands."""

from __future__ import annotations

import pytest

from support.embedded import Client, Embedded
from support.servers import Server
from support.wire import Connection


@pytest.fixture(params=[2, 3], ids=["resp2", "resp3"])
def world(request: pytest.FixtureRequest) -> Embedded:
    return Embedded(request.param)


def fields(line: bytes) -> dict[str, str]:
    return dict(field.split("=", 1) for field in line.decode().rstrip("\n").split(" "))


def listed(client: Client, *words: str) -> list[dict[str, str]]:
    text = client.ok("CLIENT", "LIST", *words).removeprefix(b"txt:")
    return [fields(line) for line in text.splitlines()]


def own(client: Client) -> dict[str, str]:
    return fields(client.ok("CLIENT", "INFO").removeprefix(b"txt:"))


FIELDS = (
    "id",
    "addr",
    "laddr",
    "fd",
    "name",
    "age",
    "idle",
    "flags",
    "db",
    "sub",
    "psub",
    "ssub",
    "multi",
    "watch",
    "qbuf",
    "qbuf-free",
    "argv-mem",
    "multi-mem",
    "rbs",
    "rbp",
    "obl",
    "oll",
    "omem",
    "tot-mem",
    "events",
    "cmd",
    "user",
    "redir",
    "resp",
    "lib-name",
    "lib-ver",
    "io-thread",
    "tot-net-in",
    "tot-net-out",
    "tot-cmds",
)


def test_the_line_of_a_client(world: Embedded) -> None:
    client = world.main
    client.ok("SELECT", 5)
    client.ok("CLIENT", "SETNAME", "worker")
    client.ok("CLIENT", "SETINFO", "LIB-NAME", "lib(v1)")
    client.ok("CLIENT", "SETINFO", "lib-ver", "1.2.3")
    client.ok("CLIENT", "NO-EVICT", "ON")
    client.ok("CLIENT", "NO-TOUCH", "ON")
    world.pass_ms(2500)
    found = own(client)
    assert tuple(found) == FIELDS
    expected = {
        "id": "1", "addr": "127.0.0.1:5000", "laddr": "127.0.0.1:6379", "name": "worker",
        "age": "2", "flags": "eT", "db": "5", "multi": "-1", "watch": "0", "cmd": "client|info",
        "user": "default", "redir": "-1", "resp": "3" if world.resp == 3 else "2",
        "lib-name": "lib(v1)", "lib-ver": "1.2.3", "tot-cmds": "6",
    }  # fmt: skip
    assert {name: found[name] for name in expected} == expected


def test_verbatim_in_resp3(world: Embedded) -> None:
    kind, text = world.main.call("CLIENT", "INFO")
    assert (kind, text[:4]) == (("=", b"txt:") if world.resp == 3 else ("$", b"id=1"))


def test_flags_and_counts_of_others(world: Embedded) -> None:
    other = world.connect()
    other.ok("WATCH", "a", "b")
    other.ok("MULTI")
    other.ok("GET", "a")
    found = listed(world.main, "ID", str(other.session.id))[0]
    assert (found["flags"], found["multi"], found["watch"]) == ("x", "1", "2")
    assert int(found["multi-mem"]) > 0
    world.main.ok("SET", "a", "1")
    assert listed(world.main)[1]["flags"] == "xd"
    other.ok("DISCARD")
    other.send("WAIT", 1, 0)
    assert listed(world.main)[1]["flags"] == "b"
    monitor = world.connect()
    monitor.ok("MONITOR")
    assert [line["flags"] for line in listed(world.main)] == ["N", "b", "O"]


def test_list_of_some(world: Embedded) -> None:
    others = [world.connect() for _ in range(3)]
    ids = [other.session.id for other in others]
    main = world.main
    assert [line["id"] for line in listed(main)] == ["1", *map(str, ids)]
    assert [line["id"] for line in listed(main, "ID", str(ids[2]), "99", "1")] == [str(ids[2]), "1"]
    assert len(listed(main, "type", "NORMAL")) == 4
    for other_type in ("master", "replica", "slave", "pubsub"):
        assert listed(main, "TYPE", other_type) == []


def test_a_name_can_be_taken_away(world: Embedded) -> None:
    client = world.main
    assert client.ok("CLIENT", "GETNAME") is None
    client.ok("CLIENT", "SETNAME", "me")
    assert client.ok("CLIENT", "GETNAME") == b"me"
    client.ok("CLIENT", "SETNAME", "")
    assert client.ok("CLIENT", "GETNAME") is None


def test_reply_skip_and_off(world: Embedded) -> None:
    client = world.main
    for words in (("CLIENT", "REPLY", "SKIP"), ("PING",)):
        client.send(*words)
        assert client.read_all() == []
    assert client.ok("PING") == b"PONG"
    for words in (("CLIENT", "REPLY", "OFF"), ("PING",), ("CLIENT", "REPLY", "SKIP"), ("PING",)):
        client.send(*words)
        assert client.read_all() == []
    assert client.call("CLIENT", "REPLY", "ON") == ("+", b"OK")


def test_kill_by_filters(world: Embedded) -> None:
    main = world.main
    others = [world.connect() for _ in range(3)]
    first, second, third = (other.session for other in others)
    assert main.ok("CLIENT", "KILL", "ID", first.id) == 1
    assert main.ok("CLIENT", "KILL", "ID", first.id) == 0
    assert main.ok("CLIENT", "KILL", "ADDR", second.address, "ID", third.id) == 0
    assert main.ok("CLIENT", "KILL", "ADDR", second.address, "USER", "default") == 1
    assert main.ok("CLIENT", "KILL", "LADDR", "1.2.3.4:6379") == 0
    assert main.ok("CLIENT", "KILL", "TYPE", "pubsub") == 0
    assert [first.closed, second.closed, third.closed] == [True, True, False]
    assert main.ok("CLIENT", "KILL", "TYPE", "normal", "LADDR", "127.0.0.1:6379") == 1
    assert third.closed
    assert not main.session.close_after_reply


def test_kill_by_age(world: Embedded) -> None:
    old = world.connect()
    world.pass_ms(5000)
    young = world.connect()
    assert world.main.ok("CLIENT", "KILL", "MAXAGE", 6) == 0
    assert world.main.ok("CLIENT", "KILL", "MAXAGE", 5) == 1
    assert (old.session.closed, young.session.closed) == (True, False)


def test_kill_oneself(world: Embedded) -> None:
    client, session = world.main, world.main.session
    assert client.ok("CLIENT", "KILL", "ID", session.id) == 0
    assert client.ok("CLIENT", "KILL", "ID", session.id, "SKIPME", "no") == 1
    assert session.close_after_reply
    assert not session.closed


def test_kill_by_address_alone(world: Embedded) -> None:
    other = world.connect()
    assert world.main.call("CLIENT", "KILL", other.session.address) == ("+", b"OK")
    assert other.session.closed
    assert world.main.error("CLIENT", "KILL", other.session.address) == "ERR No such client"


def test_unblock(world: Embedded) -> None:
    main, other = world.main, world.connect()
    assert main.ok("CLIENT", "UNBLOCK", other.session.id) == 0
    assert main.ok("CLIENT", "UNBLOCK", 99) == 0
    other.send("XREAD", "BLOCK", 0, "STREAMS", "s", "$")
    assert main.ok("CLIENT", "UNBLOCK", other.session.id) == 1
    assert other.read_all() == [("nil", "_" if world.resp == 3 else "*")]
    other.send("XREAD", "BLOCK", 0, "STREAMS", "s", "$")
    assert main.ok("CLIENT", "UNBLOCK", other.session.id, "error") == 1
    assert other.read_all() == [("-", b"UNBLOCKED client unblocked via CLIENT UNBLOCK")]
    assert main.ok("CLIENT", "UNBLOCK", other.session.id) == 0


def end_pause_if_over(world: Embedded) -> None:
    from headwater.commands.clients import end_pause_if_over as end

    end(world.state)


def test_pause_of_writes(world: Embedded) -> None:
    main, other = world.main, world.connect()
    main.ok("CLIENT", "PAUSE", 1000, "WRITE")
    assert other.ok("GET", "k") is None
    other.send("SET", "k", "v")
    assert other.read_all() == []
    assert listed(main, "ID", str(other.session.id))[0]["flags"] == "b"
    world.pass_ms(999)
    end_pause_if_over(world)
    assert other.read_all() == []
    world.pass_ms(1)
    end_pause_if_over(world)
    assert other.read_all() == [("+", b"OK")]


def test_unpause(world: Embedded) -> None:
    main, other = world.main, world.connect()
    main.ok("CLIENT", "PAUSE", 100_000, "WRITE")
    other.send("SET", "k", "v")
    assert other.read_all() == []
    assert main.call("CLIENT", "UNPAUSE") == ("+", b"OK")
    assert other.read_all() == [("+", b"OK")]
    assert main.ok("GET", "k") == b"v"


def test_a_pause_is_not_shortened(world: Embedded) -> None:
    main, other = world.main, world.connect()
    main.ok("CLIENT", "PAUSE", 3000, "WRITE")
    main.ok("CLIENT", "PAUSE", 100, "WRITE")
    other.send("SET", "k", "v")
    world.pass_ms(2999)
    end_pause_if_over(world)
    assert other.read_all() == []
    world.pass_ms(1)
    end_pause_if_over(world)
    assert other.read_all() == [("+", b"OK")]


def test_a_pause_of_all_holds_reads_back(world: Embedded) -> None:
    other = world.connect()
    world.main.ok("CLIENT", "PAUSE", 1000)
    other.send("PING")
    assert other.read_all() == []
    world.pass_ms(1000)
    end_pause_if_over(world)
    assert other.read_all() == [("+", b"PONG")]


def test_subscribers_are_a_type_and_monitors_are_not(world: Embedded) -> None:
    plain, subscriber, monitor = world.main, world.connect(), world.connect()
    subscriber.call("SUBSCRIBE", "c")
    monitor.ok("MONITOR")
    numbers = {one: str(one.session.id) for one in (plain, subscriber, monitor)}
    assert [one["id"] for one in listed(plain, "TYPE", "pubsub")] == [numbers[subscriber]]
    normal = [one["id"] for one in listed(plain, "TYPE", "normal")]
    assert normal == [numbers[plain], numbers[monitor]]
    assert listed(plain, "TYPE", "replica") == []
    assert plain.ok("CLIENT", "KILL", "TYPE", "pubsub") == 1
    assert plain.ok("CLIENT", "KILL", "TYPE", "pubsub") == 0


def test_kill_by_user(world: Embedded) -> None:
    plain, other = world.main, world.connect()
    plain.ok("ACL", "SETUSER", "alice", "on", "nopass", "+@all", "~*")
    assert plain.ok("CLIENT", "KILL", "USER", "alice") == 0
    other.ok("AUTH", "alice", "x")
    assert listed(plain, "ID", str(other.session.id))[0]["user"] == "alice"
    assert plain.ok("CLIENT", "KILL", "USER", "alice") == 1
    assert plain.ok("CLIENT", "KILL", "USER", "default") == 0  # it spares the caller


REFUSED = [
    "CLIENT",
    "CLIENT ID x",
    "CLIENT SETNAME a\x01b",
    "CLIENT SETINFO LIB-NAME a\x7fb",
    "CLIENT SETINFO lib-ver \xe9",
    "CLIENT SETINFO foo x",
    "CLIENT LIST TYPE foo",
    "CLIENT LIST TYPE",
    "CLIENT LIST ID",
    "CLIENT LIST ID x",
    "CLIENT LIST FOO x",
    "CLIENT LIST TYPE normal ID 3",
    "CLIENT MAINT_NOTIFICATIONS ON",
    "CLIENT NOSUCH",
    "CLIENT KILL",
    "CLIENT KILL x",
    "CLIENT KILL ID x",
    "CLIENT KILL ID 0",
    "CLIENT KILL ID -1",
    "CLIENT KILL TYPE foo",
    "CLIENT KILL USER nosuch",
    "CLIENT KILL SKIPME x",
    "CLIENT KILL MAXAGE x",
    "CLIENT KILL MAXAGE 0",
    "CLIENT KILL FOO x",
    "CLIENT KILL ID 4 ADDR",
    "CLIENT UNBLOCK x",
    "CLIENT UNBLOCK 1 FOO",
    "CLIENT UNBLOCK x FOO",
    "CLIENT UNBLOCK 1 ERROR x",
    "CLIENT PAUSE x",
    "CLIENT PAUSE -1",
    "CLIENT PAUSE 0 FOO",
    "CLIENT PAUSE 0 write x",
    "CLIENT PAUSE 9223372036854775807",
    "CLIENT PAUSE 99999999999999999999",
    "CLIENT NO-EVICT x",
    "CLIENT NO-TOUCH x",
    "CLIENT REPLY foo",
]


@pytest.mark.parametrize("line", REFUSED)
def test_refused_as_redis_does(redis_server: Server, line: str) -> None:
    ours = Embedded().main.call(*line.split(" "))
    assert ours[0] == "-"
    with Connection("127.0.0.1", redis_server.port) as theirs:
        assert ours == theirs.call(*line.split(" "))
