"""`statetui demo` leaves no process and no socket behind, however and whenever it ends."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import sys
from pathlib import Path

import pytest
from demo_process import demo, environment, left, nothing_is_left, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="what is left is looked for in /proc")


def _begun(home: Path, stage: str) -> bool:
    """Whether a demo has come so far."""
    state = home / "statetui" / "demo"
    match stage:
        case "imports":
            return True
        case "child":
            return (home / "statetui" / "demo.log").exists()
        case "api":
            return (state / "kubeconfig").exists()
        case "pods":
            with contextlib.suppress(OSError):
                return any(True for _ in (state / "run" / "pids").iterdir())
    return False


_WAYS = [
    *(("--serve", stage, number) for stage in ("child", "pods") for number in ("INT", "TERM", "HUP", "KILL")),
    *(("--serve", "imports", "INT"), ("--serve", "api", "INT"), ("--serve", "api", "KILL")),
    *(
        ("--check", "imports", "INT"),
        ("--check", "child", "INT"),
        ("--check", "api", "TERM"),
        ("--check", "pods", "INT"),
    ),
    *(("--check", "pods", "HUP"), ("--check", "pods", "KILL")),
]


@pytest.mark.parametrize(("mode", "stage", "name"), _WAYS)
def test_a_signal_ends_everything(tmp_path: Path, mode: str, stage: str, name: str) -> None:
    number = signal.Signals[f"SIG{name}"]
    process = demo(tmp_path, mode)
    try:
        until(lambda: _begun(tmp_path, stage) or process.poll() is not None, 60)
        assert process.poll() is None, process.communicate()
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
        nothing_is_left(tmp_path)
        assert "Traceback" not in said
        if stage == "imports":
            # Python itself may have heard it, before it had read any of the program.
            return
        graceful = 0 if mode == "--serve" and name in ("TERM", "HUP") else 128 + number
        assert process.returncode in (graceful, -number), said
        if name == "INT":
            assert process.returncode == 130, said
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("name", ["INT", "KILL"])
def test_the_sandbox_and_its_supervisor_are_killed(tmp_path: Path, name: str) -> None:
    process = demo(tmp_path, "--serve")
    try:
        until(lambda: _begun(tmp_path, "pods"), 60)
        for word in ("supervisor.py",) if name == "INT" else ("-m tui.sandbox", "supervisor.py"):
            for pid, words in left(tmp_path).items():
                if word in words:
                    os.kill(pid, signal.SIGKILL)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 1 and "the sandbox ended before its time" in said and "Traceback" not in said
        if name == "INT":
            nothing_is_left(tmp_path)
            return
        # Even what nobody is left to end is ended by the next one.
        again = demo(tmp_path, "--serve")
        try:
            assert again.stdout is not None and again.stdout.readline().startswith("export KUBECONFIG=")
            again.send_signal(signal.SIGTERM)
            again.communicate(timeout=60)
        finally:
            again.kill()
        nothing_is_left(tmp_path)
    finally:
        process.kill()
        process.wait()


#: Holds the sandbox at its start until there is a file.
HELD = """
import pathlib, sys, time
go = pathlib.Path(__file__).with_name("go")
while "tui.sandbox" in sys.orig_argv and not go.exists():
    time.sleep(0.02)
"""


@pytest.mark.parametrize("how", ["terminal gone", "Ctrl-C at the start", "killed"])
def test_the_screen_ends_with_everything(tmp_path: Path, how: str) -> None:
    ours, theirs = pty.openpty()
    settings = environment(tmp_path)
    if how.startswith("Ctrl"):
        # Once there is a screen, Ctrl-C is a key like others: the sandbox is held until it has been sent.
        (tmp_path / "sitecustomize.py").write_text(HELD)
        settings["PYTHONPATH"] = f"{tmp_path}{os.pathsep}{settings['PYTHONPATH']}"
    process = demo(
        tmp_path, before=("setsid", "--ctty"), env=settings, stdin=theirs, stdout=theirs, stderr=theirs, text=False
    )
    os.close(theirs)
    os.set_blocking(ours, False)
    said = b""

    def begun() -> bool:
        nonlocal said
        with contextlib.suppress(BlockingIOError, OSError):
            while piece := os.read(ours, 65536):
                said += piece
        stage = "child" if how.startswith("Ctrl") else "pods"
        # The screen's first sign is the switch to the terminal's other buffer.
        return _begun(tmp_path, stage) and (stage == "child" or b"\x1b[?1049h" in said)

    try:
        until(begun, 60, lambda: said[-2000:])
        if how == "terminal gone":
            os.close(ours)
            ours = -1
        elif how == "killed":
            for pid, words in left(tmp_path).items():
                if "-m tui demo" in words and "setsid" not in words:
                    os.kill(pid, signal.SIGKILL)
        else:
            os.write(ours, b"\x03")
            (tmp_path / "go").touch()
        until(lambda: bool(begun() or True) and process.poll() is not None, 120, lambda: (left(tmp_path), said[-2000:]))
        nothing_is_left(tmp_path)
        assert b"Traceback" not in said
        if how.startswith("Ctrl"):
            assert process.returncode == 130 and b"\x1b[?1049h" not in said
    finally:
        process.kill()
        process.wait()
        if ours >= 0:
            os.close(ours)
