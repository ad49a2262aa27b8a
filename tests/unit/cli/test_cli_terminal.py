"""The command line on a terminal: a pseudo-terminal of 80 or 120 columns, with and without rich."""

from __future__ import annotations

import signal

import pytest
import redis

from headwater.cli.words import width_of
from support.command_line import Terminal
from support.servers import Server

pytest.importorskip("rich")

CYAN, ALTERNATE, BACK = "\x1b[36m", "\x1b[?1049h", "\x1b[?1049l"


@pytest.fixture(params=["headwater", "reference"])
def url(request: pytest.FixtureRequest) -> str:
    server: Server = request.getfixturevalue(request.param)
    client = redis.Redis(port=server.port)
    for number in range(1, 41):
        fields = {"number": number, "customer": "日本語", "note": "x" * 10 * number}
        client.xadd("orders", fields, id=f"{number}-0")
    client.xgroup_create("orders", "billing", "0")
    client.xreadgroup("billing", "worker-1", {"orders": ">"}, count=4)
    client.xadd("a-stream-with-quite-a-long-name:" + "x" * 100, {"a": 1})
    client.xadd(b"bin\xff\x1b[31m", {b"\x1b[2J": b"\x1b]0;title\x07" + b"\xff" * 9000})
    return f"redis://127.0.0.1:{server.port}"


def widest(text: str) -> int:
    return max(width_of(line) for line in text.splitlines())


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("rich", ["1", "0"])
def test_no_line_is_wider_than_the_terminal(url: str, columns: int, rich: str) -> None:
    for words in (
        ("ls",),
        ("info", "orders"),
        ("pending", "orders", "billing", "-e"),
        ("tail", "orders", "-F", "-n", "20"),
        ("tail", "orders", "-F", "-n", "20", "-g", "billing"),
    ):
        with Terminal(words, url, columns=columns, HEADWATER_RICH=rich) as terminal:
            assert terminal.finish() == 0
        assert terminal.text
        assert widest(terminal.text) <= columns, terminal.text
        assert ("\x1b[" in terminal.output) == (rich == "1")


def test_colours(url: str) -> None:
    with Terminal(["ls"], url) as terminal:
        assert terminal.finish() == 0
    assert CYAN in terminal.output
    assert "a-stream-with-" in terminal.text
    assert "…" in terminal.text
    assert "bin\\xff\\x1b[31m" in terminal.text
    with Terminal(["ls"], url, NO_COLOR="1") as terminal:
        assert terminal.finish() == 0
    assert CYAN not in terminal.output
    with Terminal(["ls"], url, TERM="dumb") as terminal:
        assert terminal.finish() == 0
    assert "\x1b" not in terminal.output
    with Terminal(["ls", "--json"], url) as terminal:
        assert terminal.finish() == 0
    assert "\x1b" not in terminal.output


def test_stored_bytes_do_not_steer_the_terminal(url: str) -> None:
    server = redis.Redis.from_url(url)
    for name in (b"s", b"bin\xff\x1b[31m"):
        server.xadd(name, {b"\x1b[2J": b"\x1b]0;title\x07" + b"\xff" * 9000})
    for rich in ("1", "0"):
        for more in ([], ["-x"]):
            with Terminal(["tail", "s", "-F", *more], url, HEADWATER_RICH=rich) as terminal:
                assert terminal.finish() == 0
            assert "\x1b[2J" not in terminal.output
            assert "\x1b]0" not in terminal.output
            assert "\x07" not in terminal.output
            assert "\\x1b[2J" in terminal.text
    assert len(terminal.text) > 4 * 9000  # -x cuts nothing


def test_following_until_ctrl_c(url: str) -> None:
    client = redis.Redis.from_url(url)
    with Terminal(["tail", "orders", "-n", "1"], url) as terminal:
        terminal.expect("40-0")
        client.xadd("orders", {"number": 41, "customer": "bob", "note": "new"}, id="41-0")
        assert "new" in terminal.expect("41-0") + terminal.expect("\n")
        terminal.press("\x03")
        assert terminal.finish() == 0
    assert "Traceback" not in terminal.text


def test_headings_come_again_once_a_screen(url: str) -> None:
    with Terminal(["tail", "orders", "-F", "-n", "40"], url, lines=15) as terminal:
        assert terminal.finish() == 0
    assert terminal.text.count("TIME  ID") == 4


def test_top(url: str) -> None:
    with Terminal(["top", "-i", "0.2"], url, columns=100, lines=30) as terminal:
        terminal.expect("by rate")
        terminal.expect("billing")
        terminal.expect("q ends")
        terminal.press("s")
        terminal.expect("by length")
        terminal.press("q")
        assert terminal.finish() == 0
    assert terminal.output.count(ALTERNATE) == terminal.output.count(BACK) == 1
    assert terminal.output.index(ALTERNATE) < terminal.output.index(BACK)


def test_top_until_ctrl_c_and_in_another_size(url: str) -> None:
    with Terminal(["top", "-i", "0.2"], url, columns=120, lines=40) as terminal:
        terminal.expect("q ends")
        terminal.resize(60, 12)
        terminal.process.send_signal(signal.SIGWINCH)
        terminal.press(" ")
        terminal.expect("more below")
        terminal.press("\x03")
        assert terminal.finish() == 0
    assert BACK in terminal.output
    assert "Traceback" not in terminal.text


def test_a_top_that_is_ended_leaves_the_terminal_as_it_was(url: str) -> None:
    with Terminal(["top", "-i", "0.2"], url) as terminal:
        terminal.expect("q ends")
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.finish() == 128 + signal.SIGTERM
    assert BACK in terminal.output


def test_top_without_rich(url: str) -> None:
    with Terminal(["top", "-i", "0.1"], url, HEADWATER_RICH="0") as terminal:
        for _ in range(3):
            terminal.expect("by rate")
        terminal.press("\x03")
        assert terminal.finish() == 0
    assert "\x1b" not in terminal.output


def test_errors_on_a_terminal() -> None:
    with Terminal(["tail", "orders"], "redis://:s3cret@127.0.0.1:1") as terminal:
        assert terminal.finish() == 1
    assert "connection refused" in terminal.text
    assert "s3cret" not in terminal.text
