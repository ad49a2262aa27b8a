"""A redis-cli for pages: `redis-cli [-p PORT] COMMAND ...` shows a reply as people are shown it."""

from __future__ import annotations

import ssl
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.page_ports import port_table
from support.secure import SecureConnection
from support.shown import rendered
from support.wire import Connection


def main(words: list[str]) -> None:
    options = {"-p": str(port_table()[6379])}
    while words and words[0].startswith("-"):
        if words[0] == "--tls":
            words = words[1:]
            continue
        options[words[0]] = words[1]
        words = words[2:]
    with connect(options) as connection:
        print(rendered(connection.call(*words)))


def connect(options: dict[str, str]) -> Connection:
    """A connection as these options of redis-cli ask for."""
    port = int(options["-p"])
    if "--cacert" not in options:
        return Connection("127.0.0.1", port)
    context = ssl.create_default_context(cafile=options["--cacert"])
    if "--cert" in options:
        context.load_cert_chain(options["--cert"], options["--key"])
    return SecureConnection(port, context)


if __name__ == "__main__":
    main(sys.argv[1:])
