"""The command line: options in either place, suggestions, exit codes, and never a traceback."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tui import __version__, cli
from tui.kube.options import ConnectOptions
from tui.problem import Cause, Problem, ProblemError
from tui.settings import Settings


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("CONFIG", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    monkeypatch.setattr("tui.logfile.start", lambda *_: None)
    return tmp_path


@pytest.fixture
def got(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What `get` was called with."""
    calls: list[Any] = []

    def run(*arguments: object) -> int:
        calls.append(arguments)
        return 0

    monkeypatch.setattr("tui.commands.get.run", run)
    return calls


def leave(argv: list[str]) -> int:
    with pytest.raises(SystemExit) as caught:
        cli.main(argv)
    return int(caught.value.code or 0)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert leave(["--version"]) == 0
    assert capsys.readouterr().out == f"statetui {__version__}\n"


def test_help_names_every_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert leave(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {code}  " in text for code in (0, 1, 2, 3, 4, 130, 141))


@pytest.mark.parametrize(
    "argv",
    [
        ["--context", "prod", "-n", "db", "--as", "eve", "--as-group", "a", "--as-group", "b", "get"],
        ["get", "--context", "prod", "-n", "db", "--as", "eve", "--as-group", "a", "--as-group", "b"],
        ["--context", "prod", "--as-group", "a", "get", "-n", "db", "--as", "eve", "--as-group", "b"],
    ],
)
def test_options_stand_before_or_after_the_command(argv: list[str], got: list[Any]) -> None:
    assert cli.main(argv) == 0
    assert got[0][0] == ConnectOptions(context="prod", namespace="db", impersonate="eve", impersonate_groups=("a", "b"))


def test_an_option_after_the_command_wins(got: list[Any]) -> None:
    cli.main(["--context", "one", "get", "--context", "two"])
    assert got[0][0].context == "two"


@pytest.mark.parametrize(("argv", "environ"), [(["--low-bandwidth"], ""), ([], "true")])
def test_a_thin_line_is_told_to_whoever_connects(
    got: list[Any], monkeypatch: pytest.MonkeyPatch, argv: list[str], environ: str
) -> None:
    cli.main(["get"])
    monkeypatch.setenv("STATETUI_LOW_BANDWIDTH", environ or "false")
    cli.main([*argv, "get"])
    assert [options.low_bandwidth for options, *_ in got] == [False, True]


def test_what_get_is_asked(got: list[Any]) -> None:
    cli.main(["get", "a", "ns/b", "-o", "json", "-w", "--no-usage", "--timeout", "5", "-A", "--kubeconfig", "f"])
    options, _, request = got[0]
    assert (options.all_namespaces, options.kubeconfig) == (True, "f")
    assert (request.names, request.output, request.watch) == (("a", "ns/b"), "json", True)
    assert (request.usage, request.timeout) == (False, 5.0)


def test_flags_reach_the_settings(got: list[Any]) -> None:
    cli.main(["--read-only", "get", "--theme", "dark", "--layout", "table", "--no-mouse", "--debug"])
    found: Settings = got[0][1]
    assert (found.read_only, found.theme, found.layout, found.mouse, found.log_level) == (
        True, "dark", "table", False, "debug",
    )  # fmt: skip
    assert found.origins["mouse"] == "flag --no-mouse"


@pytest.mark.parametrize(
    ("argv", "meant"),
    [
        (["gte"], "get"),
        (["docter", "-A"], "doctor"),
        (["--contxt", "prod"], "--context"),
        (["get", "--namespce=x"], "--namespace"),
        (["get", "-o", "jsn"], "json"),
        (["config", "pth"], "path"),
        (["--layout", "gird"], "grid"),
        (["--theme", "drak"], "dark"),
    ],
)
def test_a_wrong_word_is_answered_with_the_nearest(
    argv: list[str], meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = cli.main(argv)
    except SystemExit as left:
        code = left.code  # type: ignore[assignment]
    assert code == 2
    error = capsys.readouterr().err
    assert f"id you mean {meant}?" in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    "argv",
    [
        ["-n", "a", "-A"],
        ["-n", "a", "get", "-A"],
        ["get", "-n", "../../etc"],
        ["get", "-n", "UPPER"],
        ["get", "--timeout", "0"],
        ["get", "--timeout", "nan"],
        ["get", "--timeout", "soon"],
        ["get", "--cont", "abbreviated"],
        ["config"],
    ],
)
def test_wrong_usage_ends_with_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert leave(argv) == 2
    assert "statetui" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("cause", "code"),
    [
        (Cause.CONFIG, 3),
        (Cause.CREDENTIALS, 3),
        (Cause.UNREACHABLE, 3),
        (Cause.TIMEOUT, 3),
        (Cause.FORBIDDEN, 4),
        (Cause.SERVER, 1),
        (Cause.PROTOCOL, 1),
    ],
)
def test_each_cause_has_its_exit_code(
    cause: Cause, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*_: object) -> int:
        raise ProblemError(Problem(cause, "it went wrong", "said \x1b[31mthe server", "Do this."))

    monkeypatch.setattr("tui.commands.get.run", run)
    assert cli.main(["get"]) == code
    assert capsys.readouterr().err == "statetui: it went wrong\n  said ␛[31mthe server\nDo this.\n"


