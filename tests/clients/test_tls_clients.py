"""Real clients over TLS: redis-py, its asyncio half, redis-cli."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import redis.asyncio
from redis.backoff import NoBackoff
from redis.retry import Retry

from support import servers
from support.certificates import Authority, Certificates
from support.servers import free_port

pytestmark = pytest.mark.skipif(
    os.environ.get("HEADWATER_TEST_SUBJECT", "") == "redis", reason="that one has no TLS built in"
)
TOOL_SECONDS = 60


@pytest.fixture(scope="module")
def port(certificates: Certificates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A server that takes clients with a certificate only."""
    port = free_port()
    server = servers.start_subject(tmp_path_factory.mktemp("tls"), *certificates.flags(port))
    yield port
    server.stop()


def settings(certificates: Certificates, port: int, protocol: int) -> dict[str, object]:
    return {
        "host": "localhost",
        "port": port,
        "protocol": protocol,
        "decode_responses": True,
        "ssl": True,
        "ssl_ca_certs": certificates.authority.path,
        "ssl_certfile": certificates.client.certificate,
        "ssl_keyfile": certificates.client.key,
    }


@pytest.mark.parametrize("protocol", [2, 3])
def test_redis_py(certificates: Certificates, port: int, protocol: int) -> None:
    with redis.Redis(**settings(certificates, port, protocol)) as client:
        client.flushall()
        client.xgroup_create("s", "g", mkstream=True)
        payload = "x" * 300_000
        first = client.xadd("s", {"f": payload})
        found = client.xreadgroup("g", "c", {"s": ">"})
        entries = found["s"][0] if protocol == 3 else found[0][1]
        assert entries == [(first, {"f": payload})]
        assert client.xack("s", "g", first) == 1
        with client.pipeline(transaction=True) as pipe:
            for number in range(500):
                pipe.xadd("many", {"n": number})
            assert len(pipe.execute()) == 500
        waiting = threading.Timer(0.2, lambda: client.xadd("later", {"a": "b"}))
        waiting.start()
        assert client.xread({"later": "$"}, block=20_000)
        waiting.join()
        listener = client.pubsub()
        listener.subscribe("news")
        assert listener.get_message(timeout=20)["type"] == "subscribe"
        client.publish("news", "hello")
        assert listener.get_message(timeout=20)["data"] == "hello"
        listener.close()


@pytest.mark.parametrize("protocol", [2, 3])
def test_redis_py_asyncio(certificates: Certificates, port: int, protocol: int) -> None:
    async def main() -> None:
        async with redis.asyncio.Redis(**settings(certificates, port, protocol)) as client:
            await client.flushall()

            async def worker(number: int) -> str:
                await client.xadd(f"in:{number}", {"n": number})
                return str(await client.execute_command("XLEN", f"in:{number}"))

            assert await asyncio.gather(*(worker(n) for n in range(50))) == ["1"] * 50
            reader = asyncio.create_task(client.xread({"later": "$"}, block=20_000))
            while not (await client.info("clients"))["blocked_clients"]:
                await asyncio.sleep(0.01)
            await client.xadd("later", {"a": "b"})
            assert await reader

    asyncio.run(main())


def test_redis_py_without_what_is_asked_for(
    certificates: Certificates, port: int, tmp_path: Path
) -> None:
    without = settings(certificates, port, 2)
    del without["ssl_certfile"], without["ssl_keyfile"]
    stranger = Authority(tmp_path, "other")
    shown = stranger.issue("stranger", is_client=True)
    sound = settings(certificates, port, 2)
    for wrong in (
        without,
        {**sound, "ssl_ca_certs": stranger.path},
        {**sound, "ssl_certfile": shown.certificate, "ssl_keyfile": shown.key},
        {"host": "localhost", "port": port},
    ):
        once = Retry(NoBackoff(), 0)
        with pytest.raises(redis.ConnectionError), redis.Redis(**wrong, retry=once) as client:
            client.ping()


def test_client_side_caching_is_refused_in_words(certificates: Certificates, port: int) -> None:
    """Who asks for it is told; whoever does not is not concerned."""
    from redis.cache import CacheConfig

    asking = {**settings(certificates, port, 3), "cache_config": CacheConfig()}
    with (
        pytest.raises(redis.RedisError, match="not supported"),
        redis.Redis(**asking) as client,
    ):
        client.get("k")


def test_redis_cli(certificates: Certificates, port: int) -> None:
    path = shutil.which("redis-cli")
    if path is None:
        pytest.skip("redis-cli is not on this machine (Debian: redis-tools)")

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [path, "-h", "127.0.0.1", "-p", str(port), "--tls"]
        command += ["--cacert", certificates.authority.path, *words]
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TOOL_SECONDS,
        )

    if "Unrecognized option" in run("PING").stderr:
        pytest.skip("this redis-cli was built without TLS")
    shown = ("--cert", certificates.client.certificate, "--key", certificates.client.key)
    assert run(*shown, "SET", "k", "x" * 100_000).stdout == "OK\n"
    assert run(*shown, "STRLEN", "k").stdout == "100000\n"
    assert run("PING").stdout != "PONG\n", "without a certificate"
    scripted = run(*shown, "-r", "50", "XADD", "s", "*", "a", "b")
    assert len(scripted.stdout.split()) == 50
