"""From the configuration to an SSL context, or to words that say what is wrong with it."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from headwater.config import Config, ConfigError
from headwater.server.certificates import TlsError, make_context
from support.certificates import Certificates


def configured(certificates: Certificates, **values: str) -> Config:
    """A server's configuration; keywords are directives without their `tls-`."""
    config = Config()
    words = {
        "cert-file": certificates.server.certificate,
        "key-file": certificates.server.key,
        "auth-clients": "no",
        **{name.replace("_", "-"): value for name, value in values.items()},
    }
    for name, value in words.items():
        config.assign(f"tls-{name}", [value])
    return config


def test_all_that_can_be_wrong(certificates: Certificates, tmp_path: Path) -> None:
    text = tmp_path / "text.pem"
    text.write_text("no PEM in here\n")
    unreadable = tmp_path / "folder"
    unreadable.mkdir()
    locked = certificates.authority.issue("locked", password="river")
    theirs = {"cert_file": locked.certificate, "key_file": locked.key}
    found = {}
    for name, values, parts in (
        ("no certificate", {"cert_file": ""}, ("tls-cert-file", "not set")),
        ("no key", {"key_file": ""}, ("tls-key-file", "not set")),
        ("no authority", {"auth_clients": "yes"}, ("'yes'", "tls-ca-cert-file", "'no'")),
        ("optional too", {"auth_clients": "optional"}, ("'optional'", "tls-ca-cert-dir")),
        ("missing", {"cert_file": "/none"}, ("tls-cert-file /none: No such file",)),
        ("missing key", {"key_file": "/none"}, ("tls-key-file /none: No such file",)),
        ("folder", {"cert_file": str(unreadable)}, ("folder: Is a directory",)),
        ("missing CA", {"ca_cert_file": "/none"}, ("tls-ca-cert-file /none: No such file",)),
        ("missing CAs", {"ca_cert_dir": "/none"}, ("tls-ca-cert-dir /none",)),
        ("no CA", {"ca_cert_file": str(text)}, (f"tls-ca-cert-file {text}",)),
        ("no PEM", {"cert_file": str(text)}, (f"tls-cert-file {text}", "no valid PEM")),
        ("no key PEM", {"key_file": str(text)}, (f"tls-key-file {text}", "no valid PEM")),
        (
            "another key",
            {"key_file": certificates.client.key},
            (certificates.client.key, "not the private key of", certificates.server.certificate),
        ),
        ("locked", theirs, (locked.key, "'tls-key-file-pass' is not set")),
        (
            "wrong password",
            {**theirs, "key_file_pass": "lake"},
            (locked.key, "'tls-key-file-pass' is wrong"),
        ),
        ("versions", {"protocols": "TLSv7"}, ("tls-protocols 'TLSv7'", "TLSv1.3")),
        ("ciphers", {"ciphers": "rot13"}, ("tls-ciphers 'rot13'",)),
        ("parameters", {"dh_params_file": str(text)}, (f"tls-dh-params-file {text}",)),
        ("no parameters", {"dh_params_file": "/none"}, ("/none: No such file",)),
    ):
        with pytest.raises(TlsError) as raised:
            make_context(configured(certificates, **values))
        found[name] = str(raised.value)
        assert all(part in found[name] for part in parts), (name, found[name])
        assert "river" not in found[name]
        assert "lake" not in found[name]
    assert len(set(found.values())) == len(found)


def test_what_a_context_is_made_of(certificates: Certificates) -> None:
    ours = make_context(configured(certificates))
    assert ours.minimum_version == ssl.TLSVersion.TLSv1_2
    assert ours.maximum_version == ssl.TLSVersion.TLSv1_3
    assert ours.verify_mode == ssl.CERT_NONE
    assert not ours.options & ssl.OP_CIPHER_SERVER_PREFERENCE
    assert ours.options & ssl.OP_NO_RENEGOTIATION
    locked = certificates.authority.issue("locked", password="river")
    strict = make_context(
        configured(
            certificates,
            cert_file=locked.certificate,
            key_file=locked.key,
            key_file_pass="river",
            auth_clients="yes",
            ca_cert_file=certificates.authority.path,
            prefer_server_ciphers="yes",
            session_caching="no",
            protocols="TLSv1.3",
        )
    )
    assert strict.minimum_version == strict.maximum_version == ssl.TLSVersion.TLSv1_3
    assert strict.verify_mode == ssl.CERT_REQUIRED
    assert strict.options & ssl.OP_CIPHER_SERVER_PREFERENCE
    assert strict.num_tickets == 0
    assert len(strict.get_ca_certs()) == 1


def test_a_relative_path_starts_at_the_data_directory(certificates: Certificates) -> None:
    config = configured(certificates, cert_file="server.crt", key_file="server.key")
    config.assign("dir", [str(certificates.directory)])
    make_context(config)


def test_what_is_refused_at_once() -> None:
    config = Config()
    for name, value in (("tls-replication", "yes"), ("tls-cluster", "yes"), ("tls-port", "65536")):
        with pytest.raises(ConfigError, match=name):
            config.assign(name, [value])
    if not hasattr(ssl.SSLContext, "set_ciphersuites"):
        with pytest.raises(ConfigError, match="cannot choose the cipher suites"):
            config.assign("tls-ciphersuites", ["TLS_AES_128_GCM_SHA256"])
    config.assign("tls-client-cert-file", ["/a"])
    config.assign("tls-session-cache-timeout", ["60"])
    assert len(config.warnings()) == 2