def test_an_interrupt_ends_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("tui.commands.get.run", run)
    assert cli.main(["get"]) == 130


def test_a_defect_shows_no_traceback_and_no_credential(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*_: object) -> int:
        raise RuntimeError("unexpected: Authorization: Bearer abcdefghijklmnop")

    monkeypatch.setattr("tui.commands.get.run", run)
    assert cli.main(["get"]) == 1
    error = capsys.readouterr().err
    assert "a defect of statetui" in error
    assert "statetui.log" in error
    assert "Traceback" not in error
    assert "abcdefghijklmnop" not in error


def test_a_mistake_in_the_settings_stops_everything(
    home: Path, got: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    file = home / "config" / "statetui" / "config.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("protectd: [prod]\n")
    assert cli.main(["get"]) == 2
    assert not got
    assert f"{file}:1: protectd: no such key; did you mean protected?" in capsys.readouterr().err
    assert cli.main(["get", "--config", "/dev/null"]) == 0


def test_config_shows_values_and_where_they_come_from(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = home / "mine.yaml"
    file.write_text("keys: {app.quit: [q, f10]}\n")
    monkeypatch.setenv("STATETUI_THEME", "light")
    assert cli.main(["config", "show", "--config", str(file), "--read-only"]) == 0
    shown = {line.partition(":")[0]: line for line in capsys.readouterr().out.splitlines()}
    assert shown["keys"].split("#") == ['keys: {"app.quit": "q,f10"}  ', f" file {file}:1"]
    assert shown["theme"].endswith("# env STATETUI_THEME")
    assert shown["read_only"].endswith("# flag --read-only")
    assert shown["layout"].endswith("# default")
    assert cli.main(["config", "path"]) == 0
    assert capsys.readouterr().out == f"{home}/config/statetui/config.yaml\n"


def test_without_a_terminal_the_screen_does_not_start() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tui"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 2
    assert "statetui get" in done.stderr
    assert done.stdout == ""


def test_the_screen_is_prepared_for_thin_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("TEXTUAL_ANIMATIONS", "TEXTUAL_SMOOTH_SCROLL", "TEXTUAL_FPS", "ESCDELAY", "SSH_CONNECTION")

    def prepared(settings: Settings, **environ: str) -> list[str | None]:
        with monkeypatch.context() as patch:
            for name in names:
                patch.delenv(name, raising=False)
            for name, value in environ.items():
                patch.setenv(name, value)
            cli.prepare_screen(settings)
            found = [os.environ.get(name) for name in names[:4]]
            for name in names:
                os.environ.pop(name, None)
        return found

    assert prepared(Settings()) == ["none", "0", "30", "20"]
    assert prepared(Settings(), SSH_CONNECTION="a b c d") == ["none", "0", "15", "50"]
    assert prepared(Settings(low_bandwidth=True), SSH_CONNECTION="a b c d") == ["none", "0", "10", "50"]
    assert prepared(Settings(), TEXTUAL_FPS="60", TEXTUAL_ANIMATIONS="full") == ["full", "0", "60", "20"]
    assert prepared(Settings(), ESCDELAY="5")[-1] == "5"


def test_a_reader_that_goes_away_ends_it_quietly(home: Path) -> None:
    program = "import sys\nfrom tui import cli\nimport tui.commands.config as c\n"
    program += "c.lines = lambda settings: ['x' * 70000] * 50\nsys.exit(cli.main(['config', 'show']))\n"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=30) == 141


def test_the_app_is_started_in_a_terminal_with_options_and_settings(home: Path) -> None:
    program = (
        "import sys, types\n"
        "class App:\n"
        "    defect = None\n"
        "    return_code = 7\n"
        "    def __init__(self, options, settings): self.given = options, settings\n"
        "    def run(self, mouse): print('started', self.given[0].context, self.given[1].layout, mouse)\n"
        "sys.modules['tui.screens.app'] = types.SimpleNamespace(StatetuiApp=App)\n"
        "from tui import cli\n"
        "sys.exit(cli.main(['--context', 'prod', '--layout', 'table', '--no-mouse']))\n"
    )
    main, other = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-c", program], stdin=other, stdout=other, stderr=other, timeout=30, check=False
    )
    shown = os.read(main, 4096).decode()
    os.close(main)
    os.close(other)
    assert shown.splitlines() == ["started prod table False"]
    assert done.returncode == 7


