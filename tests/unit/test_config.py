"""Configuration: values, files, CONFIG GET|SET|REWRITE, compared with a redis-server."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from headwater.config import (
    BY_NAME,
    OPTIONS,
    TOPICS,
    Config,
    ConfigError,
    OutputLimit,
    SavePoint,
    load_file,
    load_stdin,
)
from headwater.errors import CommandError
from support.servers import Server
from support.wire import pairs as pairs_of


def pairs(*words: str | bytes) -> list[tuple[bytes, bytes]]:
    data = [word.encode() if isinstance(word, str) else word for word in words]
    return list(zip(data[::2], data[1::2], strict=True))


def set_error(config: Config, *words: str | bytes) -> str:
    with pytest.raises(CommandError) as caught:
        config.set_many(pairs(*words))
    return caught.value.text.decode()


def load(tmp_path: Path, text: str | bytes) -> Config:
    path = tmp_path / "headwater.conf"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    config = Config()
    load_file(config, str(path))
    return config


def load_error(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    return str(caught.value)


# --- the table ---


def test_table_names_each_directive_once_and_in_a_known_topic() -> None:
    assert len(BY_NAME) == len(OPTIONS)
    for option in OPTIONS:
        assert option.name == option.name.lower()
        assert option.topic in TOPICS
        assert option.summary
        assert option.kind.allowed()


def test_defaults() -> None:
    config = Config()
    assert config.get_int("port") == 6379
    assert config.get_words("bind") == ("127.0.0.1", "-::1")
    assert config.get_int("maxclients") == 10000
    assert config.get_int("client-query-buffer-limit") == 1024**3
    assert config.get_bool("appendonly") is True
    assert config.save_points == ()
    assert config.output_limits.normal == OutputLimit(0, 0, 0)
    assert config.output_limits.replica == OutputLimit(256 * 1024**2, 64 * 1024**2, 60)
    assert config.get_text("dir") == os.getcwd()
    assert config.warnings() == []


def test_a_getter_of_another_kind_is_a_type_error() -> None:
    config = Config()
    for getter, name in (
        (config.get_int, "appendonly"),
        (config.get_bool, "port"),
        (config.get_text, "port"),
        (config.get_words, "save"),
    ):
        with pytest.raises(TypeError, match=name):
            getter(name)
    with pytest.raises(KeyError):
        config.get_int("prot")


def test_paths_start_at_dir(tmp_path: Path) -> None:
    config = Config()
    config.assign("dir", [str(tmp_path)])
    config.assign("logfile", ["server.log"])
    config.assign("unixsocket", ["/run/h.sock"])
    assert config.get_path("logfile") == str(tmp_path / "server.log")
    assert config.get_path("unixsocket") == "/run/h.sock"
    assert config.get_path("pidfile") == ""


# --- files ---


def test_file(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        "\ufeff# comment\n  PORT   7000\r\n\n\tbind 127.0.0.1 ::1\nsave 60 1000\nsave 300 10 1 1\n"
        'requirepass "a b\\x21\\""\nclient-output-buffer-limit slave 1mb 2k 3\n'
        "client-output-buffer-limit pubsub 1 2 3\nmaxmemory 1GB\nunixsocketperm 0700\nhz 9999\n"
        "notify-keyspace-events gKEx\nloglevel 'VERBOSE'",
    )
    assert config.path == str(tmp_path / "headwater.conf")
    assert config.get_int("port") == 7000
    assert config.get_words("bind") == ("127.0.0.1", "::1")
    assert config.save_points == (SavePoint(60, 1000), SavePoint(300, 10), SavePoint(1, 1))
    assert config.get_bytes("requirepass") == b'a b!"'
    assert config.output_limits.replica == OutputLimit(1024**2, 2000, 3)
    assert config.output_limits.pubsub == OutputLimit(1, 2, 3)
    assert config.output_limits.normal == OutputLimit(0, 0, 0)
    assert config.get_int("maxmemory") == 1024**3
    assert config.get_int("unixsocketperm") == 0o700
    assert config.get_int("hz") == 500
    assert config.value_text("notify-keyspace-events") == "gxKE"
    assert config.get_text("loglevel") == "verbose"


def test_bytes_that_are_no_text_are_kept(tmp_path: Path) -> None:
    config = load(tmp_path, b'requirepass "\\xff\\x00"')
    assert config.get_bytes("requirepass") == b"\xff\0"
    assert config.get([b"requirepass"]) == [(b"requirepass", b"\xff\0")]


@pytest.mark.parametrize("text", ['save ""', "save 60 1\nsave ''", 'save "60 1"\nsave ""'])
def test_save_points_are_cleared(tmp_path: Path, text: str) -> None:
    assert load(tmp_path, text).save_points == ()


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("port 1\n\nappendonyl yes", "line 3: unknown directive 'appendonyl'; did you mean "),
        ("qqqqqq 1", "line 1: unknown directive 'qqqqqq'"),
        ("port", "line 1: 'port' needs a value: number, 0 to 65535"),
        ("bind", "line 1: 'bind' needs a value: address ..."),
        ("port 1 2", "line 1: 'port' takes one value, not 2"),
        ("hz 10 # fast", "'hz' takes one value, not 3; a comment needs a line of its own"),
        ("port 70000", "'port 70000': argument must be between 0 and 65535 inclusive"),
        ("port x", "argument couldn't be parsed into an integer (allowed: number, 0 to 65535)"),
        ("maxmemory 3x", "'maxmemory 3x': argument must be a memory value (allowed: size such as"),
        ("appendonly maybe", "'appendonly maybe': argument must be 'yes' or 'no'"),
        ("daemonize yes", "argument must be 'no': the server stays in the foreground"),
        ("save 60", "'save 60': Invalid save parameters (allowed: "),
        ('loglevel "', "line 1: unbalanced quotes"),
        ("dir /etc/passwd", "'dir /etc/passwd': Not a directory"),
        ("dir ''", "'dir ': No such file or directory"),
        ("appenddirname a/b", "appenddirname can't be a path, just a filename"),
        ("appenddirname ''", "appenddirname can't be empty"),
        ("unixsocketperm 8", "argument couldn't be parsed as an octal number"),
        ("unixsocketperm 1777", "argument must be between 0 and 777 inclusive"),
        ("databases 0", "argument must be between 1 and 2147483647 inclusive"),
        ("include a b", "'include' takes one file name or pattern"),
        ("include nonexistent.conf", "cannot read configuration file 'nonexistent.conf': No such"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, text: str, error: str) -> None:
    found = load_error(tmp_path, text)
    assert found.startswith(f"{tmp_path}/headwater.conf, line ")
    assert error in found


def test_a_secret_is_not_in_an_error_nor_in_the_representation(tmp_path: Path) -> None:
    assert "hunter2" not in load_error(tmp_path, "requirepass hunter2 hunter2")
    assert "hunter2" not in repr(load(tmp_path, "requirepass hunter2"))


def test_a_missing_file() -> None:
    with pytest.raises(ConfigError, match="cannot read configuration file '/nonexistent'"):
        load_file(Config(), "/nonexistent")


def test_include(tmp_path: Path) -> None:
    (tmp_path / "b.d").mkdir()
    (tmp_path / "b.d" / "1.conf").write_text("port 1\nhz 1")
    (tmp_path / "b.d" / "2.conf").write_text("port 2")
    config = load(tmp_path, f"port 7\ninclude {tmp_path}/b.d/*.conf\ninclude {tmp_path}/none*\n")
    assert config.get_int("port") == 2
    assert config.get_int("hz") == 1
    assert config.path == str(tmp_path / "headwater.conf")


def test_an_error_in_an_included_file_names_the_whole_way(tmp_path: Path) -> None:
    (tmp_path / "b.conf").write_text("\nport x")
    found = load_error(tmp_path, f"include {tmp_path}/b.conf")
    assert f"headwater.conf, line 1: {tmp_path}/b.conf, line 2: 'port x'" in found


def test_a_file_that_includes_itself(tmp_path: Path) -> None:
    (tmp_path / "b.conf").write_text(f"include {tmp_path}/headwater.conf")
    assert "includes itself" in load_error(tmp_path, f"include {tmp_path}/b.conf")


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"port 7000\n")))
    config = Config()
    load_stdin(config)
    assert config.get_int("port") == 7000
    assert config.path is None


def test_what_is_not_in_effect_yet_is_warned_about(tmp_path: Path) -> None:
    config = load(tmp_path, "tls-session-cache-timeout 100\nappendonly no")
    (warning,) = config.warnings()
    assert warning.startswith("tls-session-cache-timeout: ")
    config.set_many(pairs("tls-session-cache-timeout", "300"))
    assert config.warnings() == []


# --- CONFIG GET ---


def test_get() -> None:
    config = Config()
    assert config.get([b"port"]) == [(b"port", b"6379")]
    assert config.get([b"PoRt", b"port"]) == [(b"PoRt", b"6379")]
    assert config.get([b"PO*", b"PORT"]) == [(b"port", b"6379")]
    assert [name for name, _ in config.get([b"maxmem*", b"[ht]*z", b"nothing"])] == [
        b"maxmemory",
        b"maxmemory-policy",
        b"maxmemory-samples",
        b"hz",
    ]
    assert config.get([b"client-output*"]) == [
        (
            b"client-output-buffer-limit",
            b"normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
        )
    ]
    assert len(config.get([b"*"])) == len(OPTIONS)


# --- CONFIG SET ---


def test_set_is_all_or_nothing() -> None:
    config = Config()
    before = config.get([b"*"])
    set_error(config, "hz", "20", "maxclients", "5", "timeout", "x")
    assert config.get([b"*"]) == before
    assert config.set_many(pairs("HZ", "20", "maxclients", "5", "timeout", "0")) == [
        "hz",
        "maxclients",
    ]
    assert config.get([b"hz", b"maxclients"]) == [(b"hz", b"20"), (b"maxclients", b"5")]


def test_set_replaces_save_points_and_keeps_other_classes_limits() -> None:
    config = Config()
    config.set_many(pairs("save", "60 1"))
    config.set_many(pairs("save", "30 2 10 3"))
    assert config.save_points == (SavePoint(30, 2), SavePoint(10, 3))
    config.set_many(pairs("client-output-buffer-limit", "normal 1 2 3"))
    config.set_many(pairs("client-output-buffer-limit", "replica 4kb 5 6"))
    assert config.output_limits.normal == OutputLimit(1, 2, 3)
    assert config.output_limits.replica == OutputLimit(4096, 5, 6)


@pytest.mark.parametrize(
    ("guard", "local", "works"),
    [
        ("no", True, False),
        ("local", False, False),
        ("local", True, True),
        ("yes", False, True),
    ],
)
def test_protected_directives(tmp_path: Path, guard: str, local: bool, works: bool) -> None:
    config = Config()
    config.assign("enable-protected-configs", [guard])
    change = pairs("dir", str(tmp_path))
    if works:
        config.set_many(change, local_client=local)
        assert config.get_text("dir") == str(tmp_path)
    else:
        with pytest.raises(CommandError, match="can't set protected config"):
            config.set_many(change, local_client=local)


def test_a_directory_that_a_starting_server_is_to_create(tmp_path: Path) -> None:
    config = Config()
    config.assign("dir", [str(tmp_path / "data")])
    assert config.get_text("dir") == str(tmp_path / "data")
    config.assign("enable-protected-configs", ["yes"])
    assert set_error(config, "dir", str(tmp_path / "other")).endswith("No such file or directory")


def test_callbacks_run_once_and_only_for_what_changed() -> None:
    config = Config()
    calls: list[str] = []

    def listen() -> None:
        calls.append(f"listen on {config.get_int('port')}")

    def tick() -> None:
        calls.append(f"tick {config.get_int('hz')}")

    config.on_change(["port", "bind"], listen)
    config.on_change("hz", tick)
    config.set_many(pairs("port", "7000", "bind", "::1", "hz", "10"))
    assert calls == ["listen on 7000"]
    with pytest.raises(KeyError):
        config.on_change("nothing", tick)


def test_a_callback_that_refuses_undoes_everything() -> None:
    config = Config()
    clients: list[int] = []

    def resize() -> None:
        clients.append(config.get_int("maxclients"))

    config.on_change("maxclients", resize)
    config.on_change(("port", "bind"), lambda: "Unable to listen on this port.")
    assert set_error(config, "maxclients", "50", "BIND", "::1", "hz", "3") == (
        "ERR CONFIG SET failed (possibly related to argument 'BIND')"
        " - Unable to listen on this port."
    )
    assert clients == [50, 10000]
    assert config.get_words("bind") == ("127.0.0.1", "-::1")
    assert config.get_int("hz") == 10


_SET_CASES: tuple[tuple[str | bytes, ...], ...] = (
    ("nosuch", "1"),
    ("nosuch\r\nx", "1"),
    ("maxmemory", "1", "nosuch", "2"),
    ("nosuch", "2", "maxmemory", "2"),
    ("maxmemory", "1", "MAXMEMORY", "2"),
    ("maxmemory", "1", "port", "x"),
    ("loglevel", "bogus", "hz", "x"),
    ("maxmemory", "1", "databases", "4"),
    ("databases", "x"),
    ("tcp-backlog", "3"),
    ("unixsocket", "x"),
    ("unixsocketperm", "9999"),
    ("pidfile", "x"),
    ("logfile", "x"),
    ("daemonize", "yes"),
    ("enable-debug-command", "yes"),
    ("enable-protected-configs", "yes"),
    ("appenddirname", "x"),
    ("rdbchecksum", "no"),
    ("include", "x"),
    ("dir", "/nonexistent"),
    ("dir", "/etc/passwd"),
    ("dir", ""),
    ("dbfilename", "a/b"),
    ("dbfilename", ""),
    ("port", "70000"),
    ("port", "-1"),
    ("port", ""),
    ("port", b"\xff"),
    ("timeout", "+1"),
    ("timeout", " 1"),
    ("timeout", "01"),
    ("timeout", "-0"),
    ("timeout", "1k"),
    ("timeout", "2147483648"),
    ("timeout", "9223372036854775808"),
    ("maxclients", "0"),
    ("maxclients", "-9"),
    ("hz", "0"),
    ("hz", "-7"),
    ("hz", "1000"),
    ("hz", "3000000000"),
    ("slowlog-log-slower-than", "-2"),
    ("slowlog-log-slower-than", "-1"),
    ("slowlog-max-len", "-1"),
    ("latency-monitor-threshold", "-1"),
    ("stream-node-max-entries", "-1"),
    ("stream-node-max-bytes", "-1"),
    ("stream-node-max-bytes", "1kb"),
    ("maxmemory", "1k"),
    ("maxmemory", "2MB"),
    ("maxmemory", "1zb"),
    ("maxmemory", "50%"),
    ("maxmemory", "1.5gb"),
    ("maxmemory", "1 gb"),
    ("maxmemory", "+5"),
    ("maxmemory", "007"),
    ("maxmemory", "18446744073709551616"),
    ("maxmemory", "0"),
    ("maxmemory", ""),
    ("auto-aof-rewrite-min-size", "9223372036854775808"),
    ("client-query-buffer-limit", "1"),
    ("proto-max-bulk-len", "1kb"),
    ("auto-aof-rewrite-percentage", "-1"),
    ("appendonly", "maybe"),
    ("appendonly", ""),
    ("protected-mode", "YES"),
    ("appendfsync", "sometimes"),
    ("appendfsync", "ALWAYS"),
    ("loglevel", ""),
    ("maxmemory-policy", "allkeys-LRU"),
    ("save", "60"),
    ("save", "60 1000"),
    ("save", "60 1000 300 10"),
    ("save", "60  1000"),
    ("save", "60 1000 "),
    ("save", "   "),
    ("save", "0 1"),
    ("save", "60 -1"),
    ("save", "060 +5"),
    ("save", "60.5 1"),
    ("save", "60\n1000"),
    ("save", ""),
    ("client-output-buffer-limit", "normal 0 0 0 pubsub 1gb 1mb 60"),
    ("client-output-buffer-limit", "SLAVE 1 2 3"),
    ("client-output-buffer-limit", "normal 0 0"),
    ("client-output-buffer-limit", "normal 0 0 0  pubsub 1 1 1"),
    ("client-output-buffer-limit", "foo 0 0 0"),
    ("client-output-buffer-limit", "master 0 0 0"),
    ("client-output-buffer-limit", "normal x 0 0"),
    ("client-output-buffer-limit", "normal -1 0 0"),
    ("client-output-buffer-limit", "replica 1 2 -3"),
    ("client-output-buffer-limit", "normal 0 0 10k"),
    ("client-output-buffer-limit", ""),
    ("notify-keyspace-events", "KEA"),
    ("notify-keyspace-events", "KEA!"),
    ("notify-keyspace-events", "Kg$"),
    ("notify-keyspace-events", "oKcmnE"),
    ("notify-keyspace-events", "tEdexzhsl$gmnK"),
    ("notify-keyspace-events", ""),
    ("bind", " ".join(["127.0.0.1"] * 17)),
    ("requirepass", ""),
)


def test_set_answers_as_redis(start_reference: Callable[..., Server]) -> None:
    redis = start_reference("--enable-protected-configs", "yes").connect()
    ours = Config()
    ours.assign("enable-protected-configs", ["yes"])
    differences = []
    for case in _SET_CASES:
        kind, value = redis.call("CONFIG", "SET", *case)
        wanted = value.decode("latin-1")
        try:
            ours.set_many(pairs(*case))
            found = "OK"
        except CommandError as error:
            found = error.text.decode("latin-1")
        if found != wanted:
            differences.append((case, found, wanted))
        name = str(case[0]).encode()
        if kind == "+" and name != b"dir":
            theirs = redis.ok("CONFIG", "GET", name)
            mine = [part for pair in ours.get([name]) for part in pair]
            if mine != theirs:
                differences.append((case, str(mine), str(theirs)))
    assert differences == []


def test_names_kinds_and_defaults_are_those_of_redis(
    start_reference: Callable[..., Server],
) -> None:
    ours_alone = {b"stream-idmp-duration", b"stream-idmp-maxsize"}  # newer than some servers
    ours_alone |= {b"rdb-skip-unknown-types", b"stream-compress-depth"}
    ours_alone |= {b"group-autocreate", b"xinfo-groups-fields"}
    chosen = {b"port", b"dir", b"bind", b"logfile", b"enable-debug-command"}
    chosen |= {b"appendonly", b"save"}  # the journal is on, and needs no snapshots beside it
    theirs = pairs_of(start_reference().connect().call("CONFIG", "GET", "*"))
    for name, value in Config().get([b"*"]):
        if name in ours_alone and name not in theirs:
            continue
        assert name in theirs
        if name not in chosen:
            assert (name, value) == (name, theirs[name][1])


# --- CONFIG REWRITE ---

_FILE = """\
# mine
port 7000
bind   127.0.0.1

