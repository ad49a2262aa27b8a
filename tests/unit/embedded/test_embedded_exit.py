"""How a store ends when something of it is still under way: threads that wait, a long script."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

import headwater
from headwater.errors import StoreClosed

ENDLESS = """
import headwater, os, redis, signal, sys, threading
client = headwater.connect(config={"busy-reply-threshold": 1})
engine = client.store
scripts = {"client": lambda: client.eval(LUA, 0), "engine": lambda: engine.eval(LUA, 0)}
LUA = "while true do end"

def interrupt():
    while True:
        try:
            engine.ping()
        except redis.ResponseError:  # BUSY
            break
    os.kill(os.getpid(), signal.SIGINT)

threading.Thread(target=interrupt).start()
try:
    scripts[sys.argv[1]]()
except (KeyboardInterrupt, redis.ResponseError):
    print("ended")
engine.xadd("s", {"a": 1})
print(client.xlen("s"))
other = threading.Thread(target=lambda: print(client.ping()))
other.start()
other.join()
client.close()
print("closed")
"""

BUSY = """
import headwater, sys, threading
client = headwater.connect(sys.argv[1])
engine = client.store
started = threading.Barrier(6)

def forever(call):
    def run():
        call()
        started.wait()
        while True:
            call()
    threading.Thread(target=run, daemon=True).start()

def blocked(call):
    def run():
        started.wait()
        call()
    threading.Thread(target=run, daemon=True).start()

forever(lambda: engine.xadd("s", {"a": 1}))
forever(lambda: client.xadd("s", {"a": 1}))
blocked(lambda: engine.blpop("l", timeout=0))
blocked(lambda: client.blpop("l", 0))
blocked(lambda: client.xread({"t": "$"}, block=0))
started.wait()
while client.info("clients")["blocked_clients"] < 3:
    pass
"""


def test_daemon_threads_end_with_the_interpreter_in_silence(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BUSY, str(tmp_path / "s")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    with headwater.open(tmp_path / "s") as engine:
        assert engine.xlen("s") >= 2


@pytest.mark.skipif(sys.platform == "win32", reason="a signal ends the process there")
@pytest.mark.parametrize("by", ["client", "engine"])
def test_a_script_that_never_ends_is_ended_by_ctrl_c(by: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ENDLESS, by], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.split() == ["ended", "1", "True", "closed"], done.stderr


@pytest.mark.parametrize(
    "end", [headwater.Engine.close, headwater.Engine.crash], ids=["close", "crash"]
)
def test_a_script_that_never_ends_is_not_waited_for(
    end: Callable[[headwater.Engine], None], tmp_path: Path
) -> None:
    engine = headwater.open(
        tmp_path / "s", config={"busy-reply-threshold": 1, "appendfsync": "always"}
    )
    engine.xadd("s", {"a": 1})
    failed: list[BaseException] = []

    def run() -> None:
        try:
            engine.eval("redis.call('xadd', 's', '*', 'a', 2) while true do end", 0)
        except (StoreClosed, redis.RedisError) as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    while True:
        try:
            engine.ping()
        except redis.ResponseError:  # BUSY
            break
    end(engine)
    thread.join()
    assert len(failed) == 1
    with headwater.open(tmp_path / "s") as again:
        assert again.xlen("s") == 1
