"""What is loaded when: start-up time is decided by imports, so each deferral has a test."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

#: What costs tens of milliseconds or more.
HEAVY = ("textual", "rich", "aiohttp", "kubernetes_asyncio", "msgspec", "yaml", "ssl", "asyncio", "dataclasses")
CLIENTS = ("aiohttp", "kubernetes_asyncio", "msgspec", "yaml")


def loaded(program: str) -> set[str]:
    """The top-level names of everything that is loaded after a program has run in a process of its own."""
    report = "\nimport json, sys\nprint('\\n' + json.dumps(sorted({n.partition('.')[0] for n in sys.modules})))"
    done = subprocess.run(
        [sys.executable, "-c", program + report], capture_output=True, text=True, timeout=60, check=True
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def main(*argv: str) -> str:
    return f"from tui import cli\ntry:\n    cli.main({list(argv)!r})\nexcept SystemExit:\n    pass\n"


@pytest.mark.parametrize(
    "argv",
    [
        ("--version",),
        ("--help",),
        ("get", "--help"),
        ("forward", "--help"),
        ("sql", "--help"),
        ("bucket", "--help"),
        ("queue", "--help"),
    ],
)
def test_version_and_help_load_nothing(argv: tuple[str, ...]) -> None:
    assert not loaded(main(*argv)) & set(HEAVY)


def test_the_settings_load_yaml_only_for_a_file() -> None:
    program = "from tui import settings\nsettings.load(environ={}, file=__import__('pathlib').Path('/dev/null'))\n"
    assert not loaded(program) & {"yaml", "msgspec", "textual", "aiohttp"}


@pytest.mark.parametrize("package", ["tui.kube.cluster", "tui.systems.live", "tui.systems.diagnose"])
def test_kubernetes_and_systems_know_no_screen(package: str) -> None:
    assert not loaded(f"import {package}") & {"textual", "rich"}


@pytest.mark.parametrize("command", ["get", "doctor", "forward", "sql", "bucket", "queue"])
def test_commands_load_no_screen_and_no_generated_client(command: str) -> None:
    assert not loaded(f"import tui.commands.{command}") & {"textual", "rich", "kubernetes_asyncio"}


def test_the_first_frame_waits_for_no_client() -> None:
    found = loaded(
        "from tui.kube.options import ConnectOptions\nimport tui.settings, tui.logfile\nimport tui.screens.app\n"
    )
    assert "textual" in found
    assert not found & {"aiohttp", "kubernetes_asyncio"}
