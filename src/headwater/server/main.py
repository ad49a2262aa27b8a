"""The process around a server: log, limits, signals, the words on the screen."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Iterator

import headwater
from headwater.config import Config
from headwater.engine import Engine
from headwater.errors import HeadwaterError
from headwater.server.garbage import spare_the_data
from headwater.server.logs import NOTICE, set_up
from headwater.server.server import Server, descriptors_for


def run(config: Config) -> int:
    """Serve until SIGTERM, SIGINT or SHUTDOWN; returns the exit status."""
    try:
        log = set_up(config.get_text("loglevel"), config.get_path("logfile"))
    except OSError as error:
        sys.stderr.write(
            f"headwater: cannot write the log to {config.get_path('logfile')}: {error.strerror}\n"
        )
        return 1
    log.log(NOTICE, "headwater %s (%s) starts", headwater.__version__, headwater.mode())
    directory = config.get_text("dir")
    try:
        os.makedirs(directory, exist_ok=True)
    except OSError as error:
        log.error("cannot use the directory %s: %s", directory, error.strerror)
        return 1
    for warning in config.warnings():
        log.warning("%s", warning)
    maxclients = config.get_int("maxclients")
    possible = descriptors_for(maxclients)
    if possible < maxclients:
        log.warning(
            "maxclients is %d instead of %d: the limit of open files allows no more (ulimit -n)",
            possible,
            maxclients,
        )
        config.assign("maxclients", [str(possible)])
    try:
        server = Server(Engine(config))
        spare_the_data()
        _run_loop(server)
    except OSError as error:
        about = f"{error.filename}: " if error.filename else ""
        log.error("%s%s", about, error.strerror or error)
        return 1
    except HeadwaterError as error:
        log.error("%s", error)
        return 1
    log.log(NOTICE, "headwater has stopped")
    return 0


def _run_loop(server: Server) -> None:
    try:
        import uvloop
    except ImportError:
        asyncio.run(_serve(server))
    else:
        uvloop.run(_serve(server))


async def _serve(server: Server) -> None:
    _stop_on_signals(server)
    server.on_ready = lambda: _welcome(server)
    await server.start()
    with _pidfile(server.config.get_path("pidfile")):
        await server.wait_stopped()


@contextlib.contextmanager
def _pidfile(path: str) -> Iterator[None]:
    """The process ID in a file while the server runs; "" for no file."""
    written = False
    if path:
        try:
            with open(path, "w") as file:
                file.write(f"{os.getpid()}\n")
            written = True
        except OSError as error:
            log = logging.getLogger("headwater")
            log.warning("cannot write the pidfile %s: %s", path, error.strerror)
    try:
        yield
    finally:
        # Only one's own: this server may have failed to start beside another one.
        if written:
            with contextlib.suppress(OSError):
                os.unlink(path)


def _stop_on_signals(server: Server) -> None:
    loop = asyncio.get_running_loop()

    def stop(name: str) -> None:
        log = logging.getLogger("headwater")
        log.log(NOTICE, "received %s, stopping", name)
        if server.engine.persistence.save_before_stop(None):
            server.request_shutdown()
        else:
            log.error("not stopped: what is in memory could not be saved")

    for number in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(number, stop, number.name)
        except NotImplementedError:  # the loops of Windows
            signal.signal(number, lambda n, _: loop.call_soon_threadsafe(stop, _name(n)))


def _name(number: int) -> str:
    return signal.Signals(number).name


def _welcome(server: Server) -> list[str]:
    lines = []
    addresses = " ".join(word.lstrip("-") for word in server.config.get_words("bind"))
    if server.port:
        lines.append(f"ready on port {server.port} of {addresses}")
    if server.tls_port:
        lines.append(f"ready on port {server.tls_port} of {addresses}, with TLS")
    if server.unix_path:
        lines.append(f"ready on {server.unix_path}")
    if server.port:
        lines.append(f"try: redis-cli -p {server.port} XADD orders '*' orderId ord-7829")
        lines.append(f"or in Python: redis.Redis(port={server.port}).xadd('orders', {{'a': 'b'}})")
    elif server.tls_port:
        lines.append(f"try: redis-cli --tls --cacert CA_FILE -p {server.tls_port} PING")
    lines.append("stop with Ctrl-C or SHUTDOWN")
    return lines
