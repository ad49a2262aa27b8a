"""What runs the pages notices when a page says what is not so."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from headwater.errors import HeadwaterError
from support.page_run import PageError, run_page
from support.shown import Shown

FENCE = "```"


def page(tmp_path: Path, *blocks: str) -> str:
    path = tmp_path / "page.md"
    path.write_text("# A page\n\n" + "\n\n".join(textwrap.dedent(block) for block in blocks) + "\n")
    return str(path)


def fenced(language: str, text: str) -> str:
    return f"{FENCE}{language}\n{textwrap.dedent(text).strip()}\n{FENCE}"


ADD = fenced(
    "redis",
    """
    127.0.0.1:6379> XADD orders * total 10.00
    "1732348800000-0"
    127.0.0.1:6379> XGROUP CREATE orders shop 0
    OK
    127.0.0.1:6379> XREADGROUP GROUP shop w1 COUNT 10 STREAMS orders >
    1) 1) "orders"
       2) 1) 1) "1732348800000-0"
             2) 1) "total"
                2) "10.00"
    127.0.0.1:6379> XACK orders shop 1732348800000-0
    (integer) 1
    """,
)
PYTHON = fenced(
    "python",
    """
    import redis

    client = redis.Redis(decode_responses=True)
    client.xlen("orders")  # -> 1
    for entry_id, fields in client.xrange("orders"):
        print(entry_id, fields)  # -> 1732348800000-0 {'total': '10.00'}
    """,
)


def test_a_page_in_which_all_is_true(tmp_path: Path) -> None:
    output = fenced("output", "1732348800000-0 {'total': '10.00'}")
    console = fenced(
        "console", "$ redis-cli XLEN orders\n(integer) 1\n$ redis-cli -p 6379 PING\nPONG"
    )
    hidden = "<!-- run\nassert client.get('a') is None\n-->"
    waits = "<!-- until: waiting -->\n\n" + fenced(
        "python",
        """
        import time

        while True:
            print("waiting")
            time.sleep(60)
        """,
    )
    awaits = fenced("python", "import asyncio\nawait asyncio.sleep(0)\nprint(entry_id[0])  # -> 1")
    run_page(page(tmp_path, ADD, PYTHON, output, console, hidden, waits, awaits), tmp_path)


@pytest.mark.parametrize(
    ("blocks", "complaint"),
    [
        ([ADD.replace("(integer) 1", "(integer) 2")], "integer"),
        ([ADD.replace("XACK orders shop 1732348800000-0", "XACK orders shop 1-0")], "integer"),
        ([ADD, PYTHON.replace("-> 1\n", "-> 2\n")], "shows"),
        ([ADD, PYTHON, fenced("output", "nothing")], "shows"),
        ([fenced("python", "import nothing_of_that_name")], "ModuleNotFoundError"),
        (["<!-- raises: KeyError -->\n" + fenced("python", "{}.get(1)")], "was not raised"),
        (["<!-- until: end -->\n" + fenced("python", "print(1)")], "printed only"),
        (["<!-- unless: end -->\n" + fenced("python", "print(1)")], "what is"),
        ([fenced("python", "for i in []:\n    print(i)  # -> 1")], "no value came"),
        ([fenced("console", "$ redis-cli PING\nPANG")], "PONG"),
        ([fenced("console", "$ false")], "ended with 1"),
        ([fenced("sh", "headwater no-such-command")], "ended with 2"),
        ([fenced("sh", "pip install headwater[such]")], "no extra"),
        ([fenced("conf", "appendfsync sometimes")], "appendfsync"),
        ([fenced("conf", "append-fsync always")], "append-fsync"),
        ([fenced("toml", "a = ")], "Invalid"),
        ([fenced("", "x = 1")], "no language"),
        ([fenced("text", "headwater serve --dir data")], "no text"),
        ([ADD, "<!-- passes: 1 minute -->"], "no clock"),
    ],
)
def test_a_page_that_is_wrong(tmp_path: Path, blocks: list[str], complaint: str) -> None:
    name = page(tmp_path, *blocks)
    with pytest.raises((PageError, AssertionError, ValueError, HeadwaterError), match=complaint):
        run_page(name, tmp_path)


def test_a_still_clock(tmp_path: Path) -> None:
    session = fenced(
        "redis",
        """
        main> XADD jobs * a 1
        "1795424400000-0"
        main> XGROUP CREATE jobs g 0
        OK
        worker> XREADGROUP GROUP g worker STREAMS jobs >
        1) 1) "jobs"
           2) 1) 1) "1795424400000-0"
                 2) 1) "a"
                    2) "1"
        (an hour passes)
        main> XPENDING jobs g - + 1
        1) 1) "1795424400000-0"
           2) "worker"
           3) (integer) 3660000
           4) (integer) 1
        """,
    )
    first, second = session.split("(an hour passes)\n")
    clock = "<!-- clock: 2026-11-23T09:00Z -->"
    halves = [
        clock,
        first + FENCE,
        "<!-- passes: 1 minute -->",
        f"{FENCE}redis\n(an hour passes)\n{second}",
    ]
    run_page(page(tmp_path, *halves), tmp_path)


def test_ids_stand_for_ids() -> None:
    shown = Shown()
    assert shown.same('"1732348800000-0"', '"1800000000001-0"')
    assert not shown.same('"1732348800000-0"', '"1800000000002-0"')
    assert not shown.same('"1732348800001-0"', '"1800000000001-0"')
    assert (
        shown.real("XACK 1732348800000-0 1732348800000 5-0")
        == "XACK 1800000000001-0 1800000000001 5-0"
    )
    assert shown.same("idle 1832 ms\n...\nend", "idle 7 ms\na\nb\nend", ["1832"])
    assert not shown.same("idle 1832 ms", "idle 7 ms")
