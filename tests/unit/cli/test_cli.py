"""The command line: what serve makes of its arguments, help, version, the generated page."""

from __future__ import annotations

import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

import headwater
from headwater.cli.docs import DEFAULT_PATH, configuration_page
from headwater.cli.serve import serve
from headwater.config import OPTIONS, TOPICS, Config, OutputLimit, SavePoint, load_file

ROOT = Path(__file__).parents[3]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """The configurations that servers were started with, instead of starting any."""
    configs: list[Config] = []

    def run(config: Config) -> int:
        configs.append(config)
        return 7

    fake = types.ModuleType("headwater.server.main")
    fake.run = run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "headwater.server.main", fake)
    return configs


def run_cli(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    # Absolute, whatever folder the command runs in.
    search_path = os.pathsep.join(os.path.abspath(path) for path in sys.path if path)
    return subprocess.run(
        [sys.executable, "-m", "headwater", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": search_path, **environment},
        timeout=60,
        check=False,
    )


def test_serve_without_arguments(started: list[Config]) -> None:
    assert serve([]) == 7
    assert started[0].get([b"*"]) == Config().get([b"*"])


def test_flags_as_redis_server_takes_them(started: list[Config], tmp_path: Path) -> None:
    words = (
        "--port 7000 --bind 127.0.0.1 -::1 --save 60 1000 300 10 --HZ 20"
        " --client-output-buffer-limit normal 1 2 3 pubsub 4 5 6 --slowlog-log-slower-than -1"
        f" --appendonly yes --appendfsync always --dir {tmp_path} --dbfilename dump.rdb"
        " --enable-debug-command yes"
    )
    assert serve(words.split()) == 7
    config = started[0]
    assert config.get_int("port") == 7000
    assert config.get_words("bind") == ("127.0.0.1", "-::1")
    assert config.save_points == (SavePoint(60, 1000), SavePoint(300, 10))
    assert config.get_int("hz") == 20
    assert config.output_limits.normal == OutputLimit(1, 2, 3)
    assert config.output_limits.pubsub == OutputLimit(4, 5, 6)
    assert config.get_int("slowlog-log-slower-than") == -1
    assert config.get_text("dir") == str(tmp_path)
    assert config.get_text("enable-debug-command") == "yes"
    assert config.path is None


@pytest.mark.parametrize(
    ("words", "points"),
    [
        (["--save", "60 1000"], ((60, 1000),)),
        (["--save", "60", "1000"], ((60, 1000),)),
        (["--save", "60 1000", "--save", "1 2"], ((60, 1000), (1, 2))),
        (["--save", "60 1000", "--save", ""], ()),
        (["--save", "", "--port", "1"], ()),
        (["--save", "--port", "1"], ()),
        (["--save=5 6"], ((5, 6),)),
    ],
)
def test_save(started: list[Config], words: list[str], points: tuple[SavePoint, ...]) -> None:
    assert serve(words) == 7
    assert started[0].save_points == points


def test_a_value_may_look_like_a_flag(started: list[Config]) -> None:
    serve(["--requirepass", "--secret", "--maxclients=5", "--bind", "127.0.0.1 ::1"])
    assert started[0].get_text("requirepass") == "--secret"
    assert started[0].get_int("maxclients") == 5
    assert started[0].get_words("bind") == ("127.0.0.1", "::1")


def test_flags_win_over_the_file(started: list[Config], tmp_path: Path) -> None:
    path = tmp_path / "headwater.conf"
    path.write_text("port 7000\nhz 20\n")
    more = tmp_path / "more.conf"
    more.write_text("timeout 9\n")
    assert serve([str(path), "--port", "7001", "--include", str(more)]) == 7
    config = started[0]
    assert (config.get_int("port"), config.get_int("hz")) == (7001, 20)
    assert config.get_int("timeout") == 9
    assert config.path == str(path)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["--appendonyl", "yes"], "unknown directive 'appendonyl'; did you mean 'appendonly'?"),
        (["--port"], "'port' needs a value: number, 0 to 65535"),
        (["--port", "--hz", "10"], "'port' needs a value"),
        (["--port", "1", "2"], "'port' takes one value, not 2"),
        (["--port", "x"], "'port x': argument couldn't be parsed into an integer"),
        (["--daemonize", "yes"], "the server stays in the foreground"),
        (["-p", "1"], "unknown flag '-p'"),
        (["/nonexistent.conf"], "cannot read configuration file '/nonexistent.conf'"),
        (["--port", "bad\udcff"], "'port bad\\udcff': argument couldn't be parsed"),
    ],
)
def test_wrong_arguments(
    started: list[Config], capsys: pytest.CaptureFixture[str], words: list[str], error: str
) -> None:
    assert serve(words) == 2
    assert started == []
    output = capsys.readouterr()
    assert output.out == ""
    assert error in output.err
    assert output.err.startswith("headwater: ")
    assert output.err.endswith("Try 'headwater serve --help'.\n")


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["--port", "1", "--help"]])
def test_help_names_every_directive_in_80_columns(
    started: list[Config], capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert serve(words) == 0
    assert started == []
    text = capsys.readouterr().out
    assert max(len(line) for line in text.splitlines()) < 80
    assert all(f"\n{topic}:\n" in text for topic in TOPICS)
    for option in OPTIONS:
        assert f"\n  --{option.name} " in text


def test_exit_status_and_standard_error_of_the_process() -> None:
    result = run_cli("serve", "--prot", "1")
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr == (
        "headwater: command line: unknown directive 'prot'; did you mean 'port'?\n"
        "Try 'headwater serve --help'.\n"
    )
    result = run_cli("sevre")
    assert result.returncode == 2
    assert "sevre" in result.stderr


def test_version() -> None:
    result = run_cli("--version")
    assert result.returncode == 0
    first = result.stdout.splitlines()[0]
    assert first == f"headwater {headwater.__version__} ({headwater.mode()})"
    pure = run_cli("--version", HEADWATER_PURE="1").stdout.splitlines()
    assert pure[0] == f"headwater {headwater.__version__} (interpreted)"
    assert "HEADWATER_PURE" in pure[1]


def test_the_first_help_names_the_commands() -> None:
    text = run_cli("--help").stdout
    assert "serve" in text
    assert "config" in text


def test_the_printed_configuration_reads_back_as_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "default.conf"
    path.write_text(run_cli("config").stdout)
    config = Config()
    load_file(config, str(path))
    assert config.get([b"*"]) == Config().get([b"*"])
    assert all(config.is_given(option.name) for option in OPTIONS)


def test_serve_loads_no_click() -> None:
    code = (
        "import sys; sys.argv = ['headwater', 'serve', '--nothing']\n"
        "from headwater.cli import main\n"
        "try: main()\n"
        "except SystemExit: print('click' in sys.modules, 'rich' in sys.modules)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(os.path.abspath(p) for p in sys.path if p),
        },
        check=True,
    )
    assert result.stdout == "False False\n"


def test_the_configuration_page_is_up_to_date() -> None:
    page = (ROOT / DEFAULT_PATH).read_text(encoding="utf-8")
    assert page == configuration_page(), "run: python -m headwater.cli.docs"
