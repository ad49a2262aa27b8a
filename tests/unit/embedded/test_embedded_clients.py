"""redis-py on a store of this process: what a socket's client can do, this one can."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

import headwater
from headwater.errors import StoreError


@pytest.fixture(params=[2, 3])
def client(request: pytest.FixtureRequest) -> Iterator[Any]:
    with headwater.connect(protocol=request.param) as client:
        yield client


def error_of(command: Any, *words: str) -> str:
    """The error that a command is answered with; "" for none."""
    try:
        command(*words)
    except redis.ResponseError as error:
        return str(error)
    return ""


def wait_blocked(client: Any, number: int) -> None:
    """Return when so many clients wait."""
    while client.info("clients")["blocked_clients"] < number:
        pass


def test_it_is_redis_py(client: Any) -> None:
    assert isinstance(client, redis.Redis)
    assert client.ping() is True
    assert client.client_info()["addr"].startswith("embedded:")
    assert client.client_info()["lib-name"] == "redis-py"


def test_a_pipeline(client: Any) -> None:
    with client.pipeline(transaction=False) as pipe:
        for n in range(5000):
            pipe.xadd("s", {"n": n})
        assert len(pipe.execute()) == 5000
    assert client.xlen("s") == 5000


def test_errors_in_a_pipeline(client: Any) -> None:
    pipe = client.pipeline(transaction=False)
    pipe.set("k", "v").xadd("k", {"a": 1}).get("k")
    replies = pipe.execute(raise_on_error=False)
    assert replies[0] is True
    assert isinstance(replies[1], redis.ResponseError)
    assert replies[2] == b"v"
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        client.xadd("k", {"a": 1})


def test_a_transaction_and_its_watch(client: Any) -> None:
    with client.pipeline() as pipe:
        pipe.watch("k")
        pipe.multi()
        pipe.set("k", "mine")
        client.set("k", "other")
        with pytest.raises(redis.WatchError):
            pipe.execute()
    assert client.transaction(lambda pipe: pipe.multi() or pipe.incr("n"), "n") == [1]


def test_scripts(client: Any) -> None:
    script = client.register_script("return redis.call('XADD', KEYS[1], '*', 'a', ARGV[1])")
    assert script(keys=["s"], args=["1"]) == client.xrevrange("s")[0][0]
    with pytest.raises(redis.exceptions.NoScriptError):
        client.evalsha("0" * 40, 0)


def test_a_blocking_read_is_woken(client: Any) -> None:
    got: list[Any] = []
    reader = threading.Thread(target=lambda: got.append(client.xread({"s": "$"}, block=0)))
    reader.start()
    wait_blocked(client, 1)
    entry_id = client.xadd("s", {"a": 1})
    reader.join()
    assert entry_id in str(got[0]).encode()


def test_blocking_pops_are_served_in_order(client: Any) -> None:
    got: list[bytes] = []
    threads = []
    for n in range(3):
        threads.append(threading.Thread(target=lambda: got.append(client.blpop(["l"])[1])))
        threads[n].start()
        wait_blocked(client, n + 1)
    client.rpush("l", "a", "b", "c")
    for thread in threads:
        thread.join()
    assert sorted(got) == [b"a", b"b", b"c"]


def test_a_read_that_is_timed_out(client: Any) -> None:
    assert not client.xread({"s": "$"}, block=1)
    impatient = client.store.connect(socket_timeout=0.01, retry=Retry(NoBackoff(), 0))
    with pytest.raises(redis.TimeoutError):
        impatient.xread({"s": "$"}, block=0)
    assert impatient.ping()
    assert client.info("clients")["blocked_clients"] == 0
    impatient.close()


def test_what_comes_behind_a_blocking_command_waits_for_it(client: Any) -> None:
    pipe = client.pipeline(transaction=False)
    pipe.blpop(["l"], 0)
    pipe.set("after", "1")
    got: list[Any] = []
    thread = threading.Thread(target=lambda: got.extend(pipe.execute()))
    thread.start()
    wait_blocked(client, 1)
    assert client.get("after") is None
    client.rpush("l", "x")
    thread.join()
    assert got[1] is True
    assert client.get("after") == b"1"


def test_pubsub_and_its_thread(client: Any) -> None:
    pubsub = client.pubsub()
    got: list[Any] = []
    seen = threading.Event()

    def handle(message: dict[str, Any]) -> None:
        got.append(message["data"])
        if len(got) == 100:
            seen.set()

    pubsub.subscribe(news=handle)
    thread = pubsub.run_in_thread(sleep_time=10)
    for n in range(100):
        client.publish("news", n)
    assert seen.wait(30)
    thread.stop()
    client.publish("news", "the last one wakes it")
    thread.join(30)
    assert got[:100] == [b"%d" % n for n in range(100)]


def test_get_message_waits_as_long_as_it_says(client: Any) -> None:
    pubsub = client.pubsub(ignore_subscribe_messages=True)
    pubsub.psubscribe("n*")
    assert pubsub.get_message() is None
    assert pubsub.get_message(timeout=0.01) is None
    client.publish("news", "x")
    message = pubsub.get_message(timeout=30)
    assert message["type"] == "pmessage"
    assert message["data"] == b"x"
    pubsub.unsubscribe()
    pubsub.close()


def test_a_client_that_is_killed_connects_again(client: Any) -> None:
    other = client.store.connect(single_connection_client=True, client_name="other")
    number = other.client_id()
    assert client.client_kill_filter(_id=number) == 1
    assert number not in [int(one["id"]) for one in client.client_list()]
    assert other.ping() is True
    assert other.client_id() != number
    assert other.client_getname() in (b"other", "other")
    other.close()


def test_a_client_that_is_killed_while_it_waits(client: Any) -> None:
    other = client.store.connect(retry=Retry(NoBackoff(), 0))
    failed: list[BaseException] = []

    def read() -> None:
        try:
            other.xread({"s": "$"}, block=0)
        except redis.ConnectionError as error:
            failed.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    wait_blocked(client, 1)
    (blocked,) = [one for one in client.client_list() if "b" in one["flags"]]
    client.client_kill_filter(_id=blocked["id"])
    thread.join()
    assert len(failed) == 1


def test_databases_names_and_decoding(client: Any) -> None:
    other = client.store.connect(db=3, client_name="three", decode_responses=True)
    other.set("k", "grün")
    assert client.get("k") is None
    assert other.get("k") == "grün"
    assert other.client_getname() == "three"
    assert other.xadd("s", {"a": "b"}) in dict(other.xrange("s"))
    other.close()


def test_monitor(client: Any) -> None:
    with client.monitor() as monitor:
        client.set("k", "v")
        seen = next(one for one in monitor.listen() if one["command"].startswith("SET"))
        assert seen["command"] == "SET k v"


def test_a_big_reply_is_one_moment(client: Any) -> None:
    pipe = client.pipeline(transaction=False)
    for n in range(20_000):
        pipe.xadd("s", {"n": n, "text": "x" * 100})
    pipe.execute()
    connection = client.connection_pool.get_connection()
    connection.send_command("XRANGE", "s", "-", "+")
    client.delete("s")
    assert len(connection.read_response()) == 20_000
    client.connection_pool.release(connection)
    value = b"y" * 3_000_000
    pipe.set("big", value).get("big").ping().strlen("big")
    assert pipe.execute() == [True, value, True, len(value)]


def test_health_checks(client: Any) -> None:
    other = client.store.connect(health_check_interval=1)
    assert other.ping()
    connection = other.connection_pool.get_connection()
    connection.next_health_check = 0
    other.connection_pool.release(connection)
    assert other.get("k") is None
    other.close()


def test_passwords_and_users(client: Any) -> None:
    client.acl_setuser(
        "reader", enabled=True, passwords=["+secret"], keys=["r:*"], commands=["+get"]
    )
    reader = client.store.connect(username="reader", password="secret")
    assert reader.get("r:1") is None
    with pytest.raises(redis.exceptions.NoPermissionError):
        reader.get("w:1")
    wrong = client.store.connect(username="reader", password="wrong")
    with pytest.raises(redis.exceptions.AuthenticationError):
        wrong.get("r:1")
    for one in (reader, wrong):
        one.close()


def test_too_many_clients() -> None:
    with headwater.connect(config={"maxclients": 2}) as client:
        held = [client.connection_pool.get_connection() for _ in range(2)]
        with pytest.raises(redis.ConnectionError):
            client.ping()
        for connection in held:
            client.connection_pool.release(connection)
        assert client.ping()


def test_a_script_that_runs_too_long_is_killed_by_another_thread() -> None:
    with headwater.connect(config={"busy-reply-threshold": 20}) as client:
        failed: list[str] = []

        def run() -> None:
            try:
                client.eval("while true do end", 0)
            except redis.ResponseError as error:
                failed.append(str(error))

        thread = threading.Thread(target=run)
        thread.start()
        while not error_of(client.get, "k").startswith("BUSY"):
            pass
        while thread.is_alive() and not error_of(client.script_kill).startswith("NOTBUSY"):
            pass
        thread.join()
        assert "killed" in failed[0]
        assert client.get("k") is None


def test_what_needs_a_socket_is_refused() -> None:
    with headwater.open() as engine:
        for name in ("host", "port", "unix_socket_path", "ssl_certfile"):
            with pytest.raises(StoreError, match=name):
                engine.connect(**{name: 1})
        with pytest.raises(TypeError, match="nonsense"):
            engine.connect(nonsense=1)
