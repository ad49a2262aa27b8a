"""The failure behind an exception: what redis-py and the system say, in words for people."""

from __future__ import annotations

import redis

from headwater.cli.failure import Failure, of_file
from headwater.errors import HeadwaterError


def explain(error: Exception, shown_url: str) -> Failure:
    """The failure behind an exception of redis-py or of this package.

    `shown_url` is the server's address as it may be shown, without a password.
    """
    text = str(error)
    if isinstance(error, HeadwaterError):
        return Failure(text)
    if isinstance(error, redis.AuthenticationError | redis.exceptions.AuthorizationError):
        return _refused_login(text, shown_url)
    if isinstance(error, redis.BusyLoadingError):
        return Failure(f"{shown_url} is still loading its data", "Try again in a moment.")
    if isinstance(error, OSError):  # of a file: redis-py has errors of its own for connections
        return of_file(error)
    if isinstance(error, redis.ConnectionError | redis.TimeoutError):
        return _unreachable(error, text, shown_url)
    if isinstance(error, redis.exceptions.NoPermissionError) or text.startswith("NOPERM"):
        return Failure(
            f"this user may not do that: {_sentence(text)}",
            "Give the user more rights (ACL SETUSER), or name another in the URL: "
            "redis://USER:PASSWORD@HOST:PORT",
        )
    if isinstance(error, redis.exceptions.AskError):  # MovedError is one
        return Failure(
            f"the key is on another node of the cluster: {error.host}:{error.port}",
            f"Give --url redis://{error.host}:{error.port}",
        )
    if isinstance(error, redis.ReadOnlyError):
        return Failure(f"{shown_url} is a read-only replica", "Give --url of its master.")
    if isinstance(error, redis.OutOfMemoryError):
        return Failure(
            f"{shown_url} is at its memory limit and takes no writes",
            "Raise maxmemory (CONFIG SET), trim streams, or choose an eviction policy.",
        )
    return _reply(text, shown_url)


def _refused_login(text: str, shown_url: str) -> Failure:
    if "required" in text.lower() or "NOAUTH" in text:
        return Failure(
            f"{shown_url} asks for a password",
            "Put it into HEADWATER_PASSWORD, or into the URL: redis://:PASSWORD@HOST:PORT "
            "(redis://USER:PASSWORD@... for an ACL user).",
        )
    return Failure(
        f"{shown_url} refused the user name or the password",
        "See HEADWATER_PASSWORD, --url and HEADWATER_URL.",
    )


def _unreachable(error: Exception, text: str, shown_url: str) -> Failure:
    lower = text.lower()
    where = "Give another address by --url or HEADWATER_URL."
    if "refused" in lower:
        return Failure(
            f"nothing listens at {shown_url} (connection refused)",
            f"Start a server with `headwater serve`. {where}",
        )
    if "no such file" in lower or "error 2 " in lower:
        return Failure(f"there is no socket at {shown_url}", where)
    if "name or service" in lower or "nodename" in lower or "resolution" in lower:
        return Failure(f"the name of the host of {shown_url} is not known", where)
    if "certificate" in lower or "ssl" in lower or "tls" in lower:
        return Failure(
            f"TLS with {shown_url} failed: {_sentence(text)}",
            "Name the authority's certificate: rediss://HOST:PORT?ssl_ca_certs=ca.crt; a client "
            "certificate by ssl_certfile and ssl_keyfile.",
        )
    if isinstance(error, redis.TimeoutError) or "timed out" in lower:
        return Failure(f"{shown_url} did not answer in time", where)
    if "closed" in lower or "reset by peer" in lower or "broken pipe" in lower:
        return Failure(
            f"the connection to {shown_url} was closed",
            "The server went away, or expects TLS: then the URL begins with rediss://.",
        )
    return Failure(f"{shown_url}: {_sentence(text)}", where)


def _reply(text: str, shown_url: str) -> Failure:
    lower = text.lower()
    if "unknown command" in lower or "unknown subcommand" in lower:
        return Failure(f"the server at {shown_url} does not have that: {_sentence(text)}")
    if "db index is out of range" in lower:
        return Failure(
            f"{shown_url} has no database of that number",
            "`CONFIG GET databases` tells how many it has, 16 in most cases, from 0 on.",
        )
    if lower.startswith("wrongtype"):
        return Failure("the key holds no stream", "`headwater ls` lists the streams.")
    return Failure(_sentence(text))


def _sentence(text: str) -> str:
    """An error reply without the code in front of it."""
    code, space, rest = text.partition(" ")
    return rest if space and code in ("ERR", "NOPERM", "WRONGTYPE", "NOGROUP") else text
