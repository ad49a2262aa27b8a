"""`headwater ls`, `info`, `pending`, `tail` and `top` on Headwater and on a redis-server."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest
import redis

from headwater.cli import gathering
from support.command_line import COMMAND, Done, clean_environment, run, run_alone
from support.programs import Program
from support.servers import Server

StartServer = Callable[..., Server]


class Here:
    """A server, emptied, with a client and the command line."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.url = f"redis://127.0.0.1:{server.port}"
        self.client = redis.Redis(port=server.port)
        self.is_headwater = server.kind == "headwater"

    def run(self, *words: str | bytes, **environment: str) -> Done:
        return run(*words, url=self.url, environment=environment)

    def json(self, *words: str | bytes) -> Any:
        done = self.run(*words, "--json")
        assert (done.status, done.err) == (0, "")
        return json.loads(done.out)

    def orders(self) -> None:
        """A stream of six, two workers that have five of them, one four times."""
        for number in range(1, 7):
            self.client.xadd("orders", {"number": number, "who": "ann"}, id=f"{number}-0")
        self.client.xgroup_create("orders", "billing", "0")
        self.client.xgroup_create("orders", "mail", "$")
        self.client.xreadgroup("billing", "worker-1", {"orders": ">"}, count=4)
        self.client.xreadgroup("billing", "worker-2", {"orders": ">"}, count=1)
        self.client.xack("orders", "billing", "4-0")
        for _ in range(3):
            self.client.xclaim("orders", "billing", "worker-1", 0, ["2-0"])


@pytest.fixture(params=["headwater", "reference"])
def here(request: pytest.FixtureRequest) -> Here:
    return Here(request.getfixturevalue(request.param))


# --- ls ---


def test_ls(here: Here) -> None:
    here.orders()
    here.client.set("text", "no stream")
    here.client.xadd(b"bin\xff\x00", {"a": 1})
    done = here.run("ls")
    assert (done.status, done.err) == (0, "")
    heading, binary, orders = done.lines
    assert heading.split() == [
        *("STREAM", "LENGTH", "MEMORY", "RATE", "LAST", "GROUPS", "WAITING", "PENDING"),
    ]
    assert binary.startswith("bin\\xff\\x00")
    assert orders.split()[:2] == ["orders", "6"]
    assert orders.split()[-3:] == ["2", "1", "4"]
    assert "\x1b" not in done.out


def test_ls_in_json(here: Here) -> None:
    here.orders()
    here.client.xadd("now", {"a": 1})
    now, orders = here.json("ls")
    assert orders["key"] == "orders"
    assert orders["length"] == 6
    assert orders["memory_bytes"] > 0
    assert orders["groups"] == ["billing", "mail"]
    assert (orders["waiting"], orders["pending"]) == (1, 4)
    assert (orders["first_id"], orders["last_id"]) == ("1-0", "6-0")
    assert orders["rate"] is None  # 1-0 is no time
    assert orders["last_time"] is None
    assert now["last_time"].endswith("Z")
    assert now["rate"] == 0


def test_ls_sorts_limits_and_matches(here: Here) -> None:
    for number in range(12):
        for _ in range(number + 1):
            here.client.xadd(f"s{number:02d}", {"a": "x" * 10})
    assert [row["key"] for row in here.json("ls", "s0[12]")] == ["s01", "s02"]
    assert [row["key"] for row in here.json("ls", "--sort", "length")][:2] == ["s11", "s10"]
    assert len(here.json("ls", "--limit", "0")) == 12
    assert len(here.json("ls", "--limit", "12")) == 12
    done = here.run("ls", "--limit", "5", "--json")
    assert len(json.loads(done.out)) == 5
    assert "more than 5 streams" in done.err
    for order in ("name", "memory", "rate", "last", "groups", "waiting", "pending"):
        assert here.run("ls", "--sort", order).status == 0


def test_ls_without_streams(here: Here) -> None:
    done = here.run("ls")
    assert (done.status, done.out, done.err) == (0, "", "no streams\n")
    assert here.run("ls", "x*").err == "no streams match x*\n"
    assert here.json("ls") == []


def test_ls_of_many(here: Here) -> None:
    pipeline = here.client.pipeline(transaction=False)
    for number in range(2500):
        pipeline.set(f"text:{number}", "")
    for number in range(450):
        pipeline.xadd(f"s:{number:03d}", {"a": 1})
    pipeline.execute()
    assert [row["key"] for row in here.json("ls")] == [f"s:{n:03d}" for n in range(450)]


# --- info ---