# snapshots
save 60 1000
save 300 10
# twice
maxmemory 100mb
MAXMEMORY 1gb
  timeout 5
# end
"""


def test_rewrite_leaves_a_file_alone_that_says_it_all(tmp_path: Path) -> None:
    config = load(tmp_path, _FILE + f"dir {tmp_path}\n")
    config.rewrite()
    assert (tmp_path / "headwater.conf").read_text() == _FILE + f"dir {tmp_path}\n"


def test_rewrite(tmp_path: Path) -> None:
    config = load(tmp_path, _FILE)
    config.assign("dir", [str(tmp_path)])
    config.set_many(
        pairs("save", "10 1", "maxmemory", "3mb", "timeout", "0", "requirepass", b'a "\xff\n')
    )
    config.rewrite()
    path = tmp_path / "headwater.conf"
    assert path.read_text() == (
        "# mine\nport 7000\nbind   127.0.0.1\n\n# snapshots\nsave 10 1\n# twice\n"
        "maxmemory 3mb\ntimeout 0\n# end\n\n# Written by CONFIG REWRITE\n"
        f'dir {tmp_path}\nrequirepass "a \\"\\xff\\n"\n'
    )
    config.set_many(pairs("hz", "50", "requirepass", "", "save", ""))
    config.rewrite()
    text = path.read_text()
    assert text.count("# Written by CONFIG REWRITE") == 1
    assert text.endswith('requirepass ""\nhz 50\n')
    assert 'save ""\n' in text
    assert [p.name for p in tmp_path.iterdir()] == ["headwater.conf"]


def test_what_was_rewritten_reads_back_the_same(tmp_path: Path) -> None:
    config = load(tmp_path, _FILE)
    for option in OPTIONS:
        new = {"Integer": "50", "Memory": "3mb", "TotalMemory": "1k"}.get(
            type(option.kind).__name__
        )
        if new is not None:
            config.assign(option.name, [new])
    config.assign("client-output-buffer-limit", ["pubsub", "1", "2", "3"])
    config.assign("notify-keyspace-events", ["KEA"])
    config.assign("unixsocketperm", ["700"])
    config.assign("bind", [""])
    config.rewrite()
    again = Config()
    load_file(again, str(tmp_path / "headwater.conf"))
    assert again.get([b"*"]) == config.get([b"*"])


def test_rewrite_overrules_what_an_included_file_sets(tmp_path: Path) -> None:
    (tmp_path / "b.conf").write_text("hz 20\nsave 60 1\ntimeout 3\n")
    config = load(tmp_path, f"include {tmp_path}/b.conf\ndir {tmp_path}\n")
    config.set_many(pairs("hz", "10", "save", "5 5"))
    config.rewrite()
    assert (tmp_path / "b.conf").read_text() == "hz 20\nsave 60 1\ntimeout 3\n"
    again = Config()
    load_file(again, str(tmp_path / "headwater.conf"))
    assert again.get_int("hz") == 10
    assert again.get_int("timeout") == 3
    assert again.save_points == (SavePoint(5, 5),)


def test_rewrite_keeps_permissions_and_links(tmp_path: Path) -> None:
    real = tmp_path / "real.conf"
    real.write_text("port 7000\n")
    real.chmod(0o640)
    link = tmp_path / "link.conf"
    link.symlink_to(real)
    config = Config()
    load_file(config, str(link))
    config.set_many(pairs("port", "7001"))
    config.rewrite()
    assert link.is_symlink()
    assert "port 7001" in real.read_text()
    assert real.stat().st_mode & 0o777 == 0o640


def test_rewrite_writes_a_file_that_was_deleted(tmp_path: Path) -> None:
    config = load(tmp_path, "port 7000")
    (tmp_path / "headwater.conf").unlink()
    config.rewrite()
    again = Config()
    load_file(again, str(tmp_path / "headwater.conf"))
    assert again.get_int("port") == 7000


def test_rewrite_without_a_file() -> None:
    with pytest.raises(CommandError) as caught:
        Config().rewrite()
    assert caught.value.text == b"ERR The server is running without a config file"


def test_rewrite_that_fails_leaves_the_file(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    config = load(folder, "port 7000")
    (folder / "headwater.conf").unlink()
    folder.rmdir()
    with pytest.raises(CommandError) as caught:
        config.rewrite()
    assert caught.value.text == b"ERR Rewriting config file: No such file or directory"


def test_rewrite_refuses_a_file_that_no_longer_reads(tmp_path: Path) -> None:
    config = load(tmp_path, "port 7000")
    broken = "port 7000\nnonsense 1\n"
    (tmp_path / "headwater.conf").write_text(broken)
    with pytest.raises(CommandError, match=r"Rewriting config file: .*unknown directive"):
        config.rewrite()
    assert (tmp_path / "headwater.conf").read_text() == broken
