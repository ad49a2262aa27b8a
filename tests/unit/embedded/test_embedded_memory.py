"""A store without a path: whatever would write files says that there is nowhere to."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis

import headwater
from headwater.errors import StoreError

REFUSED = [
    "SAVE",
    "BGSAVE",
    "BGSAVE SCHEDULE",
    "BGREWRITEAOF",
    "SHUTDOWN SAVE",
    "DEBUG RELOAD",
    "DEBUG RELOAD NOSAVE",
    "DEBUG LOADAOF",
    "CONFIG SET appendonly yes",
]


@pytest.mark.parametrize("words", REFUSED)
def test_it_says_so(words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with headwater.connect(config={"enable-debug-command": "yes"}) as client:
        client.xadd("s", {"a": 1})
        with pytest.raises(redis.ResponseError, match=r"in memory; .* headwater\.open\(path\)"):
            client.execute_command(*words.split())
        with client.pipeline(transaction=words.startswith("BG")) as pipe:
            pipe.execute_command(*words.split()).xadd("s", {"a": 2})
            first, second = pipe.execute(raise_on_error=False)
        assert isinstance(first, redis.ResponseError)
        assert isinstance(second, bytes)
        assert client.xlen("s") == 2
        assert client.config_get("appendonly") == {"appendonly": "no"}
    assert list(tmp_path.iterdir()) == []


def test_save_points() -> None:
    with headwater.connect(decode_responses=True) as client:
        with pytest.raises(redis.ResponseError, match=r"'save'.* in memory"):
            client.config_set("save", "60 1")
        assert client.config_get("save") == {"save": ""}
        assert client.config_set("save", "")


@pytest.mark.parametrize("config", [{"appendonly": True}, {"save": "60 1"}])
def test_a_configuration(config: dict[str, str | bool]) -> None:
    with pytest.raises(StoreError, match=r"in memory; .* headwater\.open\(path\)"):
        headwater.open(config=config)


def test_it_ends_by_shutdown() -> None:
    client = headwater.connect()
    client.shutdown()
    client.store.store.wait_closed()
    assert not client.store.is_open