def fact(done: Done, name: str) -> str:
    """What stands behind a name."""
    [line] = [line for line in done.lines if line.startswith(name + " ")]
    return line[len(name) :].strip()


def test_info(here: Here) -> None:
    here.orders()
    here.client.xdel("orders", "3-0")
    here.client.expire("orders", 10_000)
    done = here.run("info", "orders")
    assert (done.status, done.err) == (0, "")
    assert fact(done, "length").startswith("5 entries, ")
    assert fact(done, "server").startswith("Headwater" if here.is_headwater else "Redis")
    assert fact(done, "added ever") == "6, 1 of them deleted or trimmed"
    assert fact(done, "expires") == "in 2h46m"
    billing = next(line for line in done.lines if line.startswith("billing"))
    assert billing.split()[1:4] == ["2", "1", "4"]
    worker = next(line for line in done.lines if line.startswith("worker-1"))
    assert worker.split()[1] == "3"
    assert "< 1s" in done.out
    assert "█" in done.out
    assert "delivered more than once: 1, the worst of them 4 times" in done.out


def test_info_of_a_group(here: Here) -> None:
    here.orders()
    done = here.run("info", "orders", "billing")
    assert "length" not in done.out
    assert "mail" not in done.out
    assert "worker-2" in done.out


def test_info_in_json(here: Here) -> None:
    here.orders()
    document = here.json("info", "orders")
    billing, mail = document["groups"]
    assert billing["name"] == "billing"
    assert (billing["waiting"], billing["pending"]) == (1, 4)
    assert billing["deliveries"] == {"1": 3, "4": 1}
    assert sum(billing["pending_by_age"].values()) == 4
    assert {row["name"]: row["pending"] for row in billing["consumers"]} == {
        "worker-1": 3,
        "worker-2": 1,
    }
    assert mail["consumers"] == []
    assert mail["waiting"] == 0


def test_info_of_a_bare_stream(here: Here) -> None:
    here.client.xgroup_create("empty", "g", "$", mkstream=True)
    here.client.xgroup_destroy("empty", "g")
    done = here.run("info", "empty")
    assert (done.status, done.err) == (0, "")
    assert fact(done, "length").startswith("0 entries, ")
    assert "no groups" in done.out


def test_info_of_many_groups_and_consumers(here: Here) -> None:
    here.client.xadd("s", {"a": 1})
    for number in range(25):
        here.client.xgroup_create("s", f"g{number:02d}", "0")
        here.client.xgroup_createconsumer("s", "g00", f"c{number:02d}")
    done = here.run("info", "s")
    assert "g24" in done.out
    assert "CONSUMER " not in done.out
    assert "`headwater info s GROUP`" in done.err
    assert "and 5 more consumers" in here.run("info", "s", "g00").out


