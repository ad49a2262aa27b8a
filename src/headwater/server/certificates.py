"""The TLS side of the configuration: certificates, keys and versions become an SSL context.

Each context is made from the files as they are at that moment, so CONFIG SET loads them anew.
"""

from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headwater.config import Config

DIRECTIVES = (
    "tls-cert-file",
    "tls-key-file",
    "tls-key-file-pass",
    "tls-ca-cert-file",
    "tls-ca-cert-dir",
    "tls-auth-clients",
    "tls-protocols",
    "tls-ciphers",
    "tls-ciphersuites",
    "tls-prefer-server-ciphers",
    "tls-session-caching",
    "tls-dh-params-file",
)
"""What a context is made of."""

_VERSIONS = {
    "tlsv1": (ssl.TLSVersion.TLSv1, ssl.Options.OP_NO_TLSv1),
    "tlsv1.1": (ssl.TLSVersion.TLSv1_1, ssl.Options.OP_NO_TLSv1_1),
    "tlsv1.2": (ssl.TLSVersion.TLSv1_2, ssl.Options.OP_NO_TLSv1_2),
    "tlsv1.3": (ssl.TLSVersion.TLSv1_3, ssl.Options.OP_NO_TLSv1_3),
}
_DEFAULT_VERSIONS = ("tlsv1.2", "tlsv1.3")
_VERIFY = {"no": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "yes": ssl.CERT_REQUIRED}


class TlsError(Exception):
    """TLS cannot be set up so; the text says which directive or file is wrong, and how."""


def make_context(config: Config) -> ssl.SSLContext:
    """Return the context that the configuration asks for; raises TlsError."""
    certificate = config.get_path("tls-cert-file")
    key = config.get_path("tls-key-file")
    if not certificate:
        raise TlsError("'tls-port' needs a certificate: 'tls-cert-file' is not set")
    if not key:
        raise TlsError("'tls-port' needs a private key: 'tls-key-file' is not set")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _set_versions(context, config.get_text("tls-protocols"))
    _set_ciphers(context, config)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    if config.get_bool("tls-prefer-server-ciphers"):
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    else:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    if not config.get_bool("tls-session-caching"):
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
    _load_certificate(context, certificate, key, config.get_bytes("tls-key-file-pass"))
    _load_authorities(context, config)
    parameters = config.get_path("tls-dh-params-file")
    if parameters:
        _check_readable("tls-dh-params-file", parameters)
        try:
            context.load_dh_params(parameters)
        except (ssl.SSLError, OSError) as error:
            raise TlsError(_about("tls-dh-params-file", parameters, error)) from error
    return context


def reason_of(error: Exception) -> str:
    """What OpenSSL or the system says, in words and without its codes."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return str(error.verify_message)
    if isinstance(error, ssl.SSLError):
        reason = getattr(error, "reason", None)
        if reason:
            return str(reason).replace("_", " ").lower()
        return str(error.args[-1]) if error.args else "unknown error"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error)


def _about(name: str, path: str, error: Exception) -> str:
    return f"{name} {path}: {reason_of(error)}"


def _check_readable(name: str, path: str) -> None:
    """Raise TlsError with the name of a file that cannot be read: OpenSSL would not tell it."""
    try:
        with open(path, "rb") as file:
            file.read(1)
    except OSError as error:
        raise TlsError(_about(name, path, error)) from error


def _set_versions(context: ssl.SSLContext, text: str) -> None:
    names = [word.lower() for word in text.split()] or list(_DEFAULT_VERSIONS)
    unknown = [name for name in names if name not in _VERSIONS]
    if unknown:
        raise TlsError(
            f"tls-protocols '{text}': only 'TLSv1', 'TLSv1.1', 'TLSv1.2' and 'TLSv1.3' are known"
        )
    lowest = min(_VERSIONS[name][0] for name in names)
    highest = max(_VERSIONS[name][0] for name in names)
    context.minimum_version, context.maximum_version = lowest, highest
    for name, (version, off) in _VERSIONS.items():
        if lowest < version < highest and name not in names:
            context.options |= off


def _set_ciphers(context: ssl.SSLContext, config: Config) -> None:
    ciphers = config.get_text("tls-ciphers")
    if ciphers:
        try:
            context.set_ciphers(ciphers)
        except ssl.SSLError as error:
            raise TlsError(f"tls-ciphers '{ciphers}': no cipher of this list is known") from error
    suites = config.get_text("tls-ciphersuites")
    if suites:
        # The option takes a value only where Python (3.15) has this method.
        try:
            context.set_ciphersuites(suites)  # type: ignore[attr-defined,unused-ignore]
        except ssl.SSLError as error:
            raise TlsError(f"tls-ciphersuites '{suites}': {reason_of(error)}") from error


def _load_certificate(context: ssl.SSLContext, certificate: str, key: str, password: bytes) -> None:
    _check_readable("tls-cert-file", certificate)
    _check_readable("tls-key-file", key)
    asked = False

    def give_password() -> bytes:
        # Without this OpenSSL would ask on the terminal.
        nonlocal asked
        asked = True
        return password

    try:
        context.load_cert_chain(certificate, key, give_password)
    except (ssl.SSLError, OSError, ValueError) as error:
        if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
            text = f"tls-key-file {key} is not the private key of tls-cert-file {certificate}"
        elif asked:
            wrong = "is wrong" if password else "is not set"
            text = f"tls-key-file {key} is encrypted, and 'tls-key-file-pass' {wrong}"
        else:
            which = _unsound(certificate)
            path = certificate if which == "tls-cert-file" else key
            text = f"{which} {path} holds no valid PEM ({reason_of(error)})"
        raise TlsError(text) from error


def _unsound(certificate: str) -> str:
    """Which of certificate and key could not be read: OpenSSL reads the certificate first."""
    probe = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        probe.load_verify_locations(certificate)
    except (ssl.SSLError, OSError):
        return "tls-cert-file"
    return "tls-key-file"


def _load_authorities(context: ssl.SSLContext, config: Config) -> None:
    """Say whose certificates clients may show."""
    context.check_hostname = False
    wanted = config.get_text("tls-auth-clients")
    context.verify_mode = _VERIFY[wanted]
    file, directory = config.get_path("tls-ca-cert-file"), config.get_path("tls-ca-cert-dir")
    if not file and not directory:
        if wanted == "no":
            return
        raise TlsError(
            f"'tls-auth-clients' is '{wanted}', which needs 'tls-ca-cert-file' or"
            " 'tls-ca-cert-dir' to check their certificates with; or set it to 'no'"
        )
    if file:
        _check_readable("tls-ca-cert-file", file)
    if directory and not os.path.isdir(directory):
        raise TlsError(f"tls-ca-cert-dir {directory}: no such directory")
    try:
        context.load_verify_locations(file or None, directory or None)
    except (ssl.SSLError, OSError) as error:
        raise TlsError(_about("tls-ca-cert-file", file, error)) from error
