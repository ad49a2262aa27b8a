"""CLIENT TRACKING and its relatives: off, as in a Redis where nobody has switched it on."""

from __future__ import annotations

import pytest

from support.embedded import Embedded
from support.servers import Server
from support.wire import Connection

AS_REDIS = [
    "CLIENT TRACKING OFF",
    "CLIENT TRACKING off BCAST NOLOOP OPTIN OPTOUT",
    "CLIENT TRACKING",
    "CLIENT TRACKING FOO",
    "CLIENT TRACKING ON FOO",
    "CLIENT TRACKING ON REDIRECT",
    "CLIENT TRACKING ON REDIRECT 987654",
    "CLIENT TRACKING OFF REDIRECT 987654",
    "CLIENT TRACKING ON REDIRECT x",
    "CLIENT TRACKING ON PREFIX a",
    "CLIENT TRACKING ON OPTIN OPTOUT",
    "CLIENT TRACKING ON BCAST OPTIN",
    "CLIENT TRACKINGINFO",
    "CLIENT TRACKINGINFO x",
    "CLIENT GETREDIR",
    "CLIENT CACHING YES",
    "CLIENT CACHING NO",
    "CLIENT CACHING FOO",
    "CLIENT CACHING",
]


@pytest.mark.parametrize("resp", [2, 3])
def test_answers_as_redis(redis_server: Server, resp: int) -> None:
    with Connection("127.0.0.1", redis_server.port) as theirs:
        theirs.hello(resp)
        ours = Embedded(resp).main
        for line in AS_REDIS:
            assert ours.call(*line.split(" ")) == theirs.call(*line.split(" ")), line


@pytest.mark.parametrize("options", ["", " BCAST PREFIX a PREFIX b", " OPTIN NOLOOP"])
def test_it_cannot_be_switched_on(options: str) -> None:
    client = Embedded().main
    kind, text = client.call(*f"CLIENT TRACKING ON{options}".split(" "))
    assert kind == "-"
    assert text.startswith(b"ERR CLIENT TRACKING is not supported")
    assert client.ok("CLIENT", "GETREDIR") == -1