def test_what_a_group_waits_for_is_counted_where_the_server_does_not_know(
    reference: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Here(reference)
    here.orders()
    here.client.xdel("orders", "6-0")  # from here on, Redis does not know the lag
    here.client.xadd("orders", {"number": 7}, id="7-0")
    here.client.xadd("orders", {"number": 8}, id="8-0")
    [billing] = [row for row in here.client.xinfo_groups("orders") if row["name"] == b"billing"]
    assert billing["lag"] is None
    assert here.json("info", "orders", "billing")["groups"][0]["waiting"] == 2
    monkeypatch.setattr(gathering, "COUNTED", 2)
    group = here.json("info", "orders", "billing")["groups"][0]
    assert (group["waiting"], group["waiting_at_least"]) == (None, 2)
    assert "> 2" in here.run("info", "orders").out


def test_info_of_what_headwater_keeps(headwater: Server) -> None:
    here = Here(headwater)
    here.orders()
    call = here.client.execute_command
    call("XCFGSET", "orders", "RETAIN-MAXLEN", 1000, "RETAIN-MAXAGE", 3_600_000)
    call("XGROUP", "CFGSET", "orders", "billing", "ACKWAIT", 30_000, "MAXDELIVERIES", 5)
    call("XGROUP", "CFGSET", "orders", "billing", "BACKOFF", 1000, 60_000)
    call("XSCHEDULE", "ADD", "orders", "IN", 600_000, "a", "1")
    done = here.run("info", "orders")
    assert (done.status, done.err) == (0, "")
    assert fact(done, "retention") == "at most 1,000 entries and 1h"
    assert fact(done, "scheduled").startswith("the next entry in ")
    assert "ackwait 30s" in done.out
    assert "backoff 1s 1m" in done.out
    assert "maxdeliveries 5, dead letters to orders:dead-letter" in done.out
    document = here.json("info", "orders")
    assert document["groups"][0]["settings"]["ackwait"] == 30_000
    assert document["settings"]["retain-maxlen"] == 1000


# --- pending ---


def test_pending(here: Here) -> None:
    here.orders()
    done = here.run("pending", "orders", "billing")
    assert (done.status, done.err) == (0, "")
    assert done.lines[0].split() == ["ENTRY", "AGE", "CONSUMER", "OUT", "FOR", "DELIVERIES"]
    rows = [line.split() for line in done.lines[1:]]
    assert [(row[0], row[2], row[4]) for row in rows] == [
        ("1-0", "worker-1", "1"),
        ("2-0", "worker-1", "4"),
        ("3-0", "worker-1", "1"),
        ("5-0", "worker-2", "1"),
    ]


def test_pending_with_its_options(here: Here) -> None:
    here.orders()
    here.client.xclaim("orders", "billing", "worker-1", 0, ["1-0"], idle=120_000)
    assert [row["id"] for row in here.json("pending", "orders", "billing", "-i", "1m")] == ["1-0"]
    assert [row["id"] for row in here.json("pending", "orders", "billing", "-c", "worker-2")] == [
        "5-0"
    ]
    here.client.xdel("orders", "3-0")
    rows = here.json("pending", "orders", "billing", "--entries")
    assert rows[0]["fields"] == {"number": "1", "who": "ann"}
    assert rows[2]["fields"] is None
    done = here.run("pending", "orders", "billing", "-e", "-n", "3")
    assert "number=1  who=ann" in done.out
    assert "(deleted)" in done.out
    assert done.err == "3 shown, 4 are pending in the group: --count 0 shows all\n"
    assert "nothing is pending in group mail of orders" in here.run("pending", "orders", "mail").err
    assert "none of the 4" in here.run("pending", "orders", "billing", "-i", "1d").err


def test_pending_without_a_group(here: Here) -> None:
    here.orders()
    done = here.run("pending", "orders")
    assert done.status == 2
    assert "which group of orders?" in done.err
    assert "billing" in done.err
    here.client.xadd("alone", {"a": 1})
    assert "alone has no groups" in here.run("pending", "alone").err


def test_pending_of_many(here: Here) -> None:
    pipeline = here.client.pipeline(transaction=False)
    for number in range(1, 2501):
        pipeline.xadd("s", {"a": 1}, id=f"{number}-0")
    pipeline.execute()
    here.client.xgroup_create("s", "g", "0")
    here.client.xreadgroup("g", "c", {"s": ">"})
    rows = here.json("pending", "s", "g", "--count", "0")
    assert [row["id"] for row in rows] == [f"{n}-0" for n in range(1, 2501)]
    done = here.run("pending", "s", "g", "--count", "1500", "--json")
    assert len(json.loads(done.out)) == 1500
    assert done.err == "1,500 shown, 2,500 are pending in the group: --count 0 shows all\n"


def test_what_is_not_there(here: Here) -> None:
    here.orders()
    here.client.set("text", "1")
    for words, text, hint in (
        (("info", "nothing"), "there is no key nothing", "`headwater ls`"),
        (("info", "text"), "text is no stream: it is a string", "`headwater ls`"),
        (("info", "orders", "x"), "orders has no group x", "Its groups: billing, mail"),
        (("pending", "orders", "x"), "orders has no group x", "Its groups: billing, mail"),
        (("pending", "nothing", "x"), "there is no key nothing", ""),
        (
            ("pending", "orders", "billing", "-c", "x"),
            "group billing has no consumer x",
            "Its consumers: worker-1, worker-2",
        ),
        (("tail", "nothing", "-F"), "there is no key nothing", ""),
        (("tail", "text"), "text is no stream: it is a string", ""),
        (("tail", "orders", "-F", "-g", "x"), "orders has no group x", "billing"),
    ):
        done = here.run(*words)
        assert (done.status, done.out) == (1, ""), words
        assert f"headwater: {text}\n" in done.err
        assert hint in done.err


def test_used_wrongly(here: Here) -> None:
    for words in (
        ("info",),
        ("tail", "orders", "--since", "noon"),
        ("pending", "orders", "billing", "--idle", "long"),
        ("ls", "--limit", "-1"),
        ("top", "--sort", "beauty"),
    ):
        done = here.run(*words)
        assert done.status == 2, words
        assert "Usage: headwater " in done.err


# --- tail ---


def test_tail(here: Here) -> None:
    here.orders()
    done = here.run("tail", "orders", "-F", "-n", "2")
    assert (done.status, done.err) == (0, "")
    assert [line.split() for line in done.lines] == [
        ["TIME", "ID", "number", "who"],
        ["-", "5-0", "5", "ann"],
        ["-", "6-0", "6", "ann"],
    ]


def test_tail_since(here: Here) -> None:
    here.orders()
    for number in range(3):
        here.client.xadd("orders", {"late": number})

    def tailed(*words: str) -> list[dict[str, Any]]:
        done = here.run("tail", "orders", "-F", "--json", *words)
        assert (done.status, done.err) == (0, "")
        return [json.loads(line) for line in done.lines]

    assert [row["fields"].get("late") for row in tailed("--since", "10m")] == ["0", "1", "2"]
    assert [row["id"] for row in tailed("--since", "5-0")][:2] == ["5-0", "6-0"]
    assert len(tailed("--since", "5-0")) == 5
    assert [row["fields"] for row in tailed("--since", "0-0", "-n", "1")] == [{"late": "2"}]
    assert tailed("--since", "2100-01-01") == []
    assert tailed("-n", "0") == []
    assert len(tailed()) == 9
    assert all(row["time"].endswith("Z") for row in tailed("--since", "2001-01-01"))


def test_tail_in_a_group(here: Here) -> None:
    here.orders()
    done = here.run("tail", "orders", "-F", "--group", "billing")
    assert [line.split()[1:3] for line in done.lines] == [["ID", "STATE"], ["6-0", "waiting"]]
    done = here.run("tail", "orders", "-F", "-g", "billing", "-n", "5", "--json")
    states = [json.loads(line)["state"] for line in done.lines]
    assert [state.split()[0] for state in states] == [
        *("worker-1", "worker-1", "done", "worker-2", "waiting"),
    ]
    assert here.client.xpending("orders", "billing")["pending"] == 4


def test_tail_of_what_is_no_text(here: Here) -> None:
    words = ("XADD", b"b\xff", "1-1", "a", "1", "a", "2", b"\x1b[31m", b"\x00\xff" * 3000)
    here.client.execute_command(*words)
    done = here.run("tail", b"b\xff", "-F")
    assert "\x1b" not in done.out
    assert "a=2" in done.out
    assert done.out.count("\\x00\\xff") == 3000  # a pipe gets all of it
    row = json.loads(here.run("tail", b"b\xff", "-F", "--json").out)
    assert row["fields"][:2] == [["a", "1"], ["a", "2"]]
    assert row["fields"][2][1]["base64"].startswith("AP8A/")


def test_tail_expanded(here: Here) -> None:
    here.client.execute_command("XADD", "s", "1-1", "a", "1", "longer", "two\nlines")
    done = here.run("tail", "s", "-F", "-x")
    assert done.lines == ["1-1", "  a       1", "  longer  two\\nlines"]


def test_tail_of_many(here: Here) -> None:
    pipeline = here.client.pipeline(transaction=False)
    for number in range(1, 6001):
        pipeline.xadd("s", {"n": number}, id=f"{number}-0")
    pipeline.execute()
    for words in (("--since", "0-0"), ("-n", "7000")):
        done = here.run("tail", "s", "-F", "--json", *words)
        assert [json.loads(line)["id"] for line in done.lines] == [f"{n}-0" for n in range(1, 6001)]


def test_fields_that_few_entries_have_stand_behind_the_columns(here: Here) -> None:
    for number in range(10):
        here.client.xadd("s", {"kind": "a", "n": number}, id=f"{number + 1}-0")
    here.client.xadd("s", {"kind": "b", "rare": "yes"}, id="11-0")
    done = here.run("tail", "s", "-F", "-n", "11")
    assert done.lines[0].split() == ["TIME", "ID", "kind", "n"]
    assert done.lines[-1].split() == ["-", "11-0", "b", "rare=yes"]


def follow(here: Here, *words: str) -> Program:
    return Program([*COMMAND, "tail", *words], clean_environment(here.url))


def test_following(here: Here) -> None:
    here.orders()
    with follow(here, "orders", "-n", "1", "--json") as program:
        assert json.loads(program.expect("6-0"))["fields"]["number"] == "6"
        for number in range(7, 10):
            here.client.xadd("orders", {"number": number}, id=f"{number}-0")
        assert json.loads(program.expect("9-0"))["fields"]["number"] == "9"
        program.process.send_signal(signal.SIGINT)
        output = program.finish()
    assert [json.loads(line)["id"] for line in output.splitlines()] == ["6-0", "7-0", "8-0", "9-0"]


def test_following_what_is_not_there_yet(here: Here) -> None:
    with follow(here, "later") as program:
        program.expect("later is not there yet; waiting for it")
        here.client.xadd("later", {"a": "hello"})
        program.expect("hello")


def test_following_through_a_restart(start: StartServer) -> None:
    server = start("--appendonly", "yes")
    here = Here(server)
    here.orders()
    with follow(here, "orders", "--json") as program:
        program.expect("6-0")
        server.kill()
        program.expect("was lost; trying again")
        again = Server("headwater", server.command, server.port, server.directory)
        try:
            again.wait_ready()
            here.client.xadd("orders", {"number": 7}, id="7-0")
            program.expect("connected to")
            program.expect("7-0")
        finally:
            again.stop()
        lines = [line for line in program.lines if line.startswith("{")]
    assert [json.loads(line)["id"] for line in lines] == [f"{n}-0" for n in range(1, 8)]


def test_following_a_stream_that_begins_anew(start: StartServer) -> None:
    server = start("--appendonly", "no", "--save", "")
    here = Here(server)
    here.orders()
    with follow(here, "orders", "-n", "1") as program:
        program.expect("6-0")
        server.kill()
        program.expect("was lost; trying again")
        again = Server("headwater", server.command, server.port, server.directory)
        try:
            again.wait_ready()
            here.client.xadd("orders", {"number": 1}, id="1-0")
            program.expect("orders begins anew")
            program.expect("1-0")
        finally:
            again.stop()


# --- top ---


def test_top_once(here: Here) -> None:
    here.orders()
    done = here.run("top", "--once", "-i", "0.1")
    assert (done.status, done.err) == (0, "")
    assert "1 stream, by rate" in done.out
    assert "2 groups" in done.out
    assert "headwater-cli" in done.out
    assert "\x1b" not in done.out


def test_the_rates_of_top(here: Here) -> None:
    here.orders()
    with subprocess.Popen(
        [*COMMAND, "top", "-i", "0.2", "--json"],
        stdout=subprocess.PIPE,
        env=clean_environment(here.url),
        text=True,
    ) as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        assert first["streams"][0]["rate"] is None
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            for _ in range(20):
                here.client.xadd("orders", {"a": 1})
            here.client.xreadgroup("billing", "worker-1", {"orders": ">"}, noack=True)
            document = json.loads(process.stdout.readline())
            [stream] = document["streams"]
            billing = document["groups"][0]
            if stream["rate"] and billing["acknowledged_rate"]:
                break
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    assert stream["rate"] > 0
    assert billing["delivered_rate"] > 0
    assert billing["acknowledged_rate"] > 0
    assert any("headwater-cli" in client["lib-name"] for client in document["clients"])


def test_top_through_a_restart(start: StartServer) -> None:
    server = start("--appendonly", "yes")
    here = Here(server)
    here.orders()
    program = Program([*COMMAND, "top", "-i", "0.1"], clean_environment(here.url))
    with program:
        program.expect("orders")
        server.kill()
        program.expect("was lost; trying again")
        again = Server("headwater", server.command, server.port, server.directory)
        try:
            again.wait_ready()
            program.expect("orders")
        finally:
            again.stop()


# --- how it is printed ---


def test_a_closed_pipe_is_no_error(here: Here) -> None:
    pipeline = here.client.pipeline(transaction=False)
    for _ in range(5000):
        pipeline.xadd("s", {"a": "x" * 100})
    pipeline.execute()
    for words in (("tail", "s", "-F", "--since", "0-0"), ("tail", "s", "--since", "0-0", "--json")):
        process = subprocess.Popen(
            [*COMMAND, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=clean_environment(here.url),
        )
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 0
        process.stderr.close()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no full device here")
def test_an_output_that_takes_nothing(here: Here) -> None:
    here.orders()
    for words in (["ls"], ["tail", "orders", "-F", "--json"]):
        with open("/dev/full", "w") as full:
            done = subprocess.run(
                [*COMMAND, *words],
                stdout=full,
                stderr=subprocess.PIPE,
                env=clean_environment(here.url),
                text=True,
                check=False,
            )
        assert done.returncode == 1
        assert done.stderr == "headwater: the output: No space left on device\n"


def test_an_output_that_is_closed(here: Here) -> None:
    here.orders()
    line = " ".join([*map(shlex.quote, COMMAND), "ls", ">&-"])
    done = subprocess.run(
        ["sh", "-c", line], stderr=subprocess.PIPE, env=clean_environment(here.url), check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_other_encodings_of_the_terminal(here: Here) -> None:
    here.client.xadd("päth", {"日本": "テキスト"})
    done = run_alone("ls", url=here.url, PYTHONIOENCODING="ascii")
    assert (done.status, done.err) == (0, "")
    assert "p\\xe4th" in done.out
