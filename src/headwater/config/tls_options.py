"""The rows of the option table about TLS."""

from __future__ import annotations

import ssl

from headwater.config.kinds import INT32_MAX, Bool, Enum, Integer, Never, Text
from headwater.config.option import TLS, Option

_NO_CALLS = "has no effect: this server opens no connections of its own"
_OPENSSL = "has no effect: OpenSSL's own limits hold, which Python's ssl module does not change"


def _ciphersuites(word: str) -> str | None:
    if word and not hasattr(ssl.SSLContext, "set_ciphersuites"):
        return "this Python's ssl module cannot choose the cipher suites of TLS 1.3"
    return None


def _file(name: str, summary: str, warning: str = "") -> Option:
    return Option(name, Text("path"), "", TLS, summary, reference=True, warning=warning)


TLS_OPTIONS: tuple[Option, ...] = (
    Option("tls-port", Integer(0, 65535), "0", TLS, "Port to listen on for TLS; 0 for none"),
    _file("tls-cert-file", "Certificate of the server, and its chain, PEM"),
    _file("tls-key-file", "Private key of the certificate, PEM"),
    Option(
        "tls-key-file-pass",
        Text("password"),
        "",
        TLS,
        'Password of the private key; "" for none',
        secret=True,
    ),
    _file("tls-ca-cert-file", "Certificates of the authorities that clients are checked with, PEM"),
    _file("tls-ca-cert-dir", "Directory of such certificates, under their hashes (c_rehash)"),
    Option(
        "tls-auth-clients",
        Enum(("no", "yes", "optional")),
        "yes",
        TLS,
        "Ask clients for a certificate: not at all, and refuse those without one, or take them too",
    ),
    Option(
        "tls-protocols",
        Text('"TLSv1.2 TLSv1.3"'),
        "",
        TLS,
        'Versions to speak, separated by spaces; "" for TLSv1.2 and TLSv1.3',
    ),
    Option(
        "tls-ciphers",
        Text("OpenSSL cipher list"),
        "",
        TLS,
        'Ciphers up to TLS 1.2; "" for the default',
    ),
    Option(
        "tls-ciphersuites",
        Text("cipher suites", _ciphersuites),
        "",
        TLS,
        'Cipher suites of TLS 1.3; "" for the default; others need Python 3.15',
    ),
    Option(
        "tls-prefer-server-ciphers",
        Bool(),
        "no",
        TLS,
        "Choose the cipher by the server's order of preference",
    ),
    Option("tls-session-caching", Bool(), "yes", TLS, "Let clients resume their sessions"),
    Option(
        "tls-session-cache-size",
        Integer(0, INT32_MAX),
        "20480",
        TLS,
        "Sessions that are kept for it",
        unit="sessions",
        warning=_OPENSSL,
    ),
    Option(
        "tls-session-cache-timeout",
        Integer(0, INT32_MAX),
        "300",
        TLS,
        "How long a session can be resumed",
        unit="seconds",
        warning=_OPENSSL,
    ),
    _file("tls-dh-params-file", "Diffie-Hellman parameters for old clients, PEM"),
    Option(
        "tls-replication",
        Never("there is no replication"),
        "no",
        TLS,
        "Only 'no': there is no replication",
    ),
    Option(
        "tls-cluster", Never("there is no cluster"), "no", TLS, "Only 'no': there is no cluster"
    ),
    _file(
        "tls-client-cert-file",
        "Certificate for outgoing connections, of which there are none",
        _NO_CALLS,
    ),
    _file("tls-client-key-file", "Its private key", _NO_CALLS),
    Option(
        "tls-client-key-file-pass",
        Text("password"),
        "",
        TLS,
        "Its private key's password",
        secret=True,
        warning=_NO_CALLS,
    ),
)