@pytest.fixture
def forwarded(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What `forward` was called with."""
    calls: list[Any] = []
    monkeypatch.setattr("tui.commands.forward.run", lambda *arguments: calls.append(arguments) or 0)
    return calls


def test_what_forward_is_asked(forwarded: list[Any]) -> None:
    assert cli.main(["-n", "db", "forward", "mysql:sql", "--local", "0", "--role", "primary", "--spread", "--wait", "3",
                     "--", "mysql", "-uroot", "--", "-o", "json"]) == 0  # fmt: skip
    options, _, request = forwarded[0]
    assert options.namespace == "db"
    assert (request.words, request.local, request.role, request.spread, request.wait) == (
        ("mysql:sql",), 0, "primary", True, 3.0
    )  # fmt: skip
    assert request.command == ("mysql", "-uroot", "--", "-o", "json"), "all behind the first -- is the command's"
    assert cli.main(["forward", "a", "b:1", "-o", "json", "--env-file", "f", "--no-expand", "--context", "c"]) == 0
    request = forwarded[1][2]
    assert (request.words, request.command, request.output) == (("a", "b:1"), (), "json")
    assert (request.env_file, request.expand, request.local) == ("f", False, None)


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        ([], "name a workload"),
        (["a", "b", "--local", "1"], "--local: not allowed with several"),
        (["a", "--local", "host:1"], "neither a port"),
        (["a", "--local", "unix:"], "neither a port"),
        (["a", "--pod", "1", "--role", "primary"], "not allowed with argument"),
        (["a", "--"], "a command is expected after --"),
        (["a", "-o", "json", "--", "x"], "not allowed with a command"),
        (["--list", "a"], "not allowed with a workload"),
        (["a", "--rol", "x"], "Did you mean --role?"),
        (["a", "-o", "yaml"], "invalid choice"),
    ],
)
def test_wrong_words_for_forward(argv: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert leave(["forward", *argv]) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["bucket", "a", "rb", "--yes", "b"], "--yes is an option of: statetui sql, "),
        (["get", "--recursive"], "--recursive is an option of: statetui bucket WORKLOAD ls, "),
    ],
)
def test_an_option_of_another_command_is_told_as_such(
    argv: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert leave(argv) == 2
    assert told in (said := capsys.readouterr().err)
    assert "Did you mean" not in said


def test_two_dashes_mean_what_they_did_elsewhere(got: list[Any]) -> None:
    assert cli.main(["get", "--", "forward"]) == 0
    assert got[0][2].names == ("forward",)
